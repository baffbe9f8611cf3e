"""A database with a change log, writers outside of Clew, and listeners that keep what they are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from clew.background import Background
from clew.changes.source import LoggedChanges
from clew.changes.types import Batch, Change, Listening, TableName
from tests.databases import install

TABLES = """
    CREATE TABLE people (id int PRIMARY KEY, name text, age int);
    CREATE TABLE posts (
        id int PRIMARY KEY, title text, author int REFERENCES people ON DELETE CASCADE ON UPDATE CASCADE
    );
    CREATE TABLE hits (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
    CREATE TABLE hits_1 PARTITION OF hits FOR VALUES IN (1);
    CREATE TABLE hits_2 PARTITION OF hits FOR VALUES IN (2);
    CREATE TABLE quiet (id int PRIMARY KEY);
    SELECT clew.log_changes('people'), clew.log_changes('posts'), clew.log_changes('hits');
"""
NAMES: tuple[TableName, ...] = ((None, "people"), (None, "posts"), (None, "hits"))

# In seconds. Long, because the machine may be busy; a test that passes never waits as long.
PATIENCE = 30.0


class Ear:
    """A listener that keeps the changes."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.times: list[float] = []
        self._heard = asyncio.Event()
        self.listening: Listening | None = None

    def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.times.append(time.perf_counter())
        self._heard.set()

    @property
    def changes(self) -> list[Change]:
        return [change for batch in self.batches for change in batch.changes]

    def told(self) -> list[tuple[Any, ...]]:
        """The changes as tuples: table, kind, row before, row after."""
        return [brief(change) for change in self.changes]

    async def until(self, fits: Callable[[list[Change]], bool] | int) -> list[Change]:
        """Wait until there are as many changes, or until they fit."""
        wanted = fits if callable(fits) else lambda changes: len(changes) >= fits
        async with asyncio.timeout(PATIENCE):
            while not wanted(self.changes):
                self._heard.clear()
                await self._heard.wait()
        return self.changes


def brief(change: Change) -> tuple[Any, ...]:
    """A change as a tuple: its table, its kind, and the rows as tuples of their values."""
    rows = (None if row is None else tuple(row.values()) for row in (change.old, change.new))
    return (change.table, change.kind.value, *rows)


class Log:
    """The database, and the sources and writers of a test, which end with it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._backgrounds: list[Background] = []
        self._writers: list[asyncpg.Connection[Any]] = []

    def source(self, names: Sequence[TableName] = NAMES, retention: float = 3600.0) -> LoggedChanges:
        """A source as a process of its own has it."""
        background = Background()
        self._backgrounds.append(background)
        return LoggedChanges(self.url, names, background, retention=retention)

    async def ear(self, source: LoggedChanges | None = None) -> Ear:
        """A listener, of a source of its own unless one is given."""
        ear = Ear()
        ear.listening = await (source or self.source()).listen(ear)
        return ear

    async def writer(self, **settings: str) -> asyncpg.Connection[Any]:
        """A connection of somebody else's."""
        connection = await asyncpg.connect(self.url, server_settings=settings)
        self._writers.append(connection)
        return connection

    async def close(self) -> None:
        for background in self._backgrounds:
            await background.close()
        for connection in self._writers:
            await connection.close(timeout=PATIENCE)


@asynccontextmanager
async def logged(url: str, tables: str = TABLES) -> AsyncIterator[Log]:
    await install(url, tables)
    log = Log(url)
    try:
        yield log
    finally:
        await log.close()
