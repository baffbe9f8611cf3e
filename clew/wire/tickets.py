"""`POST /tickets`: a ticket for who cannot send a header, such as EventSource or a download link."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator
from clew.engine.outcome import encode, new_request_id
from clew.errors import ClewError
from clew.wire.body import HTTPError, json_body
from clew.wire.disconnect import ClientGone
from clew.wire.http import given_request_id
from clew.wire.parameters import read_json
from clew.wire.respond import refused, retry_headers, send_answer

_HINT = 'Send {"path": "/graphql"}.'
_LARGEST = 16 * 1024


class TicketOffice:
    """Answers with `{"ticket": "...", "expiresIn": 60}`; an ASGI app.

    Args:
        authenticator: tells who asks.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = given_request_id(headers) or new_request_id()
        extra: tuple[tuple[bytes, bytes], ...] = ((b"cache-control", b"no-store"),)
        try:
            if scope["method"] != "POST":
                raise HTTPError(405, ClewError("Use POST.", hint=_HINT), ((b"allow", b"POST"),))
            path = _path(await json_body(headers, receive, _LARGEST), scope["app"].routes)
            viewer = await self._authenticator.viewer(scope, headers)
            ticket = self._authenticator.tickets.issue(viewer, path)
            body, status = encode({"ticket": ticket.text, "expiresIn": ticket.expires_in}), 201
        except ClientGone:
            return
        except Exception as error:
            outcome, status, more = refused(error, request_id)
            body, extra = outcome.body, extra + more + retry_headers(status)
        if b"x-request-id" in headers:
            extra += ((b"x-request-id", request_id.encode()),)
        await send_answer(send, status, b"application/json; charset=utf-8", body, extra)


def _path(body: bytes, routes: Sequence[BaseRoute]) -> str:
    """The path that a request for a ticket names, decoded. Raises ClewError."""
    value = read_json(body, "The body", _HINT)
    if not isinstance(value, dict) or set(value) != {"path"}:
        raise ClewError("The body must be a JSON object with only `path`.", hint=_HINT)
    given = value["path"]
    if not isinstance(given, str) or not given.startswith("/") or "?" in given or "#" in given:
        raise ClewError("`path` must be a path without query, such as /graphql.", hint=_HINT)
    path = unquote(given)
    wanted = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    if not any(route.matches(wanted)[0] is not Match.NONE for route in routes):
        raise ClewError("This server has no such `path`.", hint="Leave out the path under which Clew is mounted.")
    return path
