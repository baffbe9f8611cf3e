"""Live queries of a whole application by the real log: what is hardest to follow gives the result of a fresh query."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from clew import Clew, Viewer
from clew.config import Settings
from clew.engine import Outcome, Request
from clew.live.types import Stream
from clew.wire.application import Application
from tests.live.newsroom import EDITOR, Newsroom, person

pytestmark = pytest.mark.anyio

NOTES = "{ notes(where: {level: {lt: 5}}, orderBy: [{id: ASC}]) { id text private room { name } author { name } } }"
# Seconds in which a result comes on a busy machine.
SOON = 20.0

WRITES: dict[str, tuple[str, ...]] = {
    "a row leaves the filter": ("UPDATE notes SET level = 9 WHERE id = 1",),
    "a row that is only joined changes": ("UPDATE people SET name = 'new' WHERE id = 'p2'",),
    "a rule's row goes, and what it opened changes": (
        "DELETE FROM guests WHERE room_id = 1 AND person_id = 'p1'",
        "UPDATE notes SET text = 'secret' WHERE id = 2",
    ),
    "a rule's row comes, and what it opens changes": (
        "UPDATE notes SET text = 'for all' WHERE id = 3",
        "INSERT INTO guests (room_id, person_id) VALUES (2, 'p1')",
        "INSERT INTO notes (id, room_id, author_id) VALUES (10, 2, 'p3')",
    ),
    "a TRUNCATE": ("TRUNCATE notes CASCADE",),
    "a TRUNCATE of what a rule reads": ("TRUNCATE guests",),
    "a delete that takes rows along": ("DELETE FROM rooms WHERE id = 1",),
    "an update of a key": ("UPDATE notes SET id = 20 WHERE id = 1",),
    "a savepoint that is rolled back": (
        "SAVEPOINT s",
        "UPDATE notes SET text = 'gone'",
        "ROLLBACK TO s",
        "UPDATE notes SET text = 'kept' WHERE id = 1",
    ),
    "a statement over more rows than are logged": (
        "INSERT INTO notes (id, room_id, author_id, level) SELECT n, 1, 'p1', 9 FROM generate_series(10, 10010) AS n",
        "UPDATE notes SET text = 'new'",
    ),
}


@pytest.fixture
async def app(newsroom: Newsroom, newsroom_database: tuple[str, Clew]) -> AsyncIterator[Application]:
    """The application with its rows anew. Only connections that are not Clew's write."""
    url, clew = newsroom_database
    made = clew.asgi(Settings.model_validate({"DATABASE_URL": url, "run_jobs": False}))
    async with made.lifespan():
        yield made


async def opened(app: Application, viewer: Viewer) -> Stream:
    found = await app.subscriptions.open(Request(f"subscription {NOTES}"), viewer)
    assert not isinstance(found, Outcome), found.body
    return found


async def fresh(app: Application, viewer: Viewer) -> Any:
    return json.loads((await app.engine.execute(Request(NOTES), viewer)).body)


async def until(stream: Stream, expected: Any) -> None:
    """Take results until one is as expected."""
    async with asyncio.timeout(SOON):
        while json.loads((await anext(stream)).body) != expected:
            pass


@pytest.mark.parametrize("write", WRITES)
async def test_what_others_write_gives_the_result_of_a_fresh_query(
    app: Application, newsroom: Newsroom, write: str
) -> None:
    viewers = [person(1), EDITOR]
    streams = [await opened(app, viewer) for viewer in viewers]
    before = [await fresh(app, viewer) for viewer in viewers]
    for stream, result in zip(streams, before, strict=True):
        await until(stream, result)
    await newsroom.write(*WRITES[write])
    after = [await fresh(app, viewer) for viewer in viewers]
    assert after[0] != before[0]
    for stream, was, result in zip(streams, before, after, strict=True):
        if was != result:
            await until(stream, result)
        await stream.aclose()


async def test_of_two_commits_that_cross_none_is_missed(
    app: Application, newsroom: Newsroom, newsroom_database: tuple[str, Clew]
) -> None:
    """The one that began first, and has the lower numbers, commits last."""
    other = await asyncpg.connect(newsroom_database[0])
    stream = await opened(app, EDITOR)
    await until(stream, await fresh(app, EDITOR))
    transaction = other.transaction()
    await transaction.start()
    await other.execute("UPDATE notes SET text = 'first' WHERE id = 1")
    await newsroom.write("UPDATE notes SET text = 'second' WHERE id = 2")
    await until(stream, await fresh(app, EDITOR))
    await transaction.commit()
    await until(stream, await fresh(app, EDITOR))
    await stream.aclose()
    await other.close()
