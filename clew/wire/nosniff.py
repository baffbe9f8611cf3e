"""Set `X-Content-Type-Options: nosniff` on every response, so that no browser guesses another media type."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clew.engine.outcome import new_request_id, refusal
from clew.errors import ClewError, Code

_NAME = b"x-content-type-options"
_HEADER = (_NAME, b"nosniff")
_STARTS = ("http.response.start", "websocket.http.response.start")


class NoSniff:
    """The outermost ASGI middleware. It also sees responses to faults in the application's own code.

    The refusal of a WebSocket is a response too, if the server supports responses to a handshake.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            return self._app(scope, receive, partial(_send_with_header, send))
        if scope["type"] == "websocket":
            return self._websocket(scope, receive, send)
        return self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def send_or_refuse(message: Message) -> None:
            nonlocal is_open
            is_open = is_open or message["type"] == "websocket.accept"
            if message["type"] == "websocket.close" and not is_open and _can_refuse(scope):
                await _refuse(send)
                return
            await _send_with_header(send, message)

        await self._app(scope, receive, send_or_refuse)


def _send_with_header(send: Send, message: Message) -> Awaitable[None]:
    if message["type"] in _STARTS:
        headers = [header for header in message.get("headers", ()) if header[0].lower() != _NAME]
        headers.append(_HEADER)
        message["headers"] = headers
    return send(message)


def _can_refuse(scope: Scope) -> bool:
    return "websocket.http.response" in scope.get("extensions", {})


async def _refuse(send: Send) -> None:
    """Refuse a handshake with 403, as servers do when an application closes it, but with a type and a body."""
    error = ClewError("There is no WebSocket here.", code=Code.FORBIDDEN)
    body = refusal(error, new_request_id()).body
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), _HEADER]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
