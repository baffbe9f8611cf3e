"""Recognise requests from programs on this machine, for `clew dev` (docs/access.md, "Who asks")."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from starlette.types import Scope

# The server sets this key in an ASGI scope's `extensions` if the request target was not a path.
ABSOLUTE_TARGET = "clew.absolute_target"

_LOCAL = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_FORWARDED = frozenset((b"via", b"x-host", b"x-request-start", b"x-cloud-trace-context"))
# Parts of header names that reveal a proxy: anywhere in a name, and at its start.
_TELLING = (b"forwarded", b"client-ip", b"real-ip", b"user-ip", b"originating-ip", b"clientip", b"host-override")
_FORWARDING = (
    *(b"x-original-", b"x-envoy-", b"x-amzn-", b"x-azure-", b"x-appengine-", b"x-proxy"),
    *(b"cf-", b"cdn-", b"fly-", b"tailscale-", b"proxy-"),
)
# The values of Sec-Fetch-Site for requests of the server's own page, and for requests that no page makes.
_SITES = frozenset((b"same-origin", b"none"))


def is_local(scope: Scope) -> bool:
    """Return whether a request comes from a program on this machine, and not from a proxy or a web page elsewhere.

    The Host must name this machine, because a page could rebind its own name to 127.0.0.1. A browser's Origin must
    occur once and name the server's own page, and its Referer must be below that. Proxies speak HTTP/1.0 by default, or
    name themselves in a header. The server of `clew dev` speaks HTTP/1.1 only.
    """
    client: tuple[str, int] | None = scope.get("client")
    if client is None or not _is_loopback(client[0]):
        return False
    # RFC 9112, 3.2.2: only a client of a proxy sends a whole URL.
    if scope.get("http_version") != "1.1" or ABSOLUTE_TARGET in scope.get("extensions", ()):
        return False
    hosts: list[bytes] = []
    origins: list[bytes] = []
    pages: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"referer":
            pages.append(value)
        elif (name == b"sec-fetch-site" and value not in _SITES) or _is_of_a_proxy(name):
            return False
    if len(hosts) != 1 or len(origins) > 1 or not _LOCAL.fullmatch(hosts[0]):
        return False
    if scope["type"] == "websocket" and not origins:
        # Every browser sends the origin of the page that opens a socket, and none asks the server first.
        return False
    # Other ports of this machine belong to other programs. So only the server's own origin is trusted.
    scheme = scope.get("scheme", "http").encode()
    own = {b"ws": b"http", b"wss": b"https"}.get(scheme, scheme) + b"://" + hosts[0].lower()
    return all(origin.lower() == own for origin in origins) and all(
        (page.lower() + b"/").startswith(own + b"/") for page in pages
    )


@lru_cache(maxsize=1024)
def _is_of_a_proxy(name: bytes) -> bool:
    """Return whether proxies add a header of this name. Some servers take an underscore for a dash."""
    name = name.replace(b"_", b"-")
    return name in _FORWARDED or name.startswith(_FORWARDING) or any(part in name for part in _TELLING)


@lru_cache(maxsize=256)
def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
