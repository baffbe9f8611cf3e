"""GraphQL over HTTP: `POST` and `GET /graphql` (SPEC 7).

https://graphql.github.io/graphql-over-http/draft/. Pure ASGI: a Request and a Response
object a request would cost more than the engine does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import structlog
from ariadne.asgi.handlers import GraphQLHTTPHandler
from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator
from clew.engine import Engine, Request, Response
from clew.engine.errors import INTERNAL, new_request_id, refusal
from clew.errors import ClewError, Code
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
_LONGEST_ACCEPT = 1000
# In seconds, for the whole of a body.
_BODY_SECONDS = 10.0

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


class _HTTPError(Exception):
    """The request is refused by HTTP's own rules."""

    def __init__(self, status: int, error: ClewError, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.error = error
        self.headers = headers


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
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        request_id = given.decode() if given is not None and _REQUEST_ID.fullmatch(given) else None
        media: str | None = JSON
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            accept = headers.get(b"accept", b"")
            media = negotiate(accept.decode("latin-1")) if len(accept) <= _LONGEST_ACCEPT else None
            if media == HTML:
                if self.playground is not None and scope["method"] in ("GET", "HEAD"):
                    await _send(send, 200, b"text/html; charset=utf-8", self.playground, _HTML_HEADERS)
                    return
                media = negotiate(accept.decode("latin-1"), html=False)
            if media is None:
                media = JSON
                raise _HTTPError(
                    406, ClewError(f"Only {RESPONSE} and {JSON} can be answered.", hint="Change the Accept header.")
                )
            request = await self._request(scope, headers, receive, request_id)
            viewer = await self.authenticator.viewer(scope, headers)
            response = await until_disconnect(self.engine.execute(request, viewer), receive)
            status = _status(response, media)
        except ClientGone:
            return
        except _HTTPError as refused:
            response, status = refusal(refused.error, request_id or new_request_id()), refused.status
            extra = refused.headers
        except ClewError as error:
            response = refusal(error, request_id or new_request_id())
            status = _STATUS.get(error.code, 400)
        except Exception:
            request_id = request_id or new_request_id()
            log.exception("request failed", request_id=request_id)
            response = refusal(ClewError(INTERNAL, code=Code.INTERNAL), request_id)
            status = 500
        if given is not None and request_id is not None:
            extra += ((b"x-request-id", request_id.encode()),)
        if status in (429, 503):
            extra += ((b"retry-after", b"%d" % (response.retry_after or 1)),)
        elif status == 405:
            extra += ((b"allow", b"GET, POST" if scope["method"] != "GET" else b"POST"),)
        await _send(send, status, _CONTENT_TYPES[media or JSON], response.body, extra)

    async def _request(self, scope: Scope, headers: Headers, receive: Receive, request_id: str | None) -> Request:
        method = scope["method"]
        # Behind a trusted proxy the server has put the client's own address here.
        client: str = (scope.get("client") or ("",))[0]
        if method == "POST":
            # Only a type that a foreign page's form cannot send: that is the protection against CSRF.
            kind, _, parameters = headers.get(b"content-type", b"").partition(b";")
            if kind.strip().lower() != b"application/json":
                raise _HTTPError(
                    415, ClewError("The body must be application/json.", hint="Set Content-Type: application/json.")
                )
            if not _is_utf8(parameters):
                raise _HTTPError(415, ClewError("The body must be UTF-8.", hint="Leave the charset out."))
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                raise _HTTPError(415, ClewError("A compressed body is not supported.", hint="Send it as it is."))
            return from_json(await self._body(headers, receive), request_id, client)
        if method == "GET":
            query_string: bytes = scope["query_string"]
            if len(query_string) > self.max_body:
                raise self._too_large()
            # There is no body to read, but the channel must be past it to tell of a disconnect.
            await receive()
            return from_query_string(query_string, request_id, client)
        raise _HTTPError(405, ClewError("Use POST, or GET for queries."))

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        length = headers.get(b"content-length")
        if length is not None and (not length.isdigit() or len(length) > 12 or int(length) > self.max_body):
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    part: bytes = message.get("body", b"")
                    size += len(part)
                    if size > self.max_body:
                        raise self._too_large()
                    if not message.get("more_body"):
                        return b"".join([*parts, part]) if parts else part
                    parts.append(part)
        except TimeoutError:
            error = ClewError("The body did not come in time.", code=Code.TIMEOUT)
            raise _HTTPError(408, error, ((b"connection", b"close"),)) from None

    def _too_large(self) -> _HTTPError:
        error = ClewError(f"The request is larger than {self.max_body} bytes.", code=Code.LIMIT_EXCEEDED)
        # What is left of the body is not read: the connection cannot be used again.
        return _HTTPError(413, error, ((b"connection", b"close"),))


def _is_utf8(parameters: bytes) -> bool:
    for parameter in parameters.lower().split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            return False
    return True


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


async def _send(
    send: Send, status: int, content_type: bytes, body: bytes, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
