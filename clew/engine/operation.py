"""One operation while graphql-core completes it: what its resolvers ask of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import asyncpg
from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    default_field_resolver,
    default_type_resolver,
    get_named_type,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.pyutils import is_awaitable

from clew.access.permits import Permit
from clew.access.types import MOST_BYTES, Identity
from clew.database.alchemy import OperationConnection
from clew.database.errors import ContentionError
from clew.database.violations import cause_of
from clew.document.collect import collect
from clew.document.prepare import Prepared
from clew.engine.outcome import Outcome, ResponseTooLargeError, failure, formatted, log
from clew.engine.rule_report import place_of as rule_place
from clew.engine.statements import Statements
from clew.engine.types import Ready, Request, Session
from clew.engine.witness import Recorder
from clew.errors import Code
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
from clew.writes.store import Store
from clew.writes.witness import Refusal
from clew.writes.writer import Writer


class RunWithin(Protocol):
    """Runs another operation within one, as `Engine.graphql` does."""

    async def __call__(
        self, document: str, variables: Mapping[str, Any], viewer: Viewer, within: RunningOperation, /
    ) -> dict[str, Any]:
        """Return the `data`; raise the first error."""


class RunningOperation:
    """An operation that has fields of the user's own.

    Args:
        graphql: runs another operation within this one.
        in_transaction: all its statements are part of the transaction on `connection`.
        depth: how many operations it runs within.
        witness: of a mutation, where somebody wants to know what it does.
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
        witness: Recorder | None = None,
    ) -> None:
        self.connection = connection
        self.request_id = request_id
        self.in_transaction = in_transaction
        self.depth = depth
        self.batches = Batches(self._read)
        # Held by a mutation that runs within this one.
        self.mutating = asyncio.Lock()
        self._statements = statements
        self._graphql = graphql
        self._prepared = prepared
        # What of the answer's bytes has not been read yet; None: there may be any number.
        self._most_bytes = self._bytes_left = prepared.limits.response_bytes
        self._ready = ready
        self._values = ready.values
        self._request = request
        self._viewer = session.viewer
        self._sight = session.sight
        self._claims = session.claims
        # What all its statements beside the first come to, and the places of those that are counted.
        self._conditions = 0
        self._witness = witness
        self._weighed: set[Place] = set()

    @property
    def slices(self) -> Slices:
        """Whose turn it is to complete what is large."""
        return self._statements.slices

    @property
    def schema(self) -> GraphQLSchema:
        """The viewer's."""
        return self._prepared.schema

    async def run(self, root: Row, *, all_or_nothing: bool = False) -> Outcome:
        """Let graphql-core complete the operation.

        Args:
            root: what its generated root fields resolve from.
            all_or_nothing: any error makes `data` null.
        """
        prepared = self._prepared
        context = Context(self._viewer, self.connection, self.request_id, self)
        try:
            # As `graphql.execute` does it, which would coerce the variables again.
            result = SlicingExecutor(
                prepared.schema,
                dict(prepared.fragments),
                {name: FragmentDetails(node) for name, node in prepared.fragments.items()},
                root,
                context,
                prepared.operation,
                prepared.with_sources(self._values, self._request.variables),
                default_field_resolver,
                default_type_resolver,
                default_field_resolver,
                hide_suggestions=prepared.hide_suggestions,
            ).execute_operation()
            if is_awaitable(result):
                result = await result
        finally:
            await self.batches.close()
        assert isinstance(result, ExecutionResult)
        if not result.errors:
            return await self._whole(Outcome(result.data))
        found = result.errors
        if all_or_nothing:
            # After the first root field that fails the transaction is over: errors of the next ones are no news.
            found = [error for error in found if _root_key(error) == _root_key(found[0])]
        causes = [cause_of(error.original_error, self._statements.tables, prepared.schema) for error in found]
        # One exception may be the error of many fields: the log has it once.
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
        return await self._whole(
            Outcome(
                None if all_or_nothing else result.data,
                errors,
                contended=any(isinstance(cause, ContentionError) for cause in causes),
            )
        )

    def _log(self, entry: Mapping[str, Any], refusal: Refusal) -> None:
        """Log which rules have refused a write, without values."""
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
        """Count what has been read towards the bytes that the answer may have."""
        if self._bytes_left is not None:
            self._bytes_left -= sum(len(part) for part in read if part is not None)

    async def _whole(self, outcome: Outcome) -> Outcome:
        """Return the outcome; one that is too large, or for which too much was to be read, fails as a whole."""
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

    async def admit(self, info: Info, given: GivenKeys) -> None:
        """Judge the keys of `@row` arguments, once for all calls of a field on one level.

        Raises:
            ClewError: NOT_FOUND.
        """
        await self.batches.once(info, partial(self._judge, given))

    async def _judge(self, given: GivenKeys) -> None:
        statement = self._statements.held(self._sight, tuple(given))
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
        statement = await self._statements.rows(self._prepared, self._ready, self._sight, entity, place, nodes)
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
        """Count the conditions of one more statement.

        Raises:
            ClewError: LIMIT_EXCEEDED.
        """
        self._conditions += conditions
        check_conditions(self._conditions, self._prepared.limits.conditions)

    def writer(self, field: str | int) -> Writer:
        """Runs one generated root field of a mutation, by its response key."""
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
        return Writer(store, InputReader(statements.model, schema, self._viewer, self._sight))

    async def read(self, entity: Entity, info: Info, keys: Sequence[Key]) -> list[Row | None]:
        """The rows of a field that is an entity, by key, as the viewer sees them."""
        return await self._read(entity, place_of(info.path), info, keys)

    async def as_listed(self, entity: Entity, keys: Sequence[Key]) -> Sequence[Key]:
        """The keys of rows that a client has not named, in the order in which lists have these rows.

        They are locked in the order of their keys, which the viewer may not see.

        Args:
            keys: in their own order, of rows that are there.
        """
        statement = self._statements.listed(self._sight, entity) if len(keys) > 1 else None
        if statement is None:
            return keys
        found = await self._fetch(statement, {**self._claims, **bound_keys(entity, keys)})
        return [keys[position - 1] for (position,) in found]

    async def read_below(
        self, entity: Entity, info: Info, name: str, keys: Sequence[Key]
    ) -> dict[str, list[Row | None]]:
        """The rows of the field `name` below a field, by response key."""
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
    """Drop the tracebacks of an error that has been told: they keep all that its frames have, rows and inputs, in a

    circle until the garbage collector comes to find it all at once.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = getattr(error, "original_error", None) or error.__cause__ or error.__context__


def _root_key(error: GraphQLError) -> str | int | None:
    return error.path[0] if error.path else None
