"""Answers of HTTP: statuses of outcomes and errors (`docs/errors.md`), and how an answer is sent."""

from __future__ import annotations

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from clew.engine.flights import TooManyInFlightError
from clew.engine.outcome import INTERNAL, Outcome, RateLimitedError, new_request_id, refusal
from clew.errors import ClewError, Code
from clew.wire.body import HTTPError
from clew.wire.negotiate import JSON

log = structlog.get_logger("clew.wire")

Headers = tuple[tuple[bytes, bytes], ...]

# Bytes of an answer that a server keeps for the client without waiting for it.
_BUFFERED = 64 * 1024

# The status of a request that was refused before it was executed, by its error's code; 400 for others.
_STATUS = {
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.RATE_LIMITED: 429,
    Code.TIMEOUT: 504,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}
_CODE = {status: code for code, status in _STATUS.items()}
# Codes whose status a client of application/json sees too: they are not about the document.
_ALWAYS = frozenset({Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.RATE_LIMITED, Code.UNAVAILABLE})


def status_of(outcome: Outcome, media: str) -> int:
    """Return the HTTP status of an outcome.

    `application/json` has 200 for every well-formed GraphQL request, as old clients expect. The newer type says by
    its status whether the operation was executed (GraphQL over HTTP, section 6.4).
    """
    code, error = outcome.code, outcome.error
    if code is None:
        return 200
    if isinstance(error, TooManyInFlightError):
        return 429
    if outcome.executed:
        # An operation of which a part succeeded is one that the server answered.
        return 503 if error is not None and code is Code.UNAVAILABLE else 200
    if code in _ALWAYS:
        return _STATUS[code]
    return 200 if media == JSON else _STATUS.get(code, 400)


def retry_headers(status: int, outcome: Outcome | None = None) -> Headers:
    """Return `Retry-After`, in seconds, for a status that asks for it."""
    if status not in (429, 503):
        return ()
    error = outcome.error if outcome is not None else None
    seconds = error.seconds if isinstance(error, RateLimitedError) else 1
    return ((b"retry-after", b"%d" % seconds),)


def refused(error: Exception, request_id: str) -> tuple[Outcome, int, Headers]:
    """Return the answer to a request that an exception ended before it was executed: outcome, status, headers."""
    if isinstance(error, HTTPError):
        return refusal(error.error, request_id), error.status, error.headers
    if isinstance(error, ClewError):
        return refusal(error, request_id), _STATUS.get(error.code, 400), ()
    log.error("request failed", request_id=request_id, exc_info=error)
    return refusal(ClewError(INTERNAL, code=Code.INTERNAL), request_id), 500, ()


def refused_by_http(_request: Request, error: Exception) -> Response:
    """Return the JSON answer for an HTTPException, those of the application's own routes among them."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    code = _CODE.get(status, Code.BAD_USER_INPUT) if status < 500 else Code.INTERNAL
    hint = "The API is at /graphql." if status == 404 else None
    body = refusal(ClewError(f"{error.detail}.", code=code, hint=hint), new_request_id()).body
    return Response(body, status, error.headers, "application/json")


async def send_answer(send: Send, status: int, content_type: bytes, body: bytes, extra: Headers = ()) -> None:
    """Send a whole HTTP response. A large one is sent when the client has read nearly all of it."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    large = len(body) > _BUFFERED
    await send({"type": "http.response.body", "body": body, "more_body": large})
    if large:
        # Servers take a next part when there is room for it.
        await send({"type": "http.response.body", "body": b""})
