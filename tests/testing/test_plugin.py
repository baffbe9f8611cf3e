"""What the plugin for tests promises: clean databases, real commits, requests through the whole app, rows."""

from __future__ import annotations

import pytest

from tests.testing.conftest import RunTests, outcomes

CONFTEST = 'pytest_plugins = ["clew.testing"]\n'

SDL = """
enum Size { SMALL LARGE }

type Tenant @table {
  id: ID! @id
  accounts: [Account!]! @relation(from: "tenant")
}

type Account @table {
  tenant: Tenant! @id @relation
  number: Int! @id
  email: String! @unique @check(pattern: "^[^@ ]+@[^@ ]+$")
  code: String! @unique @column(type: "varchar(3)") @check(pattern: "^[0-9A-Z]+$")
}

type Task @table @allow(role: user) {
  tenant: Tenant! @id @relation(columns: ["tenant_id"])
  number: Int! @id
  assignee: Account! @relation(columns: ["tenant_id", "assignee_number"])
  title: String!
  secret: String @hidden
}

type Item @table @allow(role: user, to: [READ, CREATE]) {
  id: Int! @id
  position: Int! @unique(deferrable: true)
  label: String! @default(value: "none")
  size: Size!
  price: Decimal!
  at: DateTime!
  day: Date!
  time: Time!
  big: BigInt!
  ratio: Float!
  flag: Boolean!
  data: JSON!
  key: UUID!
  raw: Bytes!
  words: [String!]!
  createdBy: String! @preset(claim: "sub")
  tags: [Tag!]! @relation(through: "ItemTag")
}

type Tag @table {
  id: ID! @id
  name: String! @unique @check(pattern: "^x{3}$")
}

type Ring @table {
  id: ID! @id
  next: Ring! @relation
}

extend type Mutation {
  aside(position: Int!): Int! @allow(role: user)
}

extend type Query {
  fails: Int @allow(role: anon)
}
"""

MAIN = """
import asyncpg
from ariadne import MutationType, QueryType
from starlette.responses import JSONResponse
from starlette.routing import Route

from clew import Clew

mutation = MutationType()
query = QueryType()


@mutation.field("aside")
async def aside(_, info, *, position):
    # A connection of its own, which commits by itself.
    connection = await asyncpg.connect(clew.database_url)
    try:
        return await connection.fetchval("SELECT count(*) FROM tags")
    finally:
        await connection.close()


@query.field("fails")
def fails(_, info):
    raise RuntimeError("a fault of ours")


async def who(request):
    viewer = await clew.viewer(request)
    return JSONResponse({"id": viewer.id, "roles": sorted(viewer.roles)})


clew = Clew([mutation, query], routes=[Route("/who", who)])
"""

