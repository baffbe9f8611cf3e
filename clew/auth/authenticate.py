"""Who sent a request (SPEC 6): ticket, admin secret, the application's own way, bearer token, this machine."""

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
from clew.exact import Decoder
from clew.viewer import ANON, Viewer, role_names

Headers = Mapping[bytes, bytes]
Authenticate = Callable[[Request], Awaitable[Viewer | None]]


class Authenticator:
    """Decides who sent a request.

    Args:
        settings: secrets, keys, and `env`: in dev everybody may have plans explained.
        own: the application's own way, asked before tokens; None from it means that it does not know.
        local_admin: whether a local request without credentials is admin, as `clew dev` has it.

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
        """The viewer of a request; without credentials the anonymous one.

        Args:
            scope: of the connection.
            headers: by lower-case name.

        Raises:
            ClewError: UNAUTHENTICATED, which says nothing of what was wrong; FORBIDDEN for
                who is no admin and wants to look through another's eyes.
        """
        return seen_through(await self.caller(scope, headers), headers)

    def may_explain(self, caller: Viewer) -> bool:
        """Whether a caller may see plans, rules and SQL: in development everybody, else an admin."""
        return self.dev or caller.is_admin

    async def caller(self, scope: Scope, headers: Headers) -> Viewer:
        """Who sent a request, whoever's eyes it is to be answered for. Args and errors as `viewer`."""
        ticket = _ticket(scope["query_string"]) if scope.get("query_string") else None
        if ticket is not None:
            if b"authorization" in headers or b"x-clew-admin-secret" in headers:
                raise ClewError("The request has a ticket and other credentials.", hint="Send only one of them.")
            try:
                # Its path is without what the app is mounted under.
                return self.tickets.viewer(ticket, scope["path"].removeprefix(scope.get("root_path", "")))
            except InvalidTicketError:
                raise _unauthenticated() from None
        secret = headers.get(b"x-clew-admin-secret")
        if secret is not None:
            if self._secret is not None and hmac.compare_digest(secret, self._secret):
                return Viewer.admin()
            raise _unauthenticated()
        if self._own is not None:
            found = await self._own(Request(scope))
            if found is not None:
                return Viewer(found.id, frozenset(found.roles) | {ANON}, found.claims)
        authorization = headers.get(b"authorization")
        if authorization is not None:
            if [name for name, _ in scope["headers"]].count(b"authorization") > 1:
                # A proxy and we might look at different ones.
                raise _unauthenticated()
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
    """The viewer for whom a caller's request is answered: an admin may look through another's eyes.

    Raises:
        ClewError: FORBIDDEN for who is no admin; BAD_USER_INPUT for what names no eyes.
    """
    role, claims = headers.get(b"x-clew-role"), headers.get(b"x-clew-claims")
    if role is None and claims is None:
        return caller
    if not caller.is_admin:
        raise ClewError("Only an admin may act as another viewer.", code=Code.FORBIDDEN)
    if role is None:
        # Who forgot the role would see everything, and take it for what another sees.
        raise ClewError("X-Clew-Claims needs X-Clew-Role.", hint="Send a role too, such as X-Clew-Role: user.")
    return _seen_as(role, claims)


def _unauthenticated() -> ClewError:
    return ClewError("The credentials are not valid.", code=Code.UNAUTHENTICATED)


def _ticket(query_string: bytes) -> str | None:
    """The parameter `ticket` of a URL; empty, which no ticket is, where it cannot be read or is given twice."""
    if b"ticket=" not in query_string:
        return None
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return ""
    given = [value for name, value in pairs if name == "ticket"]
    return None if not given else given[0] if len(given) == 1 else ""


def _seen_as(role: bytes, claims: bytes | None) -> Viewer:
    roles = role_names(role.decode("latin-1"))
    value: Any = {}
    if claims is not None:
        try:
            value = json.loads(claims, cls=Decoder)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise ClewError("X-Clew-Claims must be a JSON object.", hint='Send an object such as {"sub": "42"}.')
    return Viewer.seen_as(roles, value)
