"""The open WebSockets and event streams of this process: how many there may be, and their end on shutdown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable
from functools import partial
from typing import ClassVar, Protocol

from clew.errors import ClewError, Code
from clew.jitter import jitter
from clew.metrics import SLOW_READERS, Metrics

WEBSOCKET, EVENTS = "websocket", "sse"

# The part of the time to drain in which clients are sent elsewhere. They must not all come back at one moment.
_SPREAD = 0.7


class Socket(Protocol):
    """An open WebSocket or event stream. `transport` says which."""

    transport: ClassVar[str]

    def leave(self) -> None:
        """Tell the client to connect anew, because this process will stop."""
        ...


class TooManySocketsError(ClewError):
    """There are as many open WebSockets and event streams as allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Too many open WebSockets and event streams: at most {most} are allowed.",
            code=Code.LIMIT_EXCEEDED,
            hint="Close others first. One WebSocket carries many subscriptions.",
        )


class Sockets:
    """Counts sockets, and ends them when the process is about to stop.

    Args:
        most: how many there may be.
        drain_seconds: the time in which the process still serves after it was told to stop.
    """

    def __init__(self, most: int, drain_seconds: float) -> None:
        self.is_draining = False
        # How many were closed because their client read too slowly.
        self.slow = 0
        self._most = most
        self._seconds = drain_seconds
        self._open: set[Socket] = set()
        # Those of nobody yet, the oldest first.
        self._strangers: dict[Socket, None] = {}
        self._viewers: Counter[Hashable] = Counter()

    def measure(self, metrics: Metrics) -> None:
        """Show how many there are."""
        for transport in (WEBSOCKET, EVENTS):
            read = partial(self._of, transport)
            metrics.gauge("clew_sockets", "Open WebSockets and event streams.", read, transport=transport)
        metrics.counter("clew_slow_readers_total", SLOW_READERS, lambda: self.slow, what="websocket")

    def _of(self, transport: str) -> int:
        return sum(socket.transport == transport for socket in self._open)

    def enter(self, socket: Socket) -> None:
        """Count a socket. At the limit it replaces the oldest of those that have not said whose they are.

        Raises:
            ClewError: UNAVAILABLE if the process stops, or if no socket can make room.
        """
        if self.is_draining:
            raise ClewError("The server is shutting down.", code=Code.UNAVAILABLE)
        if len(self._open) >= self._most:
            oldest = next(iter(self._strangers), None)
            if oldest is None:
                raise ClewError("All sockets are in use.", code=Code.UNAVAILABLE)
            self.exit(oldest, None)
            oldest.leave()
        self._open.add(socket)
        self._strangers[socket] = None

    def introduce(self, socket: Socket, who: Hashable, most: int) -> None:
        """Count a socket of a viewer.

        Raises:
            TooManySocketsError: the viewer has `most` already.
        """
        if self._viewers[who] >= most:
            raise TooManySocketsError(most)
        self._viewers[who] += 1
        self._strangers.pop(socket, None)

    def exit(self, socket: Socket, who: Hashable | None) -> None:
        """Count a socket no more.

        Args:
            who: the viewer that it was counted for; None: for nobody.
        """
        self._open.discard(socket)
        self._strangers.pop(socket, None)
        if who is not None:
            self._viewers[who] -= 1
            if not self._viewers[who]:
                del self._viewers[who]

    def drain(self) -> None:
        """Refuse further sockets, and tell the open ones to leave, one after another."""
        if self.is_draining:
            return
        self.is_draining = True
        loop = asyncio.get_running_loop()
        for socket in self._open:
            loop.call_later(jitter(0, self._seconds * _SPREAD), socket.leave)
