"""`/metrics` (docs/metrics.md)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from clew.auth.authenticate import Authenticator
from clew.errors import ClewError, Code
from clew.metrics import Metrics

_SCHEME = b"bearer "


class MetricsPage:
    """Shows the numbers of the app to an admin, and to whoever has the token for them.

    Args:
        token: None: only an admin reads them.
    """

    def __init__(self, metrics: Metrics, authenticator: Authenticator, token: str | None) -> None:
        self._metrics = metrics
        self._authenticator = authenticator
        self._token = None if token is None else token.encode()

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ClewError: UNAUTHENTICATED or FORBIDDEN for others.
        """
        given = request.scope["headers"]
        if not self._has_token([value for name, value in given if name == b"authorization"]):
            caller = await self._authenticator.caller(request.scope, dict(given))
            if not caller.is_admin:
                code = Code.UNAUTHENTICATED if caller.id is None else Code.FORBIDDEN
                raise ClewError("Metrics are for an admin.", code=code)
        text, media = await self._metrics.shown(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media, "cache-control": "no-store"})

    def _has_token(self, given: Sequence[bytes]) -> bool:
        if self._token is None or len(given) != 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
            return False
        return hmac.compare_digest(given[0][len(_SCHEME) :].strip(b" \t"), self._token)
