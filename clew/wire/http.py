"""GraphQL over HTTP: `POST` and `GET /graphql` (SPEC 7).

https://graphql.github.io/graphql-over-http/draft/. Pure ASGI: a Request and a Response
object a request would cost more than the engine does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import structlog
from ariadne.asgi.handlers import GraphQLHTTPHandler
from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator, seen_through
from clew.engine import Engine, Request, Response
from clew.engine.explain import execute_explained, execute_witnessed
from clew.engine.flights import Flight
from clew.engine.outcome import INTERNAL, new_request_id, refusal
from clew.errors import ClewError, Code
from clew.wire.body import HTTPError, json_body, too_large
from clew.wire.disconnect import ClientGone, until_disconnect
from clew.wire.negotiate import HTML, JSON, RESPONSE, negotiate
from clew.wire.parameters import from_json, from_query_string

log = structlog.get_logger("clew.wire")

Headers = Mapping[bytes, bytes]

_CONTENT_TYPES = {
    JSON: b"application/json; charset=utf-8",
    RESPONSE: b"application/graphql-response+json; charset=utf-8",
}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_IDEMPOTENCY_KEY = re.compile(rb"[!-~]{1,255}")
_LONGEST_ACCEPT = 1000
# Bytes of an answer that a server keeps for the client without waiting for it.
_BUFFERED = 64 * 1024

# The status of a request that was refused before it was executed, by its error's code.
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
# Codes whose status a client of application/json sees too: they are not about the document.
_ALWAYS = frozenset({Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.RATE_LIMITED, Code.UNAVAILABLE})


class HTTPHandler(GraphQLHTTPHandler):
    """Ariadne's seam for HTTP; everything behind it is ours.

    Args:
        engine: runs the operations.
        authenticator: tells who asks.
        max_body: bytes.
        playground: the page for `Accept: text/html`, None for none.
    """

    def __init__(
        self, engine: Engine, authenticator: Authenticator, max_body: int, playground: bytes | None = None
    ) -> None:
        super().__init__()
        self.engine = engine
        self.authenticator = authenticator
        self.max_body = max_body
        self.playground = playground

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        flight = Flight()
        try:
            await self._handle(scope, receive, send, flight)
        finally:
            flight.end()

    async def _handle(self, scope: Scope, receive: Receive, send: Send, flight: Flight) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        request_id = given_request_id(headers)
        media: str | None = JSON
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            accept = headers.get(b"accept", b"")
            media = negotiate(accept.decode("latin-1")) if len(accept) <= _LONGEST_ACCEPT else None
            if media == HTML:
                if self.playground is not None and scope["method"] in ("GET", "HEAD"):
                    await send_answer(send, 200, b"text/html; charset=utf-8", self.playground, _HTML_HEADERS)
                    return
                media = negotiate(accept.decode("latin-1"), html=False)
            if media is None:
                media = JSON
                raise HTTPError(
                    406, ClewError(f"Only {RESPONSE} and {JSON} can be answered.", hint="Change the Accept header.")
                )
            request = await self._request(scope, headers, receive, request_id)
            caller = await self.authenticator.caller(scope, headers)
            viewer = seen_through(caller, headers)
            execute = self.engine.execute
            if headers.get(b"x-clew-explain") == b"1" and self.authenticator.may_explain(caller):
                execute = partial(execute_explained, self.engine)
            elif self.authenticator.dev:
                execute = partial(execute_witnessed, self.engine)
            response = await until_disconnect(execute(request, viewer, flight), receive)
            status = _status(response, media)
        except ClientGone:
            return
        except Exception as error:
            request_id = request_id or new_request_id()
            response, status, extra = refused(error, request_id)
        if given is not None and request_id is not None:
            extra += ((b"x-request-id", request_id.encode()),)
        if status in (429, 503):
            extra += ((b"retry-after", b"%d" % (response.retry_after or 1)),)
        elif status == 405:
            extra += ((b"allow", b"GET, POST" if scope["method"] != "GET" else b"POST"),)
        await send_answer(send, status, _CONTENT_TYPES[media or JSON], response.body, extra)

    async def _request(self, scope: Scope, headers: Headers, receive: Receive, request_id: str | None) -> Request:
        method = scope["method"]
        # Behind a trusted proxy the server has put the client's own address here.
        client: str = (scope.get("client") or ("",))[0]
        if method == "POST":
            request = from_json(await json_body(headers, receive, self.max_body), request_id, client)
            key = idempotency_key(headers)
            return request if key is None else replace(request, idempotency_key=key)
        if method == "GET":
            query_string: bytes = scope["query_string"]
            if len(query_string) > self.max_body:
                raise too_large(self.max_body)
            # There is no body to read, but the channel must be past it to tell of a disconnect.
            await receive()
            return from_query_string(query_string, request_id, client)
        raise HTTPError(405, ClewError("Use POST, or GET for queries."))


def given_request_id(headers: Headers) -> str | None:
    """The client's own id for its request; None for one that must not be echoed or logged."""
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and _REQUEST_ID.fullmatch(given) else None


def idempotency_key(headers: Headers) -> str | None:
    """The client's key for a request that it may send again, exactly as it is, quotes included.

    Raises:
        ClewError: BAD_USER_INPUT for one that is empty, too long, or has other than visible ASCII characters.
    """
    given = headers.get(b"idempotency-key")
    if given is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(given):
        raise ClewError("An Idempotency-Key has 1 to 255 visible ASCII characters.", hint="Send a random UUID.")
    return given.decode()


def refused(error: Exception, request_id: str) -> tuple[Response, int, tuple[tuple[bytes, bytes], ...]]:
    """The answer to a request that an exception ended before it was executed: JSON, status, headers."""
    if isinstance(error, HTTPError):
        return refusal(error.error, request_id), error.status, error.headers
    if isinstance(error, ClewError):
        return refusal(error, request_id), _STATUS.get(error.code, 400), ()
    log.error("request failed", request_id=request_id, exc_info=error)
    return refusal(ClewError(INTERNAL, code=Code.INTERNAL), request_id), 500, ()


_HTML_HEADERS = ((b"cache-control", b"no-cache"), (b"x-frame-options", b"DENY"))


def _status(response: Response, media: str) -> int:
    """The HTTP status of an answer.

    `application/json` has 200 for every well-formed GraphQL request, as clients of old
    expect; the newer type says by status whether there was an execution.
    """
    if response.status is not None:
        return response.status
    code = response.code
    if code is None or response.executed:
        return 200
    if code in _ALWAYS:
        return _STATUS[code]
    if media == JSON:
        return 200
    return _STATUS.get(code, 400)


async def send_answer(
    send: Send, status: int, content_type: bytes, body: bytes, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a whole HTTP response. A large one is sent when the client has read nearly all of it."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    large = len(body) > _BUFFERED
    await send({"type": "http.response.body", "body": body, "more_body": large})
    if large:
        # Servers take a next part when there is room for it.
        await send({"type": "http.response.body", "body": b""})
