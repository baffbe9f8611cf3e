"""Bring the database to the version that will serve: find the pending changes, and apply them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.errors import StartupError
from clew.migrate.change import Change, Doubts
from clew.migrate.connect import migration_engine
from clew.migrate.history import Paths, load_history
from clew.migrate.revisions import make, pending_changes
from clew.migrate.run import State, status, upgrade
from clew.migrate.scaffold import revision_files
from clew.migrate.trial import try_sql
from clew.model.types import Model
from clew.project import Project
from clew.sdl.load import read_sources


@dataclass(frozen=True, slots=True)
class Pending:
    """The changes that the SDL needs beyond the migrations. `doubts` must be confirmed first."""

    changes: tuple[Change, ...]
    doubts: Doubts


async def pending(project: Project, model: Model, url: str) -> Pending:
    """Return the pending changes without making any.

    Raises:
        StartupError: the history is broken, or the database is ahead of it or cannot be reached.
    """
    load_history(project.root)
    database = await status(project.root, url)
    if database.state is State.AHEAD:
        raise StartupError(
            f"The database is at revision {database.current}, which is not in migrations/versions.",
            "Bring that file back (another branch may have it), or start with an empty database. "
            "The embedded one is in .clew/postgres/: stop Clew, and delete that folder.",
        )
    changes = pending_changes(project.root, model)
    return Pending(changes, Doubts.of(changes))


async def apply(project: Project, model: Model, url: str, wanted: Pending) -> list[str]:
    """Write a migration for the wanted, run the pending migrations, and return the names of those that ran.

    Raises:
        StartupError: a statement failed. Then no file has changed, and the database only by older revisions.
        SchemaError: the SDL has SQL that the database refuses.
    """
    done = await _upgraded(project, url)
    # What migrations of the user's own make, functions and types, is there by now.
    await try_sql(model, read_sources(project.graphql_dir, project.root)[0], url)
    with _files_restored_on_failure(Paths(project.root)):
        make(project.root, model, title(wanted.changes), accept_loss=True)
        return done + await _upgraded(project, url)


async def _upgraded(project: Project, url: str) -> list[str]:
    """Run the revisions on disk that the database lacks; return their names."""
    before = await status(project.root, url)
    if before.pending:
        await upgrade(project.root, url)
    return list(before.pending)


def title(changes: tuple[Change, ...]) -> str:
    """Return a name for the revision: its first change, and the number of further ones."""
    named = [change.summary for change in changes if change.summary]
    if not named:
        return "update"
    return named[0] if len(named) == 1 else f"{named[0]} and {len(named) - 1} more"


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection for the seed."""
    async with migration_engine(url) as engine, engine.connect() as connection:
        yield connection


@contextmanager
def _files_restored_on_failure(paths: Paths) -> Iterator[None]:
    """Remove the files of a revision that fails. It would stop every later revision too."""
    before = revision_files(paths.root)
    schema = paths.schema.read_bytes() if paths.schema.exists() else None
    try:
        yield
    except BaseException:
        for made in revision_files(paths.root) - before:
            made.unlink(missing_ok=True)
        if schema is None:
            paths.schema.unlink(missing_ok=True)
        else:
            paths.schema.write_bytes(schema)
        raise
