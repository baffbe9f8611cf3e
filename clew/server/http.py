"""Configure uvicorn for production, with a shutdown that load balancers can follow."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Protocol, cast, runtime_checkable

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from clew.config import Settings
from clew.server.listen import BACKLOG
from clew.server.processes import LAST_SECONDS
from clew.server.protocol import Connection, Door, Patience
from clew.server.websocket import SocketConnection
from clew.wire.disconnect import BREAK_OFF


@runtime_checkable
class Drains(Protocol):
    """An ASGI app that is told of the shutdown before it begins. After `drain()` its readiness check fails."""

    def drain(self) -> None:
        """Take note that the process will stop. Requests still arrive and are served."""


class Server(uvicorn.Server):
    """Serves one app. The first signal drains it, a second signal stops it at once.

    On SIGTERM or SIGINT the server calls the app's `drain()` (readiness fails) and still accepts
    requests for `drain_seconds`. Then it closes the listener. Running requests have
    `shutdown_seconds` to end, and are then cancelled. At most 5 seconds later the process ends.

    Args:
        app: the ASGI app. If it has a `drain()`, that is called first.
        settings: the limits and times.
        on_started: called when requests are accepted.
        on_closed: called when a signal has closed the listener at once, without a time to drain.
        patience: the deadlines for slow clients.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        on_started: Callable[[], None] | None = None,
        on_closed: Callable[[], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        ending = _Ending(app, lambda: self.should_exit)
        door = Door(patience or Patience(connections=settings.max_connections), is_told=isinstance(app, Drains))
        super().__init__(_config(ending, settings, door))
        self.stopped_by: int | None = None
        self._app = app
        self._settings = settings
        self._on_started = on_started
        self._on_closed = on_closed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drained_at: float | None = None

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until a signal arrives, and keep it in `stopped_by`. Exit with 3 if the app fails to start."""
        self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app and accept connections."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self._on_started is not None and not self.should_exit:
            self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Check for the end of the drain time. uvicorn calls this ten times a second; True ends its main loop."""
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown on the first signal, and cut it short on a further one."""
        self.stopped_by = sig
        if self._drained_at is not None:
            super().handle_exit(sig, frame)
            return
        seconds = self._settings.drain_seconds
        self._drained_at = time.monotonic() + seconds
        self._tell()
        if seconds == 0 and self._loop is not None:
            self._loop.call_soon_threadsafe(self._close_listener)
        watchdog = threading.Timer(seconds + self._settings.shutdown_seconds + LAST_SECONDS, os._exit, [1])
        watchdog.daemon = True
        watchdog.start()

    def _tell(self) -> None:
        app: object = self._app
        if isinstance(app, Drains):
            app.drain()

    def _close_listener(self) -> None:
        for listening in self.servers:
            listening.close()
        if self._on_closed is not None:
            self._on_closed()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, wait for running requests, and stop the app."""
        # Without a signal it does not know yet.
        self._tell()
        await super().shutdown(sockets)
        # uvicorn would raise the signal again. That would kill the process before the callers' `finally` blocks run.
        self._captured_signals.clear()


class _Ending:
    """An ASGI app that breaks off the requests which the server cancels because it stops.

    uvicorn would log each of them as a fault of the application.
    """

    def __init__(self, app: ASGIApp, is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_stopping():
                raise
            break_off = scope.get("extensions", {}).get(BREAK_OFF)
            if break_off is not None:
                break_off()


def _config(app: ASGIApp, settings: Settings, door: Door) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on",
        loop="auto",
        http=cast("type[asyncio.Protocol]", partial(Connection, door=door)),
        ws=cast("type[asyncio.Protocol]", partial(SocketConnection, door=door)),
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,
        # The application pings by the protocol of its own, which tells more than that the client's kernel lives.
        ws_ping_interval=None,
        timeout_keep_alive=cast("int", settings.keep_alive_seconds),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.forwarded_ips),
        forwarded_allow_ips=list(settings.forwarded_ips),
        backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
    )


def exit_code(server: Server) -> int:
    """Return the exit code of the process after `server` stopped: 130 for Ctrl-C, 0 for SIGTERM."""
    return 130 if server.stopped_by == signal.SIGINT else 0
