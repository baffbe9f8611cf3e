"""Write a new project, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from clew.errors import StartupError
from clew.migrate.revisions import make
from clew.model.build import load_model
from clew.sdl.directives import directives_text
from clew.starter.names import project_name

SUFFIX = ".template"
# Stands for the dot of a hidden file. Packages leave hidden files out.
DOT = "dot-"

# What a folder may hold before: version control and a virtual environment come first for many.
_HARMLESS = frozenset({".git", ".venv", "venv", ".DS_Store"})
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Created:
    """A project that was written: its folder (an absolute path), its name, and the number of its files."""

    root: Path
    name: str
    files: int


def create(folder: Path, version: str | None) -> Created:
    """Write a project into `folder`, which does not exist yet or is empty, with its first migration.

    Everything is written into a folder beside it first. So a failure and Ctrl-C leave nothing.

    Args:
        folder: the project's folder. Its parent exists.
        version: the version of Clew that the project requires. None: any.

    Raises:
        StartupError: the folder is not empty, is a file, or cannot be written. Nothing was written.
    """
    root = folder.resolve()
    name = project_name(root.name)
    pin = "" if version is None else f"=={version}"
    try:
        exists = _is_free(root)
        with _staging(root if exists else root.parent) as staging:
            count = _write(staging, {"@NAME@": name, "@PIN@": pin})
            if exists:
                _move(staging, root)
            else:
                staging.rename(root)
    except OSError as error:
        raise StartupError(
            f"{root} cannot be written: {error.strerror}. Nothing is left of the new project.",
            "Choose a folder in which you may write.",
        ) from None
    return Created(root, name, count)


def _is_free(root: Path) -> bool:
    """Return whether the folder exists, and then holds nothing that a project could get mixed up with."""
    if not root.exists():
        if not root.parent.is_dir():
            raise StartupError(f"There is no folder {root.parent} to make {root.name} in.", "Make that folder first.")
        return False
    if not root.is_dir():
        raise StartupError(f"{root} is a file, not a folder.", "Give the project another name.")
    found = sorted(entry.name for entry in root.iterdir() if entry.name not in _HARMLESS)
    if found:
        named = ", ".join(found[:_MOST_NAMED]) + (" and more" if len(found) > _MOST_NAMED else "")
        raise StartupError(
            f"{root} is not empty: it holds {named}. Nothing was written.",
            "Give a folder that does not exist yet, or one with nothing but .git and a virtual environment.",
        )
    return True


@contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """Make a folder in `parent` to write into, and remove what is left of it after the block."""
    staging = parent / f".clew-new-{os.getpid()}"
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(root: Path, values: Mapping[str, str]) -> int:
    """Write every file of a project into the empty folder `root`, and return their number."""
    _render(files("clew.starter").joinpath("template"), root, values)
    (root / "graphql" / "directives.graphql").write_text(directives_text(), encoding="utf-8")
    make(root, load_model(root / "graphql", root), "first tables")
    return sum(path.is_file() for path in root.rglob("*"))


def _render(source: Traversable, target: Path, values: Mapping[str, str]) -> None:
    for entry in source.iterdir():
        name = f".{entry.name.removeprefix(DOT)}" if entry.name.startswith(DOT) else entry.name
        if entry.is_dir():
            (target / name).mkdir()
            _render(entry, target / name, values)
        else:
            text = entry.read_text("utf-8")
            for placeholder, value in values.items():
                text = text.replace(placeholder, value)
            (target / name.removesuffix(SUFFIX)).write_text(text, encoding="utf-8")


def _move(staging: Path, root: Path) -> None:
    """Move all that is in `staging` into `root`, which is there already, or nothing of it."""
    moved: list[Path] = []
    try:
        for entry in sorted(staging.iterdir()):
            target = root / entry.name
            if target.exists():
                # It came just now, and is not ours to replace or to remove.
                raise FileExistsError(errno.EEXIST, f"{entry.name} is there already")
            moved.append(target)
            entry.rename(target)
    except BaseException:
        for target in moved:
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        raise
