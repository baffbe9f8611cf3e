"""HTTP responses: the statuses of outcomes and errors (`docs/errors.md`), and how a response is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import isroutine

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send
from starlette.websockets import WebSocket, WebSocketState

from clew.engine.flights import TooManyInFlightError
from clew.engine.outcome import INTERNAL, Outcome, RateLimitedError, new_request_id, refusal
from clew.errors import ClewError, Code
from clew.wire.body import HTTPError
from clew.wire.negotiate import JSON

log = structlog.get_logger("clew.wire")

Headers = tuple[tuple[bytes, bytes], ...]

# The bytes of a response that a server buffers for the client without waiting for it.
_BUFFERED = 64 * 1024

# RFC 6455: bytes of the reason in a close frame (5.5), and the code for a violation of policy (7.4.1).
LONGEST_REASON = 123
_POLICY_VIOLATION = 1008
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

# The status of a request that was refused before execution, by its error's code. Other codes have 400.
_STATUS = {
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.GONE: 410,
    Code.RATE_LIMITED: 429,
    Code.TIMEOUT: 504,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}
_CODE = {status: code for code, status in _STATUS.items()}
# Codes whose status a client of application/json sees too, because they do not concern the document.
_ALWAYS = frozenset({Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.RATE_LIMITED, Code.UNAVAILABLE})


def status_of(outcome: Outcome, media: str) -> int:
    """Return the HTTP status of an outcome.

    For `application/json` it is 200 for every well-formed GraphQL request, as old clients expect. For the newer media
    type the status tells whether the operation was executed (GraphQL over HTTP, section 6.4).
    """
    code, error = outcome.code, outcome.error
    if code is None:
        return 200
    if isinstance(error, TooManyInFlightError):
        return 429
    if outcome.executed:
        # An operation that partly succeeded counts as answered.
        return 503 if error is not None and code is Code.UNAVAILABLE else 200
    if code in _ALWAYS:
        return _STATUS[code]
    return 200 if media == JSON else _STATUS.get(code, 400)


def given_request_id(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the client's own id for its request; None for one that must not be echoed or logged."""
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and _REQUEST_ID.fullmatch(given) else None


def retry_headers(status: int, outcome: Outcome | None = None) -> Headers:
    """Return the header `Retry-After`, in seconds, for a status that needs it."""
    if status not in (429, 503):
        return ()
    error = outcome.error if outcome is not None else None
    seconds = error.seconds if isinstance(error, RateLimitedError) else 1
    return ((b"retry-after", b"%d" % seconds),)


def refused(error: Exception, request_id: str) -> tuple[Outcome, int, Headers]:
    """Return the response to a request that an exception ended before execution: outcome, status, headers."""
    if isinstance(error, HTTPError):
        return refusal(error.error, request_id), error.status, error.headers
    if isinstance(error, ClewError):
        return refusal(error, request_id), _STATUS.get(error.code, 400), ()
    log.error("request failed", request_id=request_id, exc_info=error)
    return refusal(ClewError(INTERNAL, code=Code.INTERNAL), request_id), 500, ()


class RoutedError(ClewError, HTTPException):
    """A ClewError that a route of the application may let pass: any Starlette app answers with its status.

    Args:
        error: what it says.
    """

    def __init__(self, error: ClewError) -> None:
        super().__init__(error.message, code=error.code, hint=error.hint, extensions=error.extensions)
        self._told = error.told
        self._is_fault = self._told is not error
        self.status_code = _STATUS.get(self._told.code, 400)
        self.detail = self._told.message
        self.headers = {name.decode(): value.decode() for name, value in retry_headers(self.status_code)}

    @property
    def told(self) -> ClewError:
        return self._told if self._is_fault else self

    def __str__(self) -> str:
        return self.message


async def refused_in_route(connection: Request | WebSocket, error: Exception) -> Response | None:
    """Return the JSON answer to an exception, those of the application's own routes among them.

    An open socket is closed, and its close frame has the message.
    """
    if isinstance(error, ClewError):
        told: ClewError = error.told
        if told is not error:
            log.error("route failed", path=connection.url.path, exc_info=error)
        answered: HTTPException = RoutedError(told)
    elif isinstance(error, HTTPException):
        code = _CODE.get(error.status_code, Code.BAD_USER_INPUT) if error.status_code < 500 else Code.INTERNAL
        hint = "The API is at /graphql." if error.status_code == 404 else None
        told, answered = ClewError(f"{error.detail}.", code=code, hint=hint), error
    else:
        # Starlette raises it again, and the server logs it.
        told = answered = RoutedError(ClewError(INTERNAL, code=Code.INTERNAL))
    if isinstance(connection, WebSocket) and not _takes_a_response(connection):
        reason = told.message.encode()[:LONGEST_REASON].decode(errors="ignore")
        await connection.close(_POLICY_VIOLATION, reason)
        return None
    request_id = given_request_id(dict(connection.scope["headers"]))
    headers = dict(answered.headers or {})
    if request_id is not None:
        headers["x-request-id"] = request_id
    body = refusal(told, request_id or new_request_id()).body
    return Response(body, answered.status_code, headers, "application/json")


def _takes_a_response(socket: WebSocket) -> bool:
    """Return whether a socket is not open yet and its server can send a response instead."""
    # Starlette passes on the socket of a function. Another endpoint has its own, which may be open already.
    is_its_own = isroutine(socket.scope.get("endpoint"))
    can_deny = "websocket.http.response" in socket.scope.get("extensions", {})
    return is_its_own and can_deny and socket.application_state is WebSocketState.CONNECTING


async def send_answer(send: Send, status: int, content_type: bytes, body: bytes, extra: Headers = ()) -> None:
    """Send a whole HTTP response. Return from a large one once the client has read nearly all of it."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    large = len(body) > _BUFFERED
    await send({"type": "http.response.body", "body": body, "more_body": large})
    if large:
        # Servers accept the next part when their buffer has room.
        await send({"type": "http.response.body", "body": b""})
