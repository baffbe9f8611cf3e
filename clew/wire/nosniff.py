"""`X-Content-Type-Options: nosniff` on every answer: no browser takes one for another type than it says."""

from __future__ import annotations

from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAME = b"x-content-type-options"


class NoSniff:
    """ASGI middleware around all else, answers to faults of the application's own code among it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, partial(_send, send) if scope["type"] == "http" else send)


async def _send(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        headers = [header for header in message.get("headers", ()) if header[0].lower() != _NAME]
        message = {**message, "headers": [*headers, (_NAME, b"nosniff")]}
    await send(message)
