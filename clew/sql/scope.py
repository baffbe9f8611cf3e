"""The rows that an expression is about: an entity and the FROM item that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause, Select
from sqlalchemy.types import TypeEngine

from clew.model.types import Column, Entity
from clew.sql.sources import lateral
from clew.sql.types import sql_type


def free_name(name: str, entity: Entity) -> str:
    """Return a name that differs from the entity's columns, so that no computed expression refers to it by mistake."""
    while entity.column_by_sql(name) is not None:
        name += "_"
    return name


def free_alias(name: str, entity: Entity) -> str:
    """Return a name that differs from the entity's table. It stands beside the table in statements that change it."""
    return f"{name}_" if name == entity.table else name


@dataclass(frozen=True, slots=True)
class Scope:
    """One level of a statement. It may refer to `outer`, the level around it.

    `is_joined` says whether other FROM items may stand beside `source`.
    """

    entity: Entity
    source: FromClause[Any]
    outer: Scope | None = None
    is_joined: bool = False

    def column(self, column: Column) -> ColumnElement[Any]:
        """Return a column of these rows, or the expression of a computed column.

        The text of the expression names columns without a table. So it must stand where the row is the innermost FROM.
        """
        if column.computed is None or column.computed.stored:
            return self.key(column.column, sql_type(column.type))
        if self.is_joined:
            return self.apart(column)
        return sa.literal_column(f"({column.computed.sql})", sql_type(column.type))

    def apart(self, column: Column) -> ColumnElement[Any]:
        """Return a computed column of the row, in a separate SELECT with nothing else in its FROM."""
        stored = [c for c in self.entity.columns if c.computed is None or c.computed.stored]
        own = Scope(self.entity, self.source, self)
        row = lateral(own.correlate(sa.select(*(self.key(c.column) for c in stored))), "clew_own")
        return own.correlate(sa.select(Scope(self.entity, row).column(column)).select_from(row)).scalar_subquery()

    def key(self, name: str, type_: TypeEngine[Any] = sa.types.NULLTYPE) -> ColumnElement[Any]:
        """Return a column by its SQL name."""
        # Not `source.c[name]`: that would first copy every column of the table, for each alias.
        column: sa.ColumnClause[Any] = sa.column(name, type_)
        column.table = self.source
        return column

    def correlate(self, statement: Select[Any]) -> Select[Any]:
        """Let `statement`, which selects from this scope's source, refer to the levels around it."""
        sources: list[FromClause[Any]] = []
        scope = self.outer
        while scope is not None:
            sources.append(scope.source)
            scope = scope.outer
        return statement.correlate(*sources) if sources else statement.correlate(None)
