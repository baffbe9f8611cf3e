"""`POST /tickets`: a ticket for a client that cannot send a header, such as EventSource or a download link."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from clew.auth.authenticate import Authenticator, given_ticket
from clew.auth.tickets import TICKETS
from clew.engine.outcome import encode, new_request_id
from clew.errors import ClewError, Code
from clew.wire.body import HTTPError, json_body
from clew.wire.disconnect import ClientGone
from clew.wire.parameters import read_json
from clew.wire.respond import given_request_id, refused, retry_headers, send_answer

_HINT = 'Send {"path": "/graphql"}.'
_LARGEST = 16 * 1024


class TicketOffice:
    """An ASGI app that answers with `{"ticket": "...", "expiresIn": 60}`.

    Args:
        authenticator: finds the sender of a request.
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
            path = _path(await json_body(scope, headers, receive, _LARGEST), scope)
            if given_ticket(scope) is not None:
                # Or a ticket could be renewed for ever.
                raise ClewError("A ticket cannot get another ticket.", code=Code.UNAUTHENTICATED)
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


def _path(body: bytes, scope: Scope) -> str:
    """Return the whole path, decoded, that a request for a ticket names.

    A path is one of this app's own, without what the app is mounted under, or else a whole one of the app around it.

    Raises:
        ClewError: BAD_USER_INPUT.
    """
    value = read_json(body, "The body", _HINT)
    if not isinstance(value, dict) or set(value) != {"path"}:
        raise ClewError("The body must be a JSON object with only `path`.", hint=_HINT)
    raw = value["path"]
    if not isinstance(raw, str) or not raw.startswith("/") or "?" in raw or "#" in raw:
        raise ClewError("`path` must be a path without query, such as /graphql.", hint=_HINT)
    path = unquote(raw)
    if path == TICKETS:
        raise ClewError("A ticket cannot get another ticket.")
    if _is_routed(path, scope["app"].routes):
        return str(scope["path"]).removesuffix(TICKETS) + path
    if _is_routed(path, scope["router"].routes):
        return path
    raise ClewError("This server has no such `path`.", hint="Send the path of the URL, such as /graphql.")


def _is_routed(path: str, routes: Sequence[BaseRoute]) -> bool:
    common = {"path": path, "root_path": "", "headers": []}
    wanted = ({"type": "http", "method": "GET", **common}, {"type": "websocket", **common})
    return any(route.matches(scope)[0] is not Match.NONE for route in routes for scope in wanted)
