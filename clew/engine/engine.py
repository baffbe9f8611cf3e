"""A request, top to bottom: prepare, plan, compile, bind, run, answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, wraps
from math import ceil
from typing import Any, ParamSpec, TypeVar

from cachetools import LRUCache
from graphql import FieldNode, GraphQLSchema, OperationType
from graphql.execution.values import VariableValues
from sqlalchemy.ext.asyncio import AsyncEngine

from clew.access.types import MOST_BYTES, Identity, Rows
from clew.access.visible import ADMIN, Access, Sight
from clew.aside import FEW_BYTES, FEW_CHARACTERS, FEW_PARTS, Aside, is_large
from clew.database.alchemy import OperationConnection, alchemy_engine
from clew.database.errors import ContentionError
from clew.database.pool import Pool
from clew.database.violations import refined
from clew.document.limits import RoleLimits
from clew.document.prepare import MOST_KEPT, InvalidDocument, Prepared, prepare
from clew.engine.flights import Flight, Flights
from clew.engine.idempotency import Repeatable, repeatable
from clew.engine.identity import identity
from clew.engine.operation import RunningOperation
from clew.engine.outcome import (
    ResponseTooLargeError,
    encode,
    encode_in_parts,
    failure,
    new_request_id,
    raised,
    refusal,
    refused,
)
from clew.engine.rates import MemoryRateLimiter, RateLimiter, network
from clew.engine.retries import can_run_again, pauses
from clew.engine.types import Request, Response
from clew.errors import ClewError, Code
from clew.exact import exact_float
from clew.model.types import Entity, Model, RowArgument
from clew.plan.cost import check_cost, largest_cost
from clew.plan.paging import order_of_ties, shows_its_keys
from clew.plan.read import plan_query, plan_rows
from clew.plan.types import ReadPlan, RootMany, RootOne, RootTypeName, RootViewer
from clew.plan.weight import BudgetError, check_weight, plan_weight, read_weight
from clew.resolvers.batches import Place
from clew.schema.build import Row
from clew.schema.roles import RoleSchema, role_schema, roles_of
from clew.slices import Slices
from clew.sql.arguments import Claims, usable_claims
from clew.sql.cursors import Cursors
from clew.sql.statement import Statement, WriteStatements, compile_held, compile_order, compile_read, compile_rows
from clew.sql.tables import Tables
from clew.viewer import Viewer

# Bytes of prepared documents that are kept, with what they were compiled to.
_DOCUMENTS = 64 * 1024 * 1024
# Bytes of statements for `@row` that are kept.
_JUDGEMENTS = 4 * 1024 * 1024
# About how many bytes an executable takes beside its statement, and each condition and field of its plan.
_BYTES, _BYTES_A_PART = 2048, 100
# Role sets whose schemas are kept.
_ROLE_SETS = 64
# Operations that run within one another: resolvers that ask for themselves must come to an end.
_MOST_WITHIN = 10


@dataclass(frozen=True, slots=True)
class Executable:
    """A plan with its statement.

    `pieces` are the constant bytes between the values of a pass-through response. `most_cost`:
    the limit of cost, where the values of variables decide whether the plan is within it. `size`: bytes, about.
    """

    plan: ReadPlan
    statement: Statement | None
    pieces: tuple[bytes, ...] = ()
    most_cost: int | None = None
    size: int = 0


# Not frozen, which would cost each request as much as the look into a cache.
@dataclass(slots=True)
class Ready:
    """An operation with its variables.

    `values` are theirs; `shape` is what of them a plan depends on; `large`: there are many of them. `executable` is
    what a query is to run, with its `arguments`; `is_new`: it was not in the cache.
    """

    values: VariableValues
    shape: Any
    large: bool
    executable: Executable | None = None
    arguments: Sequence[Any] = ()
    is_new: bool = False


_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def _not_too_deep(make: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Refuse what is nested more deeply than Python can follow."""

    @wraps(make)
    def made(*given: _Given.args, **options: _Given.kwargs) -> _Made:
        try:
            return make(*given, **options)
        except RecursionError:
            raise ClewError("The operation's input is nested too deeply.", code=Code.LIMIT_EXCEEDED) from None

    return made


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
        self._has_floats = any(c.type.name == "Float" for entity in model.entities.values() for c in entity.columns)
        self._known_roles = self._access.roles() | limits.roles
        self.rates = rates or MemoryRateLimiter()
        self._admin = role_schema(self._access, model, schema, ADMIN, limits)
        self._roles: LRUCache[Sight, RoleSchema] = LRUCache(_ROLE_SETS)
        self._building = asyncio.Lock()
        self.aside = Aside()
        self.slices = Slices()
        self.writes = WriteStatements(model, tables, self.cursors)
        self._held: LRUCache[tuple[Sight, tuple[RowArgument, ...]], Statement] = LRUCache(
            _JUDGEMENTS, getsizeof=lambda statement: statement.size
        )
        self._listed: LRUCache[tuple[Sight, str], Statement] = LRUCache(
            _JUDGEMENTS, getsizeof=lambda statement: statement.size
        )
        self._documents: LRUCache[tuple[RoleSchema, str, str | None, bool], Prepared] = LRUCache(
            _DOCUMENTS, getsizeof=lambda prepared: prepared.weight
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
        found = json.loads(response.body, parse_float=exact_float)
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
            key = (role, request.query, request.operation_name, own)
            prepared: Prepared | None = self._documents.get(key)
            if prepared is None:
                prepared = await self.prepared(role, request.query, request.operation_name, own=own)
            kind = prepared.operation.operation
            if kind is OperationType.SUBSCRIPTION:
                raise ClewError("A subscription cannot be run as a single request.")
            if kind is OperationType.MUTATION and request.queries_only:
                refused_method = ClewError("A mutation must be sent with POST.", hint="Use POST.")
                return replace(refusal(refused_method, _request_id(request)), status=405)
            sight, claims = self.sight(role, viewer)
            ready = await self.ready(prepared, request.variables, sight, claims)
            if kind is OperationType.MUTATION:
                if within is not None and not within.in_transaction:
                    raise ClewError("A query's resolver cannot run a mutation.", hint="Make the field one of Mutation.")
                run = partial(
                    self._running, prepared, ready, request, viewer, sight, claims, within, in_transaction=True
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
        except InvalidDocument as invalid:
            return refused(invalid.errors, _request_id(request), invalid.code)
        except ClewError as error:
            return refusal(error, _request_id(request))
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
                if statement.orders:
                    who = claims[Identity()]
                    row = [None if value is None else self.cursors.seal(value, statement.orders, who) for value in row]
        except ClewError as error:
            return failure(error, _request_id(request))
        if executable.pieces and not (self._has_floats and any(map(_may_be_no_float, row))):
            return Response(_join(executable, row, viewer))
        operation = self._running(prepared, ready, request, viewer, sight, claims, within)
        operation.count(*row)
        try:
            return await operation.run(await self._root(executable.plan, row, viewer))
        finally:
            if within is None:
                await operation.connection.finish()

    async def _root(self, plan: ReadPlan, row: Any, viewer: Viewer) -> Row:
        """What the executor's generated root fields resolve from: their values by response key."""
        root = Row()
        index = 0
        for field in plan.roots:
            if isinstance(field, RootOne | RootMany):
                text = row[index]
                root[field.key] = None if text is None else await self.decoded(text)
                index += 1
            elif isinstance(field, RootViewer):
                root[field.key] = Row(_viewer_fields(viewer, field))
        return root

    async def decoded(self, text: bytes) -> Any:
        """What the database gave as JSON: aside where it is much."""
        if len(text) <= FEW_BYTES:
            return json.loads(text, parse_float=exact_float)
        # The hook is in Python's own words: between them other threads have their turn, which they have not within
        # one call.
        return await self.aside.run(
            partial(json.loads, text, parse_float=exact_float, object_hook=lambda found: found), begun=True
        )

    async def encoded(self, answer: Mapping[str, Any]) -> bytes:
        """A response as JSON: aside where it is much."""
        if not is_large(answer):
            return encode(answer)
        return await self.aside.run(partial(encode_in_parts, answer), begun=True)

    def _running(
        self,
        prepared: Prepared,
        ready: Ready,
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
            ready,
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
            InvalidDocument, ClewError: as `clew.document.prepare.prepare`.
        """
        key = (role, query, operation_name, own)
        return self._documents.get(key) or self._keep(self._prepare(role, query, operation_name, own))

    def _prepare(self, role: RoleSchema, query: str, operation_name: str | None, own: bool) -> Prepared:
        limits = role.limits.for_own() if own else role.limits
        prepared = prepare(role.schema, query, operation_name, limits, hide_suggestions=not role.sight.admin)
        return replace(prepared, key=(role, query, operation_name, own))

    def _keep(self, prepared: Prepared) -> Prepared:
        """Note a document, and what it takes now."""
        if prepared.weight <= MOST_KEPT:
            self._documents[prepared.key] = prepared
        else:
            self._documents.pop(prepared.key, None)
        return prepared

    async def prepared(self, role: RoleSchema, query: str, operation_name: str | None, *, own: bool) -> Prepared:
        """As `prepare`, aside where it takes long."""
        if len(query) <= FEW_CHARACTERS:
            return self.prepare(role, query, operation_name, own=own)
        key = (role, query, operation_name, own)
        work = partial(self._prepare, role, query, operation_name, own)
        return self._keep(await self.aside.run(work, partial(self._documents.get, key)))

    async def ready(self, prepared: Prepared, variables: Mapping[str, Any], sight: Sight, claims: Claims) -> Ready:
        """Coerce the variables; of a query find its plan and statement, and bind them: aside where it takes long.

        Raises:
            InvalidDocument: BAD_USER_INPUT for variables that do not fit.
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED for what costs too much.
        """
        large = not prepared.simple and is_large(variables)
        try:
            if large:
                raise BudgetError
            ready = self._ready(prepared, variables, sight, claims, large, FEW_PARTS)
        except BudgetError:
            ready = await self.aside.run(partial(self._ready, prepared, variables, sight, claims, large, None))
        if ready.is_new:
            prepared.keep(prepared.executables, (sight.usable, ready.shape), ready.executable)
            self._keep(prepared)
        return ready

    def _ready(
        self,
        prepared: Prepared,
        variables: Mapping[str, Any],
        sight: Sight,
        claims: Claims,
        large: bool,
        budget: int | None,
    ) -> Ready:
        values = prepared.coerce(variables)
        shape = prepared.shape(values) if prepared.variables else ()
        if prepared.operation.operation is not OperationType.QUERY:
            return Ready(values, shape, large)
        executable: Executable | None = prepared.executables.get((sight.usable, shape))
        is_new = executable is None
        if executable is None:
            executable = self._compile(prepared, values, sight, budget)
        elif executable.most_cost is not None:
            check_cost(executable.plan, values.coerced, executable.most_cost)
        statement = executable.statement
        bound = {**claims, MOST_BYTES: prepared.limits.response_bytes}
        arguments = [compute(values, bound) for compute in statement.arguments] if statement is not None else ()
        return Ready(values, shape, large, executable, arguments, is_new)

    def executable(self, prepared: Prepared, values: VariableValues, sight: Sight) -> Executable:
        """The plan and statement for these variables' shape, from the cache if they are there.

        Raises:
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED for what costs too much.
        """
        key = (sight.usable, prepared.shape(values) if prepared.variables else ())
        executable: Executable | None = prepared.executables.get(key)
        if executable is None:
            executable = self._compile(prepared, values, sight, None)
            prepared.keep(prepared.executables, key, executable)
            self._keep(prepared)
        elif executable.most_cost is not None:
            check_cost(executable.plan, values.coerced, executable.most_cost)
        return executable

    @_not_too_deep
    def _compile(self, prepared: Prepared, values: VariableValues, sight: Sight, budget: int | None) -> Executable:
        plan = plan_query(
            self._access,
            prepared.schema,
            prepared.operation,
            prepared.fragments,
            values.coerced,
            sight,
            prepared.limits,
            budget,
        )
        most = prepared.limits.cost
        if most is not None and largest_cost(plan) <= most:
            most = None
        if most is not None:
            check_cost(plan, values.coerced, most)
        weight = plan_weight(plan)
        check_weight(weight, prepared.limits.conditions, budget)
        statement = None
        if plan.reads:
            is_bounded = prepared.limits.response_bytes is not None
            statement = compile_read(plan, self.model, self.tables, self.cursors, is_bounded=is_bounded)
        size = _BYTES + _BYTES_A_PART * (weight.conditions + weight.fields)
        size += 0 if statement is None else statement.size
        return Executable(plan, statement, _pieces(plan) if plan.passthrough else (), most, size)

    async def rows(
        self, prepared: Prepared, ready: Ready, sight: Sight, entity: Entity, place: Place, nodes: Sequence[FieldNode]
    ) -> Statement:
        """The statement that reads rows by given keys for a field of the user's own, from the cache if it is there.

        Args:
            place: where in the operation the field stands.
            nodes: the field's.

        Raises:
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED.
        """
        key = (sight.usable, ready.shape, place)
        found: Statement | None = prepared.rows.get(key)
        if found is not None:
            return found
        work = partial(self._rows, prepared, ready, sight, entity, nodes)
        try:
            statement = work(FEW_PARTS)
        except BudgetError:
            statement = await self.aside.run(partial(work, None), partial(prepared.rows.get, key), begun=True)
        prepared.keep(prepared.rows, key, statement)
        self._keep(prepared)
        return statement

    @_not_too_deep
    def _rows(
        self,
        prepared: Prepared,
        ready: Ready,
        sight: Sight,
        entity: Entity,
        nodes: Sequence[FieldNode],
        budget: int | None,
    ) -> Statement:
        read = plan_rows(
            self._access,
            prepared.schema,
            entity,
            tuple(nodes),
            prepared.fragments,
            ready.values.coerced,
            sight,
            prepared.limits,
            budget,
        )
        weight = read_weight(read)
        check_weight(weight, prepared.limits.conditions, budget)
        is_bounded = prepared.limits.response_bytes is not None
        statement = compile_rows(read, self.model, self.tables, self.cursors, is_bounded=is_bounded)
        return replace(statement, conditions=weight.conditions)

    async def bound(self, statement: Statement, ready: Ready, given: Mapping[Any, Any]) -> Sequence[Any]:
        """The arguments of a statement beside the operation's one: aside where its variables are large."""

        def work() -> list[Any]:
            return [compute(ready.values, given) for compute in statement.arguments]

        return await self.aside.run(work, begun=True) if ready.large else work()

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


def _may_be_no_float(value: bytes | None) -> bool:
    """Whether a Float of an answer may be NaN or infinity: the executor then looks at each, and tells which.

    https://spec.graphql.org/draft/#sec-Float.Result-Coercion
    """
    return value is not None and (b'"NaN"' in value or b'Infinity"' in value)


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
