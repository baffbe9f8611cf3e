"""Prepare, plan, compile and bind the statements of operations. Keep them for the next request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from cachetools import LRUCache
from graphql import FieldNode, OperationType
from graphql.execution.values import VariableValues

from clew.access.predicates import FALSE
from clew.access.sight import Sight
from clew.access.types import MOST_BYTES, Rows
from clew.access.visible import Access
from clew.aside import FEW_BYTES, FEW_CHARACTERS, FEW_PARTS, Aside, is_large
from clew.document.prepare import MOST_KEPT, Prepared, prepare
from clew.document.trees import Tree, Trees
from clew.engine.idempotency import Repeatable, repeatable
from clew.engine.outcome import encode, encode_in_parts
from clew.engine.types import Executable, Ready, Request, Session
from clew.errors import ClewError, Code
from clew.json_numbers import exact_float, plain
from clew.model.types import Column, Entity, Model, RowArgument
from clew.plan.cost import check_cost, largest_cost
from clew.plan.export import plan_export
from clew.plan.paging import order_of_ties, shows_its_keys
from clew.plan.read import plan_query, plan_rows
from clew.plan.types import Changes, Read, ReadPlan, RootTypeName
from clew.plan.weight import BudgetError, check_weight, plan_weight, read_weight
from clew.resolvers.batches import Place
from clew.schema.roles import RoleSchema
from clew.slices import Slices
from clew.sql.copy import CopyStatement, Form, compile_copy
from clew.sql.cursors import Cursors
from clew.sql.members import MemberStatement, compile_change_members, compile_members
from clew.sql.settings import as_setting
from clew.sql.statement import (
    Statement,
    WriteStatements,
    compile_changes,
    compile_order,
    compile_read,
    compile_row_argument_check,
    compile_rows,
)
from clew.sql.tables import Tables
from clew.viewer import Viewer

# How many bytes of prepared documents to keep, including their plans and statements. Each full collection of garbage
# walks over their objects, and everybody waits meanwhile.
_DOCUMENTS = 16 * 1024 * 1024
# How many bytes of statements each of two caches keeps: the one for `@row`, and the one for the order of keys.
_JUDGEMENTS = 4 * 1024 * 1024
# Roughly how many bytes an executable takes beside its statement, and how many each condition and field of its plan.
_BYTES, _BYTES_A_PART = 2048, 100

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def _not_too_deep(make: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Refuse input that is nested more deeply than Python can follow."""

    @wraps(make)
    def made(*given: _Given.args, **options: _Given.kwargs) -> _Made:
        try:
            return make(*given, **options)
        except RecursionError:
            raise ClewError("The operation's input is nested too deeply.", code=Code.LIMIT_EXCEEDED) from None

    return made


def _tree(prepared: Prepared, budget: int | None) -> Tree:
    """Return the syntax tree of an operation.

    Raises:
        BudgetError: there is a budget, and the tree of a long document is to be parsed again.
    """
    found = prepared.known_tree
    if found is None and budget is not None and len(prepared.text) > FEW_CHARACTERS:
        raise BudgetError
    return found or prepared.tree


