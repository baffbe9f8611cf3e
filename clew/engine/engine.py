"""A request, top to bottom: prepare, plan, compile, bind, run, answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any

from cachetools import LRUCache
from graphql import FieldNode, GraphQLSchema, OperationType
from graphql.execution.values import VariableValues
from sqlalchemy.ext.asyncio import AsyncEngine

from clew.database.alchemy import OperationConnection, alchemy_engine
from clew.database.errors import ContentionError
from clew.database.pool import Pool
from clew.database.violations import refined
from clew.engine.batches import Place
from clew.engine.document import InvalidDocument, Prepared, prepare
from clew.engine.errors import ResponseTooLargeError, encode, failure, new_request_id, raised, refusal, refused
from clew.engine.flights import Flight, Flights
from clew.engine.idempotency import Repeatable, repeatable
from clew.engine.identity import identity
from clew.engine.operation import RunningOperation
from clew.engine.rates import MemoryRateLimiter, RateLimiter, network
from clew.engine.retries import can_run_again, pauses
from clew.engine.roles import RoleSchema, role_schema, roles_of
from clew.engine.types import Request, Response
from clew.errors import ClewError, Code
from clew.model.types import Entity, Model, RowArgument
from clew.plan.cost import check_cost, largest_cost
from clew.plan.limits import RoleLimits
from clew.plan.paging import order_of_ties, shows_its_keys
from clew.plan.read import plan_query, plan_rows
from clew.plan.types import MOST_BYTES, Identity, ReadPlan, RootMany, RootOne, RootTypeName, RootViewer, Rows
from clew.plan.visible import ADMIN, Access, Sight
from clew.schema.build import Row
from clew.sql.arguments import Claims, usable_claims
from clew.sql.cursors import Cursors
from clew.sql.statement import Statement, WriteStatements, compile_held, compile_order, compile_read, compile_rows
from clew.sql.tables import Tables
from clew.viewer import Viewer

# Characters of documents kept prepared. A prepared document takes some 50 times its text.
_CACHE_CHARACTERS = 1024 * 1024
# Plans kept for one document: its variables may come in many shapes.
_SHAPES = 32
# Statements kept for one document's fields that are the user's own and entities.
_ROWS = 64
# Statements for `@row`, and for the order of what a bulk write returns, that are kept.
_JUDGEMENTS = 256
# Role sets whose schemas are kept.
_ROLE_SETS = 64
# Operations that run within one another: resolvers that ask for themselves must come to an end.
_MOST_WITHIN = 10


@dataclass(frozen=True, slots=True)
class Executable:
    """A plan with its statement.

    `pieces` are the constant bytes between the values of a pass-through response. `most_cost`:
    the limit of cost, where the values of variables decide whether the plan is within it.
    """

    plan: ReadPlan
    statement: Statement | None
    pieces: tuple[bytes, ...] = ()
    most_cost: int | None = None


class Engine:
    """Runs operations against one version of the schema; immutable but for its caches.

    Args:
        schema: of everything, resolvers bound.
        cursors: seals those of connections; None: with a key that only this engine knows.
        rates: counts the operations of clients; default: in this process.
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
    ) -> None:
        self.model = model
        self.schema = schema
        self.tables = tables
        self.pool = pool
        self.limits = limits
        self.cursors = cursors or Cursors(secrets.token_hex(32))
        self.flights = Flights(pool.wait)
        self._alchemy: AsyncEngine = alchemy_engine(pool)
        self._access = Access(model)
        self._known_roles = self._access.roles() | limits.roles
        self.rates = rates or MemoryRateLimiter()
        self._admin = role_schema(self._access, model, schema, ADMIN, limits)
        self._roles: LRUCache[Sight, RoleSchema] = LRUCache(_ROLE_SETS)
        self._building = asyncio.Lock()
        self.writes = WriteStatements(model, tables, self.cursors)
        self._held: LRUCache[tuple[Sight, tuple[RowArgument, ...]], Statement] = LRUCache(_JUDGEMENTS)
        self._listed: LRUCache[tuple[Sight, str], Statement] = LRUCache(_JUDGEMENTS)
        self._documents: LRUCache[tuple[RoleSchema, str, str | None, bool], Prepared] = LRUCache(
            _CACHE_CHARACTERS, getsizeof=lambda prepared: prepared.characters + 1024
        )

    @property
    def access(self) -> Access:
        """The compiled rules of the model."""
        return self._access

    async def execute(self, request: Request, viewer: Viewer, flight: Flight | None = None) -> Response:
        """Run one operation for a viewer. Never raises but for cancellation and faults of our own.

        Args:
            flight: counts the operation as under way until the caller ends it, when the answer is sent; without one
                it is until this returns.
        """
        if flight is not None:
            return await self._execute(request, viewer, flight)
        flight = Flight()
        try:
            return await self._execute(request, viewer, flight)
        finally:
            flight.end()

    async def graphql(
        self, document: str, variables: Mapping[str, Any], viewer: Viewer, within: RunningOperation | None = None
    ) -> dict[str, Any]:
        """Run one operation of the application's own; limits on documents are for those of clients.

        Args:
            within: the operation whose resolver asks: its connection serves, and its transaction.

        Returns:
            `data`, as JSON has it.

        Raises:
            ClewError: the first of the errors.
        """
        request = Request(document, variables, id=None if within is None else within.request_id)
        response = await self._execute(request, viewer, own=True, within=within)
        found = json.loads(response.body)
        if response.code is not None:
            raise raised(found["errors"][0])
        data: dict[str, Any] = found["data"]
        return data

    async def _execute(
        self,
        request: Request,
        viewer: Viewer,
        flight: Flight | None = None,
        *,
        own: bool = False,
        within: RunningOperation | None = None,
    ) -> Response:
        try:
            if within is not None and within.depth == _MOST_WITHIN:
                message = f"Operations run within one another: at most {_MOST_WITHIN} levels are allowed."
                raise ClewError(message, code=Code.LIMIT_EXCEEDED)
            role = await self.role(viewer)
            if request.client is not None:
                who = network(request.client) if viewer.id is None else (viewer.id,)
                if role.limits.rate is not None and (wait := self.rates.wait(who, role.limits.rate)):
                    return _rate_limited(request, role.limits.rate, ceil(wait))
                if role.limits.in_flight is not None and flight is not None:
                    try:
                        # Admins without an id are not those that send nothing from the same address.
                        await self.flights.begin(flight, (viewer.is_admin, who), role.limits.in_flight)
                    except ClewError as error:
                        return replace(refusal(error, _request_id(request)), status=429, retry_after=1)
            prepared = self.prepare(role, request.query, request.operation_name, own=own)
            kind = prepared.operation.operation
            if kind is OperationType.SUBSCRIPTION:
                raise ClewError("A subscription cannot be run as a single request.")
            if kind is OperationType.MUTATION and request.queries_only:
                refused_method = ClewError("A mutation must be sent with POST.", hint="Use POST.")
                return replace(refusal(refused_method, _request_id(request)), status=405)
            values = prepared.coerce(request.variables)
            sight, claims = self.sight(role, viewer)
            if kind is OperationType.MUTATION:
                if within is not None and not within.in_transaction:
                    raise ClewError("A query's resolver cannot run a mutation.", hint="Make the field one of Mutation.")
                run = partial(
                    self._running, prepared, values, request, viewer, sight, claims, within, in_transaction=True
                )
                if within is not None:
                    return await self._mutate(run(), within)
                kept = repeatable(request, viewer)
                response = await self._mutate(run(), None, kept)
                for pause in pauses():
                    if not response.contended or not can_run_again(prepared, self.model):
                        break
                    await asyncio.sleep(pause)
                    response = await self._mutate(run(), None, kept)
                return response
            executable = self.executable(prepared, values, sight)
            statement = executable.statement
            bound = {**claims, MOST_BYTES: prepared.limits.response_bytes}
            arguments = [compute(values, bound) for compute in statement.arguments] if statement is not None else []
        except InvalidDocument as invalid:
            return refused(invalid.errors, _request_id(request), invalid.code)
        except ClewError as error:
            return refusal(error, _request_id(request))
        try:
            row: Any = ()
            if statement is not None:
                fetch = self.pool.fetch if within is None else within.connection.fetch
                rows = await fetch(statement.sql, arguments)
                if not rows:
                    assert prepared.limits.response_bytes is not None
                    raise ResponseTooLargeError(prepared.limits.response_bytes)
                (row,) = rows
                if statement.orders:
                    who = claims[Identity()]
                    row = [None if value is None else self.cursors.seal(value, statement.orders, who) for value in row]
        except ClewError as error:
            return failure(error, _request_id(request))
        if executable.pieces:
            return Response(_join(executable, row, viewer))
        operation = self._running(prepared, values, request, viewer, sight, claims, within)
        operation.count(*row)
        try:
            return await operation.run(_root(executable.plan, row, viewer))
        finally:
            if within is None:
                await operation.connection.finish()

    def _running(
        self,
        prepared: Prepared,
        values: VariableValues,
        request: Request,
        viewer: Viewer,
        sight: Sight,
        claims: Claims,
        within: RunningOperation | None,
        *,
        in_transaction: bool = False,
    ) -> RunningOperation:
        return RunningOperation(
            self,
            prepared,
            values,
            request,
            viewer,
            sight,
            claims,
            connection=OperationConnection(self._alchemy, self.pool) if within is None else within.connection,
            request_id=_request_id(request),
            in_transaction=in_transaction or (within is not None and within.in_transaction),
            depth=0 if within is None else within.depth + 1,
        )

    async def role(self, viewer: Viewer) -> RoleSchema:
        """The schema of the viewer's role set; built off the event loop when it is not known yet."""
        if viewer.is_admin:
            return self._admin
        roles: Sight | None = viewer.known.get(self._known_roles)
        if roles is None:
            roles = viewer.known[self._known_roles] = roles_of(viewer, self._known_roles)
        found: RoleSchema | None = self._roles.get(roles)
        return found or await self._role(roles)

    async def _role(self, roles: Sight) -> RoleSchema:
        async with self._building:
            found: RoleSchema | None = self._roles.get(roles)
            if found is None:
                found = await asyncio.to_thread(role_schema, self._access, self.model, self.schema, roles, self.limits)
                self._roles[roles] = found
        return found

    def sight(self, role: RoleSchema, viewer: Viewer) -> tuple[Sight, Claims]:
        """What of the viewer goes into a plan, and the values of the claims with the viewer's `Identity`."""
        known = (role.sight, role.claims)
        found: tuple[Sight, Claims] | None = viewer.known.get(known)
        if found is None:
            claims = usable_claims(role.claims, {**viewer.claims, "sub": viewer.id})
            sight = replace(role.sight, usable=frozenset(claims))
            bound: Claims = {**claims, Identity(): identity(viewer, sight, claims)}
            found = viewer.known[known] = sight, bound
        return found

    def prepare(self, role: RoleSchema, query: str, operation_name: str | None, *, own: bool = False) -> Prepared:
        """The validated operation of a document, from the cache if it is there.

        Args:
            own: whether the application itself brings it; the limits on documents are for those of clients.

        Raises:
            InvalidDocument, ClewError: as `clew.engine.document.prepare`.
        """
        key = (role, query, operation_name, own)
        prepared = self._documents.get(key)
        if prepared is None:
            limits = role.limits.for_own() if own else role.limits
            prepared = prepare(role.schema, query, operation_name, limits, hide_suggestions=not role.sight.admin)
            if len(query) < _CACHE_CHARACTERS // 16:
                self._documents[key] = prepared
        return prepared

    def executable(self, prepared: Prepared, values: VariableValues, sight: Sight) -> Executable:
        """The plan and statement for these variables' shape, from the cache if they are there.

        Raises:
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED for what costs too much.
        """
        shape = (sight.usable, prepared.shape(values) if prepared.variables else ())
        executable: Executable | None = prepared.executables.get(shape)
        if executable is None:
            try:
                executable = self._compile(prepared, values, sight)
            except RecursionError:
                raise ClewError("The operation's input is nested too deeply.", code=Code.LIMIT_EXCEEDED) from None
            if len(prepared.executables) >= _SHAPES:
                prepared.executables.pop(next(iter(prepared.executables)))
            prepared.executables[shape] = executable
        elif executable.most_cost is not None:
            check_cost(executable.plan, values.coerced, executable.most_cost)
        return executable

    def _compile(self, prepared: Prepared, values: VariableValues, sight: Sight) -> Executable:
        plan = plan_query(
            self._access,
            prepared.schema,
            prepared.operation,
            prepared.fragments,
            values.coerced,
            sight,
            prepared.limits,
        )
        most = prepared.limits.cost
        if most is not None and largest_cost(plan) <= most:
            most = None
        if most is not None:
            check_cost(plan, values.coerced, most)
        statement = None
        if plan.reads:
            is_bounded = prepared.limits.response_bytes is not None
            statement = compile_read(plan, self.model, self.tables, self.cursors, is_bounded=is_bounded)
        return Executable(plan, statement, _pieces(plan) if plan.passthrough else (), most)

    def rows(
        self,
        prepared: Prepared,
        values: VariableValues,
        sight: Sight,
        entity: Entity,
        place: Place,
        nodes: Sequence[FieldNode],
    ) -> Statement:
        """The statement that reads rows by given keys for a field of the user's own, from the cache if it is there.

        Args:
            place: where in the operation the field stands.
            nodes: the field's.

        Raises:
            ClewError: BAD_USER_INPUT from planning.
        """
        key = (sight.usable, prepared.shape(values) if prepared.variables else (), place)
        statement: Statement | None = prepared.rows.get(key)
        if statement is None:
            read = plan_rows(
                self._access,
                prepared.schema,
                entity,
                tuple(nodes),
                prepared.fragments,
                values.coerced,
                sight,
                prepared.limits,
            )
            is_bounded = prepared.limits.response_bytes is not None
            statement = compile_rows(read, self.model, self.tables, self.cursors, is_bounded=is_bounded)
            if len(prepared.rows) >= _ROWS:
                prepared.rows.pop(next(iter(prepared.rows)))
            prepared.rows[key] = statement
        return statement

    def held(self, sight: Sight, rows: tuple[RowArgument, ...]) -> Statement:
        """The statement that judges keys given for `@row` arguments, from the cache if it is there."""
        key = (sight, rows)
        statement = self._held.get(key)
        if statement is None:
            checks = {row.argument: self._access.held(self.model.entity(row.entity), sight, row.to) for row in rows}
            statement = self._held[key] = compile_held(checks, self.model, self.tables, self.cursors)
        return statement

    def listed(self, sight: Sight, entity: Entity) -> Statement | None:
        """The statement that puts given keys in the order in which lists have their rows; None for that of the keys."""
        visible = self._access.visible(entity, sight)
        if shows_its_keys(visible):
            return None
        statement = self._listed.get((sight, entity.name))
        if statement is None:
            rows = Rows(visible, order=order_of_ties(visible))
            statement = compile_order(rows, self.model, self.tables, self.cursors)
            self._listed[sight, entity.name] = statement
        return statement

    async def _mutate(
        self, operation: RunningOperation, within: RunningOperation | None, kept: Repeatable | None = None
    ) -> Response:
        """Run all root fields in one transaction; any error rolls back and makes `data` null."""
        connection = operation.connection
        try:
            if within is not None:
                # Savepoints end in the order in which they began: those of sibling resolvers must not overlap.
                async with within.mutating:
                    return await self._in_transaction(operation, None, is_savepoint=True)
            try:
                return await self._in_transaction(operation, kept, is_savepoint=False)
            finally:
                await connection.finish()
        except ClewError as error:
            response = failure(refined(error, self.tables, operation.schema), operation.request_id)
            return replace(response, contended=isinstance(error, ContentionError))

    async def _in_transaction(
        self, operation: RunningOperation, kept: Repeatable | None, *, is_savepoint: bool
    ) -> Response:
        connection = operation.connection
        async with connection.raw() as raw:
            # Whatever the database's default: each statement sees what others have committed before it, and locks
            # what it has seen. Savepoints are as the transaction is.
            transaction = raw.transaction(isolation=None if is_savepoint else "read_committed")
            await transaction.start()
        try:
            found = None if kept is None else await kept.claim(connection, operation.request_id)
            response = found or await operation.run(Row(), all_or_nothing=True)
            if kept is not None and found is None and response.code is None:
                await kept.store(connection, response)
        except BaseException:
            # A broken connection cannot be rolled back, and needs not be.
            with suppress(ClewError):
                async with connection.raw(wait=is_savepoint):
                    await transaction.rollback()
            raise
        # What a resolver has started and forgotten is not waited for.
        async with connection.raw(wait=is_savepoint):
            if response.code is not None:
                await transaction.rollback()
            else:
                await transaction.commit()
        return response


