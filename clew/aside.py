"""Run long work beside the event loop.

Python runs one thread at a time. So the work is not faster here, but the loop gets a turn every few milliseconds.
Short work runs on the loop at once, because handing it over costs more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, TypeVar

from clew.collector import paused
from clew.errors import ClewError, Code
from clew.json_numbers import Written

_Result = TypeVar("_Result")

# The pieces of work that may wait. The limits bound the size of each.
_MOST_WAITING = 16
# Some systems give threads so small a stack that a deep operation would crash the process before Python's own limit.
_STACK = 16 * 1024 * 1024
# The conditions and fields of a plan, and the characters of a document, that take the loop a few milliseconds.
FEW_PARTS = 80
FEW_CHARACTERS = 2000
# The bytes of JSON that are parsed on the loop.
FEW_BYTES = 64 * 1024
# The values in one request's variables that are coerced and bound on the loop. They take a few milliseconds.
_FEW_VALUES = 500
# The bytes of a request whose variables cannot be more: in JSON each value takes two, with its comma or bracket.
SHORT = 2 * _FEW_VALUES
# The characters of all their texts. Then to encode an answer takes a millisecond.
_FEW_TEXT = 256 * 1024
# The types of values that hold no others, but texts.
PLAIN = frozenset((int, float, bool, type(None)))


class Aside:
    """One thread that runs one piece of work after another. A limited number may wait."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clew-aside")

    async def run(
        self,
        work: Callable[[], _Result],
        known: Callable[[], _Result | None] | None = None,
        *,
        begun: bool = False,
        collects: bool = False,
    ) -> _Result:
        """Run `work` in its turn and return its result.

        Work that is cancelled while it waits never runs. Work that is cancelled later runs to its end, and its result
        is dropped.

        Args:
            known: called on the loop when the turn has come. It may return a result that earlier work has produced.
            begun: whether the operation is already running. Then it is not refused.
            collects: whether collections of garbage go on. If they wait, the first one walks over all that the work
                has made, and the loop stands still.

        Raises:
            ClewError: UNAVAILABLE if too many wait; and the errors of `work`.
        """
        if self._waiting >= self._most_waiting and not begun:
            raise ClewError(
                "The server is busy with large operations.", code=Code.UNAVAILABLE, hint="Try again in a few seconds."
            )
        self._waiting += 1
        try:
            async with self._turn:
                result = None if known is None else known()
                if result is not None:
                    return result
                submitted = self._submit(work, collects=collects)
                found: _Result = await asyncio.wrap_future(submitted)
                return found
        finally:
            self._waiting -= 1

    def later(self, work: Callable[[], object], ended: Callable[[], object]) -> None:
        """Run `work` after all that has begun. Nobody waits for it.

        Args:
            ended: called on the loop.
        """
        asyncio.wrap_future(self._submit(work)).add_done_callback(lambda _: ended())

    def _submit(self, work: Callable[[], _Result], *, collects: bool = False) -> Any:
        # The first call starts the thread, which takes the stack size from here.
        before = threading.stack_size(_STACK)
        try:
            return self._thread.submit(work) if collects else self._thread.submit(_without_collector, work)
        finally:
            threading.stack_size(before)


def _without_collector(work: Callable[[], _Result]) -> _Result:
    """Run `work` without garbage collection, which would stop the loop. Nearly all objects of `work` live as long."""
    with paused():
        return work()


def release(held: list[Any]) -> None:
    """Free the lists and dicts of large values one by one.

    Python frees a value in one go, with all that only this value holds, and no other thread runs meanwhile.

    Args:
        held: the values. It is empty afterwards. Others may hold parts of them, which stay as they are.
    """
    # Parts may be shared, or lead back. An id stays taken while its value is held.
    seen = set(map(id, held))
    for value in held:
        # Copied in one step: whoever else holds it may change it.
        children = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else ()
        for child in children:
            if isinstance(child, dict | list) and id(child) not in seen:
                seen.add(id(child))
                # The loop comes to it too.
                held.append(child)
    # Those that hold others go first. What they held is still in the list.
    held.reverse()
    while held:
        held.pop()


def is_large(value: Any) -> bool:
    """Return whether variables or an answer have so many values, or so long texts, that work on them takes long."""
    values, characters = _FEW_VALUES, _FEW_TEXT
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, Written):
            value = value.value
        keys: Iterable[Any] = value if isinstance(value, dict) else ()
        items: Collection[Any] = (value,)
        if isinstance(value, dict | list):
            items = value.values() if isinstance(value, dict) else value
        values -= len(items)
        if values < 0:
            return True
        for item in chain(keys, items):
            # Nearly all are plain. The tests below are slower.
            if type(item) is str:
                characters -= len(item)
            elif type(item) not in PLAIN and isinstance(item, dict | list | Written):
                pending.append(item)
        if characters < 0:
            return True
    return False
