"""A project's folder: where its parts are, and its Python entry point."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tomllib
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from clew.errors import SchemaError, StartupError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from clew.app import Clew

ENTRY_POINT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")

Seed = Callable[["AsyncConnection"], Awaitable[None]]
"""What `[tool.clew] seed` names: fills an empty database through the connection, in the caller's transaction."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project at `root` (an absolute path), as its `pyproject.toml` describes it; `Project.open` makes it.

    `app` and `seed` are the entry points `module:name` of `[tool.clew]`, None where there is none.
    """

    root: Path
    app: str | None = None
    seed: str | None = None

    @classmethod
    def open(cls, folder: Path) -> Project:
        """The project in `folder`.

        Raises:
            StartupError: the folder or its `graphql/` is missing, or pyproject.toml has a fault.
        """
        root = folder.resolve()
        if not root.is_dir():
            raise StartupError(f"The project folder {root} {'is not a folder' if root.exists() else 'does not exist'}.")
        if not (root / "graphql").is_dir():
            raise StartupError(
                f"{root} is not a Clew project: it has no graphql/ folder.",
                "Give the project's folder with --project, or make graphql/ and put your SDL in it.",
            )
        table = _tool_table(root / "pyproject.toml")
        return cls(root, _entry_point(table, "app", root), _entry_point(table, "seed", root))

    @property
    def graphql_dir(self) -> Path:
        """The folder of the SDL."""
        return self.root / "graphql"

    @property
    def migrations_dir(self) -> Path:
        """The folder of Alembic's script environment."""
        return self.root / "migrations"

    @property
    def alembic_ini(self) -> Path:
        """Alembic's configuration file."""
        return self.root / "alembic.ini"

    @property
    def state_dir(self) -> Path:
        """What Clew keeps on this machine: the embedded Postgres, the dev secret. Not for version control."""
        return self.root / ".clew"

    @property
    def python_sources(self) -> list[Path]:
        """The project's own packages (or modules) that `app` and `seed` are in; they may not exist yet."""
        tops = {entry.partition(":")[0].partition(".")[0] for entry in (self.app, self.seed) if entry is not None}
        return [
            self.root / f"{top}.py" if (self.root / f"{top}.py").exists() else self.root / top for top in sorted(tops)
        ]


def load_app(project: Project) -> Clew:
    """Import the object that `[tool.clew] app` names, or make a plain `Clew` for a project without Python.

    The root comes first on `sys.path`: the project's `app` wins over any other package of that name.

    Raises:
        StartupError: the import fails (with the file and line of the project's code), or it is no `Clew`.
        SchemaError: raised by the project's own module.
    """
    from clew.app import Clew

    _prepare(project)
    if project.app is None:
        return Clew(project=project.root)
    found = _load(project, project.app, "app")
    if not isinstance(found, Clew):
        raise StartupError(
            f'[tool.clew] app = "{project.app}" is of type {type(found).__name__}, not a Clew.',
            "It names the object that `Clew(...)` returned, not a function or a class.",
        )
    return found


def load_seed(project: Project) -> Seed | None:
    """The function that `[tool.clew] seed` names; None if there is none.

    Raises:
        StartupError: as `load_app` does.
    """
    if project.seed is None:
        return None
    _prepare(project)
    found = _load(project, project.seed, "seed")
    if not callable(found):
        raise StartupError(
            f'[tool.clew] seed = "{project.seed}" is of type {type(found).__name__}, not a function.',
            "It names an `async def seed(connection: AsyncConnection) -> None`.",
        )
    return cast("Seed", found)


def _prepare(project: Project) -> None:
    root = str(project.root)
    os.environ["CLEW_PROJECT"] = root
    if sys.path[:1] != [root]:
        sys.path[:] = [root, *(entry for entry in sys.path if entry != root)]
        importlib.invalidate_caches()


def _load(project: Project, entry_point: str, setting: str) -> Any:
    module_name, _, attribute = entry_point.partition(":")
    top = module_name.partition(".")[0]
    loaded = sys.modules.get(top)
    if loaded is not None and not _is_within(loaded, project.root):
        # Another project's package of the same name, imported earlier in this process.
        for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
            del sys.modules[name]
    folder = project.root / top
    if folder.is_dir() and not (folder / "__init__.py").exists() and top not in sys.modules:
        # Without __init__.py it would lose to any package of that name further down the path.
        package = ModuleType(top)
        package.__path__ = [str(folder)]
        sys.modules[top] = package
    try:
        module = importlib.import_module(module_name)
    except (StartupError, SchemaError):
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise StartupError(
                f'[tool.clew] {setting} = "{entry_point}" in {project.root / "pyproject.toml"}: there is no module '
                f"{error.name!r}.",
            ) from None
        raise _import_failed(project, entry_point, setting, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(project, entry_point, setting, error) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise StartupError(
            f'[tool.clew] {setting} = "{entry_point}" in {project.root / "pyproject.toml"}: {module.__file__} has no '
            f"{attribute!r}.",
        ) from None


def _is_within(module: Any, root: Path) -> bool:
    places = [*getattr(module, "__path__", ()), getattr(module, "__file__", None)]
    return any(place is not None and Path(place).resolve().is_relative_to(root) for place in places)


def failure_of(project: Project, error: BaseException) -> str:
    """What went wrong, at the innermost line of the project's own code if it has a part in it."""
    problem = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, SyntaxError) and error.filename:
        return problem
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, project.root)]
    if not own:
        return problem
    frame = own[-1]
    return f"{frame.filename}:{frame.lineno}: {problem}" + (f"\n    {frame.line}" if frame.line else "")


def _import_failed(project: Project, entry_point: str, setting: str, error: BaseException) -> StartupError:
    return StartupError(f'[tool.clew] {setting} = "{entry_point}" cannot be imported:\n{failure_of(project, error)}')


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
