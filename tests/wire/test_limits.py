"""Limits over HTTP, by POST and by GET: what is refused, with which code, and who is bound."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from clew.config import Settings
from clew.engine.rates import MemoryRateLimiter
from clew.wire.application import Application
from tests.access.guarded import MEMBERS, Guarded, make_guarded
from tests.auth.tokens import SECRET, claims, hs256
from tests.faults.lab import client_of
from tests.wire.conftest import MakeApp

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def guarded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with make_guarded(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
async def serve(guarded: Guarded) -> AsyncIterator[Serve]:
    """serve(max_cost=100): a client of the guarded application with these settings; `.app` is the application."""
    async with AsyncExitStack() as stack:

        async def make(address: str = "192.0.2.1", **settings: Any) -> Client:
            fixed = {"env": "production", "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET, "max_page": 10}
            app = guarded.clew.asgi(Settings.model_validate({"DATABASE_URL": guarded.url, **fixed, **settings}))
            stack.push_async_callback(app.engine.pool.close)
            return Client(app, stack, address)

        yield make


class Client:
    """Sends each operation by POST and by GET, which must be answered alike."""

    def __init__(self, app: Application, stack: AsyncExitStack, address: str) -> None:
        self.app = app
        self.stack = stack
        self.address = address

    def http(self, headers: dict[str, str]) -> httpx.AsyncClient:
        """A client that sends these headers; it holds nothing open."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(self.address, 5000))
        return httpx.AsyncClient(transport=transport, base_url="http://api.example", headers=headers)

    async def send(self, query: str, headers: dict[str, str], variables: Any = None, *, get: bool) -> httpx.Response:
        client = await self.stack.enter_async_context(self.http(headers))
        if get:
            return await client.get("/graphql", params={"query": query, "variables": json.dumps(variables or {})})
        return await client.post("/graphql", json={"query": query, "variables": variables or {}})

    async def error(self, query: str, headers: dict[str, str], variables: Any = None) -> dict[str, Any] | None:
        """The error that both ways give, None for none."""
        found = []
        for get in (False, True):
            body = (await self.send(query, headers, variables, get=get)).json()
            errors = body.get("errors")
            found.append(None if errors is None else errors[0])
            if errors is not None:
                assert "data" not in body
                errors[0]["extensions"].pop("requestId")
        assert found[0] == found[1]
        return found[0]

    async def code(self, query: str, headers: dict[str, str], variables: Any = None) -> str | None:
        error = await self.error(query, headers, variables)
        return None if error is None else error["extensions"]["code"]


def member(number: int, *roles: str) -> dict[str, str]:
    token = hs256(claims(exp=4_000_000_000, sub=f"m{number}", roles=list(roles), regions=["eu"]))
    return {"authorization": f"Bearer {token}"}


EDITOR = member(3, "editor")
PROJECTS = "query ($n: Int) { projects(limit: $n) { tasks(limit: $n) { id } } }"


# --- cost -----------------------------------------------------------------------------


async def test_a_query_that_may_give_too_many_rows_is_refused_with_the_cost_and_the_cure(serve: Serve) -> None:
    client = await serve(max_cost=110)
    assert await client.error("{ projects { tasks { id } } }", EDITOR) is None
    assert await client.error("{ projects { tasks { id } } a: projects(limit: 1) { id } }", EDITOR) == {
        "message": "The operation may return 111 rows: at most 110 are allowed.",
        "extensions": {
            "code": "LIMIT_EXCEEDED",
            "hint": "Nested lists multiply. This would fit: `projects(limit: 9)`, `projects.tasks(limit: 9)`.",
        },
    }


async def test_connections_cost_what_their_pages_hold_groups_too_and_an_aggregate_one(serve: Serve) -> None:
    client = await serve(max_cost=20)
    nested = "query($n: Int!) {{ projectsConnection(first: 2) {{ {} }} }}"
    for way in ("nodes {{ {} }}", "edges {{ node {{ {} }} }}"):
        document = nested.format(way.format("tasksConnection(last: $n) { nodes { id } }"))
        assert await client.code(document, EDITOR, {"n": 9}) is None
        assert await client.code(document, EDITOR, {"n": 10}) == "LIMIT_EXCEEDED"
    groups = "{ projectsGroups(by: [{title: VALUE}]) { count } projects(limit: %d) { tasksAggregate { count } } }"
    assert await client.code(groups % 5, EDITOR) is None
    assert await client.code(groups % 6, EDITOR) == "LIMIT_EXCEEDED"


