"""Explain faults between a migration and its database, so that the user can act on them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
from alembic.util import CommandError
from asyncpg import exceptions

from clew.errors import StartupError


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = getattr(current, "orig", None) or current.__cause__ or current.__context__


def place_of(url: str) -> str:
    """Return host, port and database of a URL, without user and password."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or 'the local socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return "DATABASE_URL"


def _of_connection(error: BaseException, url: str) -> StartupError | None:
    place = place_of(url)
    match error:
        case exceptions.InvalidCatalogNameError():
            return StartupError(
                f"The database of {place} does not exist.", "Create it (`createdb`), or correct DATABASE_URL."
            )
        case exceptions.InvalidPasswordError() | exceptions.InvalidAuthorizationSpecificationError():
            return StartupError(f"Postgres at {place} refuses this user or password.", "Correct DATABASE_URL.")
        case exceptions.CannotConnectNowError() | exceptions.TooManyConnectionsError():
            return StartupError(f"Postgres at {place} takes no connections now: {error}", "Try again in a moment.")
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return None
        case OSError() if isinstance(error, ssl.SSLError) or "SSL" in str(error):
            return StartupError(
                f"No secure connection to Postgres at {place}: {error}", "See `sslmode` and its files in DATABASE_URL."
            )
        case OSError() | TimeoutError():
            return StartupError(
                f"No Postgres answers at {place}.", "Is the server up, and are host and port of DATABASE_URL right?"
            )
    return None


def _of_statement(error: BaseException) -> StartupError | None:
    match error:
        case exceptions.LockNotAvailableError():
            return StartupError(
                "The migration waited too long for a lock: another session uses the table, or another migration runs.",
                "The current revision was rolled back. Look for long transactions in pg_stat_activity and try again.",
            )
        case exceptions.InsufficientPrivilegeError():
            return StartupError(
                f"The database user may not migrate: {error}",
                "Migrate with a user that owns the tables and may create schemas.",
            )
        case exceptions.IntegrityConstraintViolationError():
            detail = f" ({error.detail})" if error.detail else ""
            return StartupError(
                f"Rows in the database do not fit the new schema: {error}{detail}",
                "The revision was rolled back. Correct the rows, or edit the revision so that it does.",
            )
        case asyncpg.PostgresError():
            return StartupError(
                f"The migration failed: {error}", "The revision was rolled back; edit its file and run it again."
            )
    return None


def explain(error: BaseException, url: str) -> StartupError | None:
    """Return a StartupError for an error of asyncpg, SQLAlchemy, Alembic or the network; None for a bug."""
    for cause in _chain(error):
        if isinstance(cause, StartupError):
            return cause
        explanation = _of_connection(cause, url) or _of_statement(cause)
        if explanation is not None:
            return explanation
    if isinstance(error, CommandError):
        return StartupError(f"Alembic: {error}")
    return None


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn errors of the block into StartupErrors. Bugs pass unchanged."""
    try:
        yield
    except Exception as error:
        explanation = explain(error, url)
        if explanation is None or explanation is error:
            raise
        raise explanation from error
