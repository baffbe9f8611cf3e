"""A connection of a worker's own: not one of those that serve requests or handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from clew.database.errors import UNREACHABLE
from clew.database.pool import Connection, Session
from clew.jobs import statements as sql
from clew.jobs.types import Fetch
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# In seconds.
_PATIENCE = 10.0
_ECHO = 2.0

# A statement is planned once, while the tables may be empty, and must not scan or sort them when they have grown. Where
# rows are looked up one by one, statements say so by LATERAL.
SETTINGS = {
    "application_name": "clew-jobs",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_nestloop": "off",
    "client_connection_check_interval": "500",
    # A process that hangs, or is cut off, must not hold the locks of keys for long: others wait for them.
    "idle_in_transaction_session_timeout": "5000",
}


class JobConnection:
    """A connection that runs one statement, or one transaction, at a time.

    Args:
        local: the settings of Postgres that the session could not be started with, for each transaction.
    """

    def __init__(self, connection: Connection, local: Mapping[str, str]) -> None:
        self._connection = connection
        self._local = local
        self._turn = asyncio.Lock()

    @property
    def is_closed(self) -> bool:
        return self._connection.is_closed()

    def when_closed(self, told: Callable[[], None]) -> None:
        """Call `told` when the connection is lost."""
        self._connection.add_termination_listener(lambda _: told())

    async def close(self) -> None:
        with suppress(*UNREACHABLE):
            await self._connection.close(timeout=1)

    async def fetch(self, statement: str, /, *arguments: Any) -> list[asyncpg.Record]:
        """Run a statement.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: as asyncpg.
        """
        if not self._local:
            async with self._turn:
                return await self._connection.fetch(statement, *arguments)
        async with self.transaction() as fetch:
            return await fetch(statement, *arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Fetch]:
        """Run statements in one transaction. Each sees what has been committed before it."""
        async with self._turn, self._connection.transaction(isolation="read_committed"):
            if self._local:
                await self._connection.fetch(sql.SET_LOCAL, list(self._local), list(self._local.values()))
            yield self._connection.fetch

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with the text of each notification. Find out whether they come at all."""
        echo = asyncio.Event()

        def notified(_: object, _process: int, _channel: str, text: object) -> None:
            echo.set()
            heard(str(text))

        await self._connection.add_listener(sql.CHANNEL, notified)
        await self.fetch(sql.NOTIFY, "")
        with suppress(TimeoutError):
            async with asyncio.timeout(_ECHO):
                await echo.wait()
        if not echo.is_set():
            _LOG.warning("no notifications: set CLEW_DIRECT_URL to a URL without a connection pooler")


@asynccontextmanager
async def connected(url: str, **settings: str) -> AsyncIterator[JobConnection]:
    """Open a connection, and close it at the end.

    Args:
        settings: more settings of Postgres.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: it cannot be opened.
    """

    async def connect(settings: dict[str, str]) -> Connection:
        return await asyncpg.connect(
            url,
            connection_class=Session,
            timeout=_PATIENCE,
            command_timeout=_PATIENCE,
            server_settings=settings,
            max_cacheable_statement_size=0,
        )

    try:
        connection = JobConnection(await connect(SETTINGS | settings), {})
    except asyncpg.PostgresError as error:
        # A proxy may let through only settings that it knows.
        if not any(name in str(error) for name in SETTINGS | settings):
            raise
        connection = JobConnection(await connect({}), SETTINGS | settings)
    try:
        yield connection
    finally:
        await connection.close()
