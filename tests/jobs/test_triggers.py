"""`@on`: each change that matters queues one job, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from graphql import Source

from clew.background import Background
from clew.changes.source import LoggedChanges
from clew.changes.tables import logged_tables
from clew.jobs import triggers as triggers_module
from clew.jobs.triggers import Trigger, Triggers, trigger_faults, triggers_of
from clew.live.events import ChangeEvents
from clew.model.build import parse_model
from clew.schema.build import build_schema
from tests.jobs.magazine import Magazine, magazine
from tests.jobs.shop import until

pytestmark = pytest.mark.anyio
SDL = """
extend type Post @is(name: "long", where: {title: {like: "____________%"}})
extend schema
  @on(model: Post, events: [CREATED, UPDATED], when: {owner: "u1", is: "long"}, run: longPost)
  @on(model: Post, events: DELETED, run: gonePost)
  @on(model: Post, run: anyPost, payload: "query ($id: Int!) { post(id: $id) { title owner } }")
extend type Mutation {
  longPost(id: Int!, kind: String): Int @job
  gonePost(id: Int!): Int @job
  anyPost(payload: JSON!): Int @job
}
"""


@pytest.fixture
async def world(prepared_url: str) -> AsyncIterator[Magazine]:
    async with magazine(prepared_url, SDL) as made:
        yield made


@asynccontextmanager
async def following(world: Magazine, triggers: Sequence[Trigger] | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """A process that follows the log."""
    background = Background()
    source = LoggedChanges(world.url, logged_tables(world.engine.model), background, retention=3600)
    events = ChangeEvents(world.engine, source)
    triggers = triggers_of(world.engine.model) if triggers is None else triggers
    task = asyncio.create_task(Triggers(world.engine, events, world.url, triggers).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await background.close()


async def jobs(world: Magazine, name: str) -> list[Any]:
    rows = await world.aside.fetch("SELECT arguments FROM clew.jobs WHERE name = $1 ORDER BY id", name)
    return [json.loads(row[0]) for row in rows]


async def ready(world: Magazine) -> None:
    async def has_places() -> bool:
        return bool(await world.aside.fetchval("SELECT count(*) = 3 FROM clew.job_triggers"))

    await until(has_places)


async def test_each_change_that_matters_queues_one_job(world: Magazine) -> None:
    async with following(world):
        await ready(world)
        write = world.aside.execute
        await write("UPDATE posts SET title = 'a very long title' WHERE id IN (1, 2)")
        await write("UPDATE posts SET title = 'an even longer one' WHERE id = 1")
        await write("UPDATE posts SET title = 'short' WHERE id = 1")
        await write("INSERT INTO posts VALUES (9, 'another long title', 'u1')")
        await write("DELETE FROM posts WHERE id = 2")

        async def has_all() -> bool:
            # Each trigger goes at its own pace.
            found = [len(await jobs(world, name)) for name in ("anyPost", "longPost", "gonePost")]
            return found == [6, 3, 1]

        await until(has_all)
        # It comes into the condition, changes within it, and leaves it without one of the wanted events.
        assert await jobs(world, "longPost") == [
            {"id": 1, "kind": "CREATED"},
            {"id": 1, "kind": "UPDATED"},
            {"id": 9, "kind": "CREATED"},
        ]
        assert await jobs(world, "gonePost") == [{"id": 2}]
        # The payload is what is there when the event is handled.
        payloads = [job["payload"] for job in await jobs(world, "anyPost")]
        assert payloads[-1] == {"post": None}
        assert {"post": {"title": "another long title", "owner": "u1"}} in payloads
    (row,) = await world.aside.fetch("SELECT * FROM clew.jobs LIMIT 1")
    assert json.loads(row["caller"])["roles"] == ["admin"]
    assert row["viewer"] is None


async def test_what_happens_while_no_process_runs_is_made_up_for(world: Magazine) -> None:
    async with following(world):
        await ready(world)
    await world.aside.execute("UPDATE posts SET owner = 'x' WHERE id = 1; DELETE FROM posts WHERE id = 5")
    async with following(world):

        async def has_both() -> bool:
            return len(await jobs(world, "anyPost")) == 2 and len(await jobs(world, "gonePost")) == 1

        await until(has_both)
    assert await jobs(world, "gonePost") == [{"id": 5}]


async def test_two_processes_queue_each_job_once_and_the_second_takes_over(world: Magazine) -> None:
    async with following(world) as first, following(world):
        await ready(world)
        for number in range(100, 110):
            await world.aside.execute("INSERT INTO posts VALUES ($1, 'x', 'y')", number)
        first.cancel()
        await asyncio.wait([first])
        for number in range(110, 120):
            await world.aside.execute("INSERT INTO posts VALUES ($1, 'x', 'y')", number)

        async def has_all() -> bool:
            return len(await jobs(world, "anyPost")) == 20

        await until(has_all)
        await asyncio.sleep(0.3)
        assert len(await jobs(world, "anyPost")) == 20


async def test_a_lost_connection_loses_and_repeats_nothing(world: Magazine) -> None:
    async with following(world):
        await ready(world)
        for number in range(100, 130):
            await world.aside.execute("INSERT INTO posts VALUES ($1, 'x', 'y')", number)
            if number % 7 == 0:
                await world.aside.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        async def has_all() -> bool:
            return len(await jobs(world, "anyPost")) >= 30

        await until(has_all)
        await asyncio.sleep(0.3)
    assert len(await jobs(world, "anyPost")) == 30


async def test_a_truncate_queues_nothing_and_the_trigger_goes_on(world: Magazine) -> None:
    async with following(world):
        await ready(world)
        await world.aside.execute("TRUNCATE posts")
        await world.aside.execute("INSERT INTO posts VALUES (1, 'x', 'y')")

        async def has_one() -> bool:
            return bool(await jobs(world, "anyPost"))

        await until(has_one)
        assert await jobs(world, "anyPost") == [{"payload": {"post": {"title": "x", "owner": "y"}}}]


async def test_a_place_of_another_log_begins_anew(world: Magazine) -> None:
    async with following(world):
        await ready(world)
    await world.aside.execute("UPDATE clew.job_triggers SET place = 'other;1:1:'")
    async with following(world):

        async def has_new_places() -> bool:
            return bool(
                await world.aside.fetchval("SELECT count(*) = 3 FROM clew.job_triggers WHERE place NOT LIKE 'other%'")
            )

        await until(has_new_places)
        await world.aside.execute("DELETE FROM posts WHERE id = 4")

        async def has_one() -> bool:
            return await jobs(world, "gonePost") == [{"id": 4}]

        await until(has_one)


async def test_an_event_that_fails_holds_up_only_its_trigger(world: Magazine, monkeypatch: pytest.MonkeyPatch) -> None:
    handle, is_broken = Triggers._handle, True

    async def fail(self: Triggers, trigger: Trigger, *rest: Any) -> None:
        if is_broken and trigger.declared.run == "longPost":
            raise ValueError
        await handle(self, trigger, *rest)

    monkeypatch.setattr(Triggers, "_handle", fail)
    async with following(world):
        await ready(world)
        await world.aside.execute("UPDATE posts SET title = 'a very long title' WHERE id = 1")
        await world.aside.execute("DELETE FROM posts WHERE id = 4")

        async def has_the_other() -> bool:
            return await jobs(world, "gonePost") == [{"id": 4}]

        await until(has_the_other)
        assert await jobs(world, "longPost") == []
        is_broken = False

        async def has_both() -> bool:
            return await jobs(world, "longPost") == [{"id": 1, "kind": "CREATED"}]

        await until(has_both)


_SOUND = 'run: a, payload: "query ($id: Int!, $most: Int = 3) { post(id: $id) { title } posts(limit: $most) { id } }"'


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (_SOUND, None),
        ("run: b", None),
        ('when: {team: {name: "x"}}, run: b', None),
        ('run: a, payload: "query ($id: Int!) { post(id: $id) { nope } }"', "Cannot query field 'nope'"),
        ('run: a, payload: "query ($id: Int!, $n: Int!) { posts(limit: $n) { id } post(id: $id) { id } }"', '"$n"'),
        ('run: a, payload: "query ($id: String!) { posts(where: {title: {eq: $id}}) { id } }"', "of the type Int"),
        ("run: a", 'nothing gives the argument "payload"'),
        ('when: {team: {secret: "a"}}, run: b', "unknown field 'secret'"),
    ],
)
def test_a_trigger_that_could_queue_no_job_is_a_fault_at_the_start(given: str, fault: str | None) -> None:
    sdl = f"""
    type Team @table {{ id: Int! @id name: String! secret: String @hidden }}
    type Post @table {{ id: Int! @id title: String! team: Team }}
    type Mutation {{ a(payload: JSON!): Int @job b(id: Int!, kind: String): Int @job }}
    extend schema @on(model: Post, {given})
    """
    model = parse_model(Source(sdl, "test.graphql"))
    faults = [found.message for found in trigger_faults(model, build_schema(model))]
    if fault is None:
        assert faults == []
    else:
        assert len(faults) == 1
        assert fault in faults[0]


async def test_a_process_of_another_version_forgets_no_place(world: Magazine) -> None:
    """During a deployment a process without some of the triggers may follow the log for a while."""
    async with following(world):
        await ready(world)
    of_old = [trigger for trigger in triggers_of(world.engine.model) if trigger.declared.run == "gonePost"]
    async with following(world, of_old):
        await world.aside.execute("DELETE FROM posts WHERE id = 4")

        async def has_one() -> bool:
            return await jobs(world, "gonePost") == [{"id": 4}]

        await until(has_one)
        await world.aside.execute("UPDATE posts SET title = 'a very long title' WHERE id = 1")
    async with following(world):

        async def has_both() -> bool:
            return await jobs(world, "longPost") == [{"id": 1, "kind": "CREATED"}]

        await until(has_both)
    # Once nothing is kept of what came after it, a place is of no use.
    await world.aside.execute("UPDATE clew.change_log_state SET dropped_xid = pg_current_xact_id()")
    async with following(world, of_old):

        async def has_forgotten() -> bool:
            return bool(await world.aside.fetchval("SELECT count(*) = 1 FROM clew.job_triggers"))

        await until(has_forgotten)


async def test_another_process_takes_over_from_one_behind_a_pooler(
    world: Magazine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler in transaction mode keeps the session of a process that has gone, unless a transaction is open."""
    kept: list[asyncpg.Connection[Any]] = []
    connect = asyncpg.connect

    async def connect_by_pooler(*given: Any, **settings: Any) -> asyncpg.Connection[Any]:
        connection: asyncpg.Connection[Any] = await connect(*given, **settings)
        close = connection.close

        async def give_back(**how: Any) -> None:
            if connection.is_in_transaction():
                await close(**how)
            else:
                kept.append(connection)

        # Its own attributes are fixed.
        pooled = SimpleNamespace(
            fetchval=connection.fetchval,
            execute=connection.execute,
            transaction=connection.transaction,
            close=give_back,
        )
        return cast("asyncpg.Connection[Any]", pooled)

    monkeypatch.setattr(triggers_module, "asyncpg", SimpleNamespace(connect=connect_by_pooler))
    async with following(world):
        await ready(world)
    async with following(world):
        await world.aside.execute("DELETE FROM posts WHERE id = 4")

        async def has_one() -> bool:
            return await jobs(world, "gonePost") == [{"id": 4}]

        await until(has_one)

        async def keeps_nothing() -> bool:
            """It waits in a transaction, which keeps no dead rows."""
            rows = await world.aside.fetch(
                "SELECT state, backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity"
                " WHERE application_name = 'clew-triggers' AND datname = current_database()"
            )
            return [tuple(row) for row in rows] == [("idle in transaction", True)]

        await until(keeps_nothing)
    for connection in kept:
        await connection.close()
