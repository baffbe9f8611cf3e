"""The ASGI application: routes, middleware, lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ariadne.asgi import GraphQL
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from clew import collector
from clew.auth.authenticate import Authenticate, Authenticator
from clew.auth.tickets import TICKETS
from clew.config import Settings
from clew.engine import Engine
from clew.wire.health import Readiness, healthz
from clew.wire.http import HTTPHandler
from clew.wire.nosniff import NoSniff
from clew.wire.respond import refused_by_http
from clew.wire.tickets import TicketOffice

_PLAYGROUND = Path(__file__).parent / "playground.html"


class Application(Starlette):
    """Clew as an ASGI app: run it, or mount it under Starlette or FastAPI.

    Mounted, its lifespan may never run; the pool opens with the first request all the same. `on_begin` is called
    before the first of whatever comes, on the loop that serves. `local_admin`: whether a local request without
    credentials is admin, as `clew dev` has it.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        readiness: Readiness,
        routes: Sequence[BaseRoute],
        middleware: Sequence[Middleware],
        authenticate: Authenticate | None = None,
        on_begin: Callable[[], None] | None = None,
        local_admin: bool = False,
    ) -> None:
        self.engine = engine
        self._on_begin = on_begin
        self.readiness = readiness
        authenticator = Authenticator(settings, authenticate, local_admin=local_admin)
        handler = HTTPHandler(
            engine,
            authenticator,
            settings.max_body_bytes,
            _PLAYGROUND.read_bytes() if settings.playground else None,
        )
        outermost = []
        if settings.cors_origins:
            outermost.append(
                Middleware(
                    CORSMiddleware,
                    allow_origins=list(settings.cors_origins),
                    allow_methods=["GET", "POST"],
                    allow_headers=["*"],
                    expose_headers=["X-Request-Id", "Retry-After"],
                    max_age=600,
                )
            )
        super().__init__(
            routes=[
                Route("/graphql", GraphQL(engine.schema, http_handler=handler)),
                Route(TICKETS, TicketOffice(authenticator)),
                Route("/healthz", healthz),
                Route("/readyz", readiness.answer),
                *routes,
            ],
            middleware=[*outermost, *middleware],
            lifespan=self._lifespan,
            exception_handlers={HTTPException: refused_by_http},
        )
        # A redirect would be to the Host that the client names, with the ticket in the URL.
        self.router.redirect_slashes = False

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's hook on the first call of the app."""
        if self._on_begin is not None:
            self._on_begin()
        return NoSniff(super().build_middleware_stack())

    def drain(self) -> None:
        """The process is about to stop: `/readyz` fails from now on, requests are still served."""
        self.readiness.draining = True

    @asynccontextmanager
    async def _lifespan(self, _app: Any) -> AsyncIterator[None]:
        # The schema and the model stay for good: the garbage collector need not walk them again and again,
        # nor once before that, which would be a tenth of the start.
        collector.freeze()
        try:
            yield
        finally:
            await self.engine.pool.close()
