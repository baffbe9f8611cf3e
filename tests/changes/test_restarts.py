"""Postgres restarts, crashes and fails over while changes are read: docs/changes.md."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import psutil
import pytest

from clew.changes.types import ChangeKind, OtherEpochError
from tests.changes.log import NAMES, Ear, Log, logged
from tests.server import Postgres, stoppable


@dataclass
class Server:
    """A server of the test's own."""

    log: Log
    postgres: Postgres

    async def execute(self, statement: str) -> None:
        """Run a statement on a new connection, as soon as the server takes one."""
        connection = await self.postgres.connect()
        await connection.execute(statement)
        await connection.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with stoppable() as postgres:
        async with logged(postgres.url) as log:
            yield Server(log, postgres)


def rows(ear: Ear) -> list[int]:
    return [change.new["id"] for change in ear.changes if change.new]


async def test_a_restart_loses_and_repeats_nothing(server: Server) -> None:
    ear = await server.log.ear()
    assert ear.listening is not None
    position = ear.listening.position
    for number in range(1, 4):
        await server.execute(f"INSERT INTO people VALUES ({number})")
        await server.postgres.stop(signal.SIGINT)
        await server.postgres.start()
        # Before the reader is back, perhaps.
        await server.execute(f"INSERT INTO people VALUES ({-number})")
    await ear.until(6)
    assert rows(ear) == [1, -1, 2, -2, 3, -3]
    source = server.log.source()
    later = await server.log.ear(source)
    assert later.listening is not None
    assert sum([len(batch.changes) async for batch in source.since(position, NAMES, later.listening.position)]) == 6


@pytest.mark.parametrize("how", ["a crash", "a failover"])
async def test_after_a_crash_or_a_failover_everything_is_read_again(server: Server, how: str) -> None:
    """What was committed last may be lost, and its transaction's number be given away again."""
    ear = await server.log.ear()
    assert ear.listening is not None
    await server.execute("INSERT INTO people VALUES (1)")
    await ear.until(1)
    if how == "a crash":
        await server.postgres.stop(signal.SIGQUIT)
        await server.postgres.start()
    else:
        await server.postgres.stop(signal.SIGINT)
        (server.postgres.data / "standby.signal").touch()
        await server.postgres.start()
        await server.execute("SELECT pg_promote()")
    await server.execute("INSERT INTO people VALUES (2)")
    await ear.until(lambda changes: any(change.kind is ChangeKind.RESET for change in changes))
    resets = [change.name for change in ear.changes if change.kind is ChangeKind.RESET]
    assert resets == list(NAMES)
    await server.execute("INSERT INTO people VALUES (3)")
    await ear.until(lambda changes: any(change.new and change.new["id"] == 3 for change in changes))
    source = server.log.source()
    later = await server.log.ear(source)
    assert later.listening is not None
    with pytest.raises(OtherEpochError):
        [batch async for batch in source.since(ear.listening.position, NAMES, later.listening.position)]


async def test_when_a_backend_is_killed_the_server_starts_anew_and_everything_is_read_again(server: Server) -> None:
    """The server itself goes on, but all of its processes and its memory are new."""
    ear = await server.log.ear()
    connection = await asyncpg.connect(server.log.url)
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    psutil.Process(pid).kill()
    await ear.until(3)
    assert [change.kind for change in ear.changes] == [ChangeKind.RESET] * 3
    connection.terminate()
