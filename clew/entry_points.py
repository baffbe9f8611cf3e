"""A project's own Python: the `Clew` object and the seed that `[tool.clew]` names."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.app import Clew
from clew.errors import SchemaError, StartupError
from clew.project import Project, failure_of

Seed = Callable[[AsyncConnection], Awaitable[None]]
"""What `[tool.clew] seed` names: fills an empty database through the connection, in the caller's transaction."""


def load_app(project: Project) -> Clew:
    """Import the object that `[tool.clew] app` names, or make a plain `Clew` for a project without Python.

    The root comes first on `sys.path`. So the project's `app` hides any other package of that name.

    Raises:
        StartupError: the import fails (with the file and line of the project's code), or the object is not a `Clew`.
        SchemaError: raised by the project's own module.
    """
    _prepare(project)
    if project.app is None:
        return Clew(project=project.root)
    app = _load(project, project.app, "app")
    if not isinstance(app, Clew):
        raise StartupError(
            f'[tool.clew] app = "{project.app}" is of type {type(app).__name__}, not a Clew.',
            "It names the object that `Clew(...)` returned, not a function or a class.",
        )
    return app


def load_seed(project: Project) -> Seed | None:
    """Return the function that `[tool.clew] seed` names, or None if there is none.

    Raises:
        StartupError: as `load_app`.
    """
    if project.seed is None:
        return None
    _prepare(project)
    seed = _load(project, project.seed, "seed")
    if not callable(seed):
        raise StartupError(
            f'[tool.clew] seed = "{project.seed}" is of type {type(seed).__name__}, not a function.',
            "It names an `async def seed(connection: AsyncConnection) -> None`.",
        )
    return cast("Seed", seed)


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
        # Forget another project's package of the same name that was imported earlier in this process.
        for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
            del sys.modules[name]
    folder = project.root / top
    if folder.is_dir() and not (folder / "__init__.py").exists() and top not in sys.modules:
        # A package without __init__.py would lose to any package of that name further down the path.
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


def _import_failed(project: Project, entry_point: str, setting: str, error: BaseException) -> StartupError:
    return StartupError(f'[tool.clew] {setting} = "{entry_point}" cannot be imported:\n{failure_of(project, error)}')