async def test_the_cost_is_that_of_the_variables_at_hand(serve: Serve) -> None:
    client = await serve(max_cost=90)
    for _ in range(2):
        # 8 and 9 share a plan with 10.
        for number, code in ((9, None), (10, "LIMIT_EXCEEDED"), (8, None), (None, "LIMIT_EXCEEDED")):
            assert await client.code(PROJECTS, EDITOR, {"n": number}) == code
        assert await client.code(PROJECTS, EDITOR) == "LIMIT_EXCEEDED"
        assert await client.code(PROJECTS, EDITOR, {"n": -1}) == "BAD_USER_INPUT"
        assert await client.code(PROJECTS, EDITOR, {"n": 2**63}) == "BAD_USER_INPUT"
        assert await client.code(PROJECTS, EDITOR, {"n": 2**31 - 1}) == "LIMIT_EXCEEDED"


async def test_a_query_that_costs_too_much_is_not_even_compiled(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await serve(max_cost=10)
    monkeypatch.setattr("clew.engine.statements.compile_read", None)
    assert await client.code("{ projects { tasks { id } } }", EDITOR) == "LIMIT_EXCEEDED"


async def test_the_page_of_a_rule_counts_where_there_is_one(serve: Serve) -> None:
    client = await serve(max_cost=3)
    assert await client.code("{ projects { id } }", member(3)) is None
    assert await client.code("{ projects { id } }", EDITOR) == "LIMIT_EXCEEDED"


async def test_a_nested_list_without_a_limit_has_a_page_of_its_own(serve: Serve) -> None:
    client = await serve(max_nested_page=2, limits={"clerk": {"nested_page": 3}})
    document = """query ($n: Int) {
      team(id: "t3") {
        projects(limit: $n) { id }
        projectsConnection(first: $n) { nodes { id } pageInfo { hasNextPage } }
        projectsAggregate { count }
      }
      teams(where: {id: {eq: "t3"}}) { projects(limit: $n) { id } }
    }"""
    for headers, number, expected in (
        (EDITOR, None, 2),
        (EDITOR, 4, 4),
        # Of several roles the most generous value counts. An admin has all rows.
        (member(3, "editor", "clerk"), None, 3),
        (ADMIN, None, 5),
    ):
        answer = (await client.send(document, headers, {"n": number}, get=False)).json()
        team, (first,) = answer["data"]["team"], answer["data"]["teams"]
        page = team["projectsConnection"]
        assert len(team["projects"]) == len(page["nodes"]) == len(first["projects"]) == expected
        # The connection and the aggregate tell that there is more.
        assert page["pageInfo"]["hasNextPage"] is (expected < team["projectsAggregate"]["count"])
    # It is never larger than the largest page: the general one, or that of a rule.
    for headers, most, settings in ((EDITOR, 2, {"max_page": 2}), (member(3), 3, {"max_nested_page": 4})):
        client = await serve(**settings)
        answer = (await client.send(document, headers, {}, get=False)).json()
        assert len(answer["data"]["team"]["projects"]) == most
        assert await client.code(document, headers, {"n": most + 1}) == "LIMIT_EXCEEDED"


# --- lists ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 4])
async def test_lists_are_bounded_in_variables_and_in_literals(serve: Serve, count: int) -> None:
    client = await serve(max_list_items=3)
    numbers = list(range(count))
    expected = None if count == 3 else "LIMIT_EXCEEDED"
    for query, variables in (
        ("query ($v: [Int!]) { projects(where: {id: {in: $v}}) { id } }", {"v": numbers}),
        ("query ($v: ProjectFilter) { projects(where: $v) { id } }", {"v": {"id": {"in": numbers}}}),
        ("query ($v: ProjectFilter) { projects(where: $v) { id } }", {"v": {"not": {"and": {"id": {"in": numbers}}}}}),
        ("query ($v: ProjectFilter) { projects(where: $v) { id } }", {"v": {"or": [{}] * count}}),
        ("query ($v: [ProjectOrderBy!]) { projects(orderBy: $v) { id } }", {"v": [{"id": "ASC"}] * count}),
        (f"{{ projects(where: {{id: {{in: {numbers}}}}}) {{ id }} }}", {}),
        (f"{{ projects(where: {{or: [{'{} ' * count}]}}) {{ id }} }}", {}),
        (f"query ($v: [Int!] = {numbers}) {{ projects(where: {{id: {{in: $v}}}}) {{ id }} }}", {}),
    ):
        assert await client.code(query, EDITOR, variables) == expected, query


async def test_an_admin_may_send_long_lists(serve: Serve) -> None:
    client = await serve(max_list_items=3, max_conditions=3)
    query = "query ($v: ProjectFilter) { projects(where: $v) { id } }"
    assert await client.code(query, ADMIN, {"v": {"or": [{"id": {"in": [1, 2, 3, 4]}}] * 4}}) is None


@pytest.mark.parametrize(
    "where",
    [
        {"or": [{}] * 6},
        {"or": [{"and": [{}] * 2}] * 2},
        {"or": [{}] * 3, "and": [{}] * 3},
        {"team": {"or": [{"not": {"or": [{}] * 5}}]}},
    ],
)
async def test_the_conditions_of_all_levels_count_together(serve: Serve, where: Any) -> None:
    client = await serve(max_conditions=5)
    query = "query ($v: ProjectFilter) { projects(where: $v) { id } }"
    assert await client.code(query, EDITOR, {"v": where}) == "LIMIT_EXCEEDED"
    # Two of these, and three of the rules that make projects visible.
    assert await client.code(query, EDITOR, {"v": {"or": [{"and": [{}]}] * 2}}) is None


async def test_what_is_no_list_where_one_should_be_is_left_to_coercion(serve: Serve) -> None:
    client = await serve(max_list_items=3)
    query = "query ($v: ProjectFilter) { projects(where: $v) { id } }"
    for value in ({"or": 5}, {"nothing": [1, 2, 3, 4]}, [1, 2, 3, 4], {"title": {"eq": [1, 2, 3, 4]}}):
        assert await client.code(query, EDITOR, {"v": value}) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"or": [{"id": {"eq": 1}}] * 33_000}, "`$v` is too large: at most 32767 conditions are allowed."),
        (
            {"and": [{"id": {"gt": 1, "lt": 3, "neq": 2, "gte": 4}}] * 4100},
            "The operation is too large: at most 32767 values are allowed.",
        ),
    ],
)
async def test_more_values_than_a_statement_can_have_are_refused_to_an_admin_too(
    serve: Serve, where: Any, message: str
) -> None:
    client = await serve()
    query = "query ($v: ProjectFilter) { projects(where: $v) { id } again: projects(where: $v) { id } }"
    (error,) = (await client.send(query, ADMIN, {"v": where}, get=False)).json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == (message, "LIMIT_EXCEEDED")


