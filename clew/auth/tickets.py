"""Tickets: a viewer in a URL, for a minute and one path, for clients that cannot send a header.

A ticket is a JWE (RFC 7516, `dir` with `A256GCM`). URLs end up in logs, and nobody can read or
change a ticket without the secret. Nothing is stored: every process with the same secret
accepts the ticket.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from clew.errors import ClewError, Code
from clew.json_numbers import dumps, exact_float
from clew.secrets import derived_key
from clew.viewer import Viewer

# The path that issues tickets.
TICKETS = "/tickets"
# In seconds.
LIFETIME = 60
_HEADER = {"alg": "dir", "enc": "A256GCM"}
_ALGORITHMS = list(_HEADER.values())
# Characters. Proxies and servers accept request lines of at least 8 KiB.
_LONGEST = 6 * 1024


class InvalidTicketError(Exception):
    """The ticket is not valid. The reason is not revealed."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as text, and the number of seconds that it is valid for."""

    text: str
    expires_in: int


class Tickets:
    """Issues and reads tickets.

    Args:
        secret: CLEW_SECRET. Without it there are no tickets.
        clock: returns seconds since 1970.
    """

    def __init__(self, secret: str | None, clock: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(derived_key(secret, "clew ticket")) if secret is not None else None
        self._clock = clock

    def issue(self, viewer: Viewer, path: str) -> Ticket:
        """Return a ticket for this viewer and path. It never outlives the viewer's token.

        Args:
            path: of a URL as the server sees it: whole, decoded, without the query.

        Raises:
            ClewError: UNAVAILABLE without a secret, LIMIT_EXCEEDED if the claims are too large for a URL.
        """
        if self._key is None:
            raise ClewError("This server makes no tickets.", code=Code.UNAVAILABLE, hint="It needs CLEW_SECRET.")
        now = self._clock()
        expires = now + LIFETIME
        ending = viewer.claims.get("exp")
        if isinstance(ending, int | float) and not isinstance(ending, bool):
            expires = min(expires, ending)
        content = {"path": path, "exp": expires, "id": viewer.id, "roles": sorted(viewer.roles)}
        # A claim may have half of a surrogate pair, which Python's decoder of JSON reads back.
        plain = dumps(content | {"claims": viewer.claims}, allow_nan=True).encode("utf-8", "surrogatepass")
        text = jwe.encrypt_compact(_HEADER, plain, self._key, algorithms=_ALGORITHMS)
        if len(text) > _LONGEST:
            raise ClewError("The claims are too large for a ticket.", code=Code.LIMIT_EXCEEDED)
        return Ticket(text, max(0, math.floor(expires - now)))

    def viewer(self, text: str, path: str) -> Viewer:
        """Return the viewer of a ticket for this path.

        Raises:
            InvalidTicketError: it is invalid, expired, or for another path.
        """
        if self._key is None or len(text) > _LONGEST:
            raise InvalidTicketError
        try:
            content: Any = json.loads(
                jwe.decrypt_compact(text, self._key, algorithms=_ALGORITHMS).plaintext or b"", parse_float=exact_float
            )
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise InvalidTicketError from error
        if content["path"] != path or self._clock() >= content["exp"]:
            raise InvalidTicketError
        return Viewer(content["id"], frozenset(content["roles"]), content["claims"])
