"""Stop the work for a client that has disconnected, and disconnect one whose response cannot be completed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, MutableMapping
from typing import Any, TypeVar

from starlette.types import Receive

Result = TypeVar("Result")

# An extension of the ASGI scope, where the server has it: a function that closes the connection of a request that
# cannot be answered whole. If the response has not begun, it is an error.
BREAK_OFF = "clew.break_off"

# In seconds. Watching costs a task. A shorter operation ends before the watch would pay.
_GRACE = 0.02


class ClientGone(Exception):  # noqa: N818  no client is left to get an error
    """The client closed the connection before the response was ready."""


async def until_disconnect(work: Awaitable[Result], receive: Receive) -> Result:
    """Await `work`, but cancel it as soon as the client leaves. That also stops its SQL.

    Args:
        work: runs in the caller's task.
        receive: the ASGI channel, after the request's body was read to its end.

    Raises:
        ClientGone: the client left.
    """
    watch = _Watch(receive)
    try:
        result = await work
        if watch.gone:
            # The work ended although it was cancelled.
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
