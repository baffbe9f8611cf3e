"""GraphQL over server-sent events, in the mode of distinct connections (docs/subscriptions.md).

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md and
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from starlette.types import Send

from clew.engine.engine import counted_apart
from clew.engine.flights import Flight
from clew.engine.outcome import INTERNAL, Outcome, new_request_id, refusal
from clew.engine.types import Request
from clew.errors import ClewError, Code
from clew.live.subscriptions import Subscriptions
from clew.live.types import Stream
from clew.viewer import Viewer
from clew.wire.body import HTTPError
from clew.wire.handshake import session_end
from clew.wire.respond import send_answer
from clew.wire.sockets import EVENTS, Sockets, TooManySocketsError

log = structlog.get_logger("clew.wire")

_TYPE = b"text/event-stream; charset=utf-8"
_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_COMMENT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"
_LONGEST_ID = 1000
# In seconds: for the end of a stream that this server ends to be taken.
_CLOSING = 1.0


@dataclass(frozen=True, slots=True)
class Form:
    """How results are written as events.

    Args:
        event: the bytes of a result.
        complete: the bytes at the end.
        failed: the bytes of an error that ends the stream, given the request's id.
    """

    event: Callable[[Any], bytes]
    complete: bytes
    failed: Callable[[ClewError, str], bytes]


@dataclass(frozen=True, slots=True)
class Streams:
    """What all event streams of a server share. `heartbeat` and `session` are in seconds."""

    subscriptions: Subscriptions
    sockets: Sockets
    heartbeat: float
    session: float

    async def send_outcome(self, outcome: Outcome, send: Send, extra: tuple[tuple[bytes, bytes], ...]) -> None:
        """Send the outcome of an operation with one result, errors of validation too."""
        event = _next(await self.subscriptions.engine.encoded(outcome)) + _COMPLETE
        await send_answer(send, 200, _TYPE, event, (*_HEADERS, *extra))

    async def send_stream(
        self,
        stream: Stream,
        request: Request,
        viewer: Viewer,
        flight: Flight,
        send: Send,
        extra: tuple[tuple[bytes, bytes], ...],
    ) -> None:
        """Send the results of a subscription, until it or the viewer's session ends.

        Raises:
            HTTPError: 429 for a viewer with too many sockets and streams.
            ClewError: UNAVAILABLE if the process stops, or has too many of them.
        """
        try:
            async with self.place(request, viewer, send, GRAPHQL) as place:
                await place.run(stream, flight, extra)
        finally:
            await stream.aclose()

    @asynccontextmanager
    async def place(self, request: Request, viewer: Viewer, send: Send, form: Form) -> AsyncIterator[EventStream]:
        """Count one more stream of a viewer, and give what sends its events.

        Raises:
            HTTPError: 429 for a viewer with too many sockets and streams.
            ClewError: UNAVAILABLE if the process stops, or has too many of them.
        """
        event_stream = EventStream(self, viewer, request, send, form)
        limits = (await self.subscriptions.engine.role(viewer)).limits
        who = counted_apart(request.client or "", viewer)
        self.sockets.enter(event_stream)
        try:
            self.sockets.introduce(event_stream, who, limits.sockets)
        except TooManySocketsError as error:
            self.sockets.exit(event_stream, None)
            raise HTTPError(429, error) from None
        try:
            yield event_stream
        finally:
            self.sockets.exit(event_stream, who)


def last_event_id(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the id of the last result that the client has; None if it does not say.

    Raises:
        ClewError: BAD_USER_INPUT for one that is no id.
    """
    given = headers.get(b"last-event-id")
    if not given:
        return None
    try:
        if len(given) <= _LONGEST_ID:
            return given.decode()
    except UnicodeDecodeError:
        pass
    raise ClewError("The Last-Event-ID is not one of this server.", hint="Leave it out to begin anew.")


