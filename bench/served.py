"""Clew under the same server and options as the bare peer: `uvicorn --factory bench.served:make_app`."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.types import ASGIApp

from clew.app import Clew


def make_app() -> ASGIApp:
    """The ASGI app of the project in the folder `BENCH_PROJECT`."""
    return Clew(project=Path(os.environ["BENCH_PROJECT"])).asgi()
