"""Predicate -> SQL condition. No operator here can raise on any row (SPEC 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.plan.types import AllOf, AnyOf, Compare, Exists, IsNull, Not, Predicate
from clew.sql.binds import Binds, array_operand, bare_type
from clew.sql.relations import Levels, join
from clew.sql.scope import Scope

_Comparison = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]

_SCALAR: dict[str, _Comparison] = {
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "in": lambda column, value: column == sa.func.any(value),
    "notIn": lambda column, value: column != sa.func.all(value),
    "like": lambda column, value: column.op("LIKE", is_comparison=True)(value),
    "ilike": lambda column, value: column.op("ILIKE", is_comparison=True)(value),
    "startsWith": lambda column, value: column.op("LIKE", is_comparison=True)(value),
    "endsWith": lambda column, value: column.op("LIKE", is_comparison=True)(value),
    "contains": lambda column, value: column.op("LIKE", is_comparison=True)(value),
    "isNull": lambda column, value: column.is_(None) == value,
    "has": lambda column, value: value == sa.func.any(column),
    "hasAny": lambda column, value: column.op("&&", is_comparison=True)(value),
    "hasAll": lambda column, value: column.op("@>", is_comparison=True)(value),
}

_PATTERNS = frozenset({"like", "ilike", "startsWith", "endsWith", "contains"})
# The types on which Postgres has LIKE; a String may also be an `inet` or a native enum.
_TEXTS = frozenset({"text", "varchar", "character varying", "char", "character", "bpchar", "citext", "name"})


def condition(predicate: Predicate, scope: Scope, levels: Levels, binds: Binds) -> ColumnElement[bool]:
    """The predicate about the rows of `scope`, three-valued as in SQL."""
    match predicate:
        case Compare(column, operator, operand):
            expression = scope.column(column)
            if operator in _PATTERNS and bare_type(column.type.sql).lower() not in _TEXTS:
                expression = sa.cast(expression, sa.Text)
            bind = binds.add(operand)
            is_array = operand.type.is_list and column.type.is_list
            value = array_operand(bind, column.type) if is_array else bind
            return _SCALAR[operator](expression, value)
        case IsNull(column, negated):
            expression = scope.column(column)
            return expression.is_not(None) if negated else expression.is_(None)
        case AllOf(items):
            return sa.and_(sa.true(), *(condition(item, scope, levels, binds) for item in items))
        case AnyOf(items):
            return sa.or_(sa.false(), *(condition(item, scope, levels, binds) for item in items))
        case Not(item):
            return sa.not_(condition(item, scope, levels, binds))
        case Exists(relation, rows):
            inner = levels.scope(relation.target, scope)
            statement: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(inner.source)
            statement = statement.where(join(levels, relation, scope, inner, None), *levels.conditions(rows, inner))
            return sa.exists(inner.correlate(statement))
