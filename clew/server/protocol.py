"""One HTTP/1.1 connection with deadlines. uvicorn alone would wait for a slow client forever.

| state of the connection | deadline |
| --- | --- |
| new, or a request begins | the headers complete in `Patience.head` seconds and `MAX_HEAD_BYTES` |
| the body arrives | `Patience.body` seconds, plus the time that its bytes take at the slowest rate |
| the response is sent | the client reads at least at the slowest rate over `Patience.stall` seconds |
| idle | uvicorn's keep-alive time |

A request that arrives whole in one read starts no timer.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from clew.auth.local import ABSOLUTE_TARGET
from clew.engine.outcome import new_request_id, refusal
from clew.errors import ClewError, Code
from clew.wire.disconnect import BREAK_OFF

MAX_HEAD_BYTES = 64 * 1024
_END_OF_HEAD = b"\r\n\r\n"
# In bytes a second: how slowly a client may send and read.
SLOWEST = 4096
# In seconds, for a client to read that it was refused.
_LAST_READ = 1.0


# The next part that the client must send: nothing, once its request is complete or another protocol took over.
_HEAD, _BODY, _NOTHING = range(3)


@dataclass(frozen=True, slots=True)
class Patience:
    """The time that a connection may take, in seconds, and the number of connections.

    `body` is longer than the time that Clew's own routes give a body, because those answer before they close.
    """

    head: float = 10.0
    body: float = 12.0
    stall: float = 20.0
    connections: int = 1000


@dataclass(slots=True)
class Door:
    """The state that the connections of one server share.

    `waiting` are the connections without a running request. The longest waiting one comes first. `sockets` is the
    number of WebSockets, which do not count as connections here. `is_told`: the server tells the application when it
    stops.
    """

    patience: Patience
    waiting: dict[Connection, None] = field(default_factory=dict)
    sockets: int = 0
    is_told: bool = False


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with deadlines."""

    def __init__(self, *arguments: Any, door: Door, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._door = door
        self._waiting = door.waiting
        self._patience = door.patience
        self._stage = _HEAD
        self.url = b""
        # Whether the connection takes no more requests.
        self._is_over = False
        # The deadline of this stage, the time when it was set, and the bytes received.
        self._deadline: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._received = 0
        self._has_moved = False
        # The number of bytes that the parser has taken, where it has stopped behind a head.
        self._stopped_at: int | None = None
        # A timer that checks whether the client reads. `_answers` tells whether another response was written meanwhile.
        self._watch: asyncio.TimerHandle | None = None
        self._answers = 0

    # --- receiving --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own narrows it, too
        """Take a connection. At the limit it replaces the one that has waited longest."""
        super().connection_made(transport)
        if len(self.connections) - self._door.sockets > self._patience.connections:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                error = ClewError("All connections are busy.", code=Code.UNAVAILABLE, hint="Try again in a moment.")
                self._write_refusal(HTTPStatus.SERVICE_UNAVAILABLE, error, b"retry-after: 1\r\n")
                self.transport.close()
                return
            del self._waiting[oldest]
            oldest.transport.abort()
        self._waiting[self] = None
        self._set_deadline(self._patience.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._waiting.pop(self, None)
        self._enter(_NOTHING)
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, and set a deadline for a request that is not complete yet."""
        while data and not self._is_over and not self.transport.is_closing():
            part = data if self._stage == _BODY else data[: self._bytes_of_head(data)]
            data = data[len(part) :]
            self._has_moved = False
            super().data_received(part)
            if self._stopped_at is not None:
                data = part[self._stopped_at :] + data
                self._stopped_at = None
            if not self._has_moved:
                self._received += len(part)
                if self._stage != _BODY and self._received >= MAX_HEAD_BYTES:
                    self._refuse_head()
                    return
        if self._deadline is None and self._stage != _NOTHING:
            self._set_deadline(self._patience.body if self._stage == _BODY else self._patience.head)

    def _bytes_of_head(self, data: bytes) -> int:
        """Return how many bytes to parse at once: up to the end of a head, or as many as the head may still have."""
        end = data.find(_END_OF_HEAD)
        most = MAX_HEAD_BYTES - self._received
        return most if end < 0 else min(end + len(_END_OF_HEAD), most)

    def _refuse_head(self) -> None:
        first_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        if first_line > MAX_HEAD_BYTES:
            status = HTTPStatus.REQUEST_URI_TOO_LONG
            error = ClewError(
                f"The URL is too long: a head has at most {MAX_HEAD_BYTES} bytes.",
                code=Code.LIMIT_EXCEEDED,
                hint="Send the operation in the body of a POST.",
            )
        else:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            error = ClewError(f"The head is larger than {MAX_HEAD_BYTES} bytes.", code=Code.LIMIT_EXCEEDED)
        self._refuse(status, error)

    def on_headers_complete(self) -> None:
        """Begin the stage of the body."""
        if self._stays_http():
            return
        self._enter(_BODY)
        self._waiting.pop(self, None)
        extensions: dict[str, Any] = {}
        if not self.url.startswith(b"/"):
            extensions[ABSOLUTE_TARGET] = {}
        self.scope["extensions"] = extensions
        super().on_headers_complete()
        if self.cycle is not None:
            extensions[BREAK_OFF] = partial(self._break_off, self.cycle)

    def on_message_complete(self) -> None:
        """End the stages of this request, because it is complete."""
        if self._stays_http():
            return
        self._enter(_NOTHING if self._is_answering() else _HEAD)
        super().on_message_complete()

    def _stays_http(self) -> bool:
        """Return whether the client offers a protocol that is not spoken here, such as HTTP/2."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT" and not self._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore the offer of another protocol, as a server may (RFC 9110, 7.8). uvicorn calls this after the head.

        The parser takes the body for that protocol. So another one begins with the head, without the offer.
        """
        stopped = sys.exception()
        if not isinstance(stopped, HttpParserUpgrade) or not self._stays_http():
            return
        self._stopped_at = stopped.args[0]
        first_line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = (name + b": " + value for name, value in self.headers if name != b"upgrade")
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        try:
            self.parser.feed_data(b"\r\n".join((first_line, *lines)) + _END_OF_HEAD)
        except HttpParserError:
            self.send_400_response("")

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol."""
        self._enter(_NOTHING)
        self._is_over = True
        super().handle_websocket_upgrade()

    # --- sending ----------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Take note that a response is written. The client may not have read it yet."""
        super().on_response_complete()
        self._answers += 1
        if self.transport.get_write_buffer_size():
            self._watch_reading()
        if self._stage == _NOTHING and not self._is_answering() and not self.transport.is_closing():
            self._stage = _HEAD
            self._waiting[self] = None

    def pause_writing(self) -> None:
        """Watch a client that reads more slowly than the app writes."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """Stop watching, because the client has read enough."""
        super().resume_writing()
        self._stop_watching()

    def _break_off(self, cycle: RequestResponseCycle) -> None:
        """Close the connection within a response, so that the client knows that the rest is missing."""
        # uvicorn would log that the application has left its response without an end.
        cycle.disconnected = True
        if not cycle.response_started:
            error = ClewError("The server is shutting down.", code=Code.UNAVAILABLE, hint="Try again in a moment.")
            self._write_refusal(HTTPStatus.SERVICE_UNAVAILABLE, error, b"retry-after: 1\r\n")
        self.transport.close()

    def _watch_reading(self) -> None:
        if self._watch is None:
            unread = self.transport.get_write_buffer_size()
            self._watch = self.loop.call_later(self._patience.stall, self._look, unread, self._answers)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self, before: int, answers: int) -> None:
        self._watch = None
        unread = self.transport.get_write_buffer_size()
        if unread and answers == self._answers and before - unread < self._patience.stall * SLOWEST:
            # `close` would wait until the client has read the rest.
            self.transport.abort()
        elif unread:
            self._watch_reading()

    # --- deadlines --------------------------------------------------------------------

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _enter(self, stage: int) -> None:
        self._stage = stage
        self._received = 0
        self._has_moved = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _set_deadline(self, seconds: float) -> None:
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self._stage == _BODY:
            # While reading is paused, the application is slow and not the client.
            seconds = self._patience.body + self._received / SLOWEST
            left = self._patience.body if self.flow.read_paused else self._began + seconds - self.loop.time()
            if left > 0:
                self._deadline = self.loop.call_later(left, self._late)
            else:
                self.transport.close()
        elif self._received and not self._is_answering():
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT, ClewError("The request did not arrive in time.", code=Code.TIMEOUT)
            )
        else:
            # This closes at once, or after the response to an earlier request.
            self.shutdown()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not HTTP, in the form of all other refusals. uvicorn calls this."""
        self._refuse(HTTPStatus.BAD_REQUEST, ClewError("The request is not valid HTTP."))

    def _refuse(self, status: HTTPStatus, error: ClewError) -> None:
        """Send a refusal without the application, and close the connection.

        Closed at once, it would be reset by what the client still sends, and the client might not read the refusal.
        """
        if self._is_answering():
            self.transport.abort()
            return
        self._write_refusal(status, error)
        self._enter(_NOTHING)
        self._is_over = True
        self.transport.write_eof()
        self._deadline = self.loop.call_later(_LAST_READ, self.transport.abort)

    def _write_refusal(self, status: HTTPStatus, error: ClewError, headers: bytes = b"") -> None:
        body = refusal(error, new_request_id()).body
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
            + headers
            + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            + body
        )
