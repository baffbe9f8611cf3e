"""A connection of one's own to the change log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg

from clew.changes import statements as sql
from clew.changes.tables import Relations, quoted
from clew.changes.types import TableName
from clew.database.errors import FAULTS
from clew.database.pool import Connection, Session
from clew.observe import get_logger

_LOG = get_logger("clew.changes")

# As asyncpg reads and binds a `pg_snapshot`: the first transaction that runs, the first that has not begun, and those
# between that run.
Snapshot: TypeAlias = tuple[int, int, Sequence[int]]

# In seconds.
_PATIENCE = 10.0
_ECHO = 2.0

# A statement is planned once, while the log may be empty, and must not scan the log when that has grown.
SETTINGS = {
    "application_name": "clew-changes",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}


def snapshot_text(snapshot: Snapshot) -> str:
    """Return a snapshot as Postgres writes it."""
    first, next_, running = snapshot
    return f"{first}:{next_}:{','.join(map(str, running))}"


def read_snapshot(text: str) -> Snapshot:
    """Return the snapshot that a text of Postgres says."""
    first, next_, running = text.split(":")
    return int(first), int(next_), [int(number) for number in running.split(",") if number]


class LogConnection:
    """A connection to the change log. It runs one statement at a time.

    Attributes:
        is_whole: whether the connection is a session of Postgres. Behind a pooler that lends one for each transaction,
            it is none: no notification comes, and no lock of a session may be taken.
    """

    def __init__(self, connection: Connection, *, is_tuned: bool) -> None:
        self._connection = connection
        self._is_tuned = is_tuned
        self._turn = asyncio.Lock()
        self.is_whole = False
        self._channel = sql.CHANNEL

    @property
    def is_closed(self) -> bool:
        return self._connection.is_closed()

    async def close(self) -> None:
        with suppress(*FAULTS, TimeoutError):
            await self._connection.close(timeout=1)

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a statement.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: as asyncpg.
        """
        async with self._turn:
            if self._is_tuned:
                return await self._connection.fetch(statement, *arguments)
            async with self._connection.transaction():
                await self._connection.execute("SET LOCAL enable_seqscan = off")
                return await self._connection.fetch(statement, *arguments)

    async def value(self, statement: str, *arguments: Any) -> Any:
        """Return the only value of a statement's only row."""
        return (await self.fetch(statement, *arguments))[0][0]

    async def relations(self, names: Sequence[TableName]) -> Relations:
        """Return the relations of the database that hold the rows of some tables."""
        return Relations(names, [tuple(row) for row in await self.fetch(sql.RELATIONS, quoted(names))])

    async def roots(self, names: Sequence[TableName]) -> dict[TableName, int]:
        """Return the OIDs of those of some tables that there are."""
        found = await self.value(sql.ROOTS, quoted(names)) or []
        return {name: oid for name, oid in zip(names, found, strict=True) if oid is not None}

    async def unlogged(self, relations: Relations, names: Collection[TableName]) -> set[TableName]:
        """Return those of some tables whose changes are not logged: they are not there, or lack a trigger."""
        wanted = {name: relations.roots.get(name) for name in names}
        found = {row[0] for row in await self.fetch(sql.LOGGED, [oid for oid in wanted.values() if oid is not None])}
        return {name for name, oid in wanted.items() if oid not in found}

    async def hear(
        self, first: str, told: Callable[[int, str], None], closed: Callable[[], None], *, channel: str = sql.CHANNEL
    ) -> None:
        """Call `told` with the sender's process and the text of each notification, and `closed` at the end.

        It sends a first notification, and so finds out whether they come at all.
        """
        echo = asyncio.Event()

        def notified(_: object, process: int, _channel: str, text: object) -> None:
            echo.set()
            told(process, str(text))

        self._connection.add_termination_listener(lambda _: closed())
        self._channel = channel
        await self._connection.add_listener(channel, notified)
        await self.tell(first)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ECHO):
                await echo.wait()
        self.is_whole = echo.is_set()
        if not self.is_whole:
            _LOG.warning("no notifications: set CLEW_DIRECT_URL to a URL without a connection pooler")

    async def tell(self, text: str) -> None:
        """Notify all who listen to the channel that is heard here."""
        await self.fetch(sql.NOTIFY, self._channel, text)

    @property
    def process(self) -> int:
        """The number of the server's process, which notifications name as their sender."""
        return self._connection.get_server_pid()


async def open_log(url: str) -> LogConnection:
    """Open a connection. Whoever opens it closes it.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: it cannot be opened.
    """

    async def connect(settings: dict[str, str]) -> Connection:
        return await asyncpg.connect(
            url, connection_class=Session, timeout=_PATIENCE, command_timeout=_PATIENCE, server_settings=settings
        )

    try:
        return LogConnection(await connect(SETTINGS), is_tuned=True)
    except asyncpg.PostgresError as error:
        # A proxy may let through only settings that it knows.
        if not any(name in str(error) for name in SETTINGS):
            raise
        return LogConnection(await connect({}), is_tuned=False)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[LogConnection]:
    """Open a connection as `open_log` does, and close it at the end."""
    connection = await open_log(url)
    try:
        yield connection
    finally:
        await connection.close()