class Statements:
    """Compile operations over one version of the schema. Only the caches change.

    A query goes through `prepare`, then `ready`, which plans it, compiles its statement and binds the arguments.
    Long work runs in another thread, so that it does not block the event loop.

    Args:
        cursors: seals the cursors of connections.
    """

    def __init__(self, model: Model, tables: Tables, cursors: Cursors) -> None:
        self.model = model
        self.tables = tables
        self.cursors = cursors
        self.access = Access(model)
        self.aside = Aside()
        self._trees = Trees()
        self.slices = Slices()
        self.writes = WriteStatements(model, tables, cursors)
        self._row_argument_checks: LRUCache[tuple[Sight, tuple[RowArgument, ...]], Statement] = LRUCache(
            _JUDGEMENTS, getsizeof=lambda statement: statement.size
        )
        self._list_orders: LRUCache[tuple[Sight, str], Statement] = LRUCache(
            _JUDGEMENTS, getsizeof=lambda statement: statement.size
        )
        self._documents: LRUCache[tuple[RoleSchema, str, str | None, bool], Prepared] = LRUCache(
            _DOCUMENTS, getsizeof=lambda prepared: prepared.weight
        )

    def known(self, role: RoleSchema, query: str, operation_name: str | None, own: bool) -> Prepared | None:
        """Return the validated operation of a document if it is in the cache."""
        try:
            return self._documents[role, query, operation_name, own]
        except KeyError:
            return None

    def prepare(self, role: RoleSchema, query: str, operation_name: str | None, *, own: bool = False) -> Prepared:
        """Return the validated operation of a document, from the cache if it is there.

        Args:
            own: whether the document is the application's own. Then the limits of `Limits.for_own` apply.

        Raises:
            InvalidDocument, ClewError: as in `clew.document.prepare.prepare`.
        """
        found = self.known(role, query, operation_name, own)
        return found or self._keep(self._prepare(role, query, operation_name, own))

    def _prepare(self, role: RoleSchema, query: str, operation_name: str | None, own: bool) -> Prepared:
        limits = role.limits.for_own() if own else role.limits
        hidden = not role.sight.admin
        prepared = prepare(role.schema, query, operation_name, limits, hide_suggestions=hidden, trees=self._trees)
        return replace(prepared, key=(role, query, operation_name, own))

    def _keep(self, prepared: Prepared) -> Prepared:
        """Put a document into the cache again with its present size. Drop it if it has become too large."""
        if prepared.weight <= MOST_KEPT:
            self._documents[prepared.key] = prepared
        else:
            self._documents.pop(prepared.key, None)
        return prepared

    async def prepared(self, role: RoleSchema, query: str, operation_name: str | None, own: bool) -> Prepared:
        """Do the same as `prepare`. A long document is prepared in another thread."""
        if len(query) <= FEW_CHARACTERS:
            return self.prepare(role, query, operation_name, own=own)
        asked = (role, query, operation_name, own)
        return self._keep(await self.aside.run(partial(self._prepare, *asked), partial(self.known, *asked)))

    async def ready(
        self, prepared: Prepared, variables: Mapping[str, Any], session: Session, *, is_short: bool = False
    ) -> Ready:
        """Coerce the variables. Unless it is a mutation, also find its plan and statement, and bind the arguments.

        Long work runs in another thread.

        Args:
            is_short: whether the variables cannot be large.

        Raises:
            InvalidDocument: BAD_USER_INPUT for variables that do not fit.
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED for an operation that costs too much.
        """
        large = not is_short and is_large(variables)
        try:
            if large:
                raise BudgetError
            ready = self._ready(prepared, variables, session, large, FEW_PARTS)
        except BudgetError:
            ready = await self.aside.run(partial(self._ready, prepared, variables, session, large, None))
        if ready.is_new:
            prepared.keep(prepared.executables, (session.sight.usable, ready.shape), ready.executable)
            self._keep(prepared)
        return ready

    def _ready(
        self, prepared: Prepared, variables: Mapping[str, Any], session: Session, large: bool, budget: int | None
    ) -> Ready:
        values = prepared.coerce(variables)
        shape = prepared.shape(values) if prepared.variables else ()
        if prepared.kind is OperationType.MUTATION:
            return Ready(values, shape, large, _tree(prepared, budget))
        executable, is_new = self._executable(prepared, values, shape, session.sight, budget)
        statement = executable.statement
        bound = {**session.claims, MOST_BYTES: prepared.limits.response_bytes}
        arguments = statement.bind(values, bound) if statement is not None else ()
        is_complete = prepared.kind is OperationType.QUERY and bool(executable.pieces)
        tree = None if is_complete else _tree(prepared, budget)
        return Ready(values, shape, large, tree, executable, arguments, is_new)

    async def tree(self, prepared: Prepared) -> Tree:
        """Return the syntax tree of an operation that runs. A long document is parsed in another thread."""
        try:
            return _tree(prepared, FEW_PARTS)
        except BudgetError:
            return await self.aside.run(partial(_tree, prepared, None), begun=True)

    def executable(self, prepared: Prepared, values: VariableValues, sight: Sight) -> Executable:
        """Return the plan and statement for the shape of these variables, from the cache if they are there.

        Raises:
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED for an operation that costs too much.
        """
        shape = prepared.shape(values) if prepared.variables else ()
        executable, is_new = self._executable(prepared, values, shape, sight, None)
        if is_new:
            prepared.keep(prepared.executables, (sight.usable, shape), executable)
            self._keep(prepared)
        return executable

    def _executable(
        self, prepared: Prepared, values: VariableValues, shape: Any, sight: Sight, budget: int | None
    ) -> tuple[Executable, bool]:
        """Return the plan and statement, and whether they are new."""
        found: Executable | None = prepared.executables.get((sight.usable, shape))
        if found is None:
            return self._compile(prepared, values, sight, budget), True
        if found.most_cost is not None:
            check_cost(found.plan, values.coerced, found.most_cost)
        return found, False

    @_not_too_deep
    def _compile(self, prepared: Prepared, values: VariableValues, sight: Sight, budget: int | None) -> Executable:
        tree = _tree(prepared, budget)
        plan = plan_query(
            self.access,
            prepared.schema,
            tree.operation,
            tree.fragments,
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

    async def export(
        self, prepared: Prepared, variables: Mapping[str, Any], session: Session, form: Form
    ) -> tuple[CopyStatement, list[str]]:
        """Return the statement that writes the one field of a query to a file, and the texts of its settings.

        Long work runs in another thread.

        Raises:
            InvalidDocument, ClewError: as `ready`. FORBIDDEN if no rule lets the viewer export the rows.
        """
        large = is_large(variables)
        work = partial(self._export, prepared, variables, session, form)
        try:
            if large:
                raise BudgetError
            statement, texts, key = work(FEW_PARTS)
        except BudgetError:
            statement, texts, key = await self.aside.run(partial(work, None))
        if key not in prepared.rows:
            prepared.keep(prepared.rows, key, statement)
            self._keep(prepared)
        return statement, texts

    @_not_too_deep
    def _export(
        self, prepared: Prepared, variables: Mapping[str, Any], session: Session, form: Form, budget: int | None
    ) -> tuple[CopyStatement, list[str], Any]:
        values = prepared.coerce(variables)
        key = (session.sight.usable, prepared.shape(values), form)
        statement: CopyStatement | None = prepared.rows.get(key)
        if statement is None:
            tree = _tree(prepared, budget)
            plan = plan_export(
                self.access,
                prepared.schema,
                tree.operation,
                tree.fragments,
                values.coerced,
                session.sight,
                prepared.limits,
                budget,
            )
            check_weight(plan_weight(plan), prepared.limits.conditions, budget)
            statement = compile_copy(plan, form, self.model, self.tables, self.cursors)
        bound = statement.bind(values, session.claims)
        texts = [as_setting(value, operand.type) for value, operand in zip(bound, statement.operands, strict=True)]
        return statement, texts, key

    async def members(self, executable: Executable, prepared: Prepared) -> MemberStatement | None:
        """Return the statement that runs an executable for many members. None: it has no operands."""
        assert executable.statement is not None
        work = partial(
            compile_members,
            executable.plan,
            executable.statement,
            self.model,
            self.tables,
            self.cursors,
            is_bounded=prepared.limits.response_bytes is not None,
        )
        return await self.aside.run(work, begun=True)

    async def rows(
        self,
        prepared: Prepared,
        ready: Ready,
        sight: Sight,
        entity: Entity,
        place: Place,
        nodes: Sequence[FieldNode],
        *,
        one_row: bool = False,
    ) -> Statement:
        """Return the statement that reads rows by key for a field with its own resolver, from the cache if possible.

        Args:
            place: the place of the field in the operation.
            nodes: the nodes of the field.
            one_row: as for `Binds`.

        Raises:
            ClewError: BAD_USER_INPUT from planning, LIMIT_EXCEEDED.
        """
        key = (sight.usable, ready.shape, place, one_row)
        found: Statement | None = prepared.rows.get(key)
        if found is not None:
            return found
        work = partial(self._rows, prepared, ready, sight, entity, nodes, one_row)
        try:
            statement = work(FEW_PARTS)
        except BudgetError:
            statement = await self.aside.run(partial(work, None), partial(prepared.rows.get, key), begun=True)
        prepared.keep(prepared.rows, key, statement)
        self._keep(prepared)
        return statement

    def rows_plan(
        self,
        prepared: Prepared,
        ready: Ready,
        sight: Sight,
        entity: Entity,
        nodes: Sequence[FieldNode],
        budget: int | None = None,
    ) -> Read:
        """Return the plan of `rows`.

        Args:
            budget: the most parts that the plan may have, as `plan_rows` counts them.
        """
        return plan_rows(
            self.access,
            prepared.schema,
            entity,
            tuple(nodes),
            prepared.fragments,
            ready.values.coerced,
            sight,
            prepared.limits,
            budget,
        )

    @_not_too_deep
    def _rows(
        self,
        prepared: Prepared,
        ready: Ready,
        sight: Sight,
        entity: Entity,
        nodes: Sequence[FieldNode],
        one_row: bool,
        budget: int | None,
    ) -> Statement:
        read = self.rows_plan(prepared, ready, sight, entity, nodes, budget)
        weight = read_weight(read)
        check_weight(weight, prepared.limits.conditions, budget)
        is_bounded = prepared.limits.response_bytes is not None
        statement = compile_rows(read, self.model, self.tables, self.cursors, is_bounded=is_bounded, one_row=one_row)
        return replace(statement, conditions=weight.conditions)

    async def judging(self, prepared: Prepared, ready: Ready, sight: Sight, before: frozenset[str]) -> Statement:
        """The statement that judges changes for a field of change events, from the cache if it is there.

        Args:
            before: as for `clew.sql.changes.changes_statement`.
        """
        key = (sight.usable, ready.shape, before)
        found: Statement | None = prepared.rows.get(key)
        if found is not None:
            return found
        work = partial(
            compile_changes, *_judged(ready), before, model=self.model, tables=self.tables, cursors=self.cursors
        )
        known: Callable[[], Statement | None] = partial(prepared.rows.get, key)
        statement = await self.aside.run(work, known)
        prepared.keep(prepared.rows, key, statement)
        self._keep(prepared)
        return statement

    async def judging_members(self, own: Statement, ready: Ready, before: frozenset[str]) -> MemberStatement | None:
        """Return the statement that judges changes for many subscriptions. None: they do not differ.

        Args:
            own: the statement of one of them.
        """
        work = partial(
            compile_change_members,
            *_judged(ready),
            before,
            own,
            model=self.model,
            tables=self.tables,
            cursors=self.cursors,
        )
        return await self.aside.run(work, begun=True)

    async def bound(self, statement: Statement, ready: Ready, given: Mapping[Any, Any]) -> Sequence[Any]:
        """Return the arguments of a statement that runs beside the operation's main statement.

        Large variables are bound in another thread.
        """
        work = partial(statement.bind, ready.values, given)
        return await self.aside.run(work, begun=True) if ready.large else work()

    def row_argument_check(self, sight: Sight, rows: tuple[RowArgument, ...]) -> Statement:
        """Return the statement that checks keys given for `@row` arguments, from the cache if it is there."""
        key = (sight, rows)
        statement = self._row_argument_checks.get(key)
        if statement is None:
            checks = {row.argument: self.access.nameable(self.model.entity(row.entity), sight, row.to) for row in rows}
            statement = self._row_argument_checks[key] = compile_row_argument_check(
                checks, self.model, self.tables, self.cursors
            )
        return statement

    def list_order(self, sight: Sight, entity: Entity) -> Statement | None:
        """Return the statement that sorts keys in the order of a list. Return None if that is the order of the keys."""
        visible = self.access.visible(entity, sight)
        if shows_its_keys(visible):  # alike if false: a shortcut, for the keys are in that order
            return None
        statement = self._list_orders.get((sight, entity.name))
        if statement is None:
            rows = Rows(visible, order=order_of_ties(visible))
            statement = compile_order(rows, self.model, self.tables, self.cursors)
            self._list_orders[sight, entity.name] = statement
        return statement

    async def decoded(self, text: bytes) -> Any:
        """Decode the JSON of the database. A large text is decoded in another thread."""
        if len(text) <= FEW_BYTES:
            return json.loads(text, parse_float=exact_float)
        # The hook is Python code. Between its calls other threads get a turn; one call without it would block them.
        read = partial(json.loads, text, parse_float=exact_float, object_hook=lambda found: found)
        return await self.aside.run(read, begun=True, collects=True)

    async def repeatable(self, request: Request, viewer: Viewer, ready: Ready) -> Repeatable | None:
        """Do the same as `clew.engine.idempotency.repeatable`. Large variables are handled in another thread."""
        if request.idempotency_key is None:
            return None
        work = partial(repeatable, request, viewer)
        return await self.aside.run(work, begun=True) if ready.large else work()

    async def plain(self, answer: Any) -> Any:
        """Return an answer with plain values only. A large answer is converted in another thread."""
        return await self.aside.run(partial(plain, answer), begun=True) if is_large(answer) else plain(answer)

    async def encoded(self, value: Any) -> bytes:
        """Return a value as JSON. A large value, or one too deep for Python's stack, is encoded in another thread."""
        try:
            if not is_large(value):
                return encode(value)
        except RecursionError:
            pass
        return await self.aside.run(partial(encode_in_parts, value), begun=True)


def _judged(ready: Ready) -> tuple[Changes, list[Column]]:
    """Return the change events of a subscription, and the columns that the viewer may see."""
    assert ready.executable is not None
    root = ready.executable.plan.changes
    assert root is not None
    visible = root.read.rows.visible
    return root.read, [c for c in visible.entity.columns if not c.hidden and visible.masks.get(c.name) != FALSE]


def _pieces(plan: ReadPlan) -> tuple[bytes, ...]:
    """Return the bytes around the values of a pass-through response. There is one piece more than there are values."""
    pieces: list[bytes] = []
    text = "{"
    for index, root in enumerate(plan.roots):
        text += ("," if index else "") + f'"{root.key}":'
        if isinstance(root, RootTypeName):
            text += f'"{root.name}"'
        else:
            pieces.append(text.encode())
            text = ""
    pieces.append((text + "}").encode())
    return tuple(pieces)
