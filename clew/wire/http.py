"""GraphQL over HTTP: `POST` and `GET /graphql`.

https://graphql.github.io/graphql-over-http/draft/. This is pure ASGI: creating a Request and a
Response object for each request would cost more than the engine.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from ariadne.asgi.handlers import GraphQLHTTPHandler
from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator, seen_through
from clew.engine import Engine, Request
from clew.engine.explain import execute_explained, execute_witnessed
from clew.engine.flights import Flight
from clew.engine.outcome import Outcome, QueriesOnlyError, new_request_id
from clew.engine.refused_to_user import UserRefusals
from clew.errors import ClewError
from clew.metrics import Metrics
from clew.viewer import Viewer
from clew.wire import sockets
from clew.wire.body import HTTPError
from clew.wire.disconnect import ClientGone, UntilDisconnect
from clew.wire.negotiate import EVENTS, HTML, JSON, RESPONSE, negotiate
from clew.wire.parameters import read_request
from clew.wire.respond import Headers, given_request_id, refused, retry_headers, send_answer, status_of
from clew.wire.sse import Streams, last_event_id

Given = Mapping[bytes, bytes]
# Run an operation. None: the answer is sent.
Execute = Callable[[Request, Viewer, Flight], Awaitable[Outcome | None]]

_CONTENT_TYPES = {
    JSON: b"application/json; charset=utf-8",
    RESPONSE: b"application/graphql-response+json; charset=utf-8",
}
_IDEMPOTENCY_KEY = re.compile(rb"[!-~]{1,255}")
_LONGEST_ACCEPT = 1000
_ANALYZE = b"analyze"
_EXPLAIN = (b"1", _ANALYZE)


class HTTPHandler(GraphQLHTTPHandler):
    """Ariadne's interface for HTTP. Clew implements everything behind it.

    Args:
        engine: runs the operations.
        authenticator: finds the sender of a request.
        streams: answers with server-sent events.
        max_body: bytes.
        metrics: get how long operations take.
        playground: gives the page for `Accept: text/html` and its headers; None: there is no page.
    """

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        streams: Streams,
        max_body: int,
        metrics: Metrics,
        playground: Callable[[], tuple[bytes, Headers]] | None = None,
    ) -> None:
        super().__init__()
        self.streams = streams
        self.engine = engine
        self.authenticator = authenticator
        self.max_body = max_body
        self._measure = partial(metrics.ended, "http")
        self._measure_events = partial(metrics.ended, sockets.EVENTS)
        self.playground = playground
        self.user_refusals = UserRefusals()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        flight = Flight()
        try:
            await self._handle(scope, receive, send, flight)
        finally:
            flight.end()

    async def _handle(self, scope: Scope, receive: Receive, send: Send, flight: Flight) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = given_request_id(headers)
        media: str | None = JSON
        extra: Headers = ()
        try:
            accept = headers.get(b"accept", b"")
            media = negotiate(accept.decode("latin-1")) if len(accept) <= _LONGEST_ACCEPT else None
            if media == HTML:
                if self.playground is not None and scope["method"] in ("GET", "HEAD"):
                    await send_answer(send, 200, b"text/html; charset=utf-8", *self.playground())
                    return
                media = negotiate(accept.decode("latin-1"), html=False)
            if media is None:
                media = JSON
                raise HTTPError(
                    406,
                    ClewError(f"Only {RESPONSE}, {JSON} and {EVENTS} are supported.", hint="Change the Accept header."),
                )
            wants_events = media == EVENTS
            measure = self._measure_events if wants_events else self._measure
            flight.measured(measure)
            if wants_events:
                # What is refused by its status has a body of JSON.
                media = JSON
            request = await self._request(scope, headers, receive, request_id)
            # How fast clients send is no measure of the server.
            flight.measured(measure)
            caller = await self.authenticator.caller(scope, headers)
            viewer = seen_through(caller, headers)
            execute: Execute = self.engine.execute
            if wants_events:
                request = replace(request, last_event_id=last_event_id(headers))
                execute = partial(self._events, send, _echoed(headers, request_id))
            elif headers.get(b"x-clew-explain") in _EXPLAIN and self.authenticator.may_explain(caller):
                # What Postgres says of a statement has values that other viewers of plans do not see.
                analyze = caller.is_admin and headers[b"x-clew-explain"] == _ANALYZE
                execute = partial(execute_explained, self.engine, analyze=analyze)
            elif self.authenticator.dev:
                execute = partial(execute_witnessed, self.engine)
            with UntilDisconnect(receive):
                found = await execute(request, viewer, flight)
            if found is None:
                return
            outcome = found
            if isinstance(outcome.error, QueriesOnlyError):
                raise HTTPError(405, ClewError("A mutation must be sent with POST.", hint="Use POST."))
            if self.authenticator.dev:
                await self.user_refusals.tell(self.engine, request, viewer)
            status, body = status_of(outcome, media), await self.engine.encoded(outcome)
            flight.answered(outcome.code)
        except ClientGone:
            return
        except Exception as error:
            request_id = request_id or new_request_id()
            outcome, status, extra = refused(error, request_id)
            body = outcome.body
            flight.answered(outcome.code)
        extra += _echoed(headers, request_id)
        extra += retry_headers(status, outcome)
        if status == 405:
            extra += ((b"allow", b"GET, POST" if scope["method"] != "GET" else b"POST"),)
        await send_answer(send, status, _CONTENT_TYPES[media or JSON], body, extra)

    async def _events(
        self, send: Send, extra: Headers, request: Request, viewer: Viewer, flight: Flight
    ) -> Outcome | None:
        """Answer with an event stream. Return the outcome that an answer must tell by its status instead."""
        found = await self.streams.subscriptions.open(request, viewer, flight)
        if self.authenticator.dev:
            try:
                await self.user_refusals.tell(self.engine, request, viewer)
            except BaseException:
                if not isinstance(found, Outcome):
                    await found.aclose()
                raise
        if not isinstance(found, Outcome):
            await self.streams.send_stream(found, request, viewer, flight, send, extra)
            return None
        if isinstance(found.error, QueriesOnlyError) or status_of(found, JSON) != 200:
            return found
        flight.answered(found.code)
        await self.streams.send_outcome(found, send, extra)
        return None

    async def _request(self, scope: Scope, headers: Given, receive: Receive, request_id: str | None) -> Request:
        if scope["method"] not in ("GET", "POST"):
            raise HTTPError(405, ClewError("Use POST, or GET for queries."))
        aside = self.engine.statements.aside
        request = await read_request(scope, headers, receive, aside, self.max_body, request_id)
        key = idempotency_key(headers) if scope["method"] == "POST" else None
        return request if key is None else replace(request, idempotency_key=key)


def _echoed(headers: Given, request_id: str | None) -> Headers:
    if b"x-request-id" not in headers or request_id is None:
        return ()
    return ((b"x-request-id", request_id.encode()),)


def idempotency_key(headers: Given) -> str | None:
    """Return the client's key for repeating a request, unchanged, with its quotes.

    Raises:
        ClewError: BAD_USER_INPUT for a key that is empty, too long, or has other than visible ASCII characters.
    """
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ClewError("An Idempotency-Key has 1 to 255 visible ASCII characters.", hint="Send a random UUID.")
    return key.decode()