# --- the size of a response ------------------------------------------------------------

TASKS = "{ tasks(limit: 10) { id title } }"


async def large(client: Client, query: str, headers: dict[str, str], variables: Any = None) -> Any:
    """The answer's data, or the message of its only error, to both ways alike."""
    found = []
    for get in (False, True):
        body = (await client.send(query, headers, variables, get=get)).json()
        if "errors" in body:
            assert body["data"] is None
            (error,) = body["errors"]
            assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
            body = {"data": error["message"]}
        found.append(body["data"])
    assert found[0] == found[1]
    return found[0]


async def test_a_response_with_a_byte_too_many_does_not_leave_the_database(serve: Serve) -> None:
    whole = (await (await serve()).send(TASKS, EDITOR, get=False)).json()["data"]["tasks"]
    # As Postgres writes JSON, with what lists and objects have between their parts.
    given: list[Any] = []
    for extra in (200, 1):
        client = await serve(max_response_bytes=extra)
        fetch = client.app.engine.pool.fetch

        async def watched(sql: str, arguments: Any, fetch: Any = fetch) -> Any:
            rows = await fetch(sql, arguments)
            given.append(sum(len(value) for row in rows for value in row if value is not None))
            return rows

        client.app.engine.pool.fetch = watched
        found = await large(client, TASKS, EDITOR)
        assert found == f"The response is too large: at most {extra} bytes are allowed."
    assert given == [0] * 4
    low, high = 200, 4000
    while high - low > 1:
        middle = (low + high) // 2
        is_answered = isinstance(await large(await serve(max_response_bytes=middle), TASKS, EDITOR), dict)
        low, high = (low, middle) if is_answered else (middle, high)
    assert await large(await serve(max_response_bytes=high), TASKS, EDITOR) == {"tasks": whole}
    both = "{ a: tasks(limit: 10) { id title } b: tasks(limit: 10) { id title } none: task(id: -1) { id } }"
    assert isinstance(await large(await serve(max_response_bytes=2 * high - 1), both, EDITOR), str)
    assert await large(await serve(max_response_bytes=2 * high), both, EDITOR) == {
        "a": whole,
        "b": whole,
        "none": None,
    }


