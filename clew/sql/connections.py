"""Build the JSON object of a `Connection`: edges, nodes, page and total (GraphQL Cursor Connections)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause

from clew.access.predicates import TEXT
from clew.access.types import Marker, Operand, OrderKey, Rows
from clew.model.measures import COUNT
from clew.plan.types import (
    Connection,
    ConnectionOutput,
    Cursor,
    Edges,
    Many,
    Node,
    Nodes,
    Output,
    PageInfo,
    Position,
    TypeName,
)
from clew.sql.binds import compared_type
from clew.sql.json import Json, JsonArray, JsonObject, json_boolean, json_name, json_text, json_value
from clew.sql.pages import Pages, has_joins
from clew.sql.scope import Scope, free_name
from clew.sql.types import sql_type

_ROW = "clew_row"
_FOLLOWS = "clew_follows"
_HEX: ColumnElement[Any] = sa.literal_column("'hex'")
_UTF8: ColumnElement[Any] = sa.literal_column("'UTF8'")
_ONE: ColumnElement[Any] = sa.literal_column("1")
_TRUE: ColumnElement[Any] = sa.literal_column("true")
_FALSE: ColumnElement[Any] = sa.literal_column("false")


class Objects(Protocol):
    """Returns the object of a row, and the FROM item that it reads."""

    def __call__(
        self, outputs: Iterable[Output], scope: Scope, source: FromClause[Any], *, is_alone: bool
    ) -> tuple[Json, FromClause[Any]]: ...


def connection(
    pages: Pages, read: Connection, outer: Scope | None, via: Many | None, objects: Objects, *, is_alone: bool
) -> ColumnElement[Any]:
    """Return the object of one page.

    Args:
        outer, via: as for `Pages.page`.
        objects: returns the object of a row of a level, and the given FROM item with the rows that the object joins.
        is_alone: as for `objects`: whether there are a few rows at most.
    """
    return _Connection(pages, read, outer, via, objects, is_alone=is_alone).json()


class _Connection:
    """One page: the rows between the positions, cut and numbered, with the output built around them.

    With `peeks` the statement reads one row beyond the page. This row tells whether another page follows.
    """

    def __init__(
        self, pages: Pages, read: Connection, outer: Scope | None, via: Many | None, objects: Objects, *, is_alone: bool
    ) -> None:
        self.pages = pages
        self.objects = objects
        self.is_alone = is_alone
        # Whether a join may disturb the order of the rows.
        self.is_joined = not is_alone and any(map(_has_joins, read.output))
        self.read = read
        self.outer = outer
        self.via = via
        infos = [name for output in read.output if isinstance(output, PageInfo) for _, name in output.fields]
        self.peeks = ("hasPreviousPage" if read.backward else "hasNextPage") in infos
        # Whether the output has the cursor of the row that is read last.
        self.ends = ("startCursor" if read.backward else "endCursor") in infos
        # The limit if rows beyond the page are read, else None.
        self.limit = read.rows.limit if self.peeks else None
        self.order = tuple(key.backward for key in read.rows.order) if read.backward else read.rows.order
        self.keys: list[ColumnElement[Any]] = []

    def json(self) -> ColumnElement[Any]:
        if not any(self.reads_page(output) for output in self.read.output):
            # Without an aggregate function a SELECT from the page would return one object for each row.
            return JsonObject([(output.key, self.beside(output)) for output in self.read.output])
        pairs: list[tuple[str, ColumnElement[Any]]] = []
        page = self.page()
        source: FromClause[Any] = page.source
        for output in self.read.output:
            match output:
                case Edges(output=fields):
                    json, source = self.edge(fields, page, source)
                    pairs.append((output.key, self.array(json)))
                case Nodes(output=fields):
                    json, source = self.objects(fields, page, source, is_alone=self.is_alone)
                    pairs.append((output.key, self.array(json)))
                case _:
                    pairs.append((output.key, self.beside(output)))
        statement = sa.select(JsonObject(pairs).label("clew_json")).select_from(source)
        return page.correlate(statement).scalar_subquery()

    def reads_page(self, output: ConnectionOutput) -> bool:
        """Return whether the output aggregates the rows of the page."""
        if not isinstance(output, PageInfo):
            return isinstance(output, Edges | Nodes)
        counted = self.peeks and self.read.rows.limit is not None
        return counted or any(name in ("startCursor", "endCursor") for _, name in output.fields)

    def beside(self, output: ConnectionOutput) -> Json:
        """Return an output that exists even if the page has no row."""
        match output:
            case PageInfo(fields=fields):
                return JsonObject([(key, self.info(name)) for key, name in fields])
            case TypeName(name=name):
                return json_name(name)
            case _:
                return json_value(self.total(), COUNT)

    def page(self) -> Scope:
        """Select the rows of the page, and the row after it, with their keys and their numbers."""
        pages, read = self.pages, self.read
        cut = pages.page(
            read.rows,
            read.fields,
            self.outer,
            self.via,
            is_joined=True,
            order=self.order,
            between=self.between,
            more=1 if self.peeks else 0,
        )
        entity, between = cut.scope.entity, cut.scope.source
        # The rows come in the page's order.
        number = sa.func.row_number().over().label(free_name(_ROW, entity))
        follows = sa.func.lead(_TRUE).over().label(free_name(_FOLLOWS, entity))
        columns = [*between.c, number, *([follows] if self.ends else [])]
        numbered = sa.select(*columns).select_from(between).subquery(f"rows{pages.number()}")
        page = Scope(entity, numbered, self.outer, is_joined=True)
        self.keys = [page.key(name) for name in cut.keys]
        self.number = page.key(number.name, sa.BIGINT())
        self.follows = page.key(follows.name)
        return page

    def between(self, scope: Scope) -> list[ColumnElement[bool]]:
        """Return the conditions that a row lies after one position and before the other."""
        found: list[ColumnElement[bool]] = []
        if self.read.after is not None:
            found.append(self.beyond(self.read.after, self.read.rows.order, scope))
        if self.read.before is not None:
            found.append(self.beyond(self.read.before, [key.backward for key in self.read.rows.order], scope))
        return [self.pages.fenced(self.read.rows, condition, scope) for condition in found]

    def beyond(
        self, position: Position, order: Sequence[OrderKey], scope: Scope, *, inclusive: bool = False
    ) -> ColumnElement[bool]:
        """Return whether a row comes after `position` in `order`, or also at it. Null means no, as false does.

        The bound of the first key stands alone before the rest, so that an index scan can begin there. If no key can
        be null and all have one direction, the condition is one comparison of rows.
        """
        pages = self.pages
        keys = [pages.follow(key.value, scope) for key in order]
        values = [
            None if operand is None else sa.cast(pages.binds.add(operand), sql_type(compared_type(key.value.end.type)))
            for key, operand in zip(order, position.values, strict=True)
        ]
        plain = [value for value in values if value is not None]
        one_way = len({key.descending for key in order}) == 1 and not any(key.value.nullable for key in order)
        if one_way and len(plain) == len(keys) > 1:
            left, right = sa.tuple_(*keys), sa.tuple_(*plain)
            if inclusive:
                return left <= right if order[0].descending else left >= right
            return left < right if order[0].descending else left > right
        condition: ColumnElement[bool] | None = sa.true() if inclusive else None
        for key, expression, value in reversed(list(zip(order, keys, values, strict=True))):
            after = _after(key, expression, value)
            same = expression.is_(None) if value is None else expression == value
            condition = after if condition is None else sa.or_(after, sa.and_(same, condition))
        assert condition is not None
        several = len(keys) > 1 or inclusive
        if several and values[0] is not None and not (order[0].value.nullable and not order[0].nulls_lead):
            bound = keys[0] <= values[0] if order[0].descending else keys[0] >= values[0]
            return sa.and_(bound, condition)  # alike without `bound`: for an index to begin there
        return condition

    # --- output -----------------------------------------------------------------------

    def array(self, json: Json) -> Json:
        order = [self.number.desc() if self.read.backward else self.number]
        return JsonArray(json, order if self.read.backward or self.is_joined else (), self.within())

    def within(self) -> ColumnElement[bool] | None:
        """Return the condition for the rows of the page itself. None: all rows that were read."""
        return self.number <= self.pages.count(self.limit) if self.limit is not None else None

    def edge(
        self, fields: tuple[Cursor | Node | TypeName, ...], page: Scope, source: FromClause[Any]
    ) -> tuple[Json, FromClause[Any]]:
        pairs: list[tuple[str, ColumnElement[Any]]] = []
        for field in fields:
            match field:
                case Cursor():
                    pairs.append((field.key, json_text(self.cursor())))
                case Node(output=output):
                    json, source = self.objects(output, page, source, is_alone=self.is_alone)
                    pairs.append((field.key, json))
                case TypeName(name=name):
                    pairs.append((field.key, json_name(name)))
        return JsonObject(pairs), source

    def cursor(self) -> ColumnElement[Any]:
        """Return the values of a row's keys, marked for sealing: `mark:number of the order:hex`."""
        number = self.pages.binds.order(self.read.order)
        values = sa.func.json_build_array(*(sa.cast(key, sa.Text()) for key in self.keys))
        plain = sa.func.encode(sa.func.convert_to(sa.cast(values, sa.Text()), _UTF8), _HEX)
        mark = self.pages.binds.add(Operand(Marker(), TEXT, "cursor"))
        return mark.op("||")(sa.literal_column(f"':{number}:'")).op("||")(plain)

    def info(self, name: str) -> Json:
        """Return a field of `pageInfo`."""
        backward = self.read.backward
        match name:
            case "hasNextPage":
                return json_boolean(self.outside(self.read.before) if backward else self.another(self.read.before))
            case "hasPreviousPage":
                return json_boolean(self.another(self.read.after) if backward else self.outside(self.read.after))
            case "startCursor":
                return json_text(self.cursor_at(first=not backward))
            case "endCursor":
                return json_text(self.cursor_at(first=backward))
            case _:
                return json_name("PageInfo")

    def another(self, position: Position | None) -> ColumnElement[Any]:
        """Return whether rows follow the page in the direction of reading: before the position, or from it on."""
        limit = self.read.rows.limit
        if limit is None:
            return self.outside(position)
        more: ColumnElement[Any] = sa.func.count() > self.pages.count(limit)
        return more if position is None else sa.or_(more, self.outside(position))

    def outside(self, position: Position | None) -> ColumnElement[Any]:
        """Return whether there are rows at the position or on its other side.

        The query looks for the nearest row, by the index of the order. Without an order Postgres would take any row,
        and scan the table from its start.
        """
        if position is None:
            return _FALSE
        pages = self.pages
        scope = pages.scope(self.read.rows.visible.entity.name, self.outer)
        order = self.read.rows.order
        if position is self.read.after:
            order = tuple(key.backward for key in order)
        outside = self.pages.fenced(self.read.rows, self.beyond(position, order, scope, inclusive=True), scope)
        on = [*pages.belonging(scope, self.outer, self.via), outside]
        statement = pages.select([sa.true()], self.everything(), scope, on)
        statement = statement.order_by(*(pages.directed(pages.follow(key.value, scope), key) for key in order))
        nearest = statement.limit(sa.literal_column("1")).scalar_subquery()
        return sa.func.coalesce(nearest, _FALSE)

    def cursor_at(self, *, first: bool) -> ColumnElement[Any]:
        """Return the cursor of the first or last row of the page in reading order. It is null without rows."""
        is_it = self.number == _ONE if first else self.follows.is_(None)
        if self.limit is not None:
            if not first:
                # The row beyond the page may follow the last row.
                is_it = sa.or_(is_it, self.number == self.pages.count(self.limit))
            is_it = sa.and_(is_it, self.number <= self.pages.count(self.limit))
        return sa.func.max(self.cursor()).filter(is_it)

    def total(self) -> ColumnElement[Any]:
        scope = self.pages.scope(self.read.rows.visible.entity.name, self.outer)
        on = self.pages.belonging(scope, self.outer, self.via)
        return self.pages.select([sa.func.count()], self.everything(), scope, on).scalar_subquery()

    def everything(self) -> Rows:
        """Return all rows of the connection, on any page."""
        return Rows(self.read.rows.visible, self.read.rows.where)


def _after(key: OrderKey, expression: ColumnElement[Any], value: ColumnElement[Any] | None) -> ColumnElement[bool]:
    """Return whether a row comes after the value by this key alone."""
    if value is None:
        return expression.is_not(None) if key.nulls_lead else sa.false()
    after = expression < value if key.descending else expression > value
    return sa.or_(after, expression.is_(None)) if key.value.nullable and not key.nulls_lead else after


def _has_joins(output: ConnectionOutput) -> bool:
    match output:
        case Nodes(output=fields):
            return has_joins(fields)
        case Edges(output=fields):
            return any(isinstance(field, Node) and has_joins(field.output) for field in fields)
        case _:
            return False
