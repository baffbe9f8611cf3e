"""Decide whether a web page may open a WebSocket. Browsers ask no server before, so the server must look itself."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import Scope

_PORTS = {b"http": b":80", b"https": b":443"}


def may_open(scope: Scope, allowed: Collection[str]) -> bool:
    """Return whether a handshake comes from the server's own page, from an allowed one, or from no page at all.

    A browser sends cookies along whatever page asks. So a handshake with cookies must name its page, and `*` does not
    allow one.

    Args:
        allowed: origins as CORS has them, or `*`.
    """
    hosts: list[bytes] = []
    origins: list[bytes] = []
    has_cookies = False
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"cookie":
            has_cookies = True
    if not origins:
        return not has_cookies
    if len(origins) > 1 or len(hosts) != 1:
        return False
    (origin,) = origins
    if origin.decode("latin-1") in allowed or ("*" in allowed and not has_cookies):
        return True
    scheme, _, host = origin.lower().partition(b"://")
    # Where a proxy ends TLS, the server itself may see a plain connection.
    schemes = (b"https",) if scope.get("scheme") in ("wss", "https") else (b"https", b"http")
    return scheme in schemes and _without_port(host, scheme) == _without_port(hosts[0].lower(), scheme)


def _without_port(host: bytes, scheme: bytes) -> bytes:
    return host.removesuffix(_PORTS[scheme])