class EventStream:
    """A response whose events come one by one."""

    transport: ClassVar = EVENTS

    __slots__ = (
        *(
            "_beating",
            "_ends",
            "_form",
            "_has_expired",
            "_is_leaving",
            "_is_over",
            "_lock",
            "_loop",
            "_request",
            "_send",
            "_sent",
        ),
        *("_streams", "_task", "_timer"),
    )

    def __init__(self, streams: Streams, viewer: Viewer, request: Request, send: Send, form: Form) -> None:
        self._streams = streams
        self._request = request
        self._send = send
        self._form = form
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._lock = asyncio.Lock()
        self._ends = session_end(viewer, streams.session)
        self._sent = self._loop.time()
        self._has_expired = self._is_leaving = self._is_over = False
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Future[None] | None = None

    async def run(self, results: AsyncIterable[Any], flight: Flight, extra: tuple[tuple[bytes, bytes], ...]) -> None:
        """Send all results. Once the first one is sent, the operation is no longer under way."""
        headers = [(b"content-type", _TYPE), *_HEADERS, *extra]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            await self._emit(_COMMENT)
            self._look()
            async for result in results:
                flight.answered()
                await self._emit(self._form.event(result))
                flight.end()
            last = self._form.complete
        except ClewError as error:
            flight.answered(error.code)
            last = self._failed(error)
        except asyncio.CancelledError:
            assert self._task is not None
            if not (self._has_expired or self._is_leaving) or self._task.uncancel():
                raise
            # Without `complete` the client connects anew.
            expired = ClewError("The session has expired.", code=Code.UNAUTHENTICATED)
            last = self._failed(expired) if self._has_expired else b""
        except OSError:
            # The client is gone.
            return
        except Exception as error:
            log.error("subscription failed", request_id=self._request.id, exc_info=error)
            flight.answered(Code.INTERNAL)
            last = self._failed(ClewError(INTERNAL, code=Code.INTERNAL))
        finally:
            self._is_over = True
            if self._timer is not None:
                self._timer.cancel()
            if self._beating is not None:
                self._beating.cancel()
        # A client that does not read must not keep a stream beyond its viewer's session.
        patience = _CLOSING if self._has_expired or self._is_leaving else None
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(patience), self._lock:
                await self._send({"type": "http.response.body", "body": last})

    def _failed(self, error: ClewError) -> bytes:
        return self._form.failed(error, self._request.id or new_request_id())

    def leave(self) -> None:
        """End the response, because this process will stop."""
        self._is_leaving = True
        self._end()

    def _end(self) -> None:
        if self._task is not None and not self._is_over:
            self._is_over = True
            self._task.cancel()

    def _look(self) -> None:
        """Look whether a heartbeat or the end of the session is due."""
        left = self._ends - time.time()
        due = self._sent + self._streams.heartbeat - self._loop.time()
        if left <= 0:
            self._has_expired = True
            self._end()
            return
        if due <= 0:
            self._beating = asyncio.ensure_future(self._beat())
            due = self._streams.heartbeat
        self._timer = self._loop.call_later(min(due, left), self._look)

    async def _beat(self) -> None:
        with suppress(OSError):
            await self._emit(_COMMENT)

    async def _emit(self, event: bytes) -> None:
        async with self._lock:
            await self._send({"type": "http.response.body", "body": event, "more_body": True})
            self._sent = self._loop.time()


def _next(body: bytes, id_: str | None = None) -> bytes:
    # A stored JSON value may have line breaks between its parts, which would end the field.
    if b"\n" in body or b"\r" in body:
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    event = b"event: next\ndata: %b\n\n" % body
    return event if id_ is None else b"id: %b\n" % id_.encode() + event


def _failed(error: ClewError, request_id: str) -> bytes:
    return _next(refusal(error, request_id).body) + _COMPLETE


# The protocol of graphql-sse.
GRAPHQL = Form(lambda result: _next(result.body, result.id), _COMPLETE, _failed)
