"""A peer for live queries: the same server, which runs every live query each second instead of following changes.

`uvicorn --factory bench.polled:make_app`. So do servers without a log of changes. The members of a group still run
together, a hundred in one statement, and a result is sent only if it differs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from starlette.types import ASGIApp

from clew.app import Clew
from clew.changes.types import Batch, Listener, Listening, Position, TableName
from clew.live.queries import LiveQueries

_EVERY = 1.0


class _Clock:
    """A source of changes that knows none, and runs all live queries again and again."""

    def __init__(self, live: LiveQueries) -> None:
        self._live = live

    async def listen(self, _listener: Listener) -> Listening:
        ticking = asyncio.get_running_loop().create_task(self._tick())
        return Listening(Position("", "1:1:"), lambda: _end(ticking))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            for member in list(self._live._members):
                self._live._mark(member)

    def wake(self) -> None:
        """Commits are found when their time comes."""

    async def unlogged(self) -> set[TableName]:
        return set()

    def since(self, position: Position, tables: Collection[TableName], until: Position) -> AsyncIterator[Batch]:
        raise NotImplementedError


def make_app() -> ASGIApp:
    """The ASGI app of the project in the folder `BENCH_PROJECT`."""
    app = Clew(project=Path(os.environ["BENCH_PROJECT"])).asgi()
    app.live._changes = _Clock(app.live)
    return app


def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
