"""Limit how many operations a viewer may have under way at once.

Slow statements of one viewer must not take all connections of the pool, and its unread answers must not fill the
memory. An operation over the limit first waits for a while: the others may end soon, so it needs no refusal.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field

from clew.database.pool import UNSETTLED
from clew.errors import ClewError, Code
from clew.metrics import Metrics

# Takes the kind of an operation, its code, and the seconds until it was answered.
Measure = Callable[[str, str, float], None]

UNKNOWN, OK, CANCELLED = "unknown", "OK", "CANCELLED"


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

    `unsettled`: its cancelled statements (see `clew.database.pool`). `kind`: what it is, once that is known.
    """

    __slots__ = ("_began", "_measure", "flights", "kind", "unsettled", "who")

    def __init__(self) -> None:
        self._measure: Measure | None = None
        self._began = 0.0
        self.kind = UNKNOWN
        self.flights: Flights | None = None
        self.unsettled: list[asyncio.Task[None]] = []
        self.who: Hashable = None

    def measured(self, measure: Measure | None, began: float | None = None) -> None:
        """Measure the operation from now on.

        Args:
            measure: gets what has been measured, once.
            began: on the clock of `time.perf_counter`; None: now.
        """
        self._measure, self._began = measure, time.perf_counter() if began is None else began

    def answered(self, code: str | None = None) -> None:
        """Note that the answer is there, or the first result of a subscription. Later calls do nothing.

        Args:
            code: that of its first error.
        """
        measure, self._measure = self._measure, None
        if measure is not None:
            measure(self.kind, code or OK, time.perf_counter() - self._began)

    def end(self) -> None:
        """Count the operation no more, once the database works on none of its statements. Later calls do nothing."""
        self.answered(CANCELLED)
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

    def measure(self, metrics: Metrics) -> None:
        """Show how many operations are under way, and how many wait for others of their viewers to end."""
        about = "Operations of clients under way."
        metrics.gauge("clew_operations_in_flight", about, lambda: sum(v.under_way for v in self._viewers.values()))
        about = "Operations that wait until their viewer has fewer under way."
        metrics.gauge("clew_operations_waiting", about, lambda: sum(len(v.waiters) for v in self._viewers.values()))

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
