"""Predicate -> SQL condition. No operator here can raise on any row (SPEC 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.plan.types import AllOf, AnyOf, Compare, Exists, IsNull, IsTrue, Not, Predicate
from clew.sql.binds import Binds
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


def condition(predicate: Predicate, scope: Scope, levels: Levels, binds: Binds) -> ColumnElement[bool]:
    """The predicate about the rows of `scope`, three-valued as in SQL."""
    match predicate:
        case Compare(column, operator, operand):
            return _SCALAR[operator](scope.column(column), binds.add(operand))
        case IsNull(column, negated):
            expression = scope.column(column)
            return expression.is_not(None) if negated else expression.is_(None)
        case AllOf(items):
            return sa.and_(sa.true(), *(condition(item, scope, levels, binds) for item in items))
        case AnyOf(items):
            return sa.or_(sa.false(), *(condition(item, scope, levels, binds) for item in items))
        case Not(item):
            return sa.not_(condition(item, scope, levels, binds))
        case IsTrue(item, negated):
            truth = condition(item, scope, levels, binds)
            return truth.is_not(sa.true()) if negated else truth.is_(sa.true())
        case Exists(relation, rows, link):
            inner = levels.scope(relation.target, scope)
            statement: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(inner.source)
            statement = statement.where(join(levels, relation, scope, inner, link), *levels.conditions(rows, inner))
            return sa.exists(inner.correlate(statement))
