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
    """An asyncpg connection to a `postgresql://` URL (libpq's parameters included), to be closed by the caller.

    Raises:
        StartupError: `url` is no such URL. What the server and the network say passes as it is.
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
    """A SQLAlchemy engine of which each connection is opened anew; asyncpg reads the URL, not SQLAlchemy."""

    async def creator(*_: Any, **__: Any) -> Any:
        return await open_connection(url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        yield engine
    finally:
        await engine.dispose()
