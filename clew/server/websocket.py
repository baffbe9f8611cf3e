"""One WebSocket connection with bounds. uvicorn alone would keep one whose client never reads its last bytes."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from clew.engine.outcome import INTERNAL, new_request_id, refusal
from clew.errors import ClewError, Code
from clew.server.protocol import SLOWEST, Door

# In seconds, for a client to read what it was sent before the socket's end.
_LAST_READ = 10.0
# In seconds, for a client to answer a close frame while the server stops.
_LAST_ANSWER = 1.0
# A message may come in so many frames.
_MOST_FRAMES = 1000
_TOO_BIG = 1009

_SILENT = logging.getLogger("clew.server.sockets")
_SILENT.setLevel(logging.ERROR)


# The codes of refused handshakes. Other statuses have BAD_USER_INPUT.
_CODES = {
    HTTPStatus.FORBIDDEN: Code.FORBIDDEN,
    HTTPStatus.REQUEST_URI_TOO_LONG: Code.LIMIT_EXCEEDED,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Code.LIMIT_EXCEEDED,
    HTTPStatus.INTERNAL_SERVER_ERROR: Code.INTERNAL,
}


class _Handshake(ServerProtocol):
    """The library's protocol, which refuses a handshake in the form of all other refusals."""

    def reject(self, status: StatusLike, text: str) -> Response:
        """Return the response that refuses the handshake. The library and uvicorn call this."""
        status = HTTPStatus(status)
        fault = self.handshake_exc
        code = _CODES.get(status, Code.BAD_USER_INPUT)
        if code is Code.INTERNAL:
            message = INTERNAL
        elif code is Code.LIMIT_EXCEEDED:
            message = f"The WebSocket handshake is too large: {fault}."
        elif isinstance(fault, InvalidHandshake):
            message = f"The WebSocket handshake is not valid: {fault}."
        else:
            message = "There is no WebSocket here."
        body = refusal(ClewError(message, code=code), new_request_id()).body
        headers = Headers(
            {
                "Content-Type": "application/json; charset=utf-8",
                "Content-Length": str(len(body)),
                "X-Content-Type-Options": "nosniff",
                "Connection": "close",
                # RFC 6455, 4.4: a server tells which version it speaks.
                "Sec-WebSocket-Version": "13",
            }
        )
        return Response(status.value, status.phrase, headers, body)


class SocketConnection(WebSocketsSansIOProtocol):
    """uvicorn's protocol, on the library `websockets`.

    It counts apart from the connections of HTTP: the application bounds its sockets itself.
    """

    def __init__(self, *arguments: Any, door: Door, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # uvicorn would log the URL with its ticket, and the library each message.
        self.logger = _SILENT
        self.conn = _Handshake(max_size=self.config.ws_max_size, logger=_SILENT)
        self._door = door
        self._abort: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the socket."""
        super().connection_made(transport)
        self._door.sockets += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the socket."""
        self._door.sockets -= 1
        if self._abort is not None:
            self._abort.cancel()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take the handshake, and then messages. uvicorn would leave a handshake that the library cannot parse."""
        super().data_received(data)
        if self.conn.handshake_exc is None or self.handshake_complete:
            return
        # What the library answers to some faults; to others nothing.
        answer = b"".join(self.conn.data_to_send())
        self.transport.write(answer or self.conn.reject(HTTPStatus.BAD_REQUEST, "").serialize())
        self.handshake_complete = self.close_sent = True
        self.transport.close()

    def pause_writing(self) -> None:
        """Watch a client that reads more slowly than the app writes."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """Stop watching, because the client has read enough."""
        super().resume_writing()
        self._stop_watching()

    def _watch_reading(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._watch = self.loop.call_later(self._door.patience.stall, self._look, unread)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self, before: int) -> None:
        # While writing is paused, nothing is added.
        if before - self.transport.get_write_buffer_size() < self._door.patience.stall * SLOWEST:
            self.transport.abort()
        else:
            self._watch_reading()

    def start_keepalive(self) -> None:
        """Forget the handshake: two kilobytes. uvicorn calls this once it is over."""
        del self.request, self.response
        super().start_keepalive()

    def handle_cont(self, event: Frame) -> None:
        """Take a further frame of a message. Empty ones would not count towards the size of the message."""
        if len(self.frames) >= _MOST_FRAMES:
            self.conn.fail(_TOO_BIG)
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Break the connection, if the client does not read its last bytes."""
        super().on_task_complete(task)
        if self.transport.get_write_buffer_size():
            wait = 0.0 if self._is_stopping else _LAST_READ
            self._abort = self.loop.call_later(wait, self.transport.abort)

    def shutdown(self) -> None:
        """Close the socket, because the server stops. An application that was told so closes it itself, in its time."""
        self._is_stopping = True
        self.close_timeout = _LAST_ANSWER
        if self._abort is not None:
            self.transport.abort()
        elif self.close_sent or not self._door.is_told:
            super().shutdown()
