"""A project's migrations on disk: its folder, its revisions and its head."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from clew.errors import StartupError
from clew.migrate.scaffold import complete, revision_files
from clew.project import Project, failure_of


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of a project's migrations. `root` is the folder of its `alembic.ini`."""

    root: Path

    @property
    def ini(self) -> Path:
        return self.root / "alembic.ini"

    @property
    def schema(self) -> Path:
        return self.root / "migrations" / "schema.json"

    def config(self, **attributes: Any) -> Config:
        """Return Alembic's configuration of this project. `attributes` reach `env.py`.

        Raises:
            StartupError: the project has none.
        """
        if not self.ini.is_file():
            raise StartupError(
                f"{self.root} has no alembic.ini.",
                "`clew migrate make` and `clew dev` write it. For another folder give --project DIR.",
            )
        config = Config(str(self.ini))
        if "%" in str(self.root):
            # In this text % is special, and %(here)s would insert the folder's own % unescaped.
            config.set_main_option("script_location", str(self.schema.parent.resolve()).replace("%", "%%"))
        config.attributes.update(attributes)
        return config


@dataclass(frozen=True, slots=True)
class History:
    """The revisions on disk, oldest first. `head` is the last one, or None if there is none."""

    revisions: tuple[str, ...]
    head: str | None

    def pending(self, current: str | None) -> tuple[str, ...]:
        """Return the revisions after `current`, which is one of them or None."""
        return self.revisions if current is None else self.revisions[self.revisions.index(current) + 1 :]


def script_directory(paths: Paths) -> ScriptDirectory:
    """Return Alembic's view of the migrations folder. Raise StartupError if it is missing."""
    try:
        return ScriptDirectory.from_config(paths.config())
    except CommandError as error:
        raise StartupError(f"The migrations of {paths.root} cannot be read: {error}") from error


def load_history(root: Path) -> History:
    """Read the revisions of the project in `root`. A project without Alembic's files has none.

    Raises:
        StartupError: a revision file or the chain of revisions is broken, or there is more than one head.
    """
    paths = Paths(root)
    if not (paths.ini.exists() and paths.schema.parent.is_dir()):
        if not revision_files(root):
            return History((), None)
        complete(root)
    script = script_directory(paths)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Alembic only warns of two revisions with one name
            heads = script.get_heads()
        if len(heads) > 1:
            raise StartupError(
                f"The migrations have {len(heads)} heads: {', '.join(sorted(heads))}.",
                "Two branches each added a migration. Join them with `alembic merge -m merge heads`, and keep "
                "both branches' lines of migrations/schema.json.",
            )
        revisions = tuple(reversed([revision.revision for revision in script.walk_revisions()]))
    except StartupError:
        raise
    except (CommandError, RevisionError, KeyError, UserWarning) as error:
        raise _unreadable(paths, str(error)) from error
    except Exception as error:  # a revision is Python: importing it may raise anything
        raise _unreadable(paths, failure_of(Project(root), error)) from error
    return History(revisions, heads[0] if heads else None)


def _unreadable(paths: Paths, reason: str) -> StartupError:
    return StartupError(
        f"The migrations in {paths.root / 'migrations' / 'versions'} cannot be read: {reason}",
        "A revision file is broken, missing, or names a parent that is not there.",
    )
