"""`X-Content-Type-Options: nosniff` on every answer: no browser takes one for another type than it says."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAME = b"x-content-type-options"
_HEADER = (_NAME, b"nosniff")


class NoSniff:
    """ASGI middleware around all else, answers to faults of the application's own code among it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [header for header in message.get("headers", ()) if header[0].lower() != _NAME]
                headers.append(_HEADER)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_header)