async def test_large_rows_that_multiply_are_refused_by_default(serve: Serve, guarded: Guarded) -> None:
    """Rows of 200 KB through three nested to-manys would be 67 MB, at a cost of 1,110."""
    client = await serve()
    assert client.app.engine.limits.default.response_bytes == 16 * 2**20
    connection = await asyncpg.connect(guarded.url)
    given: list[int] = []
    fetch = client.app.engine.pool.fetch

    async def watched(sql: str, arguments: Any) -> Any:
        rows = await fetch(sql, arguments)
        given.append(sum(len(value) for row in rows for value in row if value is not None))
        return rows

    client.app.engine.pool.fetch = watched
    query = "{ members { name teams { members(limit: 10) { name teams { members(limit: 10) { name } } } } } }"
    try:
        await connection.execute("UPDATE members SET name = repeat(name, 25_000) WHERE id IN ('m3', 'm23', 'm43')")
        # Three of them are large, of ten.
        message = "The response is too large: at most 16777216 bytes are allowed."
        assert await large(client, query, member(3)) == message
        assert given == [0, 0]
    finally:
        await connection.execute("UPDATE members SET name = 'Member ' || substr(id, 2)")
        await connection.close()


async def test_what_resolvers_return_and_what_is_read_for_them_counts(serve: Serve) -> None:
    client = await serve(max_response_bytes=1000)
    ids = "query ($v: [String!]!) { teamsOf(ids: $v) { id } }"
    message = "The response is too large: at most 1000 bytes are allowed."
    assert len((await large(client, ids, EDITOR, {"v": ["t0"] * 40}))["teamsOf"]) == 40
    # One key is read once, however often it is answered.
    assert await large(client, ids, EDITOR, {"v": ["t0"] * 100}) == message
    members = "{ members(limit: 3) { greeting id name } }"
    assert await large(await serve(max_response_bytes=100), members, EDITOR) == (
        "The response is too large: at most 100 bytes are allowed."
    )
    # Each of the two is small enough, both are not.
    two = "query ($v: [String!]!) { a: teamsOf(ids: $v) { id name } b: teamsOf(ids: $v) { id name } }"
    one = two.replace("b: teamsOf(ids: $v) { id name }", "")
    client = await serve(max_response_bytes=100)
    assert isinstance(await large(client, one, EDITOR, {"v": ["t0", "t1"]}), dict)
    assert await large(client, two, EDITOR, {"v": ["t0", "t1"]}) == (
        "The response is too large: at most 100 bytes are allowed."
    )


async def test_a_role_may_have_larger_responses_and_an_admin_has_any(serve: Serve) -> None:
    client = await serve(max_response_bytes=10, limits={"editor": {"response_bytes": 10_000}})
    assert isinstance(await large(client, TASKS, EDITOR), dict)
    assert isinstance(await large(client, TASKS, ADMIN), dict)
    assert await large(client, TASKS, member(3)) == "The response is too large: at most 10 bytes are allowed."


async def test_explained_too(serve: Serve) -> None:
    client = await serve(max_response_bytes=10)
    eyes = {**ADMIN, "x-clew-role": "user", "x-clew-claims": '{"sub": "m3"}', "x-clew-explain": "1"}
    body = (await client.send(TASKS, eyes, get=False)).json()
    assert (body["data"], body["errors"][0]["extensions"]["code"]) == (None, "LIMIT_EXCEEDED")
    assert 10 in [parameter["value"] for parameter in body["extensions"]["clew"]["parameters"][0]]


# --- what is no value -----------------------------------------------------------------

NO_VALUES = {
    "5,000 digits for an Int": "{ projects(limit: " + "1" * 5000 + ") { id } }",
    "5,000 digits among values": "{ projects(where: {id: {in: [" + "1" * 5000 + "]}}) { id } }",
    "a limit of 2^63": "{ projects(limit: 9223372036854775808) { id } }",
    "a negative limit": "{ projects(limit: -1) { id } }",
    "NaN": "{ projects(limit: NaN) { id } }",
    "U+0000": r'{ projects(where: {title: {eq: "\u0000"}}) { id } }',
    "a lone surrogate": r'{ projects(where: {title: {eq: "\ud800"}}) { id } }',
    "a text too many levels down": "{ projects(where: "
    + "{not: " * 190
    + "{title: {eq: 1}}"
    + "}" * 190
    + ") { id } }",
}


