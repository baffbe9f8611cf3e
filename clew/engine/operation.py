"""Serve the resolvers of one operation while graphql-core completes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, cast

import asyncpg
from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    create_source_event_stream,
    default_field_resolver,
    default_type_resolver,
    get_named_type,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.pyutils import is_awaitable

from clew.access.permits import Permit
from clew.access.types import MOST_BYTES, Identity
from clew.aside import FEW_BYTES, release
from clew.collector import LargeWork
from clew.database.alchemy import OperationConnection
from clew.database.errors import ContentionError
from clew.database.violations import cause_of
from clew.document.collect import collect
from clew.document.prepare import Prepared
from clew.engine.outcome import (
    Outcome,
    ResponseTooLargeError,
    RunsPythonError,
    failure,
    formatted,
    log,
    new_request_id,
)
from clew.engine.rule_report import place_of as rule_place
from clew.engine.statements import Statements
from clew.engine.types import Ready, Request, Session
from clew.engine.witness import Recorder
from clew.errors import ClewError, Code
from clew.model.types import Entity
from clew.plan.types import Read
from clew.plan.weight import check_conditions
from clew.resolvers.batches import Batches, Info, Place, place_of
from clew.resolvers.context import Context
from clew.resolvers.row_arguments import GivenKeys, not_found
from clew.schema.build import Row
from clew.slices import Slices, SlicingExecutor
from clew.sql.keys import Key, bound_keys
from clew.sql.statement import Statement
from clew.viewer import Viewer
from clew.writes.drafts import InputReader
from clew.writes.errors import ForbiddenError, GuardedError
from clew.writes.hooks import HookRunner, Hooks
from clew.writes.store import Store
from clew.writes.witness import Refusal
from clew.writes.writer import Writer


class Enclosing(Protocol):
    """What an operation runs within: another one, or a transaction of the application's own.

    `in_transaction`: all its statements belong to the transaction on `connection`. `depth` is how many operations
    enclose it. A mutation that runs within it holds the lock `mutating`.
    """

    connection: OperationConnection
    request_id: str
    in_transaction: bool
    depth: int
    mutating: asyncio.Lock


@dataclass(slots=True)
class OwnTransaction:
    """A transaction of the application's own, for operations within it (`Engine.transaction`)."""

    connection: OperationConnection
    request_id: str = field(default_factory=new_request_id)
    in_transaction: bool = True
    depth: int = 0
    mutating: asyncio.Lock = field(default_factory=asyncio.Lock)


class RunWithin(Protocol):
    """Run an operation within another one, as `Engine.graphql` does."""

    async def __call__(
        self, document: str, variables: Mapping[str, Any], viewer: Viewer, within: Enclosing, /
    ) -> dict[str, Any]:
        """Return `data`. Raise the first error, if there is one."""


