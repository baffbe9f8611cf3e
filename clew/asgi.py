"""The production app as an import string, for any ASGI server: `uvicorn --factory clew.asgi:create`."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.types import ASGIApp

from clew.entry_points import load_app
from clew.project import Project


def create() -> ASGIApp:
    """Return the app of the project in `CLEW_PROJECT` (default: the current folder), checked as by `clew serve`.

    Raises:
        StartupError: the settings are not fit for production, or the project cannot be loaded.
        SchemaError: the SDL or its bindings have faults.
    """
    project = Project.open(Path(os.environ.get("CLEW_PROJECT", ".")))
    return load_app(project).asgi()
