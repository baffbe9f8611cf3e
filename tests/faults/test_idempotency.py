"""`Idempotency-Key`: a mutation that is sent again has run once, whatever became of the first answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from clew import ClewError, Viewer
from clew.engine import Outcome, Request
from clew.engine.idempotency import repeatable
from clew.resolvers.context import Context
from clew.wire.application import Application
from tests.faults.lab import Lab, client_of, until_whole

CREATE = "mutation ($name: String!) { createItem(input: {name: $name, weight: 1}) { id name } }"


@pytest.fixture
async def lab(lab: Lab) -> Lab:
    """Items of one weight are no matter here."""
    await lab.aside.execute("ALTER TABLE items DROP CONSTRAINT confidential_weights")
    return lab


async def send(app: Application, key: str, query: str = CREATE, **variables: Any) -> httpx.Response:
    async with client_of(app, headers={"Idempotency-Key": key}) as client:
        return await client.post("/graphql", json={"query": query, "variables": variables})


def code(response: httpx.Response) -> str:
    found: str = response.json()["errors"][0]["extensions"]["code"]
    return found


async def keys(lab: Lab) -> int:
    found: int = await lab.aside.fetchval("SELECT count(*) FROM clew.idempotency_keys")
    return found


@pytest.mark.anyio
async def test_a_request_that_is_sent_again_gets_the_first_response_and_writes_nothing(lab: Lab) -> None:
    app = lab.app()
    first = await send(app, "k", name="new")
    assert first.json()["data"]["createItem"]["name"] == "new"
    again = await send(app, "k", name="new")
    assert again.content == first.content
    assert again.status_code == 200
    assert await lab.names() == ["one", "two", "three", "new"]
    assert code(await send(app, "other", name="new")) == "CONSTRAINT_VIOLATION"


@pytest.mark.anyio
async def test_the_same_response_comes_from_another_process(lab: Lab) -> None:
    first = await send(lab.app(), "k", name="new")
    assert (await send(lab.app(), "k", name="new")).content == first.content


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (CREATE, {"name": "other"}),
        (CREATE, {"name": "new", "unused": 1}),
        (CREATE + " ", {"name": "new"}),
    ],
)
async def test_another_request_with_the_key_is_a_conflict_and_does_nothing(
    lab: Lab, query: str, variables: dict[str, Any]
) -> None:
    app = lab.app()
    await send(app, "k", name="new")
    response = await send(app, "k", query, **variables)
    assert code(response) == "CONFLICT"
    assert "data" not in response.json()
    assert await lab.names() == ["one", "two", "three", "new"]
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_another_operation_of_the_document_is_another_request(lab: Lab) -> None:
    app = lab.app()
    document = 'mutation a { rename(id: 1, name: "a") } mutation b { rename(id: 2, name: "b") }'
    async with client_of(app, headers={"Idempotency-Key": "k"}) as client:
        answers = [
            (await client.post("/graphql", json={"query": document, "operationName": name})).json() for name in "ab"
        ]
    assert answers[0] == {"data": {"rename": "a"}}
    assert answers[1]["errors"][0]["extensions"]["code"] == "CONFLICT"


@pytest.mark.anyio
async def test_of_requests_at_the_same_time_one_runs_and_all_get_its_response(lab: Lab) -> None:
    app = lab.app(pool_max=10)
    runs = 0

    async def act(context: Context) -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.2)
        await context.connection.execute(text("UPDATE items SET weight = weight + 1 WHERE id = 1"))
        return runs

    document = f'mutation {{ act(name: "{lab.act(act)}") }}'
    answers = await asyncio.gather(*(send(app, "k", document) for _ in range(8)))
    assert {answer.content for answer in answers} == {b'{"data":{"act":1}}'}
    assert runs == 1
    assert await lab.aside.fetchval("SELECT weight FROM items WHERE id = 1") == 2
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_who_waits_for_one_that_fails_runs_itself(lab: Lab) -> None:
    app = lab.app()
    runs = 0

    async def act(context: Context) -> int:
        nonlocal runs
        runs += 1
        this = runs
        await context.connection.execute(text("UPDATE items SET weight = weight + 1 WHERE id = 1"))
        await asyncio.sleep(0.1)
        if this == 1:
            raise ClewError("Not this time.")
        return this

    document = f'mutation {{ act(name: "{lab.act(act)}") }}'
    answers = await asyncio.gather(*(send(app, "k", document) for _ in range(3)))
    assert sorted(answer.content for answer in answers if answer.json()["data"]) == [b'{"data":{"act":2}}'] * 2
    assert await lab.aside.fetchval("SELECT weight FROM items WHERE id = 1") == 2
    assert await keys(lab) == 1


@pytest.mark.anyio
async def test_a_request_that_failed_leaves_nothing_and_may_be_sent_again(lab: Lab) -> None:
    app = lab.app()
    assert code(await send(app, "k", name="one")) == "CONSTRAINT_VIOLATION"
    assert await keys(lab) == 0
    await lab.aside.execute("UPDATE items SET name = 'moved' WHERE id = 1")
    assert (await send(app, "k", name="one")).json()["data"]["createItem"]["name"] == "one"


@pytest.mark.anyio
async def test_a_crash_before_the_commit_leaves_neither_writes_nor_key(lab: Lab) -> None:
    app = lab.app()

    async def crash(context: Context) -> None:
        await context.connection.execute(text("UPDATE items SET name = 'half' WHERE id = 1"))
        with pytest.raises(Exception, match="terminating"):
            await context.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    name = lab.act(crash)
    document = f'mutation {{ act(name: "{name}") }}'
    assert (await send(app, "k", document)).json()["data"] is None
    assert await keys(lab) == 0
    assert (await lab.names())[0] == "one"

    async def work(context: Context) -> str:
        await context.connection.execute(text("UPDATE items SET name = 'whole' WHERE id = 1"))
        return "done"

    lab.act(work, name)
    assert (await send(app, "k", document)).json() == {"data": {"act": "done"}}
    assert (await lab.names())[0] == "whole"
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_whenever_the_client_gives_up_key_and_writes_are_there_together(lab: Lab) -> None:
    app = lab.app()
    for step in range(25):
        request = Request(CREATE, {"name": f"n{step}"}, idempotency_key=f"k{step}")
        task = asyncio.create_task(app.engine.execute(request, Viewer.admin()))
        await asyncio.wait([task], timeout=step * 0.0008)
        task.cancel()
        await asyncio.wait([task])
    await until_whole(lab, app)
    written = await lab.aside.fetchval("SELECT count(*) FROM items WHERE name LIKE 'n%'")
    assert await keys(lab) == written
    for step in range(25):
        again = await send(app, f"k{step}", name=f"n{step}")
        assert again.json()["data"]["createItem"]["name"] == f"n{step}"
    assert await lab.aside.fetchval("SELECT count(*) FROM items WHERE name LIKE 'n%'") == 25


@pytest.mark.anyio
async def test_after_a_day_a_key_is_new_and_old_ones_are_removed_a_few_at_a_time(lab: Lab) -> None:
    app = lab.app()
    first = await send(app, "k", name="new")
    await lab.aside.execute("UPDATE clew.idempotency_keys SET created_at = now() - interval '23 hours 59 minutes'")
    assert (await send(app, "k", name="new")).content == first.content
    await lab.aside.execute(
        "UPDATE clew.idempotency_keys SET created_at = now() - interval '25 hours';"
        " INSERT INTO clew.idempotency_keys (id, request, response, created_at)"
        " SELECT int4send(n), '', '', now() - interval '2 days' FROM generate_series(1, 15) AS n"
    )
    assert (await send(app, "k", name="later")).json()["data"]["createItem"]["name"] == "later"
    assert await keys(lab) == 1 + 5
    assert (await send(app, "k", name="later")).json()["data"]["createItem"]["name"] == "later"
    assert await keys(lab) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256, "a\tb"])
async def test_a_key_that_is_not_plain_is_refused(lab: Lab, key: str) -> None:
    async with client_of(lab.app(), headers={"Idempotency-Key": key.encode()}) as client:
        response = await client.post("/graphql", json={"query": CREATE, "variables": {"name": "new"}})
    assert response.status_code == 400
    assert code(response) == "BAD_USER_INPUT"
    assert await lab.names() == ["one", "two", "three"]


@pytest.mark.anyio
async def test_queries_run_each_time_and_keep_no_key(lab: Lab) -> None:
    app = lab.app()
    query = "{ item(id: 1) { name } }"
    assert (await send(app, "k", query)).json() == {"data": {"item": {"name": "one"}}}
    await lab.aside.execute("UPDATE items SET name = 'now' WHERE id = 1")
    assert (await send(app, "k", query)).json() == {"data": {"item": {"name": "now"}}}
    assert await keys(lab) == 0


# --- whose key it is ------------------------------------------------------------------

REQUEST = Request(CREATE, {"name": "new"}, idempotency_key="k")


def test_keys_belong_to_a_viewer() -> None:
    viewers = [
        Viewer("a", frozenset({"user"})),
        Viewer("b", frozenset({"user"})),
        Viewer("a", frozenset({"admin"})),
        Viewer.admin(),
    ]
    found = [repeatable(REQUEST, viewer) for viewer in viewers]
    assert len({kept.id for kept in found if kept is not None}) == 4
    assert len({kept.request for kept in found if kept is not None}) == 1


def test_new_claims_and_roles_of_the_same_viewer_change_nothing() -> None:
    before = repeatable(REQUEST, Viewer("a", frozenset({"user"}), {"exp": 1}))
    assert repeatable(REQUEST, Viewer("a", frozenset({"user", "editor"}), {"exp": 2})) == before


def test_the_order_of_variables_is_no_difference() -> None:
    one = replace(REQUEST, variables={"a": 1, "b": {"c": 2, "d": 3}})
    other = replace(REQUEST, variables={"b": {"d": 3, "c": 2}, "a": 1})
    assert repeatable(one, Viewer.admin()) == repeatable(other, Viewer.admin())


@pytest.mark.parametrize("viewer", [Viewer(), Viewer(None, frozenset({"anon", "service"}))])
def test_who_has_no_id_has_no_keys(viewer: Viewer) -> None:
    with pytest.raises(ClewError) as raised:
        repeatable(REQUEST, viewer)
    assert raised.value.code == "UNAUTHENTICATED"
    assert repeatable(replace(REQUEST, idempotency_key=None), viewer) is None


@pytest.mark.anyio
async def test_the_anonymous_are_refused_before_anything_runs(lab: Lab) -> None:
    async with client_of(lab.app(), headers={"Idempotency-Key": "k", "X-Clew-Role": "anon"}) as client:
        response = await client.post("/graphql", json={"query": "mutation { __typename }"})
    # No rule gives them a mutation here: the document is refused first, and that is all they learn.
    assert code(response) == "GRAPHQL_VALIDATION_FAILED"
    assert await keys(lab) == 0


def test_variables_too_deep_to_be_compared_are_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ClewError) as raised:
        repeatable(replace(REQUEST, variables={"deep": deep}), Viewer.admin())
    assert raised.value.code == "LIMIT_EXCEEDED"


@pytest.mark.anyio
async def test_an_operation_within_the_request_has_no_key_of_its_own(lab: Lab) -> None:
    app = lab.app()

    async def act(context: Context) -> Any:
        return [await context.graphql(CREATE, name=name) for name in ("a", "b")]

    response: Outcome = await app.engine.execute(
        Request(f'mutation {{ act(name: "{lab.act(act)}") }}', idempotency_key="k"), Viewer.admin()
    )
    assert len(json.loads(response.body)["data"]["act"]) == 2
    assert await keys(lab) == 1
    assert await lab.aside.fetchval("SELECT now() - min(created_at) FROM clew.idempotency_keys") < timedelta(minutes=1)
