"""Build the JSON of the fields that a query asks for on a page.

JSON stands above a page and its joins, so Postgres builds it only for the rows of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause

from clew.access.types import Literal, Predicate, Rows
from clew.model.types import ValueType
from clew.plan.types import Aggregate, Connection, Groups, Many, One, Output, Read, Required, TypeName, Value
from clew.sql.aggregates import aggregate, nothing
from clew.sql.connections import connection
from clew.sql.groups import groups
from clew.sql.json import (
    NULL,
    Json,
    JsonArray,
    JsonIf,
    JsonObject,
    JsonScalar,
    json_column,
    json_name,
    json_value,
)
from clew.sql.pages import Pages, has_joins
from clew.sql.scope import Scope

# A list of more rows is quicker with joins.
_FEW = 4


class Documents:
    """Builds the JSON of one statement's reads, as text."""

    as_json: staticmethod[[ColumnElement[Any], ValueType], Json] = staticmethod(json_value)

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def one(self, read: Read) -> ColumnElement[Any]:
        """Return the object of the one row that the conditions of a read find by a key. It is null without a row."""
        return self.row(read, self.pages.scope(read.rows.visible.entity.name, None), ())

    def row(self, read: Read, scope: Scope, on: Iterable[ColumnElement[bool]]) -> ColumnElement[Any]:
        """Return the object of the one row of `scope` that `on` finds. It is null without a row."""
        json, _ = self.object(read.output, scope, is_alone=True)
        return self.pages.row(read, scope, on, [json.label("clew_json")]).scalar_subquery()

    def rows(
        self, read: Read | Connection | Aggregate | Groups, outer: Scope | None = None, via: Many | None = None
    ) -> ColumnElement[Any]:
        """Return the JSON of a field over many rows.

        Args:
            outer: the level of the row that these rows belong to, through the relation of `via`.
        """
        match read:
            case Read():
                return self.many(read, outer, via)
            case Connection():
                return connection(
                    self.pages, read, outer, via, self.object, is_alone=outer is None and at_most(_FEW - 1, read.rows)
                )
            case Aggregate():
                return aggregate(self.pages, read, outer, via, self.as_json)
            case Groups():
                return groups(self.pages, read, self.as_json)

    def many(self, read: Read, outer: Scope | None, via: Many | None) -> ColumnElement[Any]:
        """Return the array of the rows."""
        is_alone = at_most(_FEW if outer is None else 1, read.rows)
        is_joined = has_joins(read.output) and not is_alone
        page = self.pages.list_page(read, outer, via, is_joined=is_joined)
        json, source = self.object(read.output, page.scope, is_alone=is_alone)
        array = JsonArray(json, page.order(read.rows.order))
        statement = sa.select(array.label("clew_json")).select_from(source)
        return page.scope.correlate(statement).scalar_subquery()

    def object(
        self,
        outputs: Iterable[Output],
        scope: Scope,
        source: FromClause[Any] | None = None,
        *,
        is_alone: bool = False,
    ) -> tuple[Json, FromClause[Any]]:
        """Return the object of a row of `scope`, and its FROM item: `source`, the scope's own, with its joins.

        Args:
            is_alone: whether there are a few rows at most. Subqueries then look up their related rows, because
                preparing a join takes longer.
        """
        source = scope.source if source is None else source
        pairs: list[tuple[str, ColumnElement[Any]]] = []
        for output in outputs:
            if isinstance(output, One) and is_alone:
                target, belongs = self.pages.other_end(output, scope)
                found = JsonScalar(self.row(output.read, target, (belongs,)), is_large=True)
                pairs.append((output.key, self.shown(found, output.mask, scope)))
            elif isinstance(output, One):
                row, is_there = self.pages.related(output, scope)
                source = source.outerjoin(row.source, sa.true())
                json, source = self.object(output.read.output, row, source)
                is_shown = is_there if output.mask is None else sa.and_(self.pages.opened(output.mask, scope), is_there)
                pairs.append((output.key, JsonIf(is_shown, json)))
            else:
                pairs.append((output.key, self.output(output, scope)))
        if scope.entity.variants:
            return _first(pairs), source
        return JsonObject(pairs, is_alone=is_alone), source

    def output(self, output: Value | TypeName | Required | Many, scope: Scope) -> ColumnElement[Any]:
        match output:
            case Value(column=column, mask=mask):
                return json_column(self.pages.masked(scope.column(column), mask, scope), column, self.as_json)
            case TypeName(name=name):
                return json_name(name)
            case Required(columns=columns, mask=mask):
                required = JsonObject([(column.name, json_column(scope.column(column), column)) for column in columns])
                return self.shown(required, mask, scope)
            case Many(read=read, mask=mask):
                rows = self.rows(read, scope, output)
                return rows if mask is None else JsonIf(self.pages.opened(mask, scope), rows, nothing(read))

    def shown(self, json: Json, mask: Predicate | None, scope: Scope) -> Json:
        """Return the JSON where `mask` holds for the row of `scope`, else null."""
        return json if mask is None else JsonIf(self.pages.opened(mask, scope), json)


def _first(pairs: Iterable[tuple[str, ColumnElement[Any]]]) -> Json:
    """Return the first object that is there, of those that one row is as each of its types."""
    found: Json = NULL
    for _, json in reversed(list(pairs)):
        if isinstance(json, JsonIf):
            found = JsonIf(json.condition, json.item, found)
        else:
            assert isinstance(json, JsonScalar)
            found = JsonScalar(sa.func.coalesce(json.text, found), is_large=True)
    return found


def at_most(number: int, rows: Rows) -> bool:
    """Return whether there are certainly no more rows."""
    limit = rows.limit
    return limit is not None and isinstance(limit.source, Literal) and int(limit.source.value) <= number
