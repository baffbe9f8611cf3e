"""`ReadPlan` -> one statement, which returns one row with one JSON column a root read.

Postgres builds the JSON text of each root field; Python passes it on. Rows are cut and
ordered in an inner SELECT of plain columns, and JSON is built outside it, for the rows of
the page only: built inside, Postgres would build it for every row that it sorts.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause, Select
from sqlalchemy.sql.selectable import LateralFromClause

from clew.access.types import (
    MOST_BYTES,
    TRUE,
    AllOf,
    FieldPath,
    KeyDigest,
    Literal,
    Measure,
    Operand,
    OrderKey,
    Predicate,
    Rows,
    Visible,
)
from clew.model.measures import COUNT
from clew.model.types import Column, Model, ValueType
from clew.plan.types import (
    Aggregate,
    Connection,
    Groups,
    Many,
    One,
    Output,
    Read,
    ReadPlan,
    Required,
    RootMany,
    TypeName,
    Value,
)
from clew.sql.aggregates import measured_json, measures, nothing
from clew.sql.binds import Binds
from clew.sql.connections import connection
from clew.sql.constraints import SEARCH_COLUMN
from clew.sql.filters import can_fail, condition, key_can_fail, masked, measure_value
from clew.sql.given import given_keys, same_key
from clew.sql.groups import groups
from clew.sql.json import json_array, json_object, json_value, text_constant
from clew.sql.once import Once
from clew.sql.order import direction
from clew.sql.relations import join, local_columns
from clew.sql.scope import Scope, free_name
from clew.sql.tables import Tables
from clew.sql.ties import key_digest

_ONE: ColumnElement[Any] = sa.literal_column("1")
_UTF8: ColumnElement[Any] = sa.literal_column("'UTF8'")
_NOTHING: ColumnElement[Any] = sa.literal_column("0")


def read_statement(plan: ReadPlan, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """One row; a column for each of `plan.reads` in their order: JSON as UTF-8 bytes, or null for no row.

    Bytes, because the driver would decode text for us to encode again. The statement's
    operands are collected in `binds`, and the orders of its cursors.
    """
    compiler = Compiler(model, tables, binds)
    columns: list[ColumnElement[Any]] = []
    for index, root in enumerate(plan.reads):
        value = compiler.rows(root.read, None) if isinstance(root, RootMany) else compiler.one(root.read)
        columns.append(sa.func.convert_to(sa.cast(value, sa.Text), _UTF8).label(f"r{index}"))
    return sa.select(*columns)


def rows_statement(read: Read, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """The rows with the keys that are given, as one JSON array in their order; null for a row that is not there.

    The keys are `Keys` operands: for each column of the entity's key, named after it, a list.
    """
    compiler = Compiler(model, tables, binds)
    entity = read.rows.visible.entity
    keys = given_keys(entity, binds)
    scope = compiler.scope(entity.name, Scope(entity, keys.source))
    row = compiler.row(read, scope, same_key(scope, keys), "clew_json").lateral(f"j{compiler.number()}")
    rows = json_array(row.c.clew_json, [keys.position])
    value = sa.func.convert_to(sa.cast(rows, sa.Text), _UTF8).label("r0")
    return sa.select(value).select_from(keys.source.outerjoin(row, sa.true()))


def order_statement(rows: Rows, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """The positions, from 1, of the given keys in the order of their rows.

    The keys are `Keys` operands, as for `rows_statement`.
    """
    compiler = Compiler(model, tables, binds)
    entity = rows.visible.entity
    keys = given_keys(entity, binds)
    scope = compiler.scope(entity.name, Scope(entity, keys.source))
    order = [compiler.directed(compiler.follow(key.value, scope), key) for key in rows.order]
    joined = keys.source.outerjoin(scope.source, sa.and_(*same_key(scope, keys)))
    return sa.select(keys.position).select_from(joined).order_by(*order)


def bounded(select: Select[Any], binds: Binds) -> Select[Any]:
    """The one row of a statement of JSON columns, or none where they have more bytes than it may give.

    The bytes are counted in the database, which then sends nothing. What is bounded there is what it sends: it has
    built the JSON by then, once, for OFFSET keeps the two levels apart.
    """
    whole = select.offset(_NOTHING).subquery("whole")
    sizes = [sa.func.coalesce(sa.func.octet_length(column), _NOTHING, type_=sa.BigInteger) for column in whole.c]
    most = binds.add(Operand(MOST_BYTES, ValueType("BigInt", "bigint"), "bytes"))
    return sa.select(*whole.c).where(reduce(operator.add, sizes) <= most)


def held_statement(checks: Mapping[str, Visible], model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """One row; for each check, whether all its keys are those of such rows.

    The keys are `Keys` operands, told apart by the names of the checks.
    """
    compiler = Compiler(model, tables, binds)
    columns: list[ColumnElement[Any]] = []
    for index, (name, rows) in enumerate(checks.items()):
        keys = given_keys(rows.entity, binds, name)
        scope = compiler.scope(rows.entity.name, Scope(rows.entity, keys.source))
        found = sa.select(_ONE).select_from(scope.source)
        found = scope.correlate(found.where(*same_key(scope, keys), *compiler.conditions(Rows(rows), scope)))
        missing = sa.select(_ONE).select_from(keys.source).where(sa.not_(sa.exists(found))).correlate(None)
        columns.append(sa.not_(sa.exists(missing)).label(f"r{index}"))
    return sa.select(*columns)


class Compiler:
    """Builds one statement: its levels, their rows, and the JSON of them."""

    def __init__(self, model: Model, tables: Tables, binds: Binds) -> None:
        self.model = model
        self.tables = tables
        self.binds = binds
        self.aliases = 0
        # What opens fields, by the mask and the level: both are kept, so that no other has the same identity.
        self._opened: dict[tuple[int, int], tuple[Once, Predicate, Scope]] = {}

    # --- levels -----------------------------------------------------------------------

    def scope(self, entity_name: str, outer: Scope | None) -> Scope:
        table = self.tables.of(entity_name)
        alias = table.alias(f"t{self.number()}")
        return Scope(self.model.entity(entity_name), alias, outer)

    def directed(self, expression: ColumnElement[Any], key: OrderKey) -> ColumnElement[Any]:
        """The value of an order's key, with its direction."""
        return direction(expression, key.descending, key.nulls_first)

    def number(self) -> int:
        self.aliases += 1
        return self.aliases - 1

    def conditions(self, rows: Rows, scope: Scope, ruled: Scope | None = None) -> list[ColumnElement[bool]]:
        """What rows must be like: visible, by rules about themselves, and as the operation asks."""
        found: list[ColumnElement[bool]] = []
        for predicate, about in ((rows.visible.where, scope), (rows.where, ruled)):
            # WHERE is a conjunction already.
            items = predicate.items if isinstance(predicate, AllOf) else (predicate,)
            compiled = [condition(item, scope, self, self.binds, about) for item in items]
            if predicate is rows.where and found:
                # Postgres takes conditions in any order: one that fails would tell of rows that are not there.
                compiled = [
                    sa.case((sa.and_(*found), value)) if can_fail(item) else value
                    for item, value in zip(items, compiled, strict=True)
                ]
            found = [*found, *compiled]
        return found

    def fenced(self, rows: Rows, position: ColumnElement[bool], scope: Scope) -> ColumnElement[bool]:
        """Compare the order's keys with a position on visible rows alone, where working a key out may fail."""
        visible = rows.visible.where
        if visible == TRUE or not any(key_can_fail(key.value) for key in rows.order):
            return position
        return sa.case((condition(visible, scope, self, self.binds, scope), position))

    def opened(self, mask: Predicate, scope: Scope) -> ColumnElement[bool]:
        """Whether a field under this mask is open on the row of `scope`; many are under one."""
        key = (id(mask), id(scope))
        if key not in self._opened:
            self._opened[key] = Once(condition(mask, scope, self, self.binds, scope)), mask, scope
        return self._opened[key][0]

    # --- reads ------------------------------------------------------------------------

    def one(self, read: Read) -> ColumnElement[Any]:
        """The JSON object of the one row; null without a row."""
        scope = self.scope(read.rows.visible.entity.name, None)
        return self.row(read, scope, [], "clew_json").scalar_subquery()

    def joined(self, output: One, outer: Scope) -> LateralFromClause:
        """The row at the other end of a to-one, as a FROM item with its JSON as only column.

        A LATERAL subquery without LIMIT is a join to Postgres, by hash or index as it
        sees fit; a subquery in the output would be run once for each row.
        """
        scope = self.scope(output.relation.target, outer)
        name = free_name("clew_json", outer.entity)
        statement = self.row(output.read, scope, [join(self, output.relation, outer, scope, None)], name)
        return statement.lateral(f"j{self.number()}")

    def row(self, read: Read, scope: Scope, join_conditions: list[ColumnElement[bool]], name: str) -> Select[Any]:
        json, source = self.object(read.output, scope)
        statement = sa.select(json.label(name)).select_from(source)
        statement = statement.where(*join_conditions, *self.conditions(read.rows, scope))
        return scope.correlate(_at_most_one(statement, scope))

    def rows(
        self, read: Read | Connection | Aggregate | Groups, outer: Scope | None, via: Many | None = None
    ) -> ColumnElement[Any]:
        """The JSON of what is asked for over many rows.

        Args:
            outer: the level of the row that they belong to, through the relation of `via`.
        """
        match read:
            case Read():
                return self.many(read, outer, via)
            case Connection():
                return connection(self, read, outer, via)
            case Aggregate():
                return self.aggregate(read, outer, via)
            case Groups():
                return groups(self, read)

    def many(self, read: Read, outer: Scope | None, via: Many | None) -> ColumnElement[Any]:
        """The JSON array of the rows; `[]` without any."""
        rows = read.rows
        scope = self.scope(rows.visible.entity.name, outer)
        # A join may bring the rows of the page out of order: then they are sorted again by the same keys.
        again = any(isinstance(output, One) for output in read.output)
        keys = [(self.follow(key.value, scope), key) for key in rows.order]
        sorted_by = self.labelled(keys, scope) if again else []
        inner = sa.select(*self.needed(read.output, scope), *sorted_by).select_from(scope.source)
        inner = inner.where(*self.belonging(rows, scope, outer, via))
        inner = inner.order_by(*(self.directed(expression, key) for expression, key in keys))
        inner = self.cut(inner, rows, scope)
        cut = Scope(scope.entity, inner.subquery(f"page{self.number()}"), outer)
        json, source = self.object(read.output, cut)
        order = [self.directed(cut.key(label.name), key) for label, (_, key) in zip(sorted_by, keys, strict=False)]
        statement = sa.select(json_array(json, order).label("clew_json")).select_from(source)
        return cut.correlate(statement).scalar_subquery()

    def labelled(self, keys: Iterable[tuple[ColumnElement[Any], OrderKey]], scope: Scope) -> list[sa.Label[Any]]:
        """The keys of an order as columns beside the entity's own."""
        return [key.label(free_name(f"clew_key{n}", scope.entity)) for n, (key, _) in enumerate(keys)]

    def belonging(self, rows: Rows, scope: Scope, outer: Scope | None, via: Many | None) -> list[ColumnElement[bool]]:
        """The conditions of `rows`, and that they belong to the row of `outer`."""
        found = self.conditions(rows, scope)
        if via is not None:
            assert outer is not None
            found.insert(0, join(self, via.relation, outer, scope, via.link))
        return found

    def aggregate(self, read: Aggregate, outer: Scope | None, via: Many | None) -> ColumnElement[Any]:
        """The JSON object of an aggregate."""
        if not any(measures(read.output)):
            # Without a function in it the SELECT would give one object for each row.
            return nothing(read)
        scope = self.scope(read.rows.visible.entity.name, outer)

        def value(measure: Measure) -> ColumnElement[Any]:
            return measure_value(measure, scope, self, self.binds)

        statement = sa.select(
            json_object([(output.key, measured_json(output, value)) for output in read.output]).label("clew_json")
        ).select_from(scope.source)
        statement = statement.where(*self.belonging(read.rows, scope, outer, via))
        return scope.correlate(statement).scalar_subquery()

    def cut(self, statement: Select[Any], rows: Rows, scope: Scope, more: int = 0) -> Select[Any]:
        """The statement with its limit, of `more` rows beyond it, and its offset."""
        if rows.ceiling is not None:
            statement = scope.correlate(statement.limit(sa.literal_column(str(rows.ceiling))))
            most = statement.subquery(f"most{self.number()}")
            statement = sa.select(*most.c).select_from(most)
        if rows.limit is not None:
            statement = statement.limit(self.count(rows.limit, more))
        if rows.offset is not None:
            statement = statement.offset(self.count(rows.offset))
        return scope.correlate(statement)

    def count(self, operand: Operand, more: int = 0) -> ColumnElement[Any]:
        """A limit or offset, and `more`. One that stands in the document is a constant of the SQL too:

        for a bound one Postgres would assume a tenth of the table and plan for that.
        """
        if isinstance(operand.source, Literal):
            return sa.literal_column(str(int(operand.source.value) + more), sa.BigInteger)
        bound = self.binds.add(operand)
        return bound + sa.literal_column(str(more)) if more else bound

    def needed(self, outputs: Iterable[Output], scope: Scope) -> list[ColumnElement[Any]]:
        """The columns of the inner SELECT that the JSON around it reads."""
        names: dict[str, None] = {}
        for output in outputs:
            columns: tuple[Column, ...] = ()
            if not isinstance(output, TypeName) and output.mask is not None:
                # A rule may look at any column.
                return self.all_columns(scope)
            match output:
                case Value(column=column):
                    columns = (column,)
                case Required(columns=required):
                    columns = required
                case One(relation=relation) | Many(relation=relation):
                    names.update(dict.fromkeys(local_columns(relation)))
                case TypeName():
                    pass
            for column in columns:
                if column.computed is not None and not column.computed.stored:
                    # Its expression is text: which columns it reads is not known.
                    return self.all_columns(scope)
                names[column.column] = None
        return [scope.key(name) for name in names] or [sa.literal_column("1").label("present")]

    def all_columns(self, scope: Scope) -> list[ColumnElement[Any]]:
        table = self.tables.of(scope.entity.name)
        return [scope.key(column.name) for column in table.columns if column.name != SEARCH_COLUMN]

    def follow(self, value: FieldPath, scope: Scope, step: int = 0) -> ColumnElement[Any]:
        """The value at the end of a path of to-ones; null where the path ends early."""
        mask = value.masks[step]
        if step < len(value.path):
            relation, rows = value.path[step]
            inner = self.scope(relation.target, scope)
            statement = sa.select(self.follow(value, inner, step + 1)).select_from(inner.source)
            statement = statement.where(join(self, relation, scope, inner, None), *self.conditions(Rows(rows), inner))
            return self.masked(inner.correlate(_at_most_one(statement, inner)).scalar_subquery(), mask, scope)
        end = value.end
        if isinstance(end, Column):
            return self.masked(scope.column(end), mask, scope)
        if isinstance(end, KeyDigest):
            return key_digest(scope, self.binds)
        inner = self.scope(end.relation.target, scope)
        statement = sa.select(measure_value(end.measure, inner, self, self.binds)).select_from(inner.source)
        statement = statement.where(join(self, end.relation, scope, inner, end.link), *self.conditions(end.rows, inner))
        measured = self.masked(inner.correlate(statement).scalar_subquery(), mask, scope)
        counts = mask is not None and end.type is COUNT
        return sa.func.coalesce(measured, _NOTHING) if counts else measured

    # --- output -----------------------------------------------------------------------

    def object(
        self, outputs: tuple[Output, ...], scope: Scope, source: FromClause[Any] | None = None
    ) -> tuple[ColumnElement[Any], FromClause[Any]]:
        """The JSON object of a row of `scope`, and the FROM that it reads: `source`, the scope's own, and its joins."""
        source = scope.source if source is None else source
        pairs: list[tuple[str, ColumnElement[Any]]] = []
        for output in outputs:
            if isinstance(output, One):
                lateral = self.joined(output, scope)
                source = source.outerjoin(lateral, sa.true())
                (json,) = lateral.c
                pairs.append((output.key, self.masked(json, output.mask, scope)))
            else:
                pairs.append((output.key, self.output(output, scope)))
        return json_object(pairs), source

    def output(self, output: Value | TypeName | Required | Many, scope: Scope) -> ColumnElement[Any]:
        match output:
            case Value(column=column, mask=mask):
                return self.masked(json_value(scope.column(column), column.type), mask, scope)
            case TypeName(name=name):
                return text_constant(name)
            case Required(columns=columns, mask=mask):
                required = json_object([(c.name, json_value(scope.column(c), c.type)) for c in columns])
                return self.masked(required, mask, scope)
            case Many(read=read, mask=mask):
                rows = self.rows(read, scope, output)
                return rows if mask is None else sa.func.coalesce(self.masked(rows, mask, scope), nothing(read))

    def masked(self, expression: ColumnElement[Any], mask: Predicate | None, scope: Scope) -> ColumnElement[Any]:
        return masked(expression, mask, scope, self, self.binds)


def _at_most_one(statement: Select[Any], scope: Scope) -> Select[Any]:
    """The rows of a key: nothing keeps a view's key unique."""
    return statement.limit(_ONE) if scope.entity.view_sql is not None else statement