@pytest.mark.parametrize("query", NO_VALUES.values(), ids=NO_VALUES.keys())
async def test_a_literal_that_is_no_value_is_the_clients_error(serve: Serve, query: str) -> None:
    client = await serve()
    assert await client.code(query, EDITOR) in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED")


@pytest.mark.parametrize("depth", [30, 60, 150])
async def test_filters_that_nest_deeply_through_relations_are_answered_or_refused(serve: Serve, depth: int) -> None:
    client = await serve(statement_timeout=2)
    query = "query ($v: TeamFilter) { teams(where: $v) { id } }"
    for kind in ("projects", "members"):
        where: Any = {}
        for _ in range(depth // 3):
            inner = {"team": where} if kind == "projects" else {"teams": {"some": where}}
            where = {kind: {"some": inner}}
        response = await client.send(query, EDITOR, {"v": where}, get=False)
        codes = [error["extensions"]["code"] for error in response.json().get("errors", ())]
        assert codes == (["LIMIT_EXCEEDED"] if depth >= 150 else []), kind


async def test_a_number_too_long_to_be_read_is_named_wherever_it_stands(serve: Serve) -> None:
    client = await serve(secret="s" * 32)
    digits = "1" * 5000
    query = "query ($v: Int) { projects(limit: $v) { id } }"
    http = client.http(EDITOR)
    json_type = {"content-type": "application/json"}
    body = json.dumps({"query": query, "variables": {"v": 0}})
    in_body = await http.post("/graphql", content=body.replace("0}", digits + "}"), headers=json_type)
    in_url = await http.get("/graphql", params={"query": query, "variables": f'{{"v": {digits}}}'})
    in_ticket = await http.post("/tickets", content=f'{{"path": {digits}}}', headers=json_type)
    in_document = await http.get("/graphql", params={"query": f"{{ projects(limit: {digits}) {{ id }} }}"})
    for response, message in (
        (in_body, "The body holds a number with too many digits."),
        (in_url, "`variables` holds a number with too many digits."),
        (in_ticket, "The body holds a number with too many digits."),
        (in_document, "The number has too many digits: at most 1000 characters are allowed."),
    ):
        (error,) = response.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")
    assert in_document.json()["errors"][0]["locations"] == [{"line": 1, "column": 19}]
    eyes = {**ADMIN, "x-clew-role": "user", "x-clew-claims": f'{{"sub": {digits}}}'}
    assert await client.error("{ ping }", eyes) == {
        "message": "X-Clew-Claims must be a JSON object.",
        "extensions": {"code": "BAD_USER_INPUT", "hint": 'Send an object such as {"sub": "42"}.'},
    }
    payload = json.dumps(claims(exp=4_000_000_000)).replace("4000000000", digits)
    token = jws.serialize_compact({"alg": "HS256"}, payload.encode(), OctKey.import_key(SECRET))
    assert await client.error("{ ping }", {"authorization": f"Bearer {token}"}) == {
        "message": "The credentials are not valid.",
        "extensions": {"code": "UNAUTHENTICATED"},
    }


# --- roles ----------------------------------------------------------------------------


async def test_a_role_may_have_limits_of_its_own(serve: Serve) -> None:
    client = await serve(
        max_cost=10,
        max_depth=3,
        limits={"editor": {"cost": 110, "page": 11}, "anon": {"depth": 1}, "clerk": {"cost": 50}},
    )
    deep = "{ teams(limit: 1) { projects(limit: 1) { team { id } } } }"
    for query, headers, code in (
        ("{ projects { tasks(limit: 9) { id } } }", EDITOR, None),
        ("{ projects { tasks(limit: 10) { id } } }", EDITOR, "LIMIT_EXCEEDED"),
        ("{ projects(limit: 11) { id } }", EDITOR, None),
        ("{ projects(limit: 12) { id } }", EDITOR, "LIMIT_EXCEEDED"),
        ("{ teams(limit: 3) { projects(limit: 3) { id } } }", member(3), "LIMIT_EXCEEDED"),
        ("{ teams(limit: 3) { projects(limit: 3) { id } } }", member(3, "clerk"), None),
        # Of what is not overridden for a role it has what all have, and of several the most generous counts.
        ("{ ping }", {}, None),
        ("{ teams { id } }", {}, "LIMIT_EXCEEDED"),
        ("{ teams { id } }", member(3), None),
        (deep, member(3, "clerk"), "LIMIT_EXCEEDED"),
    ):
        assert await client.code(query, headers) == code, query


async def test_an_admin_is_bound_by_tokens_depth_and_aliases_only(serve: Serve) -> None:
    bounds = {"max_root_fields": 1, "max_directives": 1, "max_cost": 1, "max_rate": 1, "max_page": 1}
    client = await serve(**bounds, max_tokens=100, max_depth=3, max_aliases=1)
    wide = "{ ping members { id @skip(if: true) name @skip(if: true) } projects(limit: 5000) { id } }"
    assert await client.code(wide, ADMIN) is None
    answer = await client.send("{ members { id } }", ADMIN, get=False)
    assert len(answer.json()["data"]["members"]) == MEMBERS
    assert await client.code("{ teams { projects { tasks { id } } } }", ADMIN) == "LIMIT_EXCEEDED"
    assert await client.code("{ a: ping b: ping }", ADMIN) == "LIMIT_EXCEEDED"
    assert await client.code("{ ping " + "ping " * 100 + "}", ADMIN) == "LIMIT_EXCEEDED"
    wider = await serve(**bounds, max_depth=3, limits={"admin": {"depth": 4}})
    assert await wider.code("{ teams { projects { tasks { id } } } }", ADMIN) is None


# --- rates ----------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_operations_are_counted_by_viewer_and_the_answer_says_when_to_come_again(serve: Serve) -> None:
    client = await serve(max_rate=4)
    clock = Clock()
    client.app.engine.rates = MemoryRateLimiter(clock)
    # What fails counts too, and both methods are counted alike.
    assert await client.code("{ ping }", EDITOR) is None
    assert await client.code("{ nothing }", EDITOR) == "GRAPHQL_VALIDATION_FAILED"
    for get in (False, True):
        refused = await client.send("{ ping }", EDITOR, get=get)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "15")
        (error,) = refused.json()["errors"]
        assert error["message"] == "Too many operations: at most 4 a minute are allowed."
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["hint"] == "Try again in 15 s."
    for headers in (member(4, "editor"), {}):
        assert await client.code("{ ping }", headers) is None
    clock.now = 15
    assert (await client.send("{ ping }", EDITOR, get=False)).status_code == 200
    assert (await client.send("{ ping }", EDITOR, get=False)).status_code == 429


