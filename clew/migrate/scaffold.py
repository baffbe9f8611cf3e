"""The files that Alembic needs beside the revisions. Users who write only SDL never need to know them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from clew.errors import StartupError

# Each file in the project, and its template in `templates/`. The suffix `.mako` keeps tools from taking a template for
# a Python module of Clew.
FILES = {
    "alembic.ini": "alembic.ini.mako",
    "migrations/env.py": "env.py.mako",
    "migrations/script.py.mako": "script.py.mako",
}


def template(name: str) -> str:
    """Return the text of one of `FILES`."""
    return files("clew.migrate").joinpath("templates", FILES[name]).read_text("utf-8")


def complete(root: Path) -> list[Path]:
    """Write the files of `FILES` that the project in `root` lacks. Existing files are not changed.

    Returns:
        the files written; none if all of them existed.

    Raises:
        StartupError: the folder cannot be written.
    """
    written = []
    try:
        (root / "migrations" / "versions").mkdir(parents=True, exist_ok=True)
        for name in FILES:
            target = root / name
            if not target.exists():
                target.write_text(template(name), encoding="utf-8")
                written.append(target)
    except OSError as error:
        raise StartupError(f"{error.filename or root} cannot be written: {error.strerror}.") from error
    return written


def revision_files(root: Path) -> set[Path]:
    """Return the revision files on disk, without reading them."""
    return set((root / "migrations" / "versions").glob("*.py"))