def _rate_limited(request: Request, rate: int, seconds: int) -> Response:
    error = ClewError(
        f"Too many operations: at most {rate} a minute are allowed.",
        code=Code.RATE_LIMITED,
        hint=f"Try again in {seconds} s.",
    )
    return replace(refusal(error, _request_id(request)), retry_after=seconds)


def _request_id(request: Request) -> str:
    return request.id or new_request_id()


def _viewer_fields(viewer: Viewer, root: RootViewer) -> dict[str, Any]:
    values = {"id": viewer.id, "roles": sorted(viewer.roles), "__typename": "Viewer"}
    return {alias: values[name] for alias, name in root.fields}


def _pieces(plan: ReadPlan) -> tuple[bytes, ...]:
    """The bytes around the values of a pass-through response: one more than there are values."""
    pieces: list[bytes] = []
    text = '{"data":{'
    for index, root in enumerate(plan.roots):
        text += ("," if index else "") + f'"{root.key}":'
        if isinstance(root, RootTypeName):
            text += f'"{root.name}"'
        else:
            pieces.append(text.encode())
            text = ""
    pieces.append((text + "}}").encode())
    return tuple(pieces)


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


def _root(plan: ReadPlan, row: Any, viewer: Viewer) -> Row:
    """What the executor's generated root fields resolve from: their values by response key."""
    root = Row()
    index = 0
    for field in plan.roots:
        if isinstance(field, RootOne | RootMany):
            text = row[index]
            root[field.key] = None if text is None else json.loads(text, object_hook=Row)
            index += 1
        elif isinstance(field, RootViewer):
            root[field.key] = Row(_viewer_fields(viewer, field))
    return root
