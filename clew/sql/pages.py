"""Select the rows of one statement, level by level: which rows, in which order, how many. No JSON here.

A page is the same for every use of it: an array of JSON, a file, or keys to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause, Select

from clew.access.conditions import present
from clew.access.types import TRUE, AllOf, Exists, FieldPath, KeyDigest, Literal, Operand, OrderKey, Predicate, Rows
from clew.model.measures import COUNT
from clew.model.types import Column, Model, Relation, ValueType
from clew.plan.types import Many, One, Output, Read, Required, TypeName, Value
from clew.sql.binds import Binds
from clew.sql.constraints import SEARCH_COLUMN
from clew.sql.filters import can_fail, condition, key_can_fail, masked, measure_value
from clew.sql.order import direction
from clew.sql.ranges import narrowed
from clew.sql.relations import join, local_columns
from clew.sql.repeated import Once
from clew.sql.scope import Scope, free_name
from clew.sql.sources import lateral
from clew.sql.tables import Tables
from clew.sql.ties import key_digest

_ONE: ColumnElement[Any] = sa.literal_column("1")
_NOTHING: ColumnElement[Any] = sa.literal_column("0")
# Types whose values have one order only.
_ALIKE = frozenset({"smallint", "integer", "bigint", "uuid"})


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one level as a FROM item, in their order.

    `keys` names the columns with the values of the order's keys. They exist only if a join may disturb the order: they
    sort the rows again.
    """

    scope: Scope
    keys: tuple[str, ...]

    def order(self, order: Iterable[OrderKey]) -> list[ColumnElement[Any]]:
        """Return the keys with their directions. There are none if the rows stay in order."""
        keys = zip(self.keys, order, strict=False)
        return [direction(self.scope.key(name), key.descending, key.nulls_first) for name, key in keys]


