"""A project's folder: the places of its parts, and the settings in its pyproject.toml."""

from __future__ import annotations

import re
import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clew.errors import StartupError

ENTRY_POINT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Project:
    """A project at `root` (an absolute path), as its `pyproject.toml` describes it. `Project.open` makes it.

    `app` and `seed` are the entry points `module:name` of `[tool.clew]`, or None.
    """

    root: Path
    app: str | None = None
    seed: str | None = None

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Return the project in `folder`.

        Raises:
            StartupError: the folder or its `graphql/` is missing, or pyproject.toml has a fault.
        """
        root = folder.resolve()
        if not root.is_dir():
            raise StartupError(f"The project folder {root} {'is not a folder' if root.exists() else 'does not exist'}.")
        if not (root / "graphql").is_dir():
            raise StartupError(
                f"{root} is not a Clew project: it has no graphql/ folder.",
                "Give the project's folder with --project, or write a new project with `clew new DIR`.",
            )
        table = _tool_table(root / "pyproject.toml")
        return cls(root, _entry_point(table, "app", root), _entry_point(table, "seed", root))

    @property
    def graphql_dir(self) -> Path:
        """The folder of the SDL."""
        return self.root / "graphql"

    @property
    def state_dir(self) -> Path:
        """Clew's files on this machine: the embedded Postgres, the dev secret. Keep them out of version control."""
        return self.root / ".clew"

    @property
    def python_sources(self) -> list[Path]:
        """The project's own packages (or modules) that hold `app` and `seed`. They may not exist yet."""
        tops = {entry.partition(":")[0].partition(".")[0] for entry in (self.app, self.seed) if entry is not None}
        return [
            self.root / f"{top}.py" if (self.root / f"{top}.py").exists() else self.root / top for top in sorted(tops)
        ]


def failure_of(project: Project, error: BaseException) -> str:
    """Describe an error. Name the innermost line of the project's own code, if any is involved."""
    problem = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, SyntaxError) and error.filename:
        return problem
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, project.root)]
    if not own:
        return problem
    frame = own[-1]
    return f"{frame.filename}:{frame.lineno}: {problem}" + (f"\n    {frame.line}" if frame.line else "")


def _is_own(filename: str, root: Path) -> bool:
    path = Path(filename)
    return path.is_relative_to(root) and not {".venv", "site-packages"} & set(path.parts)


def _tool_table(file: Path) -> Mapping[str, object]:
    try:
        with file.open("rb") as opened:
            document = tomllib.load(opened)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"{file} is not valid TOML: {error}") from None
    except OSError as error:
        raise StartupError(f"{file} cannot be read: {error.strerror}.") from None
    tool = document.get("tool", {})
    table = tool.get("clew", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise StartupError(f"{file}: [tool.clew] must be a table.")
    if unknown := sorted(set(table) - {"app", "seed"}):
        raise StartupError(f"{file}: [tool.clew] knows `app` and `seed`, not {', '.join(map(repr, unknown))}.")
    return table


def _entry_point(table: Mapping[str, object], key: str, root: Path) -> str | None:
    value = table.get(key)
    if value is None or (isinstance(value, str) and ENTRY_POINT.fullmatch(value)):
        return value
    example = "app.main:clew" if key == "app" else "app.seed:seed"
    raise StartupError(
        f'{root / "pyproject.toml"}: [tool.clew] {key} must be "module:name", not {value!r}.', f'{key} = "{example}"'
    )