class RunningOperation:
    """An operation that graphql-core executes: a mutation, or a query that pass-through cannot answer.

    Args:
        graphql: runs another operation within this one.
        in_transaction: all statements of the operation belong to the transaction on `connection`.
        depth: how many operations enclose this one.
        witness: receives a report of what a mutation does; None if nobody asked for it.
        hooks: those of the application.
    """

    def __init__(
        self,
        statements: Statements,
        prepared: Prepared,
        ready: Ready,
        request: Request,
        session: Session,
        *,
        connection: OperationConnection,
        request_id: str,
        in_transaction: bool,
        depth: int,
        graphql: RunWithin,
        hooks: Hooks,
        witness: Recorder | None = None,
    ) -> None:
        self.connection = connection
        self.request_id = request_id
        self.in_transaction = in_transaction
        self.depth = depth
        self.batches = Batches(self._read, statements.slices)
        # A mutation that runs within this one holds this lock.
        self.mutating = asyncio.Lock()
        self._statements = statements
        self._graphql = graphql
        self._prepared = prepared
        # How many more bytes the answer may have; None: any number.
        self._most_bytes = self._bytes_left = prepared.limits.response_bytes
        self._ready = ready
        self._values = ready.values
        self._request = request
        self._viewer = session.viewer
        self._sight = session.sight
        self._claims = session.claims
        # The number of conditions in all statements but the first, and the places whose statements are counted.
        self._conditions = 0
        self._witness = witness
        self._weighed: set[Place] = set()
        self._hooks = hooks
        # End it when nobody needs what was read any more. `run` does so.
        self.large = LargeWork()
        self._context = Context(session.viewer, connection, request_id, self)
        # Whether a hook has run: a rollback may not undo all that it has done.
        self.ran_hooks = False

    @property
    def slices(self) -> Slices:
        """Return the turns in which large results are completed."""
        return self._statements.slices

    @property
    def schema(self) -> GraphQLSchema:
        """Return the viewer's schema."""
        return self._prepared.schema

    def _executor(self, root: Any) -> SlicingExecutor:
        """Do the work of `graphql.execute`, which would coerce the variables a second time."""
        prepared = self._prepared
        return SlicingExecutor(
            prepared.schema,
            dict(prepared.fragments),
            {name: FragmentDetails(node) for name, node in prepared.fragments.items()},
            root,
            self._context,
            prepared.operation,
            prepared.with_sources(self._values, self._request.variables),
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            hide_suggestions=prepared.hide_suggestions,
        )

    async def events(self) -> AsyncIterator[Any] | Outcome:
        """Return the events of a custom subscription's source, or the outcome of one that fails before its first."""
        try:
            found: Any = create_source_event_stream(self._executor(None))
            if is_awaitable(found):
                found = await found
        finally:
            await self.batches.close()
            self.large.end()
        if not isinstance(found, ExecutionResult):
            return cast("AsyncIterator[Any]", aiter(found))
        return Outcome(errors=[self.told(error) for error in found.errors or ()], executed=False)

    def told(self, error: GraphQLError) -> dict[str, Any]:
        """Return an error of a subscription's source as a client sees it. Log an unexpected one."""
        cause = cause_of(error.original_error, self._statements.tables, self.schema)
        entry = formatted(error, self.request_id, Code.INTERNAL, cause)
        _forget_frames(error)
        return entry

    async def run(self, root: Any, *, all_or_nothing: bool = False, is_event: bool = False) -> Outcome:
        """Let graphql-core complete the operation.

        Args:
            root: the values that the generated root fields resolve from, or the event of a custom subscription.
            all_or_nothing: whether any error makes `data` null.
            is_event: whether the root is an event. That is the application's own, which may keep it.
        """
        try:
            result = await self._execute(self._executor(root))
            outcome = await self._whole(self._outcome(result, all_or_nothing))
            if self.large.is_large and outcome.data is not result.data:
                # The work ends when the values are free. Nobody waits for that.
                work, self.large = self.large, LargeWork()
                held = [result.data] if is_event else [root, result.data]
                root = result.data = None
                self._statements.aside.later(partial(release, held), work.end)
            return outcome
        finally:
            self.large.end()

    async def _execute(self, executor: SlicingExecutor) -> ExecutionResult:
        result: Any = None
        try:
            result = executor.execute_operation()
            if is_awaitable(result):
                result = await result
        finally:
            is_failed = not isinstance(result, ExecutionResult) or bool(result.errors)
            try:
                await self.batches.close()
            finally:
                await executor.close(self.slices, failed=is_failed)
        assert isinstance(result, ExecutionResult)
        return result

    def _outcome(self, result: ExecutionResult, all_or_nothing: bool) -> Outcome:
        """Return the outcome of a result. Log what the client does not see of its errors."""
        prepared = self._prepared
        if not result.errors:
            return Outcome(result.data)
        found = result.errors
        if all_or_nothing:
            # The first root field that fails ends the transaction. The errors of later fields only follow from that.
            found = [error for error in found if _root_key(error) == _root_key(found[0])]
        causes = [cause_of(error.original_error, self._statements.tables, prepared.schema) for error in found]
        # One exception may fail many fields. Log it once.
        first = {id(error.original_error or error): error for error in reversed(found)}
        errors = [
            formatted(
                error, self.request_id, Code.INTERNAL, cause, is_news=first[id(error.original_error or error)] is error
            )
            for error, cause in zip(found, causes, strict=True)
        ]
        for entry, cause in zip(errors, causes, strict=True):
            if isinstance(cause, ForbiddenError | GuardedError):
                if self._witness is None or not self._witness.rehearses:
                    self._log(entry, cause.refusal)
                if self._witness is not None and (known := self._witness.of(cause.refusal)) is not None:
                    entry["extensions"]["refusal"] = known.extension()
        for error in result.errors:
            _forget_frames(error)
        is_away = all_or_nothing and isinstance(causes[0], ClewError) and causes[0].code is Code.UNAVAILABLE
        return Outcome(
            None if all_or_nothing else result.data,
            errors,
            error=cast("ClewError", causes[0]) if is_away else None,
            contended=not self.ran_hooks and any(isinstance(cause, ContentionError) for cause in causes),
        )

    def _log(self, entry: Mapping[str, Any], refusal: Refusal) -> None:
        """Log which rules refused a write, without values."""
        permits = refusal.permits
        tried: list[Permit] = []
        if permits is not None:
            own = (permit for name in refusal.fields for permit in permits.own.get(name, ()))
            tried = [*permits.rules, *own, *permits.guards]
        log.info(
            "write refused",
            request_id=self.request_id,
            viewer=self._viewer.id,
            field=".".join(str(key) for key in entry.get("path", ())),
            entity=refusal.entity.name,
            operation=refusal.operation.value,
            phase=refusal.phase.value,
            rules=[rule_place(permit.rule.location) for permit in tried if permit.rule is not None],
        )

    def count(self, *read: bytes | None) -> None:
        """Subtract the bytes just read from those that the answer may have."""
        number = sum(len(part) for part in read if part is not None)
        if number > FEW_BYTES:
            self.large.begin()
        if self._bytes_left is not None:
            self._bytes_left -= number

    async def _whole(self, outcome: Outcome) -> Outcome:
        """Return the outcome. Fail it as a whole if it is too large, or if too many bytes were read for it."""
        most, left = self._most_bytes, self._bytes_left
        if most is None or left is None:
            return outcome
        if left >= 0:
            outcome.data = await self._statements.encoded(outcome.data)
            errors = await self._statements.encoded(outcome.errors)
            if len(outcome.response(errors, outcome.data)) <= most:
                return outcome
        return failure(ResponseTooLargeError(most), self.request_id)

    async def graphql(self, document: str, variables: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
        """Run another operation within this one; see `Context.graphql`."""
        return await self._graphql(document, variables, viewer, self)

    async def check_row_arguments(self, info: Info, given: GivenKeys) -> None:
        """Check that the rules allow the rows that `@row` arguments name, once for all calls of a field on one level.

        Raises:
            ClewError: NOT_FOUND if they do not allow one.
        """
        if self._witness is not None:
            self._witness.field = str(place_of(info.path)[0][0])
        await self.batches.once(info, partial(self._judge, given))

    async def _judge(self, given: GivenKeys) -> None:
        statement = self._statements.row_argument_check(self._sight, tuple(given))
        bound: dict[Any, Any] = dict(self._claims)
        for row, keys in given.items():
            bound |= bound_keys(self._statements.model.entity(row.entity), keys, row.argument)
        (held,) = await self._fetch(statement, bound)
        for row, is_held in zip(given, held, strict=True):
            if not is_held:
                raise not_found(row)

    async def _read(self, entity: Entity, place: Place, info: Info, keys: Sequence[Key]) -> list[Row | None]:
        return await self._rows(entity, place, info.field_nodes, keys)

    async def _rows(
        self, entity: Entity, place: Place, nodes: Sequence[FieldNode], keys: Sequence[Key]
    ) -> list[Row | None]:
        statement = await self._statements.rows(
            self._prepared, self._ready, self._sight, entity, place, nodes, one_row=len(keys) == 1
        )
        if place not in self._weighed:
            self._weighed.add(place)
            self._weigh(statement.conditions)
        bound = {**self._claims, **bound_keys(entity, keys), MOST_BYTES: self._bytes_left}
        plan: Read | None = None
        if self._witness is not None:
            plan = self._statements.rows_plan(self._prepared, self._ready, self._sight, entity, nodes)
        found = await self._fetch(statement, bound, plan)
        if not found:
            assert self._most_bytes is not None
            self._bytes_left = -1
            raise ResponseTooLargeError(self._most_bytes)
        ((text,),) = found
        self.count(text)
        sealed = self._statements.cursors.seal(text, statement.orders, self._claims[Identity()])
        rows: list[Row | None] = await self._statements.decoded(sealed)
        return rows

    def _weigh(self, conditions: int) -> None:
        """Add the conditions of one more statement to the total.

        Raises:
            ClewError: LIMIT_EXCEEDED if there are too many.
        """
        self._conditions += conditions
        check_conditions(self._conditions, self._prepared.limits.conditions)

    def writer(self, field: str | int) -> Writer:
        """Return the writer for a generated root field of a mutation, given its response key."""
        if self._witness is not None:
            self._witness.field = str(field)
        statements, schema = self._statements, self._prepared.schema
        store = Store(
            statements.model,
            statements.tables,
            statements.access,
            statements.writes,
            schema,
            self._sight,
            self._claims,
            self.connection.fetch,
            statements.aside,
            statements.slices,
            self._weigh,
            self._witness,
        )
        hooks = HookRunner(self._hooks, self._context, self._begin_hook, store.pause) if self._hooks else None
        return Writer(store, InputReader(statements.model, schema, self._viewer, self._sight), hooks)

    def _begin_hook(self) -> None:
        """Note that a hook runs.

        Raises:
            ClewError: BAD_USER_INPUT in a rehearsal.
        """
        if self._witness is not None and self._witness.rehearses:
            raise RunsPythonError("Leave out the rows that have hooks.")
        self.ran_hooks = True

    async def read(self, entity: Entity, info: Info, keys: Sequence[Key]) -> list[Row | None]:
        """Read the rows of a field by their keys, as the viewer sees them."""
        return await self._read(entity, place_of(info.path), info, keys)

    async def in_list_order(self, entity: Entity, keys: Sequence[Key]) -> Sequence[Key]:
        """Sort the keys of rows that the client did not name: return them in the order of a list.

        The rows were locked in the order of their keys. That order would reveal hidden keys.

        Args:
            keys: the keys of existing rows, in ascending order.
        """
        statement = self._statements.list_order(self._sight, entity) if len(keys) > 1 else None
        if statement is None:
            return keys
        found = await self._fetch(statement, {**self._claims, **bound_keys(entity, keys)})
        return [keys[position - 1] for (position,) in found]

    async def read_below(
        self, entity: Entity, info: Info, name: str, keys: Sequence[Key]
    ) -> dict[str, list[Row | None]]:
        """Read the rows of each nested field called `name`. Return them by its response key."""
        type_name = get_named_type(info.return_type).name
        sets = (node.selection_set for node in info.field_nodes if node.selection_set is not None)
        fields = collect(sets, type_name, self._prepared.fragments, self._values.coerced)
        found: dict[str, list[Row | None]] = {}
        for key, nodes in fields.items():
            if nodes[0].name.value == name:
                place = (*place_of(info.path), (key, type_name))
                found[key] = await self._rows(entity, place, nodes, keys) if keys else []
        return found

    async def _fetch(
        self, statement: Statement, bound: Mapping[Any, Any], plan: Read | None = None
    ) -> list[asyncpg.Record]:
        arguments = await self._statements.bound(statement, self._ready, bound)
        if self._witness is not None:
            await self._witness.reads(plan, statement, arguments)
        return await self.connection.fetch(statement.sql, arguments)


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an error that has been reported.

    Their frames form a reference cycle. It would keep rows and inputs alive until the garbage collector frees them all
    at once.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = getattr(error, "original_error", None) or error.__cause__ or error.__context__


def _root_key(error: GraphQLError) -> str | int | None:
    return error.path[0] if error.path else None