class Pages:
    """Selects the rows of one statement."""

    def __init__(self, model: Model, tables: Tables, binds: Binds) -> None:
        self.model = model
        self.tables = tables
        self.binds = binds
        self.aliases = 0
        # The conditions that open fields, by the ids of mask and level. Keep both, so that nothing reuses an id.
        self._opened: dict[tuple[int, int], tuple[Once, Predicate, Scope]] = {}

    # --- levels -----------------------------------------------------------------------

    def scope(self, entity_name: str, outer: Scope | None, *, links: bool = False) -> Scope:
        """Return a new level.

        Args:
            links: the rows link the row of `outer` to the row of the level around it.
        """
        table = self.tables.of(entity_name)
        alias = table.alias(f"t{self.number()}")
        return Scope(self.model.entity(entity_name), alias, outer)

    def directed(self, expression: ColumnElement[Any], key: OrderKey) -> ColumnElement[Any]:
        """Return the value of an order key with its direction."""
        return direction(expression, key.descending, key.nulls_first)

    def number(self) -> int:
        self.aliases += 1
        return self.aliases - 1

    def conditions(self, rows: Rows, scope: Scope, ruled: Scope | None = None) -> list[ColumnElement[bool]]:
        """Return the conditions of rows: those of the rules about them, and those of the operation."""
        found: list[ColumnElement[bool]] = []
        for predicate, about in ((rows.visible.where, scope), (rows.where, ruled)):
            items = _conjuncts(predicate)
            compiled = [condition(item, scope, self, self.binds, about) for item in items]
            if predicate is rows.where and found:
                # Postgres evaluates conditions in any order. So an error of one would reveal hidden rows.
                compiled = [
                    sa.case((sa.and_(*found), value)) if can_fail(item) else value
                    for item, value in zip(items, compiled, strict=True)
                ]
            found = [*found, *compiled]
        return found

    def restricted(
        self, rows: Rows, scope: Scope, ruled: Scope | None = None
    ) -> tuple[FromClause[Any], list[ColumnElement[bool]]]:
        """Return the rows of `scope` as a FROM item that keeps each row once at most, and what it does not yet require.

        Conditions on the row at the other end of a to-one are joins. Postgres can begin with any row of a join, and
        remember the rows that it has looked up. Of an EXISTS with an EXISTS in it, it can do neither.
        """
        parts = [(rows.visible.where, scope), (rows.where, ruled)]
        if any(can_fail(predicate) for predicate, _ in parts):
            # A condition that may raise must stand behind all others.
            return scope.source, self.conditions(rows, scope, ruled)
        abouts = [about for predicate, about in parts for _ in _conjuncts(predicate)]
        items = narrowed([item for predicate, _ in parts for item in _conjuncts(predicate)], scope.entity, self.model)
        source, found = scope.source, list[ColumnElement[bool]]()
        for item, about in zip(items, abouts, strict=True):
            if isinstance(item, Exists) and self.is_unique(item.relation):
                source = source.join(self.at_other_end(item, scope, about), sa.true())
                if item.mask is not None:
                    found.append(self.opened(item.mask, scope).is_(sa.true()))
            else:
                found.append(condition(item, scope, self, self.binds, about))
        return source, found

    def is_unique(self, relation: Relation) -> bool:
        """Return whether the relation leads to one row at most, by the key of a table."""
        target = self.model.entity(relation.target)
        keys = {column.column for column in target.key_columns}
        return target.view_sql is None and {remote for _, remote in relation.on} == keys

    def at_other_end(self, exists: Exists, scope: Scope, ruled: Scope | None) -> FromClause[Any]:
        """Return the rows that `exists` asks for, to be joined to `scope`."""
        inner = self.scope(exists.relation.target, scope)
        source, conditions = self.restricted(exists.rows, inner, ruled)
        statement = sa.select(_ONE.label(free_name("clew_found", scope.entity))).select_from(source)
        statement = statement.where(join(self, exists.relation, scope, inner, None), *conditions)
        return lateral(inner.correlate(statement), f"f{self.number()}")

    def select(
        self, columns: Iterable[ColumnElement[Any]], rows: Rows, scope: Scope, on: Iterable[ColumnElement[bool]] = ()
    ) -> Select[Any]:
        """Select the columns of the rows of `scope`, of those that meet the conditions of `on` too."""
        source, conditions = self.restricted(rows, scope)
        return scope.correlate(sa.select(*columns).select_from(source).where(*on, *conditions))

    def fenced(self, rows: Rows, position: ColumnElement[bool], scope: Scope) -> ColumnElement[bool]:
        """Compare the order's keys with a position on visible rows only, if computing a key may fail."""
        visible = rows.visible.where
        # alike if false: a shortcut, for an index can begin at the position
        # alike without `visible == TRUE`: a shortcut
        # alike without `not any(key_can_fail(key.value) for key in rows.order)`: a shortcut
        if visible == TRUE or not any(key_can_fail(key.value) for key in rows.order):
            return position
        return sa.case((condition(visible, scope, self, self.binds, scope), position))

    def opened(self, mask: Predicate, scope: Scope) -> ColumnElement[bool]:
        """Return whether a field under this mask is open on the row of `scope`. Many fields may share a mask."""
        key = (id(mask), id(scope))
        if key not in self._opened:
            self._opened[key] = Once(condition(mask, scope, self, self.binds, scope)), mask, scope
        return self._opened[key][0]

    def masked(self, expression: ColumnElement[Any], mask: Predicate | None, scope: Scope) -> ColumnElement[Any]:
        return masked(expression, mask, scope, self, self.binds)

    # --- pages ------------------------------------------------------------------------

    def list_page(self, read: Read, outer: Scope | None, via: Many | None, *, is_joined: bool) -> Page:
        """Select the rows of a list. If joins may disturb their order, they are sorted above the joins only.

        A page that is cut must be sorted before.
        """
        if via is not None and outer is not None and (keys := self.order_of_links(read.rows, via)):
            return self.page_by_links(read, outer, via, keys, is_joined=is_joined)
        is_sorted = not is_joined or read.rows.limit is not None or read.rows.offset is not None
        return self.page(read.rows, read.output, outer, via, is_joined=is_joined, is_sorted=is_sorted)

    def order_of_links(self, rows: Rows, via: Many) -> list[str]:
        """Return the link's columns with the values of the order's keys, if the links of a page can give its order.

        They can if a limit cuts rows in the order of their key, and no two links lead to one row. A filter or a rule
        may leave few rows of many: then Postgres must be free to begin with these.
        """
        through, visible = via.relation.through, rows.visible
        if through is None or rows.limit is None or rows.where != TRUE:
            return []
        if any(item != present(visible.entity) for item in _conjuncts(visible.where)):
            return []
        link = self.model.entity(through.entity)
        ends = {name for _, name in through.local} | {name for name, _ in through.remote}
        # Nothing keeps the key of a view unique, and to look up one row in a view may take as long as all.
        # alike without `visible.entity.view_sql is not None`: a plan
        if link.view_sql is not None or visible.entity.view_sql is not None:
            return []
        if {key.column for key in link.key_columns} != ends:
            return []
        names = {key: name for name, key in through.remote}
        found = []
        for key in rows.order:
            match key.value:
                # Texts may have another collation at the other end.
                case FieldPath(Column(column=name, type=ValueType(sql=sql)), (), (None,)) if (
                    sql in _ALIKE and name in names
                ):
                    found.append(names[name])
                case _:
                    return []
        return found

    def page_by_links(self, read: Read, outer: Scope, via: Many, keys: Sequence[str], *, is_joined: bool) -> Page:
        """Select a page of a many-to-many by going along its links, in the order of their columns `keys`.

        For each link Postgres looks up one row, until the page is full. If it may choose, it reads a table of some
        thousand rows along its key instead, beside the links, and hopes that these are evenly spread: a merge join.
        OFFSET keeps the look-up from becoming a join.
        """
        assert via.relation.through is not None
        assert via.link is not None
        rows = read.rows
        link = self.scope(via.relation.through.entity, outer, links=True)
        scope = self.scope(rows.visible.entity.name, link)
        labelled = self.labelled([self.follow(key.value, scope) for key in rows.order], scope) if is_joined else []
        on = [scope.key(key) == link.key(name) for name, key in via.relation.through.remote]
        found = self.select([*self.needed(read.output, scope), *labelled], rows, scope, on).offset(_NOTHING)
        row = lateral(found, f"l{self.number()}")
        source, restrictions = self.restricted(Rows(via.link), link)
        on = [link.key(name) == outer.key(key) for key, name in via.relation.through.local]
        statement = sa.select(*row.c).select_from(source.join(row, sa.true())).where(*on, *restrictions)
        statement = statement.order_by(
            *(self.directed(link.key(name), key) for name, key in zip(keys, rows.order, strict=True))
        )
        cut = self.cut(statement, rows, link).subquery(f"page{self.number()}")
        return Page(Scope(scope.entity, cut, outer, is_joined), tuple(label.name for label in labelled))

    def page(
        self,
        rows: Rows,
        outputs: Iterable[Output],
        outer: Scope | None,
        via: Many | None,
        *,
        is_joined: bool,
        order: Sequence[OrderKey] | None = None,
        between: Callable[[Scope], Iterable[ColumnElement[bool]]] = lambda scope: (),
        more: int = 0,
        is_sorted: bool = True,
    ) -> Page:
        """Select the rows, with the columns that `outputs` need.

        Args:
            outer: the level of the row that these rows belong to, through the relation of `via`.
            is_joined: whether a join to the page may disturb its order.
            order: an order to use instead of that of `rows`.
            between: further conditions.
            more: how many rows to read beyond the limit.
            is_sorted: False if the rows are sorted above the page anyway.
        """
        order = rows.order if order is None else order
        scope = self.scope(rows.visible.entity.name, outer)
        keys = [self.follow(key.value, scope) for key in order]
        labelled = self.labelled(keys, scope) if is_joined else []
        columns = [*self.needed(outputs, scope), *labelled]
        statement = self.select(columns, rows, scope, self.belonging(scope, outer, via)).where(*between(scope))
        if is_sorted:
            statement = statement.order_by(*(self.directed(value, key) for value, key in zip(keys, order, strict=True)))
        cut = self.cut(statement, rows, scope, more).subquery(f"page{self.number()}")
        page = Scope(scope.entity, cut, outer, is_joined)
        return Page(page, tuple(label.name for label in labelled))

    def related(self, output: One, outer: Scope) -> tuple[Scope, ColumnElement[bool]]:
        """Return the row at the other end of a to-one from `outer`, as `joined` does."""
        target, belongs = self.other_end(output, outer)
        return self.joined(output.read, target, [belongs], output.relation.on[0][1])

    def other_end(self, output: One, outer: Scope) -> tuple[Scope, ColumnElement[bool]]:
        """Return the level of a to-one's target, and the condition that a row is at the other end from `outer`."""
        scope = self.scope(output.relation.target, outer)
        return scope, join(self, output.relation, outer, scope, None)

    def joined(
        self, read: Read, scope: Scope, on: Iterable[ColumnElement[bool]], key: str
    ) -> tuple[Scope, ColumnElement[bool]]:
        """Return the row of `scope` that `on` finds, for a LATERAL join, and whether there is one.

        Without LIMIT Postgres treats this as a plain join, and can choose a hash or an index. The row has plain columns
        only. Its JSON stands above the join: otherwise Postgres would build JSON for each row that it hashes.

        Args:
            key: the SQL name of a column that is never null in a found row.
        """
        columns = self.needed(read.output, scope, key)
        found = lateral(self.row(read, scope, on, columns), f"j{self.number()}")
        row = Scope(scope.entity, found, scope.outer, is_joined=True)
        return row, row.key(key).is_not(None)

    def row(
        self, read: Read, scope: Scope, on: Iterable[ColumnElement[bool]], columns: Iterable[ColumnElement[Any]]
    ) -> Select[Any]:
        """Select the columns of the row of `scope` that `on` finds."""
        return _at_most_one(self.select(columns, read.rows, scope, on), scope)

    def labelled(self, keys: Iterable[ColumnElement[Any]], scope: Scope) -> list[sa.Label[Any]]:
        """Return the keys of an order as columns beside those of the entity."""
        return [key.label(free_name(f"clew_key{n}", scope.entity)) for n, key in enumerate(keys)]

    def belonging(self, scope: Scope, outer: Scope | None, via: Many | None) -> list[ColumnElement[bool]]:
        """Return the condition that the rows of `scope` belong to the row of `outer`, through the relation of `via`."""
        if via is None:
            return []
        assert outer is not None
        return [join(self, via.relation, outer, scope, via.link)]

    def cut(self, statement: Select[Any], rows: Rows, scope: Scope, more: int = 0) -> Select[Any]:
        """Add the offset and the limit to the statement, with `more` rows beyond the limit."""
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
        """Return a limit or offset plus `more`.

        A number in the document is a constant in the SQL too. For a bound limit Postgres would plan for a tenth of the
        table.
        """
        if isinstance(operand.source, Literal):
            return sa.literal_column(str(int(operand.source.value) + more), sa.BigInteger)
        bound = self.binds.add(operand)
        return bound + sa.literal_column(str(more)) if more else bound

    # --- columns ----------------------------------------------------------------------

    def needed(self, outputs: Iterable[Output], scope: Scope, *names: str) -> list[ColumnElement[Any]]:
        """Return the columns that the outputs need, and the columns with these SQL names."""
        found: dict[str, None] = dict.fromkeys(names)
        for output in outputs:
            columns: tuple[Column, ...] = ()
            # alike without `output.mask is not None`: more columns than are needed
            # alike if true: more columns than are needed
            if not isinstance(output, TypeName) and output.mask is not None:
                # A rule may read any column.
                return self.all_columns(scope)
            match output:
                case Value(column=column):
                    columns = (column,)
                case Required(columns=required):
                    columns = required
                case One(relation=relation) | Many(relation=relation):
                    found.update(dict.fromkeys(local_columns(relation)))
                case TypeName():
                    pass
            for column in columns:
                if column.computed is not None and not column.computed.stored:
                    # Its expression is text. The columns that it reads are unknown.
                    return self.all_columns(scope)
                found[column.column] = None
        return [scope.key(name) for name in found] or [sa.literal_column("1").label("present")]

    def all_columns(self, scope: Scope) -> list[ColumnElement[Any]]:
        table = self.tables.of(scope.entity.name)
        return [scope.key(column.name) for column in table.columns if column.name != SEARCH_COLUMN]

    def follow(self, value: FieldPath, scope: Scope, step: int = 0) -> ColumnElement[Any]:
        """Return the value at the end of a path of to-ones. It is null if the path ends early."""
        mask = value.masks[step]
        if step < len(value.path):
            relation, rows = value.path[step]
            inner = self.scope(relation.target, scope)
            on = [join(self, relation, scope, inner, None)]
            statement = self.select([self.follow(value, inner, step + 1)], Rows(rows), inner, on)
            return self.masked(_at_most_one(statement, inner).scalar_subquery(), mask, scope)
        end = value.end
        if isinstance(end, Column):
            return self.masked(scope.column(end), mask, scope)
        if isinstance(end, KeyDigest):
            return key_digest(scope, self.binds)
        inner = self.scope(end.relation.target, scope)
        measure = measure_value(end.measure, inner, self, self.binds)
        statement = self.select([measure], end.rows, inner, [join(self, end.relation, scope, inner, end.link)])
        measured = self.masked(statement.scalar_subquery(), mask, scope)
        counts = mask is not None and end.type is COUNT  # alike without `mask is not None`: a count is not null
        return sa.func.coalesce(measured, _NOTHING) if counts else measured


def _conjuncts(predicate: Predicate) -> tuple[Predicate, ...]:
    """Return the conditions that WHERE joins by AND."""
    return predicate.items if isinstance(predicate, AllOf) else (predicate,)


def _at_most_one(statement: Select[Any], scope: Scope) -> Select[Any]:
    """Limit the rows of a key to one: nothing keeps the key of a view unique."""
    return statement.limit(_ONE) if scope.entity.view_sql is not None else statement


def has_joins(outputs: Iterable[Output]) -> bool:
    """Return whether the outputs join other rows to theirs."""
    return any(isinstance(output, One) for output in outputs)
