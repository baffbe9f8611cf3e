"""Change events over the real log: servers, their connections and clients are cut off, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from clew import Clew
from clew.background import Background
from clew.changes.source import LoggedChanges
from clew.changes.tables import logged_tables
from clew.errors import ClewError, Code
from clew.live.events import ChangeEvents
from tests.live.newsroom import DATA, EDITOR, Newsroom, engine_of, event, make_database, opened, person
from tests.live.test_event_history import WRITERS, Client, by_row, label_history, label_sql, statement

pytestmark = pytest.mark.anyio

# CLEW_TEST_ROUNDS=1000 runs all that has been run once.
ROUNDS = int(os.environ.get("CLEW_TEST_ROUNDS", "50"))
# At once, each with a database of its own: a round is mostly spent on connecting again.
LANES = 10
PATIENCE = 60.0


@dataclass
class Server(Newsroom):
    """A server, which ends with its background."""

    background: Background

    async def stop(self) -> None:
        await self.background.close()
        await self.engine.pool.close()


def serve(url: str, clew: Clew, like: Newsroom) -> Server:
    engine, background = engine_of(url, clew), Background()
    # Servers share CLEW_SECRET, so each opens the cursors of the others.
    engine.statements.cursors = like.engine.statements.cursors
    source = LoggedChanges(url, logged_tables(engine.model), background, retention=3600)
    return Server(engine, ChangeEvents(engine, source), like.source, like.connection, background)


@pytest.fixture(scope="module")
def newsrooms(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, Clew]]]:
    with ExitStack() as stack:
        folders = [tmp_path_factory.mktemp("newsroom") for _ in range(LANES)]
        yield [stack.enter_context(make_database(postgres_url, folder)) for folder in folders]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[list[asyncpg.Connection]]:
    """The connections of the writers."""
    found = [await asyncpg.connect(url) for _ in range(WRITERS)]
    for connection in found:
        await connection.execute("SET lock_timeout = '30ms'")
    try:
        yield found
    finally:
        for connection in found:
            await connection.close()


class Wire(Client):
    """A client that reads all the time, and goes on by its cursor whatever ends its subscription."""

    def begin(self, rng: random.Random) -> None:
        self.rng = rng
        self.connected = asyncio.Event()
        self.task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while True:
            try:
                await self.connect(self.rng)
                self.connected.set()
                assert self.reader is not None
                while True:
                    payload = await anext(self.reader.stream)
                    found = event(payload)
                    self.events.append((found["kind"], (found["code"], found["number"])))
                    self.cursor = payload.id
                    if self.rng.random() < 0.05:
                        break
            except ClewError as error:
                if error.code is not Code.UNAVAILABLE:
                    raise
                await asyncio.sleep(0.01)
            finally:
                if self.reader is not None:
                    await self.kill()

    async def cut(self) -> None:
        self.task.cancel()
        (ended,) = await asyncio.gather(self.task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended

    async def has(self, number: int) -> None:
        """Wait until it has as many events, or the patience ends."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while len(self.events) < number and not self.task.done() and asyncio.get_running_loop().time() < until:
            await asyncio.wait([self.task], timeout=0.005)


async def run_rounds(url: str, clew: Clew, seeds: Iterable[int]) -> int:
    """Run the rounds one after another. Return how many events there were."""
    async with opened(url, clew) as newsroom, connected(url) as writers:
        servers = [serve(url, clew, newsroom), serve(url, clew, newsroom)]
        events = [await run_round(url, clew, newsroom, servers, writers, seed) for seed in seeds]
        for server in servers:
            await server.stop()
    return sum(events)


async def run_round(
    url: str, clew: Clew, newsroom: Newsroom, servers: list[Server], writers: Sequence[asyncpg.Connection], seed: int
) -> int:
    rng = random.Random(seed)
    await newsroom.connection.execute(DATA)
    clients = [Wire(viewer, most, servers) for viewer in (person(1), EDITOR) for most in (4, 9)]
    for client in clients:
        client.begin(random.Random(rng.random()))
        await asyncio.wait_for(client.connected.wait(), PATIENCE)
    begin = await newsroom.source.now()
    # From here on each client has a cursor.
    await newsroom.write("INSERT INTO labels (code, number, open, size) VALUES ('z', 1000, true, 0)")
    for client in clients:
        await client.has(1)
    for _ in range(rng.randrange(10, 40)):
        number = rng.randrange(WRITERS)
        writer = writers[number]
        if not writer.is_in_transaction():
            await writer.execute("BEGIN")
        await statement(rng, writer, label_sql(rng, number))
        if rng.random() < 0.5:
            await writer.execute(rng.choice(["COMMIT"] * 4 + ["ROLLBACK"]))
        kill = rng.random()
        cut = []
        if kill < 0.1:
            await newsroom.connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'clew%' AND datname = current_database() AND random() < 0.7"
            )
        elif kill < 0.2:
            cut = rng.sample(clients, 1)
        elif kill < 0.25:
            old, servers[0] = servers[0], serve(url, clew, newsroom)
            cut = [client for client in clients if client.reader is None or client.reader.newsroom is old]
        else:
            await asyncio.sleep(rng.random() * 0.01)
        for client in cut:
            await client.cut()
            client.begin(random.Random(rng.random()))
        if 0.2 <= kill < 0.25:
            await old.stop()
    for writer in writers:
        if writer.is_in_transaction():
            await writer.execute("COMMIT")
    changes = await newsroom.source.between(begin, await newsroom.source.now())
    for client in clients:
        expected = list(label_history(client.viewer, changes, client.most))
        await client.has(len(expected))
        assert by_row(client.events) == by_row(expected), (seed, client.viewer.id, client.most)
    await asyncio.sleep(0.05)
    for client in clients:
        await client.cut()
        assert len(client.events) == len(list(label_history(client.viewer, changes, client.most))), seed
    return len(expected)


async def test_nothing_is_lost_repeated_or_out_of_order(newsrooms: list[tuple[str, Clew]]) -> None:
    async with asyncio.TaskGroup() as group:
        lanes = [
            group.create_task(run_rounds(url, clew, range(lane, ROUNDS, LANES)))
            for lane, (url, clew) in enumerate(newsrooms)
        ]
    assert all(lane.result() for lane in lanes)
