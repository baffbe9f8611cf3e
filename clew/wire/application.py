"""The ASGI application: routes, middleware, lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from ariadne.asgi import GraphQL
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, ExceptionHandler

from clew import collector
from clew.auth.authenticate import Authenticate, Authenticator
from clew.auth.tickets import TICKETS
from clew.background import Background
from clew.changes.types import ChangeSource
from clew.config import Settings
from clew.engine import Engine
from clew.errors import ClewError
from clew.export.exports import Exports
from clew.jobs.output.source import JobOutputs
from clew.jobs.output.subscriptions import OutputSubscriptions
from clew.jobs.service import JobService
from clew.jobs.visibility import is_visible
from clew.live.events import ChangeEvents
from clew.live.queries import LiveQueries
from clew.live.subscriptions import Subscriptions
from clew.metrics import Metrics
from clew.model.names import JOB_OUTPUT
from clew.observe import get_logger
from clew.wire.cors import Cors
from clew.wire.export import CSV, NDJSON, ExportHandler
from clew.wire.health import Readiness, healthz
from clew.wire.http import HTTPHandler
from clew.wire.job_output import PATH, JobOutput
from clew.wire.metrics import MetricsPage
from clew.wire.nosniff import NoSniff
from clew.wire.playground import Playground
from clew.wire.respond import refused_in_route
from clew.wire.sockets import WEBSOCKET, Sockets
from clew.wire.sse import Streams
from clew.wire.tickets import TicketOffice
from clew.wire.websocket import Door, WebSocketHandler

_LOG = get_logger("clew.wire")


class Application(Starlette):
    """Clew as an ASGI app: run it, or mount it under Starlette or FastAPI.

    If it is mounted, its `lifespan` runs only if the outer app runs it; the pool still opens with the first request.
    `on_begin` is called before the first ASGI call of any kind, on the serving event loop. `local_admin` says whether a
    local request without credentials is an admin's, as under `clew dev`. `background` ends with the app. `metrics` gets
    what the app counts. `operations` is the folder of the project's operations, which the playground shows.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        readiness: Readiness,
        background: Background,
        changes: ChangeSource,
        live: LiveQueries,
        events: ChangeEvents,
        outputs: JobOutputs,
        jobs: JobService | None,
        metrics: Metrics,
        exports: Exports,
        operations: Path,
        routes: Sequence[BaseRoute],
        middleware: Sequence[Middleware],
        authenticate: Authenticate | None = None,
        on_begin: Callable[[], None] | None = None,
        local_admin: bool = False,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self._on_begin = on_begin
        self._loop: asyncio.AbstractEventLoop | None = None
        self.readiness = readiness
        self.background = background
        self.changes = changes
        self.live = live
        self.outputs = outputs
        self.jobs = jobs
        self.exports = exports
        self.authenticator = authenticator = Authenticator(settings, authenticate, local_admin=local_admin)
        self.subscriptions = Subscriptions(
            engine,
            live,
            events,
            {JOB_OUTPUT: OutputSubscriptions(engine, outputs)},
            witnessed=authenticator.dev,
        )
        self.sockets = Sockets(settings.max_all_sockets, settings.drain_seconds)
        streams = Streams(self.subscriptions, self.sockets, settings.heartbeat_seconds, settings.session_seconds)
        self.metrics = metrics
        for part in (engine, self.subscriptions, self.sockets):
            part.measure(metrics)
        token = settings.metrics_token
        page = MetricsPage(metrics, authenticator, None if token is None else token.get_secret_value())
        playground = Playground(engine.access, authenticator, operations) if settings.playground else None
        handler = HTTPHandler(
            engine,
            authenticator,
            streams,
            settings.max_body_bytes,
            metrics,
            None if playground is None else playground.page,
        )
        outermost = []
        if settings.cors_origins:
            outermost.append(
                Middleware(
                    Cors,
                    allow_origins=list(settings.cors_origins),
                    allow_methods=["GET", "HEAD", "POST"],
                    allow_headers=["*"],
                    expose_headers=["X-Request-Id", "Retry-After", "Content-Disposition"],
                    max_age=600,
                )
            )
        graphql = GraphQL(
            engine.schema,
            http_handler=handler,
            websocket_handler=WebSocketHandler(
                Door(
                    self.subscriptions,
                    authenticator,
                    self.sockets,
                    settings.cors_origins,
                    settings.max_body_bytes,
                    settings.heartbeat_seconds,
                    settings.session_seconds,
                    partial(metrics.ended, WEBSOCKET),
                    partial(handler.user_refusals.tell, engine) if authenticator.dev else None,
                )
            ),
        )
        super().__init__(
            routes=[
                Route("/graphql", graphql),
                WebSocketRoute("/graphql", graphql),
                *(
                    Route(
                        f"/export.{kind}",
                        ExportHandler(
                            kind, exports, authenticator, settings.export_stall_seconds, settings.max_body_bytes
                        ),
                    )
                    for kind in (CSV, NDJSON)
                ),
                Route(TICKETS, TicketOffice(authenticator)),
                Route(PATH, JobOutput(outputs, partial(is_visible, engine), streams, authenticator)),
                Route("/healthz", healthz),
                Route("/readyz", readiness.answer),
                Route("/metrics", page.answer),
                *(() if playground is None else playground.routes),
                *routes,
            ],
            middleware=[*outermost, *middleware],
            lifespan=self.lifespan,
            exception_handlers=dict.fromkeys(
                (ClewError, HTTPException, Exception), cast("ExceptionHandler", refused_in_route)
            ),
        )
        # A redirect would go to the client's Host header, with the ticket in the URL.
        self.router.redirect_slashes = False

    def build_middleware_stack(self) -> ASGIApp:
        """Build the middleware. Starlette calls this on the app's first call."""
        self.begin()
        return NoSniff(super().build_middleware_stack())

    def begin(self) -> None:
        """Use the running event loop as the one that serves."""
        self._loop = asyncio.get_running_loop()
        if self._on_begin is not None:
            self._on_begin()

    def drain(self) -> None:
        """Let `/readyz` fail from now on, because the process will stop, and tell WebSockets and event streams.

        Requests are still served. A signal handler may call this.
        """
        self.readiness.draining = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.sockets.drain)
            if self.jobs is not None:
                self._loop.call_soon_threadsafe(self.jobs.drain)

    @asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Keep connections while this is entered, and close them at the end.

        Starlette does not run the lifespan of a mounted app. Give this one to the outer app, or enter it in that of the
        outer app.
        """
        self.begin()
        # The schema and the model stay until the end. The garbage collector must not walk them again and again. A full
        # collection before freezing would take a tenth of the start.
        collector.survivors.begin()
        try:
            yield
        finally:
            collector.survivors.end()
            await self.close()

    async def close(self) -> None:
        """End work beside requests, and close the connections.

        Each part is closed, whatever happens to the others. The first of their errors is raised at the end.
        """
        jobs = () if self.jobs is None else (self.jobs,)
        first: BaseException | None = None
        for part in (self.live, *jobs, self.background, self.outputs, self.exports, self.engine.pool):
            try:
                await part.close()
            except BaseException as error:
                if first is None:
                    first = error
                else:
                    _LOG.error("part not closed", part=type(part).__name__, exc_info=error)
        if first is not None:
            raise first
