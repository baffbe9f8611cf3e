"""A request, top to bottom: prepare, plan, compile, bind, run, answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import asyncpg
from cachetools import LRUCache
from graphql import ExecutionResult, GraphQLSchema, OperationType, execute
from graphql.execution.values import VariableValues
from graphql.pyutils import is_awaitable
from sqlalchemy.ext.asyncio import AsyncEngine

from clew.database.alchemy import OperationConnection, alchemy_engine
from clew.database.errors import FAULTS, client_error
from clew.database.pool import Pool
from clew.engine.context import Context
from clew.engine.document import InvalidDocument, Prepared, prepare
from clew.engine.errors import encode, failure, formatted, new_request_id, refusal, refused
from clew.engine.rates import MemoryRateLimiter, RateLimiter, network
from clew.engine.roles import RoleSchema, role_schema, roles_of
from clew.engine.types import Request, Response
from clew.errors import ClewError, Code
from clew.model.types import Model
from clew.plan.cost import check_cost, largest_cost
from clew.plan.limits import RoleLimits
from clew.plan.read import plan_query
from clew.plan.types import ReadPlan, RootMany, RootOne, RootTypeName, RootViewer
from clew.plan.visible import Access, Sight
from clew.schema.build import Row
from clew.sql.arguments import Claims, usable_claims
from clew.sql.cursors import Cursors
from clew.sql.statement import Statement, compile_read
from clew.sql.tables import Tables
from clew.viewer import Viewer

# Characters of documents kept prepared. A prepared document takes some 50 times its text.
_CACHE_CHARACTERS = 1024 * 1024
# Plans kept for one document: its variables may come in many shapes.
_SHAPES = 32
# Role sets whose schemas are kept.
_ROLE_SETS = 64


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
        self._alchemy: AsyncEngine = alchemy_engine(pool)
        self._access = Access(model)
        self._known_roles = self._access.roles() | limits.roles
        self.rates = rates or MemoryRateLimiter()
        self._roles: LRUCache[Sight, RoleSchema] = LRUCache(_ROLE_SETS)
        self._building = asyncio.Lock()
        self._documents: LRUCache[tuple[RoleSchema, str, str | None], Prepared] = LRUCache(
            _CACHE_CHARACTERS, getsizeof=lambda prepared: prepared.characters + 1024
        )

    @property
    def access(self) -> Access:
        """The compiled rules of the model."""
        return self._access

    async def execute(self, request: Request, viewer: Viewer) -> Response:
        """Run one operation for a viewer. Never raises but for cancellation and faults of our own."""
        try:
            role = await self.role(viewer)
            if role.limits.rate is not None and request.client is not None:
                who = network(request.client) if viewer.id is None else (viewer.id,)
                wait = self.rates.wait(who, role.limits.rate)
                if wait:
                    return _rate_limited(request, role.limits.rate, ceil(wait))
            prepared = self.prepare(role, request.query, request.operation_name)
            kind = prepared.operation.operation
            if kind is OperationType.SUBSCRIPTION:
                raise ClewError("A subscription cannot be run as a single request.")
            if kind is OperationType.MUTATION and request.queries_only:
                refused_method = ClewError("A mutation must be sent with POST.", hint="Use POST.")
                return replace(refusal(refused_method, _request_id(request)), status=405)
            values = prepared.coerce(request.variables)
            if kind is OperationType.MUTATION:
                return await self._mutate(prepared, request, viewer)
            sight, claims = self.sight(role, viewer)
            executable = self.executable(prepared, values, sight)
            statement = executable.statement
            arguments = [compute(values, claims) for compute in statement.arguments] if statement is not None else []
        except InvalidDocument as invalid:
            return refused(invalid.errors, _request_id(request), invalid.code)
        except ClewError as error:
            return refusal(error, _request_id(request))
        try:
            row: Any = ()
            if statement is not None:
                (row,) = await self.pool.fetch(statement.sql, arguments)
                if statement.orders:
                    row = [None if value is None else self.cursors.seal(value, statement.orders) for value in row]
        except ClewError as error:
            return failure(error, _request_id(request))
        if executable.pieces:
            return Response(_join(executable, row, viewer))
        return await self._resolve(prepared, executable.plan, row, request, viewer)

    async def role(self, viewer: Viewer) -> RoleSchema:
        """The schema of the viewer's role set; built off the event loop when it is not known yet."""
        roles = roles_of(viewer, self._known_roles)
        found: RoleSchema | None = self._roles.get(roles)
        if found is None:
            async with self._building:
                found = self._roles.get(roles)
                if found is None:
                    found = await asyncio.to_thread(
                        role_schema, self._access, self.model, self.schema, roles, self.limits
                    )
                    self._roles[roles] = found
        return found

    def sight(self, role: RoleSchema, viewer: Viewer) -> tuple[Sight, Claims]:
        """What of the viewer goes into a plan, and the values of the claims."""
        if not role.claims:
            return role.sight, {}
        found: tuple[Sight, Claims] | None = viewer.known.get(role)
        if found is None:
            claims = usable_claims(role.claims, {**viewer.claims, "sub": viewer.id})
            found = replace(role.sight, usable=frozenset(claims)), claims
            viewer.known[role] = found
        return found

    def prepare(self, role: RoleSchema, query: str, operation_name: str | None) -> Prepared:
        """The validated operation of a document, from the cache if it is there.

        Raises:
            InvalidDocument, ClewError: as `clew.engine.document.prepare`.
        """
        key = (role, query, operation_name)
        prepared = self._documents.get(key)
        if prepared is None:
            prepared = prepare(role.schema, query, operation_name, role.limits, hide_suggestions=not role.sight.admin)
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
        statement = compile_read(plan, self.model, self.tables, self.cursors) if plan.reads else None
        return Executable(plan, statement, _pieces(plan) if plan.passthrough else (), most)

    async def _resolve(
        self, prepared: Prepared, plan: ReadPlan, row: asyncpg.Record, request: Request, viewer: Viewer
    ) -> Response:
        """Let graphql-core complete a query that has fields of the user's own."""
        connection = OperationConnection(self._alchemy)
        try:
            return await self._run(prepared, _root(plan, row, viewer), request, viewer, connection)
        finally:
            await connection.finish()

    async def _mutate(self, prepared: Prepared, request: Request, viewer: Viewer) -> Response:
        """Run all root fields in one transaction; any error rolls back and makes `data` null."""
        connection = OperationConnection(self._alchemy)
        try:
            raw = (await connection.get_raw_connection()).driver_connection
            transaction = raw.transaction()
            await transaction.start()
            try:
                response = await self._run(prepared, Row(), request, viewer, connection, all_or_nothing=True)
            except BaseException:
                # A broken connection cannot be rolled back, and needs not be.
                with suppress(*FAULTS):
                    await transaction.rollback()
                raise
            if response.code is not None:
                await transaction.rollback()
            else:
                await transaction.commit()
            return response
        except FAULTS as error:
            return failure(client_error(error), _request_id(request))
        except ClewError as error:
            return failure(error, _request_id(request))
        finally:
            await connection.finish()

    async def _run(
        self,
        prepared: Prepared,
        root: Row,
        request: Request,
        viewer: Viewer,
        connection: OperationConnection,
        all_or_nothing: bool = False,
    ) -> Response:
        request_id = _request_id(request)
        result = execute(
            prepared.schema,
            prepared.document,
            root,
            Context(viewer, connection, request_id),
            dict(request.variables),
            request.operation_name,
            hide_suggestions=prepared.hide_suggestions,
        )
        if is_awaitable(result):
            result = await result
        assert isinstance(result, ExecutionResult)
        if not result.errors:
            return Response(encode({"data": result.data}))
        errors = [formatted(error, request_id, Code.INTERNAL) for error in result.errors]
        data = None if all_or_nothing else result.data
        return Response(encode({"errors": errors, "data": data}), code=Code(errors[0]["extensions"]["code"]))


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
