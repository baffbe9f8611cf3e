"""Up, down, status and SQL of a project's migrations, over Alembic's own API."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from clew.errors import StartupError
from clew.migrate.connect import migration_engine, open_connection
from clew.migrate.faults import explain, explained
from clew.migrate.history import History, Paths, load_history


class State(StrEnum):
    """Where a database stands against the revisions on disk."""

    AT_HEAD = "AT_HEAD"
    BEHIND = "BEHIND"
    AHEAD = "AHEAD"  # at a revision that this code does not know


@dataclass(frozen=True, slots=True)
class Status:
    """`pending` are the revisions that `up` would run, in order; empty when the database is ahead."""

    current: str | None
    head: str | None
    pending: tuple[str, ...]
    state: State


async def current_revision(connection: asyncpg.Connection[Any]) -> str | None:
    """The revision that a database is at; None before the first migration.

    Must run outside of a transaction, which a missing table would break.

    Raises:
        StartupError: the database is at several revisions at once.
    """
    try:
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    if len(rows) > 1:
        raise StartupError(
            f"The database is at {len(rows)} revisions at once: {', '.join(sorted(row[0] for row in rows))}.",
            "Two heads were migrated apart. Join them with `alembic merge -m merge heads`, then migrate up.",
        )
    return rows[0][0] if rows else None


def compare(current: str | None, history: History) -> Status:
    """The database's revision against the history."""
    if current is not None and current not in history.revisions:
        return Status(current, history.head, (), State.AHEAD)
    pending = history.pending(current)
    return Status(current, history.head, pending, State.BEHIND if pending else State.AT_HEAD)


async def check_at_head(connection: asyncpg.Connection[Any], history: History) -> None:
    """Refuse a database that is not at the schema's head: one short query, for `/readyz` and for starting.

    Args:
        connection: asyncpg's, outside of a transaction.
        history: `load_history(root)`, read once at the start.

    Raises:
        StartupError: the database is behind, or at a revision that this code does not know.
    """
    found = compare(await current_revision(connection), history)
    if found.state is State.AHEAD:
        raise _ahead(found)
    if found.state is State.BEHIND:
        count = len(found.pending)
        raise StartupError(
            f"The database is at {found.current or 'no revision'}, {count} migration{'s' if count != 1 else ''} "
            f"behind {found.head}.",
            "Run `clew migrate up` (or `alembic upgrade head`).",
        )


async def require_head(root: Path, url: str) -> None:
    """`check_at_head` on a connection of its own. Raises as it does, and where the database cannot be reached."""
    history = load_history(root)
    with explained(url):
        connection = await open_connection(url)
        try:
            await check_at_head(connection, history)
        finally:
            await connection.close()


def _ahead(found: Status) -> StartupError:
    return StartupError(
        f"The database is at revision {found.current}, which is not in migrations/versions: it is ahead of this code.",
        "Deploy the code that has this revision, or migrate down with that code first.",
    )


async def status(root: Path, url: str) -> Status:
    """Where the database at `url` stands.

    Raises:
        StartupError: it cannot be reached, or the history is broken.
    """
    history = load_history(root)
    with explained(url):
        connection = await open_connection(url)
        try:
            return compare(await current_revision(connection), history)
        finally:
            await connection.close()


async def upgrade(root: Path, url: str, target: str = "head") -> Status:
    """Run the migrations up to `target`, each in its own transaction; waits while another process migrates.

    Args:
        root: the project's folder.
        url: a `postgresql://` URL, libpq's parameters included.
        target: "head", a revision, or "+1".

    Raises:
        StartupError: no connection, a broken history, a database that is ahead, or a statement that failed
            (its revision is rolled back, those before it stay).
    """
    before = await status(root, url)
    if before.state is State.AHEAD:
        raise _ahead(before)
    if before.head is None:
        return before
    await _run(root, url, lambda config: command.upgrade(config, target))
    return await status(root, url)


async def downgrade(root: Path, url: str, target: str = "-1") -> Status:
    """Undo migrations down to `target`: "-1", a revision, or "base". Raises as `upgrade` does."""
    before = await status(root, url)
    if before.state is State.AHEAD:
        raise _ahead(before)
    if before.current is None and target.startswith("-"):
        raise StartupError("There is no migration to undo: the database has no revision yet.")
    if before.head is None:
        return before
    await _run(root, url, lambda config: command.downgrade(config, target))
    return await status(root, url)


async def _run(root: Path, url: str, action: Callable[[Config], None]) -> None:
    def on_connection(connection: sa.Connection) -> None:
        try:
            action(Paths(root).config(connection=connection))
        except Exception as error:
            place = _own_line(root, error)
            if place is None or explain(error, url) is not None:
                raise
            problem = "".join(traceback.format_exception_only(error)).strip()
            raise StartupError(
                f"The migration failed: {place}: {problem}",
                "The revision was rolled back; edit its file and run it again.",
            ) from error

    with explained(url):
        async with migration_engine(url) as engine, engine.connect() as connection:
            await connection.run_sync(on_connection)


def _own_line(root: Path, error: BaseException) -> str | None:
    """The file and line of a revision that an error went through; None if it is none's."""
    versions = root.resolve() / "migrations" / "versions"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(versions)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def offline_sql(root: Path, start: str | None = None, target: str = "head") -> str:
    """The SQL script of the migrations from `start` (None: from nothing) to `target`, for a DBA to run.

    Raises:
        StartupError: the history is broken, or has no such revision.
    """
    if load_history(root).head is None:
        return ""
    output = io.StringIO()
    config = Paths(root).config()
    config.output_buffer = output
    with explained("postgresql:///"):
        command.upgrade(config, f"{start}:{target}" if start else target, sql=True)
    return output.getvalue()
