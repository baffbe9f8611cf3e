"""Which rules applied to an operation and why: `clew explain`, and `X-Clew-Explain` for admins and in dev."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from clew import ClewError
from clew.app import development_app
from clew.config import Settings
from clew.engine import Request
from clew.engine.explain import Explanation, explained, explanation
from clew.viewer import Viewer
from clew.wire.application import Application
from tests.access.guarded import Guarded, make_guarded
from tests.auth.tokens import SECRET, claims, hs256

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
EXPLAIN = {"x-clew-explain": "1"}
USER = {"authorization": f"Bearer {hs256(claims(exp=4_000_000_000, sub='m0', regions=['eu']))}"}
EYES = {"x-clew-role": "user", "x-clew-claims": '{"sub": "m0", "regions": ["eu"]}'}

MakeApp = Callable[..., Application]


@pytest.fixture(scope="module")
def guarded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with make_guarded(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
async def make_app(guarded: Guarded) -> AsyncIterator[MakeApp]:
    async with AsyncExitStack() as stack:

        def make(**changes: Any) -> Application:
            settings = {"env": "production", "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET, **changes}
            app = development_app(guarded.clew, Settings.model_validate({"DATABASE_URL": guarded.url, **settings}))
            stack.push_async_callback(app.engine.pool.close)
            return app

        yield make


@pytest.fixture
def app(make_app: MakeApp) -> Application:
    return make_app()


async def explain(app: Application, query: str, *roles: str, **given: Any) -> Explanation:
    found = await explanation(app.engine, Request(query), Viewer.seen_as(roles, given))
    assert found is not None
    return found


def whys(found: Explanation) -> list[tuple[str, str, bool, str]]:
    """What the rules are about, their lines, and whether and why they apply."""
    return [(rule.about, rule.at.rpartition(":")[2], rule.applies, rule.why) for rule in found.rules]


# --- which rules, and why -------------------------------------------------------------


async def test_rules_apply_to_those_who_hold_a_role_and_the_claims(app: Application) -> None:
    found = await explain(app, "{ teams { name } }", "user", sub="m0")
    assert whys(found) == [("Team", "19", True, "role anon is held"), ("Team", "20", True, "role user is held")]
    assert found.rules[1].rule == '@allow(role: user) READ, where {members: {some: {id: "$auth.sub"}}}'
    assert {rule.at for rule in found.rules} == {"graphql/app.graphql:19", "graphql/app.graphql:20"}


async def test_a_rule_of_a_role_that_is_not_held_is_dropped(app: Application) -> None:
    found = await explain(app, "{ teams { name } }")
    assert whys(found)[1] == ("Team", "20", False, "role user is not held")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "claim sub is absent"),
        ({"sub": None}, "claim sub is null"),
        ({"sub": 4.2}, "claim sub does not fit String (text)"),
        ({"sub": "m\x00"}, "claim sub does not fit String (text)"),
        ({"sub": []}, "claim sub is a list"),
    ],
)
async def test_a_rule_without_its_claim_is_dropped(app: Application, given: dict[str, Any], why: str) -> None:
    found = await explain(app, "{ teams { name } }", "user", **given)
    assert whys(found)[1] == ("Team", "20", False, why)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"regions": ["eu"]}, "it binds every role"),
        ({"regions": "eu"}, "it binds every role"),
        ({"regions": []}, "claim regions is an empty list: no row is visible"),
        ({"regions": [1]}, "claim regions does not fit String (text): no row is visible"),
        ({}, "claim regions is absent: no row is visible"),
    ],
)
async def test_a_guard_is_never_dropped(app: Application, given: dict[str, Any], why: str) -> None:
    found = await explain(app, "{ projects { title } }", "user", sub="m0", **given)
    assert whys(found)[-1] == ("Project", "44", True, why)


async def test_an_admin_is_bound_by_no_rule_but_guards_that_say_so(app: Application) -> None:
    found = await explain(app, "{ projects { title } members { email } }", "admin")
    assert whys(found) == [("Project", "44", False, "it binds no admin")]
    assert found.masks == ()


async def test_every_entity_that_is_touched_is_judged_and_no_other(app: Application) -> None:
    for query, entities in (
        ("{ ping viewer { id } }", set()),
        ("{ tasks { title } }", {"Task"}),
        ("{ task(id: 1) { project { team { name } } } }", {"Task", "Project", "Team"}),
        ('{ tasks(where: {assignee: {name: {eq: "x"}}}) { title } }', {"Task", "Member"}),
        ("{ tasks(orderBy: {team: {name: ASC}}) { title } }", {"Task", "Team"}),
        ("{ teams(where: {not: {members: {some: {tasks: {none: {}}}}}}) { id } }", {"Team", "Member", "Task"}),
    ):
        found = await explain(app, query, "user", sub="m0", regions=["eu"])
        about = {rule.about.partition(".")[0] for rule in found.rules}
        assert about - {"Query"} == entities, query


async def test_the_rules_of_a_custom_field_and_of_rows_that_it_names_are_judged(app: Application) -> None:
    found = await explain(app, "{ ofNotes(ids: [1]) }", "user", "editor", sub="m0")
    assert [(rule.about, rule.rule, rule.applies) for rule in found.rules] == [
        ("Query.ofNotes", "@allow(role: user)", True),
        ("Note", "@allow(role: anon) READ, where {open: true}, fields [id, title]", True),
        ("Note", "@allow(role: user) READ, where {open: true}, fields [author, id, title]", True),
        ("Note", '@allow(role: user) READ, where {author: {id: "$auth.sub"}}', True),
        ("Note DELETE", "@allow(role: editor) DELETE, where {open: true}", True),
    ]
    found = await explain(app, "{ stats { teams } }", "editor")
    assert [(rule.rule, rule.why) for rule in found.rules] == [
        ("@allow(role: [editor, auditor])", "role editor is held")
    ]
    assert (await explain(app, "{ stats { teams } }", "admin")).rules == ()


async def test_a_fields_own_rules_are_judged_where_it_is_touched(app: Application) -> None:
    found = await explain(app, "{ teams { budget } }", "user", "editor", sub="m0")
    assert ("Team.budget", "24", True, "role editor is held") in whys(found)
    found = await explain(app, "{ teams { name } }", "user", "editor", sub="m0")
    assert "Team.budget" not in {about for about, *_ in whys(found)}


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("{ members { name teams { id } } }", []),
        ("{ members { email } }", ["Member.email"]),
        ('{ members(where: {or: [{email: {eq: "x"}}]}) { name } }', ["Member.email"]),
        ("{ members(orderBy: {email: ASC}) { name } }", ["Member.email"]),
        ("{ members { x: greeting } }", ["Member.greeting"]),
        ("{ members { tasks { title } } }", ["Member.tasks"]),
        ("{ members(where: {tasks: {some: {id: {gt: 1}}}}) { name } }", ["Member.tasks"]),
        ("{ tasks(orderBy: {assignee: {email: ASC}}) { title } }", ["Member.email"]),
    ],
)
async def test_masked_fields_that_are_touched_are_told(app: Application, query: str, fields: list[str]) -> None:
    found = await explain(app, query, "user", sub="m0")
    assert [mask.field for mask in found.masks] == fields
    assert {mask.opened_by for mask in found.masks} <= {("graphql/app.graphql:31",)}


async def test_a_field_that_no_rule_opens_is_masked_everywhere(app: Application) -> None:
    found = await explain(app, "{ members { email } }", "user")
    assert [(mask.field, mask.opened_by) for mask in found.masks] == [("Member.email", ())]


@pytest.mark.parametrize(
    ("query", "field", "at"),
    [
        ("{ members { reviews { text } } }", "Review.author", "app.graphql:137"),
        ("{ members { reviewsAggregate { count } } }", "Review.author", "app.graphql:137"),
        ("{ members(where: {reviews: {some: {}}}) { name } }", "Review.author", "app.graphql:137"),
        ("{ members { won { text } } }", "Review.winner", "app.graphql:138"),
        ("{ members { read { text } } }", "Reading.reader", "app.graphql:210"),
        ("{ essayMoods { topic { name } } }", "Essay.moods", "links.graphql:9"),
        ("{ essayTopics { essayId } }", "EssayTopic.essayId", "links.graphql:4"),
    ],
)
async def test_what_must_be_open_elsewhere_is_told(app: Application, query: str, field: str, at: str) -> None:
    found = await explain(app, query, "user", sub="m0")
    assert next(mask for mask in found.masks if mask.field == field).opened_by == (f"graphql/{at}",)
    assert (at.partition(":")[2], True) in {(line, applies) for _, line, applies, _ in whys(found)}


async def test_each_list_of_a_link_has_its_own_rules_alone(app: Application) -> None:
    found = await explain(app, "{ topics { warned { title } } }", "user", sub="m0")
    assert "Essay.warnings" not in {rule.about for rule in found.rules}
    found = await explain(app, "{ essayTopics { topic { name } } }", "user", sub="m0")
    assert {rule.about for rule in found.rules} == {"Essay", "Topic"}


@pytest.mark.parametrize(
    "query",
    [
        "{ drafts(deleted: ONLY) { id } }",
        "{ draftsAggregate(deleted: INCLUDE) { count } }",
        "{ members { drafts(deleted: INCLUDE) { id } } }",
    ],
)
async def test_rules_for_delete_are_told_where_deleted_rows_are_asked_for(app: Application, query: str) -> None:
    found = await explain(app, query, "user", sub="m0")
    rules = {(rule.rule, rule.applies) for rule in found.rules if rule.about == "Draft"}
    assert rules == {
        ("@allow(role: user) READ, every row", True),
        ('@allow(role: user) DELETE, where {writer: {id: "$auth.sub"}}', True),
        ("@guard DELETE, where {kept: false}", True),
    }
    found = await explain(app, re.sub(r"\(deleted: \w+\)", "", query), "user", sub="m0")
    assert [rule.rule for rule in found.rules if rule.about == "Draft"] == ["@allow(role: user) READ, every row"]


async def test_a_rule_for_delete_without_its_claim_is_dropped(app: Application) -> None:
    found = await explain(app, "{ drafts(deleted: ONLY) { id } }", "user")
    assert [rule.why for rule in found.rules if "DELETE, where {writer" in rule.rule] == ["claim sub is absent"]


# --- as text --------------------------------------------------------------------------


async def test_the_text_holds_rules_plan_sql_values_and_explain(app: Application) -> None:
    query = 'query ($n: Int) { members(where: {email: {eq: "x"}}, limit: $n) { email } viewer { id } }'
    text = await explained(app.engine, query, {"n": 3}, Viewer.seen_as(["user"], {"sub": "m0"}))
    for line in (
        "Viewer\n  m0: anon, user",
        "Rules\n  Member\n    applies  graphql/app.graphql:31  @allow(role: user) READ, where "
        '{id: "$auth.sub"}: role user is held',
        "  Member.email is masked: open by graphql/app.graphql:31",
        "Plan\n  ReadPlan\n    RootMany key='members'",
        "Compare column=email operator='eq' operand='x' masked",
        "SQL\n  SELECT",
        "= 'm0' ($auth.sub)",
        "= 3 ($n)",
        "Live: runs again when rows change of\n",
        "  equality  Member: id = $auth.sub\n",
        "EXPLAIN\n  Subquery Scan on whole",
    ):
        assert line in text
    # Rules' predicates are told above, not in the plan.
    plan = text[text.index("Plan\n") : text.index("Live: ")]
    assert "$auth" not in plan


async def test_the_text_for_an_admin_and_without_a_statement(app: Application) -> None:
    text = await explained(app.engine, "{ ping }", {})
    assert "An admin passes every @allow." in text
    assert "RootCustom key='ping' nodes=[ping]" in text
    assert "No statement" in text


@pytest.mark.parametrize(
    "query", ["mutation { wipe }", "mutation { nothing }", "{ audits { id } }", "{", "{ teams(limit: -1) { id } }"]
)
async def test_what_cannot_be_explained_is_one_error(app: Application, query: str) -> None:
    with pytest.raises(ClewError):
        await explained(app.engine, query, {}, Viewer.seen_as(["user"]))


# --- over HTTP ------------------------------------------------------------------------


async def post(app: Application, query: str, *headers: dict[str, str], client: str = "203.0.113.9") -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as sender:
        merged = {name: value for given in headers for name, value in given.items()}
        return await sender.post("/graphql", json={"query": query}, headers={"x-request-id": "same", **merged})


TEAMS = '{ teams(where: {name: {eq: "Team 0"}}) { id } }'


@pytest.mark.parametrize("who", [ADMIN, {**ADMIN, **EYES}])
async def test_an_admin_gets_what_became_of_the_operation(app: Application, who: dict[str, str]) -> None:
    plain = (await post(app, TEAMS, who)).json()
    body = (await post(app, TEAMS, who, EXPLAIN)).json()
    assert list(plain) == ["data"]
    assert list(body) == ["data", "extensions"]
    assert body["data"] == plain["data"]
    found = body["extensions"]["clew"]
    members = ["viewer", "plan", "sql", "parameters", "rules", "masks", "unplanned", "dependencies", "milliseconds"]
    assert list(found) == members
    assert found["milliseconds"] > 0
    assert found["plan"][:2] == ["ReadPlan", "  RootMany key='teams'"]
    (sql,) = found["sql"]
    assert sql.startswith("SELECT ")
    assert {"source": None, "value": "Team 0"} in found["parameters"][0]
    if "x-clew-role" in who:
        assert found["viewer"] == {"id": "m0", "roles": ["anon", "user"]}
        assert {"source": "$auth.sub", "value": "m0"} in found["parameters"][0]
        assert found["rules"][1] == {
            "about": "Team",
            "rule": '@allow(role: user) READ, where {members: {some: {id: "$auth.sub"}}}',
            "at": "graphql/app.graphql:20",
            "applies": True,
            "why": "role user is held",
        }
    else:
        assert found["rules"] == []


@pytest.mark.parametrize("who", [{}, USER, {"x-api-key": "m0"}])
async def test_others_get_in_production_what_they_get_without_the_header(
    app: Application, make_app: MakeApp, who: dict[str, str]
) -> None:
    for query in (TEAMS, "{ ping }", "{ audits { id } }", "{ teams(limit: -1) { id } }"):
        plain, asked = await post(app, query, who), await post(app, query, who, EXPLAIN)
        assert (plain.status_code, plain.text, list(plain.headers)) == (
            asked.status_code,
            asked.text,
            list(asked.headers),
        )
        assert "clew" not in asked.text
    in_dev = await post(make_app(env="dev"), TEAMS, who, EXPLAIN)
    assert in_dev.json()["extensions"]["clew"]["sql"]


async def test_in_dev_this_machine_and_those_it_looks_through_get_it(make_app: MakeApp) -> None:
    app = make_app(env="dev")
    for eyes in ({}, EYES):
        response = await post(app, TEAMS, eyes, EXPLAIN, client="127.0.0.1")
        assert response.json()["extensions"]["clew"]["sql"]


@pytest.mark.parametrize("value", ["", "0", "true", "2", "1, 1", "Analyze", "analyze,1"])
async def test_nothing_else_asks_for_it(app: Application, value: str) -> None:
    assert list((await post(app, TEAMS, ADMIN, {"x-clew-explain": value})).json()) == ["data"]


async def test_it_comes_with_resolvers_with_mutations_and_with_get(app: Application) -> None:
    body = (await post(app, "{ ping members(limit: 1) { greeting } }", ADMIN, EXPLAIN)).json()
    assert body["data"]["ping"] == "pong"
    assert len(body["extensions"]["clew"]["sql"]) == 1
    body = (await post(app, "mutation { wipe }", ADMIN, EXPLAIN)).json()
    assert body["data"] == {"wipe": True}
    found = body["extensions"]["clew"]
    assert found.pop("refusedToUser")["message"] == "Cannot query field 'wipe' on type 'Mutation'."
    assert found.pop("milliseconds") > 0
    assert found == {
        "viewer": {"id": None, "roles": ["admin"]},
        "unplanned": [{"field": "Mutation.wipe", "why": "a resolver of the application"}],
        **{name: [] for name in ("plan", "sql", "parameters", "rules", "masks", "missed", "refusals")},
    }
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        response = await client.get("/graphql", params={"query": TEAMS}, headers={**ADMIN, **EXPLAIN})
    assert response.json()["extensions"]["clew"]["sql"]


@pytest.mark.parametrize(
    "query", ["{", "{ nothing }", "{ teams(limit: -1) { id } }", "query A { ping } query B { ping }"]
)
async def test_what_was_refused_before_it_ran_has_none(app: Application, query: str) -> None:
    plain, asked = await post(app, query, ADMIN), await post(app, query, ADMIN, EXPLAIN)
    assert plain.text == asked.text
    assert "errors" in asked.json()


ANALYZE = {"x-clew-explain": "analyze"}


@pytest.mark.parametrize("who", [ADMIN, {**ADMIN, **EYES}])
async def test_an_admin_gets_what_postgres_says_too(app: Application, who: dict[str, str]) -> None:
    found = (await post(app, TEAMS, who, ANALYZE)).json()["extensions"]["clew"]
    assert any("actual time" in line for line in found["postgres"])
    assert found["postgres"][-1].startswith("Execution Time")


async def test_postgres_is_not_asked_of_a_mutation_nor_for_others(app: Application, make_app: MakeApp) -> None:
    mutation = (await post(app, "mutation { wipe }", ADMIN, ANALYZE)).json()
    nothing = (await post(app, "{ ping }", ADMIN, ANALYZE)).json()
    in_dev = (await post(make_app(env="dev"), TEAMS, USER, ANALYZE)).json()
    for body in (mutation, nothing, in_dev):
        assert "postgres" not in body["extensions"]["clew"]
    assert list((await post(app, TEAMS, USER, ANALYZE)).json()) == ["data"]


async def test_what_postgres_refuses_to_explain_is_its_message(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connection() -> Any:
        raise ClewError("Too slow.", code="TIMEOUT")

    monkeypatch.setattr(app.engine.pool, "connection", connection)
    body = (await post(app, TEAMS, ADMIN, ANALYZE)).json()
    assert "errors" not in body
    assert body["extensions"]["clew"]["postgres"] == ["Too slow."]


async def test_what_failed_while_it_ran_has_it(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(*_: Any) -> Any:
        raise ClewError("Too slow.", code="TIMEOUT")

    monkeypatch.setattr(app.engine.pool, "fetch", fetch)
    body = (await post(app, TEAMS, ADMIN, EXPLAIN)).json()
    assert body["errors"][0]["extensions"]["code"] == "TIMEOUT"
    assert body["extensions"]["clew"]["sql"]
