"""Work that takes long, done beside the event loop.

Python runs one thread at a time: what is done here is not faster, but every few milliseconds the loop gets its turn.
What is short is done on the loop at once, which costs less than to hand it over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from clew.collector import paused
from clew.errors import ClewError, Code

_Result = TypeVar("_Result")

# Pieces of work that may wait for their turn, each of them bounded by the limits.
_MOST_WAITING = 16
# Some systems give threads so little that a deep operation would end the process before Python's own limit.
_STACK = 16 * 1024 * 1024
# Conditions and fields of a plan, and characters of a document, that are dealt with on the loop in a few milliseconds.
FEW_PARTS = 80
FEW_CHARACTERS = 2000
# Bytes of JSON that are read on the loop.
FEW_BYTES = 64 * 1024
# Values of which one request's variables are made: coerced and bound on the loop in a few milliseconds.
_FEW_VALUES = 500


class Aside:
    """One thread, that does one piece of work after the other, and at most so many wait."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clew-aside")

    async def run(
        self, work: Callable[[], _Result], known: Callable[[], _Result | None] | None = None, *, begun: bool = False
    ) -> _Result:
        """The result of `work`, done in its turn.

        What is cancelled while it waits is never done; what has begun is done to its end, and forgotten.

        Args:
            known: asked on the loop when the turn has come, since the one before may have done the same.
            begun: whether it is of an operation that runs already: that is not refused any more.

        Raises:
            ClewError: UNAVAILABLE when too many wait; and what `work` raises.
        """
        if self._waiting >= self._most_waiting and not begun:
            raise ClewError(
                "The server is busy with large operations.", code=Code.UNAVAILABLE, hint="Try again in a few seconds."
            )
        self._waiting += 1
        try:
            async with self._turn:
                found = None if known is None else known()
                return await asyncio.wrap_future(self._submit(work)) if found is None else found
        finally:
            self._waiting -= 1

    def _submit(self, work: Callable[[], _Result]) -> Any:
        # The first call makes the thread, whose stack is as large as is said here.
        before = threading.stack_size(_STACK)
        try:
            return self._thread.submit(_without_collector, work)
        finally:
            threading.stack_size(before)


def _without_collector(work: Callable[[], _Result]) -> _Result:
    """What `work` makes goes when it is done, nearly all of it: to walk over it again and again would stop the loop."""
    with paused():
        return work()


def is_large(value: Any) -> bool:
    """Whether a request's variables have so many values that to coerce and bind them takes long."""
    left = _FEW_VALUES
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list):
            left -= len(value)
            if left < 0:
                return True
            pending.extend(value.values() if isinstance(value, dict) else value)
    return False
