"""Deadlines that are hardly ever reached. This module imports nothing of Clew.

With uvloop, a timer of the loop costs 1 to 2 us, and `asyncio.timeout` 3.5 us: more than most of the waits that they
bound. Here all deadlines of one length share a timer.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, CancelledError
from contextvars import Context
from types import TracebackType
from weakref import WeakKeyDictionary

# In seconds: how exact the clocks of loops are.
_RESOLUTION = 0.001


class Deadline:
    """Something that `Deadlines.begin` begins. It is told once it is late, unless it has ended."""

    __slots__ = ("due",)

    # The deadlines of its loop that have not been reached.
    due: dict[Deadline, float]

    def end(self) -> None:
        """End before the deadline, or after it."""
        self.due.pop(self, None)

    def late(self) -> None:
        """Take note that the deadline is reached."""
        raise NotImplementedError


class Deadlines:
    """Deadlines that all have the same length. Each loop has its own.

    Args:
        seconds: how long after its begin a deadline is reached.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._queues: WeakKeyDictionary[AbstractEventLoop, _Queue] = WeakKeyDictionary()
        # The loop that asked last, with its queue.
        self._last: tuple[AbstractEventLoop | None, _Queue] = (None, _Queue())

    def begin(self, deadline: Deadline) -> None:
        """Call `deadline.late` on the running loop after the time, unless the deadline ends before."""
        loop = asyncio.get_running_loop()
        known, queue = self._last
        if known is not loop:
            queue = self._queues.setdefault(loop, _Queue())
            self._last = (loop, queue)
        deadline.due = queue.due
        queue.due[deadline] = loop.time() + self._seconds
        if not queue.has_timer:
            queue.has_timer = True
            # The context of whoever comes first is not for the others.
            loop.call_later(self._seconds, queue.look, loop, context=Context())

    def limit(self) -> Limit:
        """Return a context that cuts its block at the deadline, as `asyncio.timeout` does."""
        return Limit(self)


class _Queue:
    """The deadlines of one loop with their times. As all are equally long, the first one begun is the first one due."""

    def __init__(self) -> None:
        self.due: dict[Deadline, float] = {}
        self.has_timer = False

    def look(self, loop: AbstractEventLoop) -> None:
        """Reach the deadlines that are due. The timer calls this."""
        reached: list[Deadline] = []
        now = loop.time() + _RESOLUTION
        self.has_timer = False
        for deadline, due in self.due.items():
            if due > now:
                self.has_timer = True
                loop.call_at(due, self.look, loop)
                break
            reached.append(deadline)
        for deadline in reached:
            # One that was reached before it may have ended this one.
            if self.due.pop(deadline, None) is not None:
                deadline.late()


class Limit(Deadline):
    """A context whose block is cancelled at the deadline. Then it raises TimeoutError."""

    __slots__ = ("_cancelling", "_deadlines", "_is_late", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._is_late = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
        # Whoever else has cancelled the task must see it cancelled.
        if self._is_late and self._task.uncancel() <= self._cancelling and kind is CancelledError:
            raise TimeoutError from error

    def late(self) -> None:
        """Cut the block."""
        self._is_late = True
        self._task.cancel()
