"""The one owner of work that goes on beside requests.

A task begins when it is first needed, on the loop that serves. It ends with the app: `close` ends it, and where nothing
calls that, as for an app that is mounted without its lifespan, the end of the loop does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from clew.observe import get_logger

_LOG = get_logger("clew.background")

# In seconds: how long work that was cancelled may take to end before it is cancelled again.
_AGAIN = 10.0


class Background:
    """Tasks on the serving loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the app has ended. Nothing begins any more."""
        return self._closed

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
        """Run `work` beside requests. Return its task, or None if the app has ended.

        Work ends by itself or by being cancelled. If it raises, that is logged.

        Args:
            name: of the task, for logs and debuggers.
        """
        if self._closed:
            work.close()
            return None
        task = asyncio.get_running_loop().create_task(work, name=f"clew-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End all tasks of this loop, and wait until they have ended."""
        self._closed = True
        loop = asyncio.get_running_loop()
        left = {task for task in self._tasks if task.get_loop() is loop}
        while left:
            for task in left:
                task.cancel()
            # A cancellation can be lost: if a connection breaks at the same moment, that error takes its place.
            _, left = await asyncio.wait(left, timeout=_AGAIN)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("background work failed", task=task.get_name(), exc_info=error)
