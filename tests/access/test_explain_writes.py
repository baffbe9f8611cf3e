"""Who is told over HTTP why a write is refused: everybody in dev, elsewhere admins who ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest

from clew.app import development_app
from clew.config import Settings
from clew.wire.application import Application
from tests.attacks.club import Club, make_club
from tests.auth.tokens import SECRET, claims, hs256

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
EXPLAIN = {"x-clew-explain": "1"}
EYES = {"x-clew-role": "user", "x-clew-claims": '{"sub": "ann"}'}
ANN = {"authorization": f"Bearer {hs256(claims(exp=4_000_000_000, sub='ann'))}"}

REFUSED = 'mutation { updateNote(id: 4, set: {text: "x"}) { id } }'
HIDDEN = 'mutation { updateNote(id: 3, set: {text: "x"}) { id } }'
ALLOWED = 'mutation { updateNote(id: 1, set: {text: "Ann drafts"}) { text } }'

MakeApp = Callable[..., Application]


@pytest.fixture(scope="module")
def club(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Club]:
    with make_club(postgres_url, tmp_path_factory.mktemp("club")) as made:
        yield made


@pytest.fixture
async def make_app(club: Club) -> AsyncIterator[MakeApp]:
    connection = await asyncpg.connect(club.url)
    await club.fill(connection)
    await connection.close()
    async with AsyncExitStack() as stack:

        def make(env: str) -> Application:
            settings = {"env": env, "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET, "DATABASE_URL": club.url}
            app = development_app(club.clew, Settings.model_validate(settings))
            stack.push_async_callback(app.engine.pool.close)
            return app

        yield make


async def post(app: Application, query: str, *headers: dict[str, str], **more: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as sender:
        merged = {name: value for given in (*headers, more) for name, value in given.items()}
        return await sender.post("/graphql", json={"query": query}, headers={"x-request-id": "same", **merged})


def refusal(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    found: dict[str, Any] = error["extensions"]["refusal"]
    return found


@pytest.mark.parametrize("who", [{}, ANN])
@pytest.mark.parametrize("query", [REFUSED, HIDDEN, ALLOWED])
async def test_in_production_the_header_changes_no_byte_for_others(
    make_app: MakeApp, query: str, who: dict[str, str]
) -> None:
    app = make_app("production")
    plain, asked = await post(app, query, who), await post(app, query, who, EXPLAIN)
    assert (plain.status_code, plain.content, plain.headers) == (asked.status_code, asked.content, asked.headers)
    assert b"refusal" not in asked.content
    assert b"clew" not in asked.content


async def test_in_production_an_admin_who_asks_is_told(make_app: MakeApp) -> None:
    app = make_app("production")
    plain = (await post(app, REFUSED, ADMIN, EYES)).json()
    assert "refusal" not in plain["errors"][0]["extensions"]
    response = await post(app, REFUSED, ADMIN, EYES, EXPLAIN)
    found = refusal(response)
    assert (found["phase"], found["entity"], found["operation"]) == ("gather", "Note", "UPDATE")
    assert (found["row"], found["fields"], found["why"]) == (
        {"id": 4},
        ["text"],
        "No rule that holds opens text.",
    )
    (own,) = [rule for rule in found["rules"] if rule["rule"].endswith("fields [club, text]")]
    assert own["at"].startswith("graphql/")
    assert (own["applies"], own["before"], own["failed"]) == (True, False, ['{authorId: "$auth.sub"}'])
    told = response.json()["extensions"]["clew"]
    assert told["refusals"] == [{"field": "updateNote", **found}]
    assert told["plan"][:2] == ["updateNote, gather", told["plan"][1]]
    assert told["sql"][0].endswith("FOR UPDATE OF t0")


@pytest.mark.parametrize("env", ["production", "dev"])
async def test_rules_without_a_condition_are_told_whatever_becomes_of_the_write(make_app: MakeApp, env: str) -> None:
    app = make_app(env)
    create = 'mutation { createApproval(input: {id: 9, owner: "ann"}) { id } }'
    for code in (None, "CONSTRAINT_VIOLATION"):
        body = (await post(app, create, *([ADMIN, EYES] if env == "production" else [ANN]), EXPLAIN)).json()
        assert (body["errors"][0]["extensions"]["code"] if "errors" in body else None) == code
        rules = [(rule["about"], rule["applies"]) for rule in body["extensions"]["clew"]["rules"]]
        assert rules == [("Approval", True), ("Approval CREATE", True)]


async def test_an_admin_is_told_why_a_row_is_no_such_row(make_app: MakeApp) -> None:
    body = (await post(make_app("production"), HIDDEN, ADMIN, EYES, EXPLAIN)).json()
    assert body["data"] == {"updateNote": None}
    (missed,) = body["extensions"]["clew"]["missed"]
    assert (missed["entity"], missed["operation"], missed["row"]) == ("Note", "UPDATE", {"id": 3})
    assert missed["why"] == "No READ rule shows the row."


async def test_in_dev_everybody_is_told_with_the_error(make_app: MakeApp) -> None:
    app = make_app("dev")
    response = await post(app, REFUSED, ANN)
    assert list(response.json()) == ["errors", "data"]
    assert refusal(response)["row"] == {"id": 4}
    assert list((await post(app, ALLOWED, ANN)).json()) == ["data"]
    assert (await post(app, HIDDEN, ANN)).json() == {"data": {"updateNote": None}}


async def test_a_response_that_is_kept_for_a_repeated_request_tells_nothing(make_app: MakeApp) -> None:
    app = make_app("production")
    key = {"idempotency-key": "one"}
    told = (await post(app, ALLOWED, ADMIN, EYES, EXPLAIN, key)).json()
    again = (await post(app, ALLOWED, ADMIN, EYES, key)).json()
    assert told["extensions"]["clew"]["sql"]
    assert again == {"data": told["data"]}
