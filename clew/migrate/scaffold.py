"""The files that Alembic needs beside the revisions; whoever writes only SDL never has to know them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from clew.errors import StartupError

# The file in the project: its text in `templates/` (named so that no tool takes it for a module of Clew's).
FILES = {
    "alembic.ini": "alembic.ini.mako",
    "migrations/env.py": "env.py.mako",
    "migrations/script.py.mako": "script.py.mako",
}


def template(name: str) -> str:
    """The text of one of `FILES`."""
    return files("clew.migrate").joinpath("templates", FILES[name]).read_text("utf-8")


def complete(root: Path) -> list[Path]:
    """Write those of `FILES` that the project in `root` lacks; what is there stays as it is.

    Returns:
        the files written, the first time; none from then on.

    Raises:
        StartupError: the folder cannot be written.
    """
    made = []
    try:
        (root / "migrations" / "versions").mkdir(parents=True, exist_ok=True)
        for name in FILES:
            target = root / name
            if not target.exists():
                target.write_text(template(name), encoding="utf-8")
                made.append(target)
    except OSError as error:
        raise StartupError(f"{error.filename or root} cannot be written: {error.strerror}.") from error
    return made


def revision_files(root: Path) -> set[Path]:
    """The revisions on disk, unread."""
    return set((root / "migrations" / "versions").glob("*.py"))
