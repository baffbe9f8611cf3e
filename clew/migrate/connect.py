"""Connections for migrations: `application_name=clew-migrate`, UTC, one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from clew.errors import StartupError

_TIMEOUT = 10.0  # seconds to reach the server
_SETTINGS = {"application_name": "clew-migrate", "timezone": "UTC"}


def _dsn(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"postgresql{separator}{rest}" if scheme.startswith("postgres") else url


async def open_connection(url: str) -> asyncpg.Connection[Any]:
    """Open an asyncpg connection to a `postgresql://` URL, which may have libpq's parameters. The caller closes it.

    Raises:
        StartupError: `url` is not such a URL. Errors of the server and the network pass unchanged.
    """
    try:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            _dsn(url), timeout=_TIMEOUT, server_settings=_SETTINGS
        )
    except ValueError as error:
        raise StartupError(
            f"DATABASE_URL is not a Postgres URL: {error}", "Write postgresql://user:password@host:5432/database."
        ) from error
    return connection


@asynccontextmanager
async def migration_engine(url: str) -> AsyncIterator[AsyncEngine]:
    """Yield a SQLAlchemy engine that opens each connection anew. asyncpg reads the URL, not SQLAlchemy."""

    async def creator(*_: Any, **__: Any) -> Any:
        return await open_connection(url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        yield engine
    finally:
        await engine.dispose()
