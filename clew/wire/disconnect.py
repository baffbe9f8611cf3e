"""Stop the work for a client that has disconnected, and disconnect one whose response cannot be completed."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Task
from collections.abc import MutableMapping
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any

from starlette.types import Receive

from clew.deadlines import Deadline, Deadlines

# An extension of the ASGI scope, where the server has it: a function that closes the connection of a request that
# cannot be answered whole. If the response has not begun, it is an error.
BREAK_OFF = "clew.break_off"

# Watching costs a task. A shorter operation ends before the watch would pay.
_GRACE = Deadlines(seconds=0.02)


class ClientGone(Exception):  # noqa: N818  no client is left to get an error
    """The client closed the connection before the response was ready."""


class UntilDisconnect(Deadline):
    """A context that cancels its block as soon as the client leaves, and then raises ClientGone.

    That also stops the SQL of the block.

    Args:
        receive: the ASGI channel, after the request's body was read to its end.
    """

    __slots__ = ("_caller", "_context", "_gone", "_receive", "_watcher")

    _caller: Task[Any]
    _context: Context

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watcher: Task[None] | None = None

    def __enter__(self) -> None:
        caller = asyncio.current_task()
        assert caller is not None
        self._caller = caller
        self._context = copy_context()
        _GRACE.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
        if self._watcher is not None:
            self._watcher.cancel()
        # The block may have ended although it was cancelled. Whoever else has cancelled it must see it cancelled.
        if self._gone and (error is None or isinstance(error, CancelledError)):
            others = self._caller.uncancel()
            if error is None or not others:
                raise ClientGone from None

    def late(self) -> None:
        """Begin to watch: the block is one of the longer ones."""
        self._watcher = asyncio.get_running_loop().create_task(self._wait(), context=self._context)

    async def _wait(self) -> None:
        while True:
            message: MutableMapping[str, Any] = await self._receive()
            if message["type"] == "http.disconnect":
                break
        self._gone = True
        self._caller.cancel()
