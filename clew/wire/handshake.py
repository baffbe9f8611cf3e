"""Who opens a WebSocket: credentials of the handshake and of `connection_init`, and how long they hold."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import Scope

from clew.auth.authenticate import CREDENTIALS
from clew.errors import ClewError, Code
from clew.viewer import Viewer

# Claims that say when a token was made and how long it holds, and not who has it (RFC 7519, section 4.1).
_TIMES = frozenset(("exp", "iat", "nbf", "jti"))


def payload_credentials(payload: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Return the credentials in the payload of `connection_init`, as headers have them.

    Raises:
        ClewError: BAD_USER_INPUT for one that is given twice, in another case, or is no text.
    """
    found: dict[bytes, bytes] = {}
    for name, value in payload.items():
        key = name.lower().encode("utf-8", "replace")
        if key not in CREDENTIALS or value is None:
            continue
        if key in found:
            raise ClewError(f"{key.decode()} is given twice.", hint="Send it once.")
        try:
            found[key] = value.encode()
        except (AttributeError, UnicodeEncodeError):
            raise ClewError(f"{key.decode()} must be text.") from None
    return found


def with_credentials(scope: Scope, payload: Mapping[str, Any], *, renews: bool = False) -> Scope:
    """Return the handshake as if it had sent the credentials of a payload as headers.

    A proxy may have set the credentials of the handshake, so the payload cannot replace them.

    Args:
        renews: the credentials of the handshake, and a ticket in its URL, do not count: only those of the payload.

    Raises:
        ClewError: BAD_USER_INPUT as `payload_credentials`; UNAUTHENTICATED for one that the handshake has differently.
    """
    given = payload_credentials(payload)
    headers = [(name, value) for name, value in scope["headers"] if not (renews and name in CREDENTIALS)]
    known = dict(headers)
    for name, value in given.items():
        if name not in known:
            headers.append((name, value))
        elif known[name] != value:
            raise ClewError("The credentials are not valid.", code=Code.UNAUTHENTICATED)
    changed: dict[str, Any] = {"headers": headers, "state": {**scope.get("state", {}), "connection_init": payload}}
    if renews:
        changed["query_string"] = _without_ticket(scope.get("query_string", b""))
    return {**scope, **changed}


def _without_ticket(query_string: bytes) -> bytes:
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name != "ticket"]).encode()


def session_end(viewer: Viewer, longest: float) -> float:
    """Return when the viewer's session ends, in seconds since 1970: with its token, else `longest` seconds from now."""
    expires = _expiry(viewer)
    return time.time() + longest if expires is None else expires


def _expiry(viewer: Viewer) -> float | None:
    value = viewer.claims.get("exp")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    # An integer may be too large for a float.
    return float(min(value, 2**53))


@dataclass(frozen=True, slots=True)
class Renewal:
    """A session goes on. `is_alike`: all that is known of the viewer is the same as before."""

    is_alike: bool


def is_renewed_by(viewer: Viewer, renewed: Viewer) -> Renewal | None:
    """Return what becomes of a session by a fresh token; None if it is none, or another subject's."""
    before, after = _expiry(viewer), _expiry(renewed)
    if viewer.id is None or renewed.id != viewer.id or before is None or after is None or after <= before:
        return None
    return Renewal(renewed.roles == viewer.roles and _lasting(renewed) == _lasting(viewer))


def _lasting(viewer: Viewer) -> dict[str, Any]:
    return {name: value for name, value in viewer.claims.items() if name not in _TIMES}
