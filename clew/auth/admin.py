"""The two ways to be admin so far: the admin secret, and sitting at the development machine (SPEC 6)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

from clew.config import Settings
from clew.errors import ClewError, Code
from clew.viewer import Viewer

_LOCAL = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip", b"cf-connecting-ip"})


class Authenticator:
    """Decides who sent a request.

    Args:
        settings: `admin_secret`, and `env`: only in dev is a local request without credentials admin.
    """

    def __init__(self, settings: Settings) -> None:
        secret = settings.admin_secret
        self._secret = secret.get_secret_value().encode() if secret is not None else None
        self._dev = settings.env == "dev"

    def viewer(self, headers: Mapping[bytes, bytes], client: str | None) -> Viewer:
        """The viewer of a request.

        Args:
            headers: by lower-case name.
            client: the peer's address, None if unknown (a unix socket).

        Raises:
            ClewError: UNAUTHENTICATED; it says nothing of what was wrong.
        """
        given = headers.get(b"x-clew-admin-secret")
        if given is not None:
            if self._secret is not None and hmac.compare_digest(given, self._secret):
                return Viewer.admin()
        elif self._dev and b"authorization" not in headers and _is_local(headers, client):
            return Viewer.admin()
        raise ClewError(
            "Valid credentials are needed.", code=Code.UNAUTHENTICATED, hint="Send the header X-Clew-Admin-Secret."
        )


def _is_local(headers: Mapping[bytes, bytes], client: str | None) -> bool:
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
