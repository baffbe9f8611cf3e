"""What a user would be refused is told to an admin: in the log in dev, and in explanations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from clew.app import development_app
from clew.config import Settings
from clew.engine import Request
from clew.engine.explain import explained
from clew.engine.refused_to_user import refused_to_user
from clew.viewer import Viewer
from clew.wire.application import Application
from tests.access.guarded import Guarded, make_guarded

pytestmark = pytest.mark.anyio

EVENT = "a user would be refused"
COSTLY = "{ teams { projects { tasks { id } } } }"
COST = {
    "message": "The operation may return 130 rows: at most 20 are allowed.",
    "hint": "Nested lists multiply. This would fit: "
    "`teams(limit: 2)`, `teams.projects(limit: 2)`, `teams.projects.tasks(limit: 2)`.",
}


@pytest.fixture(scope="module")
def guarded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with make_guarded(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
async def app(guarded: Guarded) -> AsyncIterator[Application]:
    """A development server, with limits that a test can reach."""
    settings = {
        "env": "dev",
        "max_page": 10,
        "max_nested_page": 3,
        "max_cost": 20,
        "max_list_items": 3,
        "max_conditions": 40,
        "max_root_fields": 2,
        "max_aliases": 3,
        "limits": {"user": {"depth": 4}, "anon": {"depth": 4}},
    }
    made = development_app(guarded.clew, Settings.model_validate({"DATABASE_URL": guarded.url, **settings}))
    yield made
    await made.engine.pool.close()


async def post(app: Application, query: str, variables: Any = None, **headers: str) -> tuple[Any, list[Any]]:
    """The response, and what the log says of it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 1))
    sent = {"query": query, "variables": variables or {}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as sender:
            answer = (await sender.post("/graphql", json=sent, headers=named)).json()
    return answer, [line for line in logs if line["event"] == EVENT]


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        (COSTLY, {}, "may return"),
        ("{ a: projects { id } b: projects(limit: 10) { id } c: ping }", {}, "root fields"),
        # The page of a rule for users, where editors have a larger one.
        ("{ projects(limit: 4) { id } }", {}, "`limit` must not be more than 3"),
        ("{ teams(limit: 11) { id } }", {}, "`limit` must not be more than 10"),
        ("query ($n: Int) { teams(limit: $n) { id } }", {"n": 11}, "`limit` must not be more than 10"),
        ("query ($n: Int) { teams(limit: $n) { id } }", {"n": 10}, None),
        ("query ($n: Int) { teams(limit: $n) { projects { id } } }", {"n": 6}, "may return 24 rows"),
        ("{ teams(where: {id: {in: [a, b]}}) { id } }".replace("a, b", '"a", "b", "c", "d"'), {}, "too long"),
        ("query ($v: [String!]) { teams(where: {id: {in: $v}}) { id } }", {"v": list("abcd")}, "too long"),
        ("query ($v: TeamFilter) { teams(where: $v) { id } }", {"v": {"and": [{"id": {"eq": "a"}}] * 3}}, None),
        ("{ teams(limit: 1) { projects { team { projects { id } } } } }", {}, "nested levels"),
        # A field that users have not is no matter of limits.
        ("{ audits { id } }", {}, None),
        ("{ teams { nothing } }", {}, None),
    ],
)
async def test_the_log_tells_an_admin_in_dev_which_limit_would_refuse_a_user(
    app: Application, query: str, variables: Any, message: str | None
) -> None:
    _, lines = await post(app, query, variables)
    assert len(lines) == (message is not None)
    if message is not None:
        assert message in lines[0]["message"]
        assert lines[0]["operation"] == query
        assert lines[0]["log_level"] == "warning"
        # The user is really refused.
        answer, more = await post(app, query, variables, x_clew_role="user", x_clew_claims='{"sub": "m3"}')
        assert answer["errors"][0]["message"] == lines[0]["message"]
        assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert more == []


async def test_the_log_tells_once_of_each_document(app: Application) -> None:
    counts = [len((await post(app, query))[1]) for query in (COSTLY, COSTLY, COSTLY + " ", COSTLY)]
    assert counts == [1, 0, 1, 0]


async def test_a_mutation_is_judged_by_its_document_and_variables(app: Application) -> None:
    _, lines = await post(app, "mutation { a: wipe b: wipe c: wipe }")
    assert [line["message"] for line in lines] == ["The operation is too large: at most 2 root fields are allowed."]


async def test_nobody_but_an_admin_in_dev_is_told(guarded: Guarded, app: Application) -> None:
    for headers in ({"x_clew_role": "user"}, {"x_clew_role": "editor"}):
        assert (await post(app, COSTLY, **headers))[1] == []
    secret = "f2b90d6e81c74a35902d7be6c4a1f538"
    settings = {"env": "production", "admin_secret": secret, "max_cost": 1, "DATABASE_URL": guarded.url}
    production = development_app(guarded.clew, Settings.model_validate(settings))
    try:
        answer, lines = await post(production, COSTLY, x_clew_admin_secret=secret)
    finally:
        await production.engine.pool.close()
    assert "errors" not in answer
    assert lines == []


async def test_explanations_tell_an_admin_what_a_user_would_be_refused(app: Application) -> None:
    answer, _ = await post(app, COSTLY, x_clew_explain="1")
    assert answer["extensions"]["clew"]["refusedToUser"] == {"code": "LIMIT_EXCEEDED", **COST}
    text = await explained(app.engine, COSTLY, {})
    assert text.endswith(f"\n\nRefused to user\n  LIMIT_EXCEEDED {COST['message']}\n  {COST['hint']}")
    # A field that users have not is told too.
    text = await explained(app.engine, "{ audits { id } }", {})
    refused = "Cannot query field 'audits' on type 'Query'."
    assert text.endswith(f"\n\nRefused to user\n  GRAPHQL_VALIDATION_FAILED {refused}")
    answer, _ = await post(app, "{ audits { id } }", x_clew_explain="1")
    assert answer["extensions"]["clew"]["refusedToUser"]["message"] == refused
    assert "Refused" not in await explained(app.engine, "{ ping }", {})
    assert "Refused" not in await explained(app.engine, "{ teams { id } }", {}, Viewer.seen_as(["user"]))
    assert await refused_to_user(app.engine, Request("{ ping }")) is None
