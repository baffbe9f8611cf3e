"""The code that a project's `migrations/env.py` runs, for every Alembic command and for `clew migrate`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.config import fileConfig
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from clew.config import Settings
from clew.errors import SchemaError, StartupError
from clew.migrate import autogenerate
from clew.migrate.connect import migration_engine
from clew.migrate.faults import explained

# The key of the advisory lock. It must not change: only this number keeps two migrations apart.
LOCK = 7_021_950_317_348_213_611
LOCK_WAIT = "600s"  # the wait for another migration to end
LOCK_TIMEOUT = (
    "10s"  # the wait for a table: while a migration waits for its lock, all later users of the table wait behind it
)


def run() -> None:
    """Run the current Alembic command: offline, on a connection from the caller, or on a new one.

    It reads from `Config.attributes`: `connection` (a synchronous SQLAlchemy connection), `url`, and
    `metadata` (to compare with, instead of the project's SDL).

    Raises:
        StartupError: the database cannot be reached or refuses a statement. Alembic's own command line gets a
            CommandError instead, which it prints without a traceback.
    """
    config = context.config
    by_command_line = config.cmd_opts is not None
    if by_command_line and config.config_file_name is not None:
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    try:
        if context.is_offline_mode():
            _offline()
        elif (connection := config.attributes.get("connection")) is not None:
            migrate(connection)
        else:
            with _database_url(config) as url, explained(url):
                asyncio.run(_online(url))
    except (StartupError, SchemaError) as error:
        if not by_command_line:
            raise
        hint = f"\n  hint: {error.hint}" if isinstance(error, StartupError) and error.hint else ""
        raise CommandError(f"{error}{hint}") from error


@contextmanager
def _database_url(config: Config) -> Iterator[str]:
    root = root_of(config)
    configured: str | None = config.attributes.get("url")
    settings = None if configured else Settings.load(root, "dev")
    url = configured or (settings.database_url if settings else None)
    if url:
        yield url
        return
    if settings is not None and settings.env != "dev":
        raise StartupError("DATABASE_URL is not set, and production has no embedded Postgres.")
    from clew.database.embedded import embedded_postgres, folder_of

    with embedded_postgres(folder_of(root / ".clew")) as embedded:
        yield embedded


def root_of(config: Config) -> Path:
    """Return the project's folder, which holds its `alembic.ini`."""
    return Path(config.config_file_name or "alembic.ini").resolve().parent


async def _online(url: str) -> None:
    async with migration_engine(url) as engine, engine.connect() as connection:
        await connection.run_sync(migrate)


def _offline() -> None:
    context.configure(
        url="postgresql+asyncpg://",
        literal_binds=True,
        transaction_per_migration=True,
        target_metadata=sa.MetaData(),
    )
    with context.begin_transaction():
        context.run_migrations()


def migrate(connection: sa.Connection) -> None:
    """Run the current command on `connection`, alone. A second migration waits, and then has nothing to do."""
    with _alone(connection):
        context.configure(
            connection=connection,
            transaction_per_migration=True,
            **autogenerate.options(context.config, root_of(context.config)),
        )
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    execute(connection, f"SET lock_timeout = '{LOCK_WAIT}'")
    execute(connection, f"SELECT pg_advisory_lock({LOCK})")
    execute(connection, f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    connection.commit()
    try:
        yield
    finally:
        # A closed connection has released the lock already.
        with suppress(SQLAlchemyError, OSError):
            connection.rollback()
            execute(connection, f"SELECT pg_advisory_unlock({LOCK})")
            connection.commit()


def execute(connection: sa.Connection, sql: str) -> Any:
    """Run fixed SQL text."""
    return connection.exec_driver_sql(sql)
