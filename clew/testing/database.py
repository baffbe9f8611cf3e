"""The database of one process of tests: a template that the migrations make, and a copy of it that tests use."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from clew.database.pool import Connection, Pool
from clew.errors import StartupError
from clew.migrate.connect import open_connection
from clew.migrate.faults import explained
from clew.migrate.run import upgrade

_PREFIX = "clew_test_"

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"

# A transaction that wrote has taken a number. One that still runs may yet commit.
_STATE = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
_BUSY = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle')"


class Database:
    """A copy of a template, made anew after each test that wrote.

    It cannot be one transaction that is rolled back. Then a deferred constraint would never be checked, `now()` would
    stand still, and what runs at once would wait for one connection.

    Args:
        connection: to another database of the server.
        server: that database's URL.
        name: the name of the copy.
    """

    def __init__(self, connection: Connection, server: str, name: str) -> None:
        self._connection = connection
        self._name = name
        self._template = f"{name}_template"
        self._clean: str | None = None
        self._server = server

    @classmethod
    async def open(cls, server: str) -> Database:
        """Return a database that is not made yet. Remove those of processes that were killed.

        Raises:
            StartupError: the server cannot be reached.
        """
        name = f"{_PREFIX}{uuid.uuid4().hex[:16]}"
        with explained(server):
            connection = await open_connection(server)
            await connection.execute("SET statement_timeout = 0; SET idle_session_timeout = 0")
            await connection.fetchval(_LOCK, name)
            await _sweep(connection)
        return cls(connection, server, name)

    @property
    def url(self) -> str:
        """The URL of the copy."""
        return _renamed(self._server, self._name)

    @property
    def since(self) -> str:
        """The snapshot at which the copy was clean, as Postgres writes it. All writes of tests come after it."""
        # Nothing ran in it then.
        return f"{self._clean}:{self._clean}:"

    async def make(self, root: Path) -> None:
        """Make the template by the migrations of the project at `root`.

        Raises:
            StartupError: a migration failed, or the user may not make databases.
        """
        try:
            # template0 has nobody's own objects.
            await self._connection.execute(f"CREATE DATABASE {self._template} TEMPLATE template0")
        except asyncpg.InsufficientPrivilegeError as error:
            raise StartupError(
                "The user of DATABASE_URL may not make databases for the tests.",
                "Run `ALTER ROLE ... CREATEDB`, or unset DATABASE_URL to use the embedded Postgres.",
            ) from error
        await upgrade(root, _renamed(self._server, self._template))

    async def clean(self, pool: Pool, first: str | None = None) -> None:
        """Make the copy anew, unless nobody has written since.

        Args:
            pool: the app's, whose connections end.
            first: a statement that each copy begins with.
        """
        if await self._is_clean():
            return
        await pool.renew()
        await self._connection.execute(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")
        await self._connection.execute(f"CREATE DATABASE {self._name} TEMPLATE {self._template}")
        if first is not None:
            await pool.fetch(first, ())
        self._clean = await self._connection.fetchval(_STATE)

    async def _is_clean(self) -> bool:
        if self._clean is None or self._clean != await self._connection.fetchval(_STATE):
            return False
        return not await self._connection.fetchval(_BUSY, self._name)

    async def drop(self) -> None:
        """Drop the copy and the template."""
        try:
            await _drop(self._connection, [self._name, self._template])
        finally:
            await self._connection.close()


async def _sweep(connection: Connection) -> None:
    """Drop the databases whose process is gone: nobody holds the lock on their name."""
    rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE $1", f"{_PREFIX}%_template")
    for (template,) in rows:
        name = template.removesuffix("_template")
        if await connection.fetchval(_LOCK, name):
            # Another user's databases stay.
            with suppress(asyncpg.PostgresError):
                await _drop(connection, [name, template])
            await connection.fetchval(_UNLOCK, name)


async def _drop(connection: Connection, names: Sequence[str]) -> None:
    for name in names:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _renamed(url: str, name: str) -> str:
    """Return the URL of another database on the server of `url`."""
    parts = urlsplit(url)
    # urlunsplit would drop the // if there is no host before the path.
    return f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")
