"""Mutations in each other's way: who loses a deadlock is run again if nothing but the database was touched."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from clew import Viewer
from clew.engine import Engine, Request
from clew.engine.retries import can_run_again, pauses
from clew.resolvers.context import Context
from clew.wire.application import Application
from tests.faults.lab import Lab, until_whole

ADD = "{key}: updateItem(id: {id}, inc: {{weight: {by}}}) {{ weight }}"


@pytest.fixture
async def lab(lab: Lab) -> Lab:
    """Each update takes a while, so that two that begin together hold a row each."""
    await lab.aside.execute("ALTER TABLE items DROP CONSTRAINT confidential_weights")
    await lab.aside.execute(
        "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$;"
        " CREATE TRIGGER pause BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION pause()"
    )
    # Found at once, and not after a second.
    await lab.aside.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''20ms''', current_database()); END $$"
    )
    return lab


def crossing(by: int, *order: int, more: str = "") -> str:
    fields = " ".join(ADD.format(key=f"u{number}", id=number, by=by) for number in order)
    return f"mutation {{ {fields} {more} }}"


async def execute(app: Application, *documents: str) -> list[dict[str, Any]]:
    responses = await asyncio.gather(*(app.engine.execute(Request(document), Viewer.admin()) for document in documents))
    return [json.loads(response.body) for response in responses]


async def weights(lab: Lab) -> list[int]:
    return [row["weight"] for row in await lab.aside.fetch("SELECT weight FROM items ORDER BY id")]


@pytest.mark.anyio
async def test_the_one_that_loses_a_deadlock_runs_again_and_both_succeed(lab: Lab) -> None:
    app = lab.app()
    with capture_logs() as logs:
        answers = await execute(app, crossing(1, 1, 2), crossing(10, 2, 1))
    assert [answer.get("errors") for answer in answers] == [None, None]
    assert await weights(lab) == [12, 13, 4]
    assert [entry["error"] for entry in logs] == ["DeadlockDetectedError"], "there was no deadlock to survive"
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_one_with_a_field_of_the_applications_own_is_not_run_again(lab: Lab) -> None:
    app = lab.app()
    calls = 0

    async def act(_: Context) -> int:
        nonlocal calls
        calls += 1
        return calls

    documents = [crossing(by, *order, more=f'act(name: "{lab.act(act)}")') for by, order in ((1, (1, 2)), (10, (2, 1)))]
    answers = await execute(app, *documents)
    (lost,) = (answer["errors"] for answer in answers if "errors" in answer)
    assert lost[0]["extensions"]["code"] == "CONFLICT"
    assert lost[0]["extensions"]["hint"] == "Nothing was written. Send the operation again."
    assert await weights(lab) in ([2, 3, 4], [11, 12, 4])
    assert calls <= 2
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_deadlock_on_the_connection_of_a_resolver_is_a_conflict_too(lab: Lab) -> None:
    app = lab.app()

    def raising(*order: int) -> str:
        async def act(context: Context) -> None:
            for number in order:
                await context.connection.execute(text("UPDATE items SET weight = 9 WHERE id = :id"), {"id": number})

        return f'mutation {{ act(name: "{lab.act(act)}") }}'

    answers = await execute(app, raising(1, 2), raising(2, 1))
    (lost,) = (answer["errors"] for answer in answers if "errors" in answer)
    assert [error["extensions"]["code"] for error in lost] == ["CONFLICT"]


@pytest.mark.anyio
async def test_tries_end_and_the_client_is_told_to_send_it_again(lab: Lab) -> None:
    app = lab.app()
    await lab.aside.execute(
        "CREATE SEQUENCE tries; CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM nextval('tries'); RAISE serialization_failure; END $$"
    )
    ((answer),) = await execute(app, crossing(1, 1))
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["CONFLICT"]
    assert answer["data"] is None
    assert await lab.aside.fetchval("SELECT last_value FROM tries") == 1 + 3


@pytest.mark.anyio
async def test_a_failure_that_is_only_seen_at_the_commit_is_run_again(lab: Lab) -> None:
    app = lab.app()
    await lab.aside.execute(
        "CREATE SEQUENCE tries; CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('tries') = 1 THEN RAISE serialization_failure; END IF; RETURN NULL; END $$;"
        " CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON items DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail_once()"
    )
    ((answer),) = await execute(app, crossing(1, 1))
    assert answer == {"data": {"u1": {"weight": 2}}}
    assert await weights(lab) == [2, 2, 4]


@pytest.mark.anyio
async def test_a_retried_request_keeps_its_idempotency_key(lab: Lab) -> None:
    app = lab.app()
    requests = [
        Request(crossing(1, 1, 2), idempotency_key="a"),
        Request(crossing(10, 2, 1), idempotency_key="b"),
    ]
    first = await asyncio.gather(*(app.engine.execute(request, Viewer.admin()) for request in requests))
    again = await asyncio.gather(*(app.engine.execute(request, Viewer.admin()) for request in requests))
    assert [response.body for response in again] == [response.body for response in first]
    assert await weights(lab) == [12, 13, 4]


def test_pauses_grow_and_differ() -> None:
    tries = [list(pauses()) for _ in range(20)]
    assert all(first < second < third < 1 for first, second, third in tries)
    assert len({pause for found in tries for pause in found}) == 60


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("mutation { updateCompany(id: 1, set: {}) { name } }", True),
        ('mutation { __typename createCompany(input: {name: "a"}) { name people { displayName } } }', True),
        (
            "mutation { deleteCompanies(where: {}) { count rows { people { ...P } } } } fragment P on Person { email }",
            True,
        ),
        ("mutation { updateCompany(id: 1, set: {}) { people { ...P } } } fragment P on Person { shout }", False),
        ('mutation { renameCompany(id: 1, name: "a") }', False),
        ('mutation { updateCompany(id: 1, set: {}) { name } renameCompany(id: 1, name: "a") }', False),
    ],
)
async def test_what_the_application_resolves_is_found_at_any_depth(
    engine: Engine, document: str, expected: bool
) -> None:
    prepared = engine.statements.prepare(await engine.role(Viewer.admin()), document, None)
    assert can_run_again(prepared, engine.model) is expected
