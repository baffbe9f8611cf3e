"""Tell workers that there is something to do: this process's at once, others by a notification of Postgres.

A notification in the transaction that enqueues would let all such transactions commit one after another. So it is sent
on a connection of its own, after the commit; many commits are one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from clew.background import Background
from clew.database.errors import UNREACHABLE
from clew.jobs import statements as sql
from clew.jobs.connection import connected
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# In seconds. The least time between two notifications; how long the connection stays open without any; how long nothing
# is sent after a failure: workers look by themselves meanwhile.
_REST = 0.005
_IDLE = 60.0
_PAUSE = 1.0


class Notifier:
    """Wakes workers after commits.

    Attributes:
        local: the worker of this process, if there is one.
        token: names this process in its notifications.
    """

    def __init__(self, url: str, background: Background) -> None:
        self._url = url
        self._background = background
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.local: Callable[[], None] | None = None
        self.token = secrets.token_hex(8)

    def wake(self) -> None:
        """Say that a transaction which has enqueued or cancelled jobs has committed."""
        if self.local is not None:
            self.local()
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = self._background.start(self._run(), "job-notifier")

    async def _run(self) -> None:
        try:
            async with connected(self._url) as connection:
                while not connection.is_closed:
                    async with asyncio.timeout(_IDLE):
                        await self._woken.wait()
                    began = time.monotonic()
                    self._woken.clear()
                    await connection.fetch(sql.NOTIFY, self.token)
                    await asyncio.sleep(max(0.0, _REST - (time.monotonic() - began)))
        except TimeoutError:
            return
        except UNREACHABLE as error:
            _LOG.info("workers not notified", error=type(error).__name__, detail=str(error))
            await asyncio.sleep(_PAUSE)
