"""Stop working for a client that has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, MutableMapping
from typing import Any, TypeVar

from starlette.types import Receive

Result = TypeVar("Result")

# In seconds. Watching costs a task; an operation shorter than this ends before it is worth one.
_GRACE = 0.02


class ClientGone(Exception):  # noqa: N818  nobody is there to be told of an error
    """The client closed the connection before the answer was ready."""


async def until_disconnect(work: Awaitable[Result], receive: Receive) -> Result:
    """Await `work`, cancelled as soon as the client leaves; its SQL stops with it.

    Args:
        work: what to do; runs in the caller's task.
        receive: the ASGI channel, the request's body read to its end.

    Raises:
        ClientGone: the client left.
    """
    watch = _Watch(receive)
    try:
        result = await work
        if watch.gone:
            # The work ended in spite of being cancelled.
            _uncancel()
            raise ClientGone
        return result
    except asyncio.CancelledError:
        if watch.gone and _uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watch.stop()


def _uncancel() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.uncancel()


class _Watch:
    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._caller = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_GRACE, self._start)

    def _start(self) -> None:
        self._watcher = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while True:
            message: MutableMapping[str, Any] = await self._receive()
            if message["type"] == "http.disconnect":
                break
        self.gone = True
        assert self._caller is not None
        self._caller.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
