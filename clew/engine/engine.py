"""Run one operation from start to end: open, prepare, plan, run. The result is an `Outcome`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

from cachetools import LRUCache
from graphql import GraphQLSchema, OperationType
from sqlalchemy.ext.asyncio import AsyncEngine

from clew.access.sight import ADMIN, Sight
from clew.access.types import Identity
from clew.access.visible import Access
from clew.database.alchemy import OperationConnection, alchemy_engine
from clew.database.errors import ContentionError
from clew.database.pool import Pool
from clew.database.violations import refined
from clew.document.limits import RoleLimits
from clew.document.prepare import InvalidDocument, Prepared
from clew.engine.flights import Flight, Flights, TooManyInFlightError
from clew.engine.idempotency import Repeatable
from clew.engine.identity import identity
from clew.engine.operation import Enclosing, OwnTransaction, RunningOperation, RunWithin
from clew.engine.outcome import (
    NotStreamedError,
    Outcome,
    QueriesOnlyError,
    RateLimitedError,
    ResponseTooLargeError,
    RunsPythonError,
    encode,
    failure,
    new_request_id,
    raised,
    refusal,
    refused,
)
from clew.engine.rates import MemoryRateLimiter, RateLimiter, network
from clew.engine.retries import can_run_again, with_retries
from clew.engine.statements import Statements
from clew.engine.types import Begun, Executable, Ready, Request, Session
from clew.engine.witness import Recorder
from clew.errors import ClewError, Code, InvalidOwnOperationError
from clew.metrics import Metrics
from clew.model.types import Model
from clew.plan.types import ReadPlan, RootMany, RootOne, RootViewer
from clew.schema.build import Row
from clew.schema.roles import RoleSchema, role_schema, roles_of
from clew.sql.arguments import Claims, usable_claims
from clew.sql.cursors import Cursors
from clew.sql.statement import Statement
from clew.sql.tables import Tables
from clew.viewer import Viewer
from clew.writes.hooks import Hooks

# How many role sets keep their schema in the cache.
_ROLE_SETS = 64
# How deep operations may nest. Without a limit, a resolver that runs its own field would never end.
_MOST_WITHIN = 10


class Engine:
    """Run operations against one version of the schema. Immutable, except for its caches.

    A transport passes a `Request` and a `Viewer` to `execute`. It sends the `Outcome` as `encoded` encodes it. Other
    callers take the steps themselves: `open` a session, `statements.prepare` the document, `statements.ready` it.

    Args:
        schema: the full schema, with resolvers bound.
        cursors: seals the cursors of connections; None: with a key that only this engine knows.
        rates: counts the operations of each client; None: in this process.
        hooks: those of the application; None: it has none.
        wake: called when a transaction has committed that may have changed rows; None: nobody wants to know.
        wake_workers: the same, for a transaction that has queued or changed jobs.
    """

    def __init__(
        self,
        model: Model,
        schema: GraphQLSchema,
        tables: Tables,
        pool: Pool,
        limits: RoleLimits,
        rates: RateLimiter | None = None,
        cursors: Cursors | None = None,
        hooks: Hooks | None = None,
        wake: Callable[[], None] | None = None,
        wake_workers: Callable[[], None] | None = None,
    ) -> None:
        self.model = model
        self.schema = schema
        self.pool = pool
        self.limits = limits
        self.hooks = hooks or Hooks(schema)
        self._wake = wake or (lambda: None)
        self._wake_workers = wake_workers or (lambda: None)
        self.statements = Statements(model, tables, cursors or Cursors(secrets.token_hex(32)))
        self.flights = Flights(pool.wait)
        self._has_floats = any(c.type.name == "Float" for entity in model.entities.values() for c in entity.columns)
        self.rates = rates or MemoryRateLimiter()
        self._alchemy: AsyncEngine = alchemy_engine(pool)
        self._known_roles = self.access.rules.roles() | limits.roles
        self._admin = role_schema(self.access, model, schema, ADMIN, limits)
        self._roles: LRUCache[frozenset[str], RoleSchema] = LRUCache(_ROLE_SETS)
        self._building = asyncio.Lock()

    @property
    def access(self) -> Access:
        """Return the compiled rules of the model."""
        return self.statements.access

    def measure(self, metrics: Metrics) -> None:
        """Show what operations are under way, and the use of the pool."""
        self.flights.measure(metrics)
        self.pool.measure(metrics, "requests")

    def execute(
        self, request: Request, viewer: Viewer, flight: Flight | None = None, witness: Recorder | None = None
    ) -> Coroutine[Any, Any, Outcome]:
        """Run one operation for a viewer. Raise only on cancellation, and on faults in Clew itself.

        Args:
            flight: counts the operation as under way until the caller ends the flight, once the answer is sent.
                None: the operation counts until this method returns.
            witness: receives a report of what a mutation does, and why it is refused.
        """
        if flight is not None:
            return self._execute(request, viewer, flight, witness=witness)
        return self._execute_alone(request, viewer, witness)

    async def _execute_alone(self, request: Request, viewer: Viewer, witness: Recorder | None) -> Outcome:
        flight = Flight()
        try:
            return await self._execute(request, viewer, flight, witness=witness)
        finally:
            flight.end()

    async def encoded(self, outcome: Outcome) -> bytes:
        """Return the response as JSON."""
        data = outcome.data if isinstance(outcome.data, bytes) else await self._data(outcome)
        errors = await self.statements.encoded(outcome.errors) if outcome.errors else b""
        return outcome.response(errors, data)

    async def _data(self, outcome: Outcome) -> bytes:
        return outcome.data if isinstance(outcome.data, bytes) else await self.statements.encoded(outcome.data)

    async def graphql(
        self, document: str, variables: Mapping[str, Any], viewer: Viewer, within: Enclosing | None = None
    ) -> dict[str, Any]:
        """Run one operation that the application itself sends. Limits on documents bind clients only.

        Args:
            within: the operation whose resolver sends this one, or a transaction. Both share its connection and its
                transaction.

        Returns:
            `data`, as plain JSON values.

        Raises:
            InvalidOwnOperationError: the document does not parse or is not valid for the viewer.
            ClewError: the first error of the response.
        """
        request = Request(document, variables, id=None if within is None else within.request_id)
        outcome = await self._execute(request, viewer, own=True, within=within)
        error = raised(outcome)
        if error is not None and error.code in (Code.GRAPHQL_PARSE_FAILED, Code.GRAPHQL_VALIDATION_FAILED):
            raise InvalidOwnOperationError(error.message, error.code, is_system=viewer.is_admin)
        if error is not None:
            raise error
        found: Any = outcome.data
        read = self.statements.decoded if isinstance(found, bytes) else self.statements.plain
        data: dict[str, Any] = await read(found)
        return data

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[OwnTransaction]:
        """Open a transaction of the application's own, for statements on its connection and operations within it.

        It commits at the end, or rolls back if the block raises.

        Raises:
            ClewError: as `Pool.fetch`.
        """
        connection = OperationConnection(self._alchemy, self.pool)
        try:
            async with connection.raw() as raw:
                transaction = raw.transaction(isolation="read_committed")
                await transaction.start()
            try:
                yield OwnTransaction(connection)
            except BaseException:
                # A broken connection cannot roll back, and need not.
                with suppress(ClewError):
                    async with connection.raw(wait=False):
                        await transaction.rollback()
                raise
            async with connection.raw(wait=False):
                await transaction.commit()
            self._committed(connection)
        finally:
            await connection.finish()

    async def open(self, viewer: Viewer) -> Session:
        """Return a session: the viewer, its schema, and the values its plans and statements depend on."""
        return self._session(await self.role(viewer), viewer)

    async def _execute(
        self,
        request: Request,
        viewer: Viewer,
        flight: Flight | None = None,
        *,
        own: bool = False,
        within: Enclosing | None = None,
        witness: Recorder | None = None,
    ) -> Outcome:
        begun = await self._begun(request, viewer, flight, own=own, within=within)
        return begun if isinstance(begun, Outcome) else await self.finish(begun, request, within, witness)

    async def begin(self, request: Request, viewer: Viewer, flight: Flight | None) -> Begun | Outcome:
        """Take an operation as far as to its execution: `finish` executes it, unless it is a subscription.

        Args:
            flight: counts the operation as under way until the caller ends the flight.

        Returns:
            the operation, or the outcome that refuses it.
        """
        return await self._begun(request, viewer, flight, subscribes=True)

    async def _begun(
        self,
        request: Request,
        viewer: Viewer,
        flight: Flight | None,
        *,
        own: bool = False,
        within: Enclosing | None = None,
        subscribes: bool = False,
    ) -> Begun | Outcome:
        try:
            if within is not None and within.depth == _MOST_WITHIN:
                message = f"Operations are nested too deeply: at most {_MOST_WITHIN} levels are allowed."
                raise ClewError(message, code=Code.LIMIT_EXCEEDED)
            prepared, session = await self.admitted(request, viewer, flight, own=own)
            kind = prepared.kind
            if flight is not None:
                flight.kind = kind.value
            if kind is OperationType.SUBSCRIPTION and not subscribes:
                raise NotStreamedError
            if kind is OperationType.MUTATION and request.queries_only:
                raise QueriesOnlyError
            ready = await self.statements.ready(prepared, request.variables, session, is_short=request.is_short)
            return Begun(prepared, ready, session)
        except InvalidDocument as invalid:
            return refused(invalid.errors, _request_id(request), invalid.code)
        except ClewError as error:
            return refusal(error, _request_id(request))

    async def admitted(
        self, request: Request, viewer: Viewer, flight: Flight | None, *, own: bool = False
    ) -> tuple[Prepared, Session]:
        """Count an operation, and return it validated.

        Args:
            flight: counts it as under way until the caller ends the flight.
            own: whether the application itself sends it. Limits on documents bind clients only.

        Raises:
            RateLimitedError, TooManyInFlightError: the viewer exceeds a limit.
            InvalidDocument, ClewError: as `Statements.prepare`.
        """
        role = await self.role(viewer)
        if request.client is not None:
            await self._admit(request.client, viewer, role, flight)
        asked = (role, request.query, request.operation_name, own)
        prepared = self.statements.known(*asked) or await self.statements.prepared(*asked)
        return prepared, self._session(role, viewer)

    def finish(
        self,
        begun: Begun,
        request: Request,
        within: Enclosing | None = None,
        witness: Recorder | None = None,
    ) -> Awaitable[Outcome]:
        """Execute a query or mutation that has begun."""
        prepared, ready, session = begun.prepared, begun.ready, begun.session
        if prepared.kind is OperationType.QUERY:
            return self.query(prepared, ready, request, session, within)
        return self._mutation(prepared, ready, request, session, within, witness)

    async def _admit(self, client: str, viewer: Viewer, role: RoleSchema, flight: Flight | None) -> None:
        """Count an operation towards the viewer's rate, and among its operations under way.

        Raises:
            RateLimitedError, TooManyInFlightError: the viewer exceeds a limit.
        """
        limits = role.limits
        who = _counted(client, viewer)
        if limits.rate is not None and (wait := self.rates.wait(who, limits.rate)):
            raise RateLimitedError(limits.rate, ceil(wait))
        if limits.in_flight is not None and flight is not None:
            await self.flights.begin(flight, (viewer.is_admin, who), limits.in_flight)

    def source(self, begun: Begun, request: Request) -> RunningOperation:
        """Return the operation that the source of a custom subscription runs in.

        What the source runs by its context is an operation of its own, so nothing is held while the source waits.
        """

        async def apart(
            document: str, variables: Mapping[str, Any], viewer: Viewer, _within: Enclosing
        ) -> dict[str, Any]:
            return await self.graphql(document, variables, viewer)

        return self._running(begun.prepared, begun.ready, request, begun.session, None, graphql=apart)

    async def event(self, begun: Begun, request: Request, event: Any) -> Outcome:
        """Execute a custom subscription for one event of its source, as an operation of its own.

        It waits while the viewer has as many operations under way as it may have.
        """
        most, flight = begun.prepared.limits.in_flight, Flight()
        while most is not None and request.client is not None and flight.flights is None:
            with suppress(TooManyInFlightError):
                await self.flights.begin(flight, counted_apart(request.client, begun.session.viewer), most)
        operation = self._running(begun.prepared, begun.ready, request, begun.session, None)
        try:
            return await operation.run(event, is_event=True)
        finally:
            await operation.connection.finish()
            flight.end()

    async def query(
        self,
        prepared: Prepared,
        ready: Ready,
        request: Request,
        session: Session,
        within: Enclosing | None = None,
    ) -> Outcome:
        """Run an operation of reads that is planned and bound."""
        executable = ready.executable
        assert executable is not None
        statement = executable.statement
        try:
            row: Any = ()
            if statement is not None:
                fetch = self.pool.fetch if within is None else within.connection.fetch
                rows = await fetch(statement.sql, ready.arguments)
                if not rows:
                    assert prepared.limits.response_bytes is not None
                    raise ResponseTooLargeError(prepared.limits.response_bytes)
                (row,) = rows
                row = self._sealed(statement, row, session)
        except ClewError as error:
            return failure(error, _request_id(request))
        if not self.must_complete(executable, row):
            return Outcome(_join(executable, row, session.viewer))
        ready.tree = ready.tree or await self.statements.tree(prepared)
        operation = self._running(prepared, ready, request, session, within)
        operation.count(*row)
        try:
            return await operation.run(await self._root(executable.plan, row, session.viewer))
        finally:
            # Reading the root may have failed.
            operation.large.end()
            if within is None:
                # Outside a mutation each statement of a resolver commits by itself.
                may_have_written = operation.connection.is_taken
                await operation.connection.finish()
                if may_have_written:
                    self._wake()

    def must_complete(self, executable: Executable, row: Sequence[bytes | None]) -> bool:
        """Return whether the executor must complete the answer of a statement."""
        return not executable.pieces or (self._has_floats and any(map(_may_be_no_float, row)))

    def joined(self, executable: Executable, row: Sequence[bytes | None], session: Session) -> bytes:
        """Return the response that an answer of a statement is, where the executor need not complete it."""
        if executable.statement is not None:
            row = self._sealed(executable.statement, row, session)
        data = _join(executable, row, session.viewer)
        return Outcome(data).response(b"", data)

    def _sealed(self, statement: Statement, row: Any, session: Session) -> Any:
        if not statement.orders:
            return row
        who, seal = session.claims[Identity()], self.statements.cursors.seal
        return [None if value is None else seal(value, statement.orders, who) for value in row]

    async def _root(self, plan: ReadPlan, row: Any, viewer: Viewer) -> Row:
        """Return the values of the generated root fields, by response key, for the executor."""
        root = Row()
        index = 0
        for field in plan.roots:
            if isinstance(field, RootOne | RootMany):
                text = row[index]
                root[field.key] = None if text is None else await self.statements.decoded(text)
                index += 1
            elif isinstance(field, RootViewer):
                root[field.key] = Row(_viewer_fields(viewer, field))
        return root

    def _running(
        self,
        prepared: Prepared,
        ready: Ready,
        request: Request,
        session: Session,
        within: Enclosing | None,
        *,
        in_transaction: bool = False,
        witness: Recorder | None = None,
        graphql: RunWithin | None = None,
    ) -> RunningOperation:
        return RunningOperation(
            self.statements,
            prepared,
            ready,
            request,
            session,
            connection=OperationConnection(self._alchemy, self.pool) if within is None else within.connection,
            request_id=_request_id(request),
            in_transaction=in_transaction or (within is not None and within.in_transaction),
            depth=0 if within is None else within.depth + 1,
            graphql=graphql or self.graphql,
            hooks=self.hooks,
            witness=witness,
        )

    async def role(self, viewer: Viewer) -> RoleSchema:
        """Return the schema of the viewer's role set. Build a new one in a thread, not on the event loop."""
        if viewer.is_admin:
            return self._admin
        roles: Sight | None = viewer.known.get(self._known_roles)
        if roles is None:  # alike if true: a cache
            roles = viewer.known[self._known_roles] = roles_of(viewer, self._known_roles)
        found: RoleSchema | None = self._roles.get(roles.roles)
        return found or await self._role(roles)  # alike without `found`: a cache

    async def _role(self, roles: Sight) -> RoleSchema:
        async with self._building:
            found: RoleSchema | None = self._roles.get(roles.roles)
            if found is None:
                found = await asyncio.to_thread(role_schema, self.access, self.model, self.schema, roles, self.limits)
                self._roles[roles.roles] = found
        return found

    def _session(self, role: RoleSchema, viewer: Viewer) -> Session:
        known = (role.sight.admin, role.sight.roles, role.claims)
        found: tuple[Sight, Claims] | None = viewer.known.get(known)
        if found is None:
            claims = usable_claims(role.claims, {**viewer.claims, "sub": viewer.id})
            sight = replace(role.sight, usable=frozenset(claims))
            bound: Claims = {**claims, Identity(): identity(viewer, sight, claims)}
            found = viewer.known[known] = sight, bound
        return Session(viewer, role, *found)

    async def rehearse(self, request: Request, viewer: Viewer, witness: Recorder) -> Outcome:
        """Run a mutation of generated fields as `execute` does, then always roll it back.

        Raises:
            InvalidDocument, ClewError: it cannot run; BAD_USER_INPUT if it has fields that the application resolves.
        """
        session = await self.open(viewer)
        prepared = await self.statements.prepared(session.role, request.query, request.operation_name, False)
        if not can_run_again(prepared, self.model):
            raise RunsPythonError("Leave out the fields that are not generated.")
        ready = await self.statements.ready(prepared, request.variables, session)
        operation = self._running(prepared, ready, request, session, None, in_transaction=True, witness=witness)
        witness.explain = operation.connection.fetch
        return await self._mutate(operation, None, is_rehearsal=True)

    async def _mutation(
        self,
        prepared: Prepared,
        ready: Ready,
        request: Request,
        session: Session,
        within: Enclosing | None,
        witness: Recorder | None,
    ) -> Outcome:
        run = partial(self._running, prepared, ready, request, session, within, in_transaction=True, witness=witness)
        try:
            if within is not None and not within.in_transaction:
                raise ClewError("A query's resolver cannot run a mutation.", hint="Move the field to Mutation.")
            if within is not None:
                return await self._mutate(run(), within)
            kept = await self.statements.repeatable(request, session.viewer, ready)
            return await with_retries(
                lambda: self._mutate(run(), None, kept),
                lambda: can_run_again(prepared, self.model),
                witness.restart if witness is not None else lambda: None,
            )
        except ClewError as error:
            return refusal(error, _request_id(request))

    async def _mutate(
        self,
        operation: RunningOperation,
        within: Enclosing | None,
        kept: Repeatable | None = None,
        *,
        is_rehearsal: bool = False,
    ) -> Outcome:
        """Run all root fields in one transaction. Any error rolls it back and makes `data` null.

        Args:
            is_rehearsal: roll back even without an error.
        """
        connection = operation.connection
        try:
            if within is not None:
                # Savepoints nest, so those of sibling resolvers must not overlap.
                async with within.mutating:
                    return await self._in_transaction(operation, None, is_savepoint=True)
            try:
                return await self._in_transaction(operation, kept, is_savepoint=False, is_rehearsal=is_rehearsal)
            finally:
                await connection.finish()
        except ClewError as error:
            outcome = failure(refined(error, self.statements.tables, operation.schema), operation.request_id)
            outcome.contended = isinstance(error, ContentionError) and not operation.ran_hooks
            return outcome

    async def _in_transaction(
        self,
        operation: RunningOperation,
        kept: Repeatable | None,
        *,
        is_savepoint: bool,
        is_rehearsal: bool = False,
    ) -> Outcome:
        connection = operation.connection
        async with connection.raw() as raw:
            # Set the level, whatever the database's default. Each statement must see what others committed before
            # it, and lock the rows it saw. A savepoint has the level of its transaction.
            transaction = raw.transaction(isolation=None if is_savepoint else "read_committed")
            await transaction.start()
        try:
            found = None if kept is None else await kept.claim(connection, operation.request_id)
            outcome = found or await operation.run(Row(), all_or_nothing=True)
            if kept is not None and found is None and not outcome.errors:
                await kept.store(connection, await self._data(outcome))
            if is_rehearsal and not outcome.errors:
                # A commit would check the deferred constraints.
                await connection.fetch("SET CONSTRAINTS ALL IMMEDIATE", ())
        except BaseException:
            # A broken connection cannot roll back, and need not.
            with suppress(ClewError):
                async with connection.raw(wait=is_savepoint):
                    await transaction.rollback()
            raise
        # Do not wait for tasks that a resolver started but did not await.
        async with connection.raw(wait=is_savepoint):
            if outcome.errors or is_rehearsal:
                await transaction.rollback()
            else:
                await transaction.commit()
                if not is_savepoint:
                    self._committed(connection)
        return outcome

    def _committed(self, connection: OperationConnection) -> None:
        """Tell those who wait for changes."""
        self._wake()
        if connection.changes_jobs:
            self._wake_workers()


