"""`/healthz` and `/readyz` (docs/deployment.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from clew.errors import ClewError, StartupError

log = structlog.get_logger("clew.wire")

# In seconds: the time for which one result of the database check serves all probes.
_FRESH = 1.0


async def healthz(_request: Request) -> Response:
    """Report that the process lives. The database is not checked: a restart would not repair it."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Reports whether this server can take requests.

    Args:
        check: raises ClewError or StartupError if the database cannot serve this schema.
    """

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self.draining = False
        self._check = check
        self._lock = asyncio.Lock()
        self._checked = 0.0
        self._reason: str | None = None

    async def answer(self, _request: Request) -> Response:
        reason = "shutting down" if self.draining else await self._database()
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "unavailable", "reason": reason}, 503, {"Retry-After": "1"})

    async def _database(self) -> str | None:
        # One check at a time, however many probes wait: they must not add load to a slow database.
        async with self._lock:
            if time.monotonic() - self._checked > _FRESH or self._reason is not None:
                self._reason = None
                try:
                    await self._check()
                except ClewError:
                    self._reason = "the database is not available"
                except StartupError as error:
                    log.warning("not ready", reason=error.message)
                    self._reason = "the database is not at this schema's version"
                self._checked = time.monotonic()
            return self._reason
