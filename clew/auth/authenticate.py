"""Find the sender of a request: by ticket, admin secret, custom function, bearer token, or as this machine.

See `docs/access.md`, "Who asks". The opening handshake of a WebSocket is a request like any other.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Scope

from clew.auth.keys import Keys, keys_from_file, keys_from_url
from clew.auth.local import is_local
from clew.auth.tickets import InvalidTicketError, Tickets
from clew.auth.tokens import InvalidTokenError, Tokens
from clew.config import Settings
from clew.errors import ClewError, Code
from clew.json_numbers import UniqueDecoder
from clew.viewer import ANON, Viewer, role_names

Headers = Mapping[bytes, bytes]
Authenticate = Callable[[Request], Awaitable[Viewer | None]]

# The headers that say who asks.
CREDENTIALS = (b"authorization", b"x-clew-admin-secret", b"x-clew-role", b"x-clew-claims")


class Authenticator:
    """Decides who sent a request.

    Args:
        settings: secrets, keys, and `env`. In dev every caller may see plans.
        own: the application's own function. It runs before tokens are read; None from it means that it does not know.
        local_admin: whether a local request without credentials is an admin's, as under `clew dev`.

    Raises:
        StartupError: the file of keys cannot be used.
    """

    def __init__(self, settings: Settings, own: Authenticate | None = None, *, local_admin: bool = False) -> None:
        secret = settings.admin_secret
        self._secret = secret.get_secret_value().encode() if secret is not None else None
        self.dev = settings.env == "dev"
        self._local_admin = local_admin
        self._anon = Viewer(roles=frozenset({ANON}))
        self._own = own
        keys: Keys | None = None
        if settings.jwks_file is not None:
            keys = keys_from_file(settings.jwks_file)
        elif settings.jwks_url is not None:
            keys = keys_from_url(settings.jwks_url)
        self._tokens = Tokens(settings, keys)
        self.tickets = Tickets(settings.secret.get_secret_value() if settings.secret is not None else None)

    async def viewer(self, scope: Scope, headers: Headers) -> Viewer:
        """Return the viewer of a request. A request without credentials has the anonymous viewer.

        Args:
            scope: the connection's ASGI scope.
            headers: those of the scope, by lower-case name.

        Raises:
            ClewError: UNAUTHENTICATED, without a reason; FORBIDDEN for a caller who is not an admin and wants to act
                as another viewer.
        """
        return seen_through(await self.caller(scope, headers), headers)

    def may_explain(self, caller: Viewer) -> bool:
        """Return whether a caller may see plans, rules and SQL: every caller in development, else only an admin."""
        return self.dev or caller.is_admin

    async def caller(self, scope: Scope, headers: Headers) -> Viewer:
        """Return who sent a request, even if it acts as another viewer. Arguments and errors are those of `viewer`."""
        _check_once(scope, headers)
        ticket = given_ticket(scope)
        if ticket is not None:
            if b"authorization" in headers or b"x-clew-admin-secret" in headers:
                raise ClewError("The request has a ticket and other credentials.", hint="Send only one of them.")
            try:
                return self.tickets.viewer(ticket, scope["path"])
            except InvalidTicketError:
                raise _unauthenticated() from None
        secret = headers.get(b"x-clew-admin-secret")
        if secret is not None:
            if self._secret is not None and hmac.compare_digest(secret, self._secret):
                return Viewer.admin()
            raise _unauthenticated()
        if self._own is not None:
            identity = await self._own(_handshake(scope) if scope["type"] == "websocket" else Request(scope))
            if identity is not None:
                return Viewer(identity.id, frozenset(identity.roles) | {ANON}, identity.claims)
        authorization = headers.get(b"authorization")
        if authorization is not None:
            scheme, _, token = authorization.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer":
                raise _unauthenticated()
            token = token.strip(" \t")
            known = self._tokens.known(token)
            if known is not None:
                return known
            try:
                return await self._tokens.viewer(token)
            except InvalidTokenError:
                raise _unauthenticated() from None
        return Viewer.admin() if self._local_admin and is_local(scope) else self._anon


def seen_through(caller: Viewer, headers: Headers) -> Viewer:
    """Return the viewer that a request runs as. An admin may act as another viewer.

    Raises:
        ClewError: FORBIDDEN for a caller who is not an admin; BAD_USER_INPUT for headers that name no viewer.
    """
    role, claims = headers.get(b"x-clew-role"), headers.get(b"x-clew-claims")
    if role is None and claims is None:
        return caller
    if not caller.is_admin:
        raise ClewError("Only an admin may act as another viewer.", code=Code.FORBIDDEN)
    if role is None:
        # Without the role the admin would see everything, and believe that the other viewer does.
        raise ClewError("X-Clew-Claims needs X-Clew-Role.", hint="Send a role too, such as X-Clew-Role: user.")
    return _seen_as(role, claims)


def _check_once(scope: Scope, headers: Headers) -> None:
    """Refuse a header twice that says who asks. A proxy in front might read a different one than Clew."""
    if len(headers) == len(scope["headers"]):
        return
    given = [name for name in CREDENTIALS if name in headers]
    if given:
        names = [name for name, _ in scope["headers"]]
        for name in given:
            if names.count(name) > 1:
                if name in (b"authorization", b"x-clew-admin-secret"):
                    raise _unauthenticated()
                raise ClewError(f"The header {name.decode()} is given twice.", hint="Send it once.")


def _unauthenticated() -> ClewError:
    return ClewError("The credentials are not valid.", code=Code.UNAUTHENTICATED)


def _handshake(scope: Scope) -> Request:
    """Return the request that opens a WebSocket: a GET (RFC 6455, section 4.1)."""
    return Request({**scope, "type": "http", "method": "GET"})


def given_ticket(scope: Scope) -> str | None:
    """Return the parameter `ticket` of a URL. Return "", an invalid ticket, if it is unreadable or occurs twice."""
    query_string: bytes = scope.get("query_string", b"")
    if b"ticket=" not in query_string:
        return None
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return ""
    tickets = [value for name, value in pairs if name == "ticket"]
    return None if not tickets else tickets[0] if len(tickets) == 1 else ""


def _seen_as(role: bytes, claims: bytes | None) -> Viewer:
    roles = role_names(role.decode("latin-1"))
    value: Any = {}
    if claims is not None:
        try:
            value = json.loads(claims, cls=UniqueDecoder)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise ClewError("X-Clew-Claims must be a JSON object.", hint='Send an object such as {"sub": "42"}.')
    return Viewer.seen_as(roles, value)
