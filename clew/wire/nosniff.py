"""`X-Content-Type-Options: nosniff` on every answer: no browser takes one for another type than it says."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clew.engine.outcome import new_request_id, refusal
from clew.errors import ClewError, Code

_NAME = b"x-content-type-options"
_HEADER = (_NAME, b"nosniff")
_STARTS = ("http.response.start", "websocket.http.response.start")


class NoSniff:
    """ASGI middleware around all else, answers to faults of the application's own code among it.

    The refusal of a WebSocket is an answer, too, if the server lets an application say it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        is_open = False

        async def send_with_header(message: Message) -> None:
            nonlocal is_open
            is_open = is_open or message["type"] == "websocket.accept"
            if message["type"] == "websocket.close" and not is_open and _can_refuse(scope):
                await _refuse(send)
                return
            if message["type"] in _STARTS:
                headers = [header for header in message.get("headers", ()) if header[0].lower() != _NAME]
                headers.append(_HEADER)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_header)


def _can_refuse(scope: Scope) -> bool:
    return "websocket.http.response" in scope.get("extensions", {})


async def _refuse(send: Send) -> None:
    """Answer a handshake as a server does of itself for an application that closes, with a type and a body."""
    error = ClewError("There is no WebSocket here.", code=Code.FORBIDDEN)
    body = refusal(error, new_request_id()).body
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), _HEADER]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
