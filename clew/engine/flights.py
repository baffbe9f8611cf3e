"""Limit how many operations a viewer may have under way at once.

Slow statements of one viewer must not take all connections of the pool, and its unread answers must not fill the
memory. An operation over the limit first waits for a while: the others may end soon, so it needs no refusal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field

from clew.database.pool import UNSETTLED
from clew.errors import ClewError, Code


@dataclass(slots=True)
class _Viewer:
    under_way: int = 0
    waiters: deque[asyncio.Future[bool]] = field(default_factory=deque)


class TooManyInFlightError(ClewError):
    """The viewer has too many operations under way.

    Args:
        most: how many are allowed.
    """

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Too many operations at once: at most {most} may run.",
            code=Code.LIMIT_EXCEEDED,
            hint="Wait for an answer before you send the next one.",
        )


class Flight:
    """One operation, from its start until its answer is sent. Calling `end` before the start is allowed.

    `unsettled`: its cancelled statements (see `clew.database.pool`).
    """

    __slots__ = ("flights", "unsettled", "who")

    def __init__(self) -> None:
        self.flights: Flights | None = None
        self.unsettled: list[asyncio.Task[None]] = []
        self.who: Hashable = None

    def end(self) -> None:
        """Count the operation no more, once the database works on none of its statements. Later calls do nothing."""
        flights, self.flights = self.flights, None
        if flights is None:
            return
        working = [task for task in self.unsettled if not task.done()]
        if working:
            who = self.who
            asyncio.gather(*working, return_exceptions=True).add_done_callback(lambda _: flights._end(who))
        else:
            flights._end(self.who)


class Flights:
    """Count the operations that each viewer has under way in this process.

    Args:
        wait: seconds that an operation over the limit waits for an earlier one to end.
    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._viewers: dict[Hashable, _Viewer] = {}

    async def begin(self, flight: Flight, who: Hashable, most: int) -> None:
        """Count an operation of a viewer. If the viewer is at its limit, wait until an earlier operation ends.

        Args:
            who: a key for the viewer.
            most: how many operations the viewer may have under way.

        Raises:
            TooManyInFlightError: no earlier operation ends in time.
        """
        viewer = self._viewers.get(who)
        if viewer is None:
            viewer = self._viewers[who] = _Viewer()
        if viewer.under_way < most and not viewer.waiters:
            viewer.under_way += 1
        else:
            await self._queue(viewer, who, most)
        flight.flights, flight.who = self, who
        UNSETTLED.set(flight.unsettled)

    async def _queue(self, viewer: _Viewer, who: Hashable, most: int) -> None:
        loop = asyncio.get_running_loop()
        # True: the operation may run. False: it has waited too long.
        waiter: asyncio.Future[bool] = loop.create_future()
        viewer.waiters.append(waiter)
        # `asyncio.timeout` would cost more time than most operations wait.
        timer = loop.call_later(self._wait, _give_up, waiter)
        try:
            is_given = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                # It got its place at the moment it was cancelled. Pass the place on.
                self._end(who)
            else:
                _forget(viewer, waiter)
            raise
        finally:
            timer.cancel()
        if not is_given:
            _forget(viewer, waiter)
            raise TooManyInFlightError(most)

    def _end(self, who: Hashable) -> None:
        viewer = self._viewers[who]
        while viewer.waiters:
            waiter = viewer.waiters.popleft()
            if not waiter.done():
                # Pass the place on: `under_way` stays the same.
                waiter.set_result(True)
                return
        viewer.under_way -= 1
        if not viewer.under_way:
            del self._viewers[who]


def _give_up(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)


def _forget(viewer: _Viewer, waiter: asyncio.Future[bool]) -> None:
    # `_end` may have removed this waiter already.
    with suppress(ValueError):
        viewer.waiters.remove(waiter)
