"""`Clew`: the object that an application's entry point makes (docs/resolvers.md)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from clew.collector import paused

# The imported objects stay. Collecting garbage during the import would take a third of its time.
with paused():
    from graphql import GraphQLSchema, print_schema
    from starlette.middleware import Middleware
    from starlette.requests import HTTPConnection
    from starlette.routing import BaseRoute

    from clew.auth.authenticate import Authenticate
    from clew.background import Background
    from clew.changes.source import LoggedChanges
    from clew.changes.tables import logged_tables
    from clew.config import Settings
    from clew.database.embedded import folder_of, running_url
    from clew.database.pool import Pool
    from clew.database.snapshots import OldestSnapshot
    from clew.document.limits import Limits, RoleLimits
    from clew.engine import Engine, Request
    from clew.engine.explain import Compiled, compiled, explained
    from clew.errors import ClewError, SchemaError, StartupError
    from clew.export.exports import Bounds, Exports, File, Progress
    from clew.jobs.declared import cron_jobs, declared_jobs
    from clew.jobs.fields import bind_jobs
    from clew.jobs.handlers import job_faults
    from clew.jobs.metrics import Depths
    from clew.jobs.notify import Notifier
    from clew.jobs.output.source import PLANNER, JobOutputs
    from clew.jobs.output.writer import JobOutputWriter
    from clew.jobs.service import JobService, graphql_of, wake_all
    from clew.jobs.triggers import Triggers, trigger_faults, triggers_of
    from clew.jobs.types import CronJob, JobDeclaration
    from clew.jobs.worker import Worker
    from clew.live.events import ChangeEvents
    from clew.live.queries import CONNECTIONS, LiveQueries
    from clew.metrics import Metrics
    from clew.migrate.history import load_history
    from clew.migrate.run import check_at_head
    from clew.model.build import load_model
    from clew.model.types import Model, Operation
    from clew.resolvers.bind import Bindable, bind
    from clew.schema.build import build_schema
    from clew.schema.role_file import all_roles
    from clew.schema.roles import schema_of
    from clew.sdl.load import OPERATIONS
    from clew.sql.copy import Form
    from clew.sql.cursors import Cursors
    from clew.sql.tables import build_tables
    from clew.viewer import Viewer
    from clew.wire.application import Application
    from clew.wire.health import Readiness
    from clew.wire.respond import RoutedError
    from clew.writes.fields import bind_writes
    from clew.writes.hooks import AfterHook, BeforeHook, Hooks, Registered, hook_faults

# In seconds: how long the statement of a handler waits for a connection.
_HANDLERS_WAIT = 30.0

JobHandler = TypeVar("JobHandler", bound=Callable[..., Any])
Before = TypeVar("Before", bound=BeforeHook)
After = TypeVar("After", bound=AfterHook)


class Clew:
    """An API server for the SDL of one project.

    Args:
        bindables: Ariadne's: `QueryType()`, `ObjectType("Post")`, enums, scalars, or lists of them.
        project: the project's folder. Default: `$CLEW_PROJECT`, else the current folder.
        authenticate: the application's own function that finds the sender, for API keys or cookies. It takes the
            Starlette request and returns a Viewer, or None if it does not know.
        routes: further Starlette routes.
        middleware: further Starlette middleware, inside Clew's own. Pure ASGI is fastest.
    """

    def __init__(
        self,
        bindables: Sequence[Bindable] = (),
        *,
        project: Path | str | None = None,
        authenticate: Authenticate | None = None,
        routes: Sequence[BaseRoute] = (),
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self._bindables = tuple(bindables)
        self._project = Path(project) if project is not None else None
        self._authenticate = authenticate
        self._routes = tuple(routes)
        self._middleware = tuple(middleware)
        self._jobs: dict[str, Callable[..., Any]] = {}
        self._hooks: list[Registered] = []
        # The engine of the served app or of `running`, and the event loop that its connections belong to.
        self._open: tuple[Engine, asyncio.AbstractEventLoop] | None = None
        # Of those that `asgi` has made the last one, which serves; tests make more.
        self._served: Application | None = None
        self._applications: WeakSet[Application] = WeakSet()
        self._built: tuple[Model, GraphQLSchema] | None = None

    @property
    def root(self) -> Path:
        """The project's folder."""
        return (self._project or Path(os.environ.get("CLEW_PROJECT", "."))).resolve()

    @property
    def database_url(self) -> str:
        """The URL of the project's database, for connections of a script's own.

        It is DATABASE_URL. If that is unset in dev, it is the embedded Postgres that `clew dev` runs.

        Raises:
            StartupError: there is none, or a setting is wrong.
        """
        return self._url_of(Settings.load(self.root, "dev"))

    def job(self, name: str) -> Callable[[JobHandler], JobHandler]:
        """Register the handler of the `@job` field `name`.

        Raises:
            ValueError: the field has a handler already.
        """

        def register(handler: JobHandler) -> JobHandler:
            if name in self._jobs:
                raise ValueError(f"the job {name!r} has a handler already")
            self._jobs[name] = handler
            return handler

        return register

    def before(self, entity: str, operation: Operation) -> Callable[[Before], Before]:
        """Register a hook before generated writes of rows of an entity, in their transaction (docs/hooks.md).

        Clew calls `hook(drafts, context)`, async or not: once for all rows of a step, before any row is written.
        `drafts` are `RowDraft`s, `context` is that of resolvers. The hook may change the drafts, or raise a ClewError.

        Args:
            entity: the name of its type.
            operation: CREATE, UPDATE or DELETE.
        """

        def register(hook: Before) -> Before:
            self._hooks.append(Registered("before", entity, operation, hook))
            return hook

        return register

    def after(self, entity: str, operation: Operation) -> Callable[[After], After]:
        """Register a hook after generated writes of rows of an entity, in their transaction (docs/hooks.md).

        Clew calls `hook(keys, context)`, async or not: once for all rows of a step, when the root field has written
        all its rows and the rules allow them. The keys are as resolvers return them. Rules judge what the hook leaves.

        Args:
            entity: the name of its type.
            operation: CREATE, UPDATE or DELETE.
        """

        def register(hook: After) -> After:
            self._hooks.append(Registered("after", entity, operation, hook))
            return hook

        return register

    def build(self) -> tuple[Model, GraphQLSchema]:
        """Load and check the SDL and the bindings. Later calls return the same result.

        Raises:
            SchemaError: with every fault.
        """
        if self._built is None:
            model = load_model(self.root / "graphql", self.root)
            schema = build_schema(model)
            faults = [
                *bind(schema, model, self._bindables),
                *job_faults(model, self._jobs, self.root),
                *hook_faults(model, self._hooks),
                *trigger_faults(model, schema),
            ]
            bind_writes(schema, model)
            bind_jobs(schema, model)
            if faults:
                raise SchemaError(faults)
            self._built = model, schema
        return self._built

    def schema_sdl(self, viewer: Viewer | None = None) -> str:
        """Return the API schema as SDL. It raises the errors of `build`.

        Args:
            viewer: the schema of this viewer's roles; None: the complete schema of an admin.
        """
        model, schema = self.build()
        return print_schema(schema if viewer is None else schema_of(model, schema, viewer))

    def all_roles_sdl(self) -> str:
        """Return the schemas and rules of all roles as one text to compare. It raises the errors of `build`."""
        return all_roles(*self.build())

    def asgi(self, settings: Settings | None = None) -> Application:
        """Return the ASGI app, checked as `clew serve` checks it.

        A request without credentials is never an admin's. Only a process of `clew dev` allows that.

        Args:
            settings: used unchanged. Default: from the environment, and if CLEW_ENV is dev also from `.env`.
                Unless it is dev, they must be fit for production.

        Raises:
            SchemaError: as `build`.
            StartupError: a setting is missing or wrong, or not fit for production.
        """
        if settings is None:
            settings = Settings.load(self.root, "production")
            if settings.env == "production":
                settings.require_production()
        return self._application(settings)

    def _application(
        self,
        settings: Settings,
        *,
        local_admin: bool = False,
        run_jobs: bool | None = None,
        queues: Collection[str] | None = None,
        follows: bool = True,
    ) -> Application:
        if settings.trusted_only:
            raise StartupError(
                "CLEW_TRUSTED_ONLY is not supported yet.", "Unset it. Otherwise the server would run every document."
            )
        background = Background()
        model, direct_url = self.build()[0], settings.direct_url or self._url_of(settings)
        changes = LoggedChanges(direct_url, logged_tables(model), background, retention=settings.change_seconds)
        notifier = Notifier(direct_url, background)
        engine = self._new_engine(settings, wake=changes.wake, wake_workers=notifier.wake)
        beside = self._new_pool(settings, CONNECTIONS, "clew-live")
        live = LiveQueries(engine, changes, beside, background)
        metrics = Metrics()
        for part in (changes, OldestSnapshot(beside)):
            part.measure(metrics)
        outputs = JobOutputs(
            direct_url,
            lambda size: self._new_pool(settings, size, "clew-output", PLANNER),
            background,
            changes,
            retention=settings.output_seconds,
            most=settings.output_bytes,
        )
        events = ChangeEvents(engine, changes)
        jobs = None
        if model.job_fields:
            runs = settings.run_jobs if run_jobs is None else run_jobs
            declarations = declared_jobs(*self.build())
            crons = cron_jobs(model) if follows else []
            worker = self._worker(settings, outputs, changes, notifier, declarations, queues, crons) if runs else None
            triggers = Triggers(engine, events, direct_url, triggers_of(model)) if runs and model.changes else None
            jobs = JobService(
                background, notifier, worker, triggers, follows=follows, patience=settings.shutdown_seconds
            )
            Depths(beside.fetch).measure(metrics, {one.queue for one in declarations.values()})
            if worker is not None:
                worker.metrics.measure(metrics, declarations.values())
        exports = self._exports(engine, beside, settings)
        pool, root = engine.pool, self.root

        async def check() -> None:
            # Read it on each check: in development, migrations are written after this app was made.
            history = await asyncio.to_thread(load_history, root)
            async with pool.connection() as connection:
                await check_at_head(connection, history)

        def began() -> None:
            self._open = engine, asyncio.get_running_loop()
            changes.keep_short()
            if jobs is not None:
                outputs.keep_short()
                jobs.begin()

        readiness = Readiness(check)
        self._served = Application(
            engine,
            settings,
            readiness,
            background,
            changes,
            live,
            events,
            outputs,
            jobs,
            metrics,
            exports,
            root / "graphql" / OPERATIONS,
            self._routes,
            self._middleware,
            self._authenticate,
            began,
            local_admin,
        )
        self._applications.add(self._served)
        return self._served

    def _worker(
        self,
        settings: Settings,
        outputs: JobOutputs,
        changes: LoggedChanges,
        notifier: Notifier,
        declarations: Mapping[str, JobDeclaration],
        queues: Collection[str] | None,
        crons: Sequence[CronJob],
    ) -> Worker:
        # Handlers take as long as they take, and do not take the connections of requests.
        pool = Pool(
            self._url_of(settings),
            size=settings.job_pool_max,
            wait=_HANDLERS_WAIT,
            statement_timeout=None,
            idle_timeout=None,
            application_name="clew-handlers",
            planner=settings.planner,
        )
        engine = self._engine_on(pool, settings, changes.wake, notifier.wake)
        writer = JobOutputWriter(
            outputs, most_of_chunk=settings.max_chunk_bytes, most_of_attempt=settings.max_output_bytes
        )
        return Worker(
            settings.direct_url or self._url_of(settings),
            pool,
            declarations=declarations,
            handlers=self._jobs,
            run_graphql=graphql_of(engine),
            output=writer,
            queues=queues,
            concurrency=settings.job_concurrency,
            retention=settings.job_seconds,
            crons=crons,
            committed=wake_all(changes.wake, notifier.wake),
            token=notifier.token,
        )

    async def viewer(self, request: HTTPConnection) -> Viewer:
        """Tell who sent a request to a route of the application's own, as `/graphql` tells it.

        The route may be one of `Clew(routes=)`, or one of an app that mounts this one (docs/mounting.md). Tickets for
        the route's path count.

        Args:
            request: the route's Starlette Request or WebSocket.

        Returns:
            the viewer; without credentials the anonymous one.

        Raises:
            ClewError: UNAUTHENTICATED for credentials that are not valid, FORBIDDEN or BAD_USER_INPUT as `/graphql`
                has them. A route may let it pass: the answer has its status.
            StartupError: `asgi` has not been called.
        """
        app = request.scope.get("app")
        if app not in self._applications:
            app = self._served
        if app is None:
            raise StartupError("Nobody can be told apart before `clew.asgi()` is called.", "Mount what it returns.")
        if self._engine_here() is None:
            app.begin()
        try:
            found: Viewer = await app.authenticator.viewer(request.scope, dict(request.scope["headers"]))
        except ClewError as error:
            raise RoutedError(error) from error
        return found

    def compile(self, document: str, variables: Mapping[str, Any] | None = None) -> Compiled:
        """Return the one statement for a query's generated fields.

        Raises:
            ClewError, InvalidDocument: the document is not valid.
        """
        return compiled(self._offline_engine(), document, variables or {})

    async def graphql(
        self, document: str, variables: Mapping[str, Any] | None = None, *, viewer: Viewer
    ) -> dict[str, Any]:
        """Run one operation, for routes, scripts, seeds and tests.

        In a served app and within `running` it uses the open connections. Elsewhere it opens a connection
        and closes it.

        Args:
            document: one query or mutation.
            variables: by name, as JSON has them.
            viewer: the viewer whose rules apply: `viewer(request)` in a route, `Viewer.admin()` for no rules.

        Returns:
            its `data`.

        Raises:
            ClewError: the first of its errors.
            SchemaError, StartupError: as `asgi`, if it opens a connection.
        """
        try:
            engine = self._engine_here()
            if engine is not None:
                return await engine.graphql(document, variables or {}, viewer)
            engine = self._new_engine(Settings.load(self.root, "dev"), size=1)
            try:
                return await engine.graphql(document, variables or {}, viewer)
            finally:
                await engine.pool.close()
        except ClewError as error:
            raise RoutedError(error) from error

    @asynccontextmanager
    async def running(self, settings: Settings | None = None) -> AsyncIterator[None]:
        """Keep connections open for several calls of `graphql` outside of a server: `async with clew.running(): ...`.

        Args:
            settings: default: from the environment and, unless CLEW_ENV is production, `.env`.

        Raises:
            SchemaError: as `build`.
            StartupError: a setting is missing or wrong.
        """
        engine = self._new_engine(settings or Settings.load(self.root, "dev"))
        before, self._open = self._open, (engine, asyncio.get_running_loop())
        try:
            yield
        finally:
            self._open = before
            await engine.pool.close()

    @asynccontextmanager
    async def export(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        viewer: Viewer,
        form: Form,
        progress: Progress | None = None,
    ) -> AsyncIterator[File]:
        """Run an export outside of a server (docs/export.md), for as long as this is entered.

        Args:
            document: one query with one list or groups field.
            variables: by name, as JSON has them.
            viewer: the viewer whose rules apply.
            form: of the file.
            progress: kept up to date.

        Returns:
            the file, whose parts can be iterated over.

        Raises:
            ClewError, InvalidDocument: the export is refused, or fails.
            SchemaError, StartupError: as `asgi`.
        """
        settings = Settings.load(self.root, "dev")
        engine = self._new_engine(settings, size=1)
        exports = Exports(engine, self._new_pool(settings, 1, "clew-export"), Bounds(1, 1, settings.export_seconds))
        try:
            prepared = await exports.prepare(Request(document, variables or {}), viewer, form, own=True)
            async with exports.running(prepared, None, progress=progress) as file:
                yield file
        finally:
            await exports.close()
            await engine.pool.close()

    async def explain(self, document: str, variables: Mapping[str, Any] | None = None, *, viewer: Viewer) -> str:
        """Return the access rules, the plan, the SQL and Postgres' EXPLAIN of an operation for a viewer, as text.

        Raises:
            ClewError: the document is not valid, or the database is not available.
        """
        engine = self._offline_engine()
        try:
            return await explained(engine, document, variables or {}, viewer)
        finally:
            await engine.pool.close()

    def _engine_here(self) -> Engine | None:
        """The engine that serves on the running loop; None where none does."""
        if self._open is None:
            return None
        engine, loop = self._open
        return engine if loop is asyncio.get_running_loop() and not engine.pool.is_closed else None

    def _new_engine(
        self,
        settings: Settings,
        size: int | None = None,
        wake: Callable[[], None] | None = None,
        wake_workers: Callable[[], None] | None = None,
    ) -> Engine:
        pool = self._new_pool(settings, size or settings.pool_max, "clew")
        return self._engine_on(pool, settings, wake, wake_workers)

    def _new_pool(self, settings: Settings, size: int, application_name: str, planner: str | None = None) -> Pool:
        return Pool(
            self._url_of(settings),
            size=size,
            wait=settings.pool_timeout,
            statement_timeout=settings.statement_timeout,
            application_name=application_name,
            planner=planner or settings.planner,
        )

    def _exports(self, engine: Engine, live: Pool, settings: Settings) -> Exports:
        bounds = Bounds(settings.max_exports, settings.max_all_exports, settings.export_seconds)
        pool = self._new_pool(settings, settings.max_all_exports, "clew-export")
        return Exports(engine, pool, bounds, (engine.pool, live))

    def _url_of(self, settings: Settings) -> str:
        url = settings.database_url
        if url is None and settings.env == "dev":
            url = running_url(folder_of(self.root / ".clew"))
        if url is None:
            raise StartupError(
                "DATABASE_URL is not set.", "Set it to postgresql://..., or use `clew dev`, which starts a Postgres."
            )
        return url

    def _offline_engine(self) -> Engine:
        settings = Settings.load(self.root, "dev")
        pool = Pool(settings.database_url or "", size=1, application_name="clew-explain", planner=settings.planner)
        return self._engine_on(pool, settings)

    def _engine_on(
        self,
        pool: Pool,
        settings: Settings,
        wake: Callable[[], None] | None = None,
        wake_workers: Callable[[], None] | None = None,
    ) -> Engine:
        model, schema = self.build()
        limits = Limits(
            tokens=settings.max_tokens,
            depth=settings.max_depth,
            aliases=settings.max_aliases,
            root_fields=settings.max_root_fields,
            directives=settings.max_directives,
            introspection=settings.introspection,
            page=settings.max_page,
            nested_page=settings.max_nested_page,
            cost=settings.max_cost,
            list_items=settings.max_list_items,
            conditions=settings.max_conditions,
            rate=settings.max_rate,
            in_flight=settings.max_in_flight,
            response_bytes=settings.max_response_bytes,
            operations=settings.max_operations,
            sockets=settings.max_sockets,
            live_rate=settings.max_live_rate,
        )
        overrides = {
            role: limit_overrides.model_dump(exclude_none=True) for role, limit_overrides in settings.limits.items()
        }
        cursors = None if settings.secret is None else Cursors(settings.secret.get_secret_value())
        return Engine(
            model,
            schema,
            build_tables(model),
            pool,
            RoleLimits(limits, overrides),
            cursors=cursors,
            hooks=Hooks(schema, self._hooks),
            wake=wake,
            wake_workers=wake_workers,
        )


def development_app(clew: Clew, settings: Settings) -> Application:
    """Return the ASGI app of `clew dev`. A request from this machine without credentials is an admin's.

    Only a process that `clew dev` has started may call this. No setting has this effect.

    Args:
        settings: those of development.

    Raises:
        SchemaError, StartupError: as `Clew.asgi`.
    """
    return clew._application(settings, local_admin=settings.env == "dev")


def worker_app(clew: Clew, settings: Settings, queues: Collection[str] | None, *, follows: bool = True) -> Application:
    """Return the app of a process that runs jobs and serves nothing: enter its lifespan.

    Args:
        queues: only jobs of these queues; None: all.
        follows: whether it queues the jobs of `@on` and `@cron` by itself. A test asks for those of `@on`, by
            `jobs.catch_up`.

    Raises:
        SchemaError, StartupError: as `Clew.asgi`.
    """
    return clew._application(settings, run_jobs=True, queues=queues, follows=follows)