async def test_the_anonymous_are_counted_by_address_and_no_header_changes_it(serve: Serve) -> None:
    client = await serve(max_rate=2)
    client.app.engine.rates = MemoryRateLimiter(Clock())
    assert await client.code("{ ping }", {}) is None
    for headers in ({}, {"x-forwarded-for": "192.0.2.9"}, {"forwarded": "for=192.0.2.9"}):
        assert (await client.send("{ ping }", headers, get=False)).status_code == 429
    client.address = "192.0.2.2"
    assert (await client.send("{ ping }", {}, get=False)).status_code == 200
    # A name is no address.
    assert (await client.send("{ ping }", member(5), get=False)).status_code == 200


async def test_a_rate_may_be_a_roles_own(serve: Serve) -> None:
    client = await serve(max_rate=1, limits={"editor": {"rate": 4}})
    client.app.engine.rates = MemoryRateLimiter(Clock())
    for number, headers in ((1, member(3)), (4, member(4, "editor"))):
        answers = [(await client.send("{ ping }", headers, get=True)).status_code for _ in range(5)]
        assert answers == [200] * number + [429] * (5 - number)


async def test_what_no_client_sent_is_not_counted(make_app: MakeApp) -> None:
    from clew.engine import Request
    from clew.viewer import Viewer

    engine = make_app(max_rate=1).engine
    for _ in range(3):
        assert (await engine.execute(Request("{ __typename }"), Viewer("x"))).code is None


async def test_the_developer_is_not_counted(make_app: MakeApp) -> None:
    async with client_of(make_app(max_rate=1)) as client:
        for _ in range(3):
            assert (await client.post("/graphql", json={"query": "{ __typename }"})).status_code == 200
