"""Watch for the saves that make `clew dev` reload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from clew.project import Project

SUFFIXES = (".graphql", ".graphqls", ".gql", ".py", ".sql", ".toml")

# Milliseconds. Editors, formatters and git save several files at once. Saves this close count as one change.
QUIET = 100
LONGEST = 2000

Changed = Callable[[list[str]], None]


class SourceFilter(DefaultFilter):
    """Accepts source files, without caches and editors' swap files."""

    def __call__(self, change: Change, path: str) -> bool:
        """Return whether the change of `path` matters."""
        return super().__call__(change, path) and path.endswith(SUFFIXES)


async def watch(project: Project, changed: Changed) -> None:
    """Call `changed` with the names of the saved files, relative to the root, until cancelled.

    It watches the SDL, the project's own Python package, and pyproject.toml.
    """
    replaced = asyncio.Event()
    await asyncio.gather(_watch_sources(project, changed, replaced), _watch_root(project, changed, replaced))


async def _watch_sources(project: Project, changed: Changed, replaced: asyncio.Event) -> None:
    while True:
        replaced.clear()
        folders = [folder for folder in _folders(project) if folder.exists()]
        if not folders:
            await replaced.wait()
            continue
        async for changes in awatch(
            *folders, watch_filter=SourceFilter(), step=QUIET, debounce=LONGEST, stop_event=replaced
        ):
            changed(_names(changes, project.root))


async def _watch_root(project: Project, changed: Changed, replaced: asyncio.Event) -> None:
    folders = set(_folders(project))
    pyproject = project.root / "pyproject.toml"

    def matters(change: Change, path: str) -> bool:
        return Path(path) == pyproject or (Path(path) in folders and change is Change.added)

    async for changes in awatch(project.root, watch_filter=matters, step=QUIET, debounce=LONGEST, recursive=False):
        # A folder that is created again, as git does, is invisible to the watch of the old one.
        if any(Path(path) in folders for _, path in changes):
            replaced.set()
        changed(_names(changes, project.root))


def _folders(project: Project) -> list[Path]:
    return [project.graphql_dir, *project.python_sources]


def _names(changes: Iterable[tuple[Change, str]], root: Path) -> list[str]:
    return sorted({str(Path(path).relative_to(root)) for _, path in changes})
