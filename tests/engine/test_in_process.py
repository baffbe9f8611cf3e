"""Operations of the application's own: `info.context.graphql`, its `system`, and `Clew.graphql`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clew import Clew, ClewError, Code, Viewer
from clew.errors import InvalidOwnOperationError, StartupError
from tests.engine.conftest import Desk
from tests.engine.office import PEOPLE, Office, group, mutation, person, query, task, user

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
ASK = "query ($d: String!, $s: Boolean, $t: Boolean) { ask(document: $d, system: $s, twice: $t) }"
ADMIN = Viewer.admin()
RUN = "mutation ($d: [String!]!, $c: Boolean, $s: Boolean) { run(documents: $d, caught: $c, system: $s) }"


def rename(number: int, name: str = "changed") -> str:
    return f'mutation {{ rename(id: "p{number}", name: "{name}") {{ name }} }}'


def fail(number: int) -> str:
    return f'mutation {{ fail(id: "p{number}") }}'


# --- info.context.graphql -------------------------------------------------------------


async def test_it_has_the_viewers_rules_and_system_an_admins(desk: Desk) -> None:
    document = '{ pick(id: "p7") { id } picks(ids: ["p1", "p2"]) { salary } viewer { id } }'
    found = (await desk.data(user(1), ASK, d=document))["ask"]
    assert found == "{'pick': None, 'picks': [{'salary': 100}, {'salary': None}], 'viewer': {'id': 'p1'}}"
    found = (await desk.data(user(1), ASK, d=document, s=True))["ask"]
    assert found == "{'pick': {'id': 'p7'}, 'picks': [{'salary': 100}, {'salary': 200}], 'viewer': {'id': None}}"
    # What is within it is its own's again.
    inner = '{ ask(document: "{ viewer { roles } }") }'
    assert "['user']" in (await desk.data(user(1), ASK, d=inner))["ask"]
    assert "['admin']" in (await desk.data(user(1), ASK, d=inner, s=True))["ask"]


async def test_what_is_hidden_from_the_viewer_is_unknown(desk: Desk) -> None:
    found = await desk.answer(user(1), ASK, d="{ badges { id } }")
    (error,) = found["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["message"] == "This needs a type or field that your role does not have."
    assert (await desk.data(user(1), ASK, d="{ badges { label } }", s=True))[
        "ask"
    ] == "{'badges': [{'label': 'first'}]}"


@pytest.mark.parametrize("document", ["{ badges { labl } }", "{", "{ nothing }"])
@pytest.mark.parametrize("system", [False, True])
async def test_an_operation_that_is_not_valid_is_a_fault_that_the_log_has(
    desk: Desk, document: str, system: bool
) -> None:
    with structlog.testing.capture_logs() as logged:
        found = await desk.answer(user(1), ASK, d=document, s=system)
    (error,) = found["errors"]
    assert error["extensions"]["code"] == ("INTERNAL" if system else "FORBIDDEN")
    assert not {"labl", "Badge", "nothing"} & set(re.findall(r"\w+", error["message"]))
    (entry,) = [entry for entry in logged if entry["log_level"] == "error"]
    assert isinstance(entry["exc_info"], InvalidOwnOperationError)


async def test_errors_are_raised_with_all_they_say(desk: Desk) -> None:
    found = await desk.data(
        user(1), RUN, d=[fail(1), "{", "{ nothing }", "query ($n: Int!) { again(depth: $n) }"], c=True
    )
    assert found["run"][0] == "CONFLICT It was not to be. Try another. {'id': 'p1'}"
    assert [text.split()[0] for text in found["run"]] == [
        "CONFLICT",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "BAD_USER_INPUT",
    ]
    found = await desk.answer(user(1), RUN, d=[fail(1)])
    assert found["data"] is None
    assert found["errors"][0]["extensions"] == {"id": "p1", "code": "CONFLICT", "hint": "Try another."}
    # An error somewhere in a query is one.
    found = await desk.answer(user(1), ASK, d="{ wrong(kind: 1) { id } }")
    assert found["errors"][0]["message"] == "Something went wrong on the server."


async def test_a_query_cannot_run_a_mutation(desk: Desk) -> None:
    before = await desk.names()
    for system in (False, True):
        found = await desk.answer(user(1), ASK, d=rename(1), s=system)
        assert found["errors"][0]["message"] == "A query's resolver cannot run a mutation."
    found = await desk.answer(user(1), ASK, d="subscription { x }")
    assert "errors" in found
    assert await desk.names() == before


async def test_a_mutation_within_a_mutation_is_part_of_its_transaction(desk: Desk) -> None:
    before = await desk.names()
    found = await desk.answer(user(1), 'mutation ($d: [String!]!) { run(documents: $d) fail(id: "p2") }', d=[rename(1)])
    assert found["data"] is None
    assert await desk.names() == before
    try:
        document = "mutation ($d: [String!]!, $e: [String!]!) { a: run(documents: $d) b: run(documents: $e) }"
        found = await desk.data(
            user(1), document, d=[rename(1)], e=['{ pick(id: "p1") { name } person(id: "p1") { name } }']
        )
        assert found["b"] == ["{'pick': {'name': 'changed'}, 'person': {'name': 'changed'}}"]
        assert (await desk.names())["p1"] == "changed"
    finally:
        await desk.engine.pool.fetch("UPDATE people SET name = 'Person 1' WHERE id = 'p1'", ())


async def test_what_the_system_writes_is_part_of_it_too(desk: Desk) -> None:
    before = await desk.names()
    document = 'mutation ($d: [String!]!) { run(documents: $d, system: true) pick: rename(id: "p9", name: "y") { id } }'
    failing = document.replace("{ id } }", '{ id } fail(id: "p1") }')
    found = await desk.answer(user(1), failing, d=[rename(7)])
    assert found["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert await desk.names() == before
    try:
        # The system sees the row that it has changed; the viewer does not.
        found = await desk.data(user(1), document, d=[rename(7)])
        assert found["run"] == ["{'rename': {'name': 'changed'}}"]
        assert (await desk.names())["p7"] == "changed"
    finally:
        await desk.engine.pool.fetch("UPDATE people SET name = 'Person ' || substr(id, 2)", ())


async def test_one_that_fails_and_is_caught_leaves_the_rest_as_it_was(desk: Desk) -> None:
    before = await desk.names()
    both = 'mutation { rename(id: "p3", name: "x") { id } fail(id: "p4") }'
    try:
        found = await desk.data(user(1), RUN, d=[rename(1), both, rename(2), fail(5)], c=True)
        assert [text.split()[0] for text in found["run"]] == ["{'rename':", "CONFLICT", "{'rename':", "CONFLICT"]
        after = await desk.names()
        assert {key for key, name in after.items() if name != before[key]} == {"p1", "p2"}
    finally:
        await desk.engine.pool.fetch("UPDATE people SET name = 'Person ' || substr(id, 2)", ())


async def test_a_statement_that_fails_within_does_not_end_the_transaction(desk: Desk) -> None:
    nested = f"mutation {{ run(documents: [{quoted(rename(3, 'x'))}, {quoted(broken())}]) }}"
    try:
        found = await desk.data(user(1), RUN, d=[rename(1), nested, rename(2)], c=True)
        assert found["run"][1].split()[0] == "BAD_USER_INPUT"
        after = await desk.names()
        assert (after["p1"], after["p2"], after["p3"]) == ("changed", "changed", "Person 3")
    finally:
        await desk.engine.pool.fetch("UPDATE people SET name = 'Person ' || substr(id, 2)", ())


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def broken() -> str:
    return 'mutation { rename(id: "p4", name: "\\u0000") { id } }'


async def test_siblings_share_the_connection_in_turns(desk: Desk) -> None:
    documents = ["{ people { id next { slowNext { id } } } }", rename(1, "Person 1"), "{ counted }"] * 10
    found = (await desk.data(user(1), RUN, d=documents))["run"]
    assert found[2::3] == [f"{{'counted': {PEOPLE}}}"] * 10
    assert len(set(found[0::3])) == 1
    found = (await desk.data(user(1), ASK, d=documents[0], t=True))["ask"]
    assert "'slowNext': {'id': 'p3'}" in found


async def test_operations_within_one_another_come_to_an_end(desk: Desk) -> None:
    assert await desk.data(user(1), "{ again(depth: 10) }") == {"again": 10}
    for depth in (11, 10_000):
        found = await desk.answer(user(1), "query ($n: Int!) { again(depth: $n) }", n=depth)
        (error,) = found["errors"]
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["path"] == ["again"]


async def test_a_document_is_prepared_once_and_limits_are_the_clients(desk: Desk) -> None:
    long = "{ " + " ".join(f"a{number}: viewer {{ id }}" for number in range(200)) + " }"
    assert "'a199'" in (await desk.data(user(1), ASK, d=long))["ask"]
    # What the application may ask, its clients still may not.
    found = await desk.answer(user(1), long)
    assert found["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    found = await desk.answer(user(1), ASK, d="{ people(limit: 5000) { id } }")
    assert found["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert "'p9'" in (await desk.data(user(1), ASK, d="{ people(limit: 5000) { id } }", s=True))["ask"]


# --- Clew.graphql ---------------------------------------------------------------------


async def test_clew_runs_operations_as_an_admin_or_as_another(desk: Desk) -> None:
    clew = desk.office.clew
    document = "query ($k: String!) { person(id: $k) { salary } viewer { id } }"
    async with clew.running(desk.office.settings):
        assert await clew.graphql(document, {"k": "p7"}, viewer=ADMIN) == {
            "person": {"salary": 700},
            "viewer": {"id": None},
        }
        assert await clew.graphql(document, {"k": "p7"}, viewer=user(1)) == {"person": None, "viewer": {"id": "p1"}}
        with pytest.raises(ClewError) as caught:
            await clew.graphql(fail(1), viewer=ADMIN)
        assert (caught.value.code, caught.value.hint) == (Code.CONFLICT, "Try another.")
        with pytest.raises(ClewError, match="subscription"):
            await clew.graphql('subscription { person(id: "p7") { salary } }', viewer=ADMIN)


async def test_who_asks_must_be_said(desk: Desk) -> None:
    ask: Any = desk.office.clew.graphql
    async with desk.office.clew.running(desk.office.settings):
        arguments: tuple[tuple[Any, ...], ...] = ((), ({},), ({}, ADMIN))
        for given in arguments:
            with pytest.raises(TypeError):
                await ask("{ people { id } }", *given)
        with pytest.raises(AttributeError):
            await ask("{ people { id } }", viewer=None)
        assert await ask("{ viewer { id roles } }", viewer=Viewer()) == {"viewer": {"id": None, "roles": []}}


async def test_a_mutation_is_a_transaction_of_its_own(desk: Desk) -> None:
    before = await desk.names()
    both = 'mutation { rename(id: "p1", name: "x") { id } fail(id: "p1") }'
    async with desk.office.clew.running(desk.office.settings):
        with pytest.raises(ClewError):
            await desk.office.clew.graphql(both, viewer=ADMIN)
        assert await desk.names() == before
        await desk.office.clew.graphql('mutation { rename(id: "p1", name: "x") { id } }', viewer=ADMIN)
    assert (await desk.names())["p1"] == "x"
    await desk.engine.pool.fetch("UPDATE people SET name = 'Person 1' WHERE id = 'p1'", ())


async def test_routes_of_a_served_app_use_its_connections(desk: Desk) -> None:
    async def people(_: Request) -> JSONResponse:
        return JSONResponse(await clew.graphql("{ people { id } }", viewer=ADMIN))

    bindables = [query, mutation, person, task, group]
    clew = Clew(bindables, project=desk.office.clew.root, routes=[Route("/people", people)])
    app = clew.asgi(desk.office.settings)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        for _ in range(3):
            assert len((await client.get("/people")).json()["people"]) == PEOPLE
    # Its one connection; `desk` has not been asked.
    assert app.engine.pool._open == len(app.engine.pool._idle) == 1
    assert await backends(desk.office.url) == 1
    await app.engine.pool.close()


def test_a_loop_that_has_ended_leaves_nothing_to_the_next(
    logging_office: tuple[Office, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    office, _ = logging_office
    monkeypatch.setenv("DATABASE_URL", office.url)
    app = office.clew.asgi(office.settings)

    async def serve() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(serve())
    assert len(asyncio.run(office.clew.graphql("{ people { id } }", viewer=ADMIN))["people"]) == PEOPLE
    assert app.engine.pool._open == 0


async def backends(url: str) -> int:
    connection = await asyncpg.connect(url)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clew' AND datname = current_database()"
    count: int = await connection.fetchval(sql)
    await connection.close()
    return count


async def test_outside_it_brings_its_own_and_leaves_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", desk.office.url)
    clew = desk.office.clew
    found = await asyncio.gather(*(clew.graphql("{ people { next { id } } }", viewer=ADMIN) for _ in range(3)))
    assert found[0] == found[1] == found[2]
    async with clew.running():
        first = await clew.graphql("{ people { id } }", viewer=ADMIN)
        assert await clew.graphql("{ people { id } }", viewer=ADMIN) == first
        assert await backends(desk.office.url) == 1
    assert await backends(desk.office.url) == 0


async def test_without_a_database_it_says_so(desk: Desk) -> None:
    with pytest.raises(StartupError, match="DATABASE_URL"):
        await desk.office.clew.graphql("{ people { id } }", viewer=ADMIN)


SCRIPT = """
import asyncio, sys
from pathlib import Path
from clew import Clew, Viewer
from tests.engine.office import group, mutation, person, query, task

clew = Clew([query, mutation, person, task, group], project=Path(sys.argv[1]))

async def main() -> None:
    print(await clew.graphql('{ pick(id: "p1") { name next { name } } }', viewer=Viewer.admin()))
    async with clew.running():
        for _ in range(2):
            print(await clew.graphql("{ viewer { roles } }", viewer=Viewer.admin()))

asyncio.run(main())
"""


async def test_a_script_needs_no_more_than_asyncio_run(desk: Desk) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", SCRIPT, str(desk.office.clew.root)),
        cwd=ROOT,
        env={"DATABASE_URL": desk.office.url, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    assert out.decode().splitlines() == [
        "{'pick': {'name': 'Person 1', 'next': {'name': 'Person 2'}}}",
        *["{'viewer': {'roles': ['admin']}}"] * 2,
    ]