def _counted(client: str, viewer: Viewer) -> Hashable:
    """Return the key that a viewer's operations are counted by: its id, or the network of one without an id."""
    return network(client) if viewer.id is None else (viewer.id,)


def counted_apart(client: str, viewer: Viewer) -> Hashable:
    """Return a key that counts an admin without an id apart from an anonymous viewer at the same address."""
    return viewer.is_admin, _counted(client, viewer)


def _may_be_no_float(value: bytes | None) -> bool:
    """Return whether the answer may hold a Float that is NaN or infinite. Then the executor checks each one.

    https://spec.graphql.org/draft/#sec-Float.Result-Coercion
    """
    return value is not None and (b'"NaN"' in value or b'Infinity"' in value)


def _request_id(request: Request) -> str:
    return request.id or new_request_id()


def _viewer_fields(viewer: Viewer, root: RootViewer) -> dict[str, Any]:
    values = {"id": viewer.id, "roles": sorted(viewer.roles), "__typename": "Viewer"}
    return {alias: values[name] for alias, name in root.fields}


def _join(executable: Executable, row: Any, viewer: Viewer) -> bytes:
    values: list[bytes] = []
    index = 0
    for root in executable.plan.roots:
        if isinstance(root, RootOne | RootMany):
            values.append(row[index] or b"null")
            index += 1
        elif isinstance(root, RootViewer):
            values.append(encode(_viewer_fields(viewer, root)))
    pieces = executable.pieces
    parts = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        parts += (value, piece)
    return b"".join(parts)
