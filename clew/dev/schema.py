"""The database of a version that is about to serve: what would change, and the change itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.errors import StartupError
from clew.migrate.change import Change
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
    """What the SDL asks for beyond the migrations; `losses` is what must be confirmed first."""

    changes: tuple[Change, ...]
    losses: list[str]


async def pending(project: Project, model: Model, url: str) -> Pending:
    """Look, and change nothing.

    Raises:
        StartupError: the history is broken, or the database is ahead of it or cannot be reached.
    """
    load_history(project.root)
    found = await status(project.root, url)
    if found.state is State.AHEAD:
        raise StartupError(
            f"The database is at revision {found.current}, which is not in migrations/versions.",
            "Bring that file back (another branch may have it), or start with an empty database.",
        )
    changes = pending_changes(project.root, model)
    return Pending(changes, [change.loses for change in changes if change.loses is not None])


async def apply(project: Project, model: Model, url: str, found: Pending) -> list[str]:
    """Write the migration that is missing, and run what the database lacks; the names of the revisions run.

    Raises:
        StartupError: a statement failed; no file has changed then, and of the database only what older revisions do.
        SchemaError: SQL of the SDL is at fault, tried on the database.
    """
    done = await _upgraded(project, url)
    # What migrations of the user's own make, functions and types, is there by now.
    await try_sql(model, read_sources(project.graphql_dir, project.root)[0], url)
    with _files_restored_on_failure(Paths(project.root)):
        make(project.root, model, title(found.changes), accept_loss=True)
        return done + await _upgraded(project, url)


async def _upgraded(project: Project, url: str) -> list[str]:
    """Run what the database lacks of the revisions on disk; their names."""
    before = await status(project.root, url)
    if before.pending:
        await upgrade(project.root, url)
    return list(before.pending)


def title(changes: tuple[Change, ...]) -> str:
    """A name for the revision: what it does if that is one thing, else how many."""
    named = [change.summary for change in changes if change.summary]
    if not named:
        return "update"
    return named[0] if len(named) == 1 else f"{named[0]} and {len(named) - 1} more"


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection for the seed."""
    async with migration_engine(url) as engine, engine.connect() as connection:
        yield connection


@contextmanager
def _files_restored_on_failure(paths: Paths) -> Iterator[None]:
    """A revision that cannot run would stop every later one."""
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
