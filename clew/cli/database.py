"""The database that a command uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from clew.config import Settings
from clew.database.embedded import embedded_postgres, folder_of
from clew.errors import StartupError
from clew.project import Project

OLDEST = 15


@contextmanager
def database_of(project: Project, settings: Settings) -> Iterator[str]:
    """Yield the URL of the database: DATABASE_URL, or in dev the embedded one, which runs during the block.

    Raises:
        StartupError: there is none, it cannot be reached, or it is older than Postgres 15.
    """
    if settings.database_url is not None:
        asyncio.run(_probe(settings.database_url))
        yield settings.database_url
        return
    if settings.env != "dev":
        raise StartupError("DATABASE_URL is not set, and production has no embedded Postgres.")
    with embedded_postgres(folder_of(project.state_dir)) as url:
        yield url


async def _probe(url: str) -> None:
    # They load SQLAlchemy and Alembic, and the embedded database needs neither.
    from clew.migrate.connect import open_connection
    from clew.migrate.faults import explained, place_of

    with explained(url):
        connection = await open_connection(url)
        try:
            version = connection.get_server_version()
        finally:
            await connection.close()
    if version.major < OLDEST:
        raise StartupError(f"Postgres at {place_of(url)} is version {version.major}; Clew needs {OLDEST} or later.")