TESTS = '''
import asyncio
from uuid import UUID
from datetime import datetime, UTC
from decimal import Decimal

import asyncpg
import pytest

from clew import Viewer
from clew.testing import AnswerError


@pytest.fixture
def anyio_backend():
    return "asyncio"


USER = ("user", {"sub": "7"})
ALL = "{ itemsAggregate { count } tagsAggregate { count } }"
EMPTY = {"itemsAggregate": {"count": 0}, "tagsAggregate": {"count": 0}}


def count(client):
    return client.as_("admin").graphql(ALL).raise_for_errors()


@pytest.mark.parametrize("round", [1, 2])
def test_each_test_begins_clean(client, make, round):
    assert count(client) == EMPTY
    item = make("Item")
    assert item["id"] == 1, "the sequence begins anew, too"
    assert count(client)["itemsAggregate"] == {"count": 1}


def test_it_is_clean_after_writes_of_a_connection_that_is_still_open(client, clew_database_url):
    assert count(client) == EMPTY

    async def insert():
        connection = await asyncpg.connect(clew_database_url)
        await connection.execute("INSERT INTO tags (name) VALUES ('xxx')")
        # Neither committed nor closed in order.
        await connection.execute("BEGIN; UPDATE tags SET name = 'xxx'")
        connection.terminate()

    asyncio.run(insert())
    assert count(client)["tagsAggregate"] == {"count": 1}


def test_it_is_clean_again(client):
    assert count(client) == EMPTY


def test_a_resolver_sees_with_a_connection_of_its_own_what_was_made(client, make):
    make("Tag", name="xxx")
    assert client.as_(*USER).graphql("mutation { aside(position: 1) }").data == {"aside": 1}


def test_a_deferrable_constraint_is_judged_as_ever(client, make):
    first, second = make("Item", position=1), make("Item", position=2)
    swap = """mutation ($a: Int!, $b: Int!) {
      updateManyItems(updates: [{id: $a, set: {position: 2}}, {id: $b, set: {position: 1}}]) { count }
    }"""
    answer = client.as_("admin").graphql(swap, {"a": first["id"], "b": second["id"]})
    assert answer.raise_for_errors() == {"updateManyItems": {"count": 2}}
    with pytest.raises(AnswerError, match="CONSTRAINT_VIOLATION at createItem.*position"):
        make("Item", position=2)


@pytest.mark.anyio
async def test_requests_run_at_once(client, make):
    make("Item", position=1)
    admin = client.as_("admin")
    bump = "mutation { updateItems(where: {position: {eq: 1}}, inc: {big: 1}) { count } }"
    answers = await asyncio.gather(*(admin.agraphql(bump) for _ in range(20)))
    assert [answer.codes for answer in answers] == [[]] * 20
    assert admin.graphql("{ items { big } }").data["items"][0]["big"] in (21, "21")


@pytest.mark.anyio
async def test_the_object_of_the_app_serves_tests_too(clew_app, make):
    make("Tag", name="xxx")
    assert await clew_app.graphql("{ tags { name } }", viewer=Viewer.admin()) == {"tags": [{"name": "xxx"}]}


@pytest.mark.anyio
async def test_a_request_that_nobody_awaits_ends_with_the_test(client, make):
    make("Item", position=1)
    slow = "mutation { updateItems(where: {position: {eq: 1}}, inc: {big: 1}) { count } }"
    running = asyncio.ensure_future(client.as_("admin").agraphql(slow))
    await asyncio.sleep(0)
    assert not running.done()


def test_viewers_are_told_apart(client):
    assert client.graphql("{ viewer { id roles } }").data == {"viewer": {"id": None, "roles": ["anon"]}}
    both = client.as_(["user", "editor"], {"sub": "7"})
    assert sorted(both.graphql("{ viewer { roles } }").data["viewer"]["roles"]) == ["anon", "editor", "user"]
    assert client.graphql("{ items { id } }").errors[0]["message"].startswith("Cannot query field")
    wrong = client.with_headers({"Authorization": "Bearer no"}).graphql("{ viewer { id } }")
    assert (wrong.status, wrong.codes) == (401, ["UNAUTHENTICATED"])


def test_routes_of_ones_own_have_the_viewer(client):
    assert client.as_(*USER).request("GET", "/who").json() == {"id": "7", "roles": ["anon", "user"]}
    assert client.request("GET", "/nowhere").status_code == 404


def test_the_app_behaves_as_in_production(client):
    many = " ".join(f"a{number}: viewer {{ id }}" for number in range(200))
    assert client.graphql(f"{{ {many} }}").codes == ["LIMIT_EXCEEDED"]
    assert "graphiql" not in client.request("GET", "/graphql", headers={"Accept": "text/html"}).text.lower()
    answer = client.graphql("{ fails }")
    assert answer.codes == ["INTERNAL"]
    assert "fault of ours" not in str(answer.errors)
    with pytest.raises(AnswerError, match="INTERNAL at fails"):
        answer.raise_for_errors()


def test_a_row_has_what_the_api_stores_and_plausible_values(make):
    one, two = make("Item"), make("Item")
    assert one["size"] == "SMALL"
    assert one["label"] == "none"
    assert one["flag"] is False
    assert one["words"] == []
    assert one["position"] != two["position"]
    assert one["createdBy"]
    assert (one.entity, set(one) >= {"id", "price", "at", "raw", "data"}) == ("Item", True)
    exact = make("Item", price=Decimal("1.10"), at=datetime(2025, 1, 1, tzinfo=UTC), key=UUID(int=1), raw=b"ab")
    assert (exact["key"], exact["raw"]) == (str(UUID(int=1)), "YWI=")


def test_required_relations_are_made_and_agree_on_the_columns_that_they_share(make):
    task = make("Task")
    assert task["assigneeNumber"]
    assert "secret" not in task
    account = make("Account")
    assert make("Task", assignee=account)["tenantId"] == account["tenantId"]
    accounts = [make("Account") for _ in range(40)]
    assert len({row["code"] for row in accounts}) == 40
    assert all(len(row["code"]) <= 3 for row in accounts)
    assert "@" in account["email"]


def test_to_manys_take_rows_and_inputs(client, make):
    tag = make("Tag", name="xxx")
    make("Item", tags=[tag])
    assert client.as_("admin").graphql("{ items { tags { name } } }").data == {"items": [{"tags": [{"name": "xxx"}]}]}
    make("Tenant", accounts={"create": [{"number": 1, "email": "a@b", "code": "A"}]})
    assert client.as_("admin").graphql("{ accounts { code } }").data == {"accounts": [{"code": "A"}]}


def test_faults_of_a_test_are_told(make):
    with pytest.raises(ValueError, match="Itm is no type with a table. Do you mean Item"):
        make("Itm")
    with pytest.raises(ValueError, match="ItemCreateInput has no field positon. Do you mean position"):
        make("Item", positon=1)
    with pytest.raises(ValueError, match="Item.tags leads to Tag, not to Tenant"):
        make("Item", tags=[make("Tenant")])
    with pytest.raises(ValueError, match=r"Tag.name fits the pattern .*make\\("):
        make("Tag")
    with pytest.raises(ValueError, match="Ring -> Ring"):
        make("Ring")
'''

FILES = {
    "graphql/schema.graphql": SDL,
    "app/main.py": MAIN,
    "pyproject.toml": '[tool.clew]\napp = "app.main:clew"\n',
    "tests/conftest.py": CONFTEST,
    "tests/test_all.py": TESTS,
}


def test_the_plugin_keeps_its_promises(run_tests: RunTests) -> None:
    done = run_tests(FILES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 passed" in done.stdout


def test_workers_have_databases_of_their_own(run_tests: RunTests) -> None:
    tests = {f"tests/test_{n}.py": TESTS for n in range(2)} | {"tests/test_all.py": ""}
    done = run_tests({**FILES, **tests}, "-n", "2", "-k", "clean")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


@pytest.mark.parametrize(
    ("files", "environment", "told"),
    [
        ({"app/main.py": "clew = 1\n"}, {}, "of type int, not a Clew"),
        ({}, {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "127.0.0.1:1"),
        ({}, {"CLEW_PORT": "x"}, "CLEW_PORT"),
    ],
    ids=["app", "server", "setting"],
)
def test_what_is_wrong_with_the_project_is_told_in_a_line(
    run_tests: RunTests, files: dict[str, str], environment: dict[str, str], told: str
) -> None:
    done = run_tests({**FILES, **files}, "-k", "told_apart", **environment)
    assert outcomes(done) == {"test_viewers_are_told_apart": "ERROR"}
    assert told in done.stdout
    assert "Traceback" not in done.stdout
