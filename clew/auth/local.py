"""Whether a request comes from a program on this very machine (SPEC 6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

_LOCAL = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip", b"cf-connecting-ip"})


def is_local(headers: Mapping[bytes, bytes], client: str | None) -> bool:
    """Whether the request comes from a program on this machine, and not from a web page elsewhere.

    The Host must name this machine, or a page could rebind its own name to 127.0.0.1; an
    Origin, which browsers send, must be local too.
    """
    if client is None or not _is_loopback(client) or any(map(_is_forwarding, headers)):
        return False
    if not _LOCAL.fullmatch(headers.get(b"host", b"")):
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return True
    # Another port of this machine is another program's page: only the playground's own origin is trusted.
    return origin.lower() in (b"http://" + headers[b"host"].lower(), b"https://" + headers[b"host"].lower())


@lru_cache(maxsize=256)
def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _is_forwarding(header: bytes) -> bool:
    return header.startswith(b"x-forwarded") or header in _FORWARDED
