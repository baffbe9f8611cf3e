"""Predicate -> SQL condition. No operator here can raise on any row (SPEC 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.model.types import Column
from clew.plan.types import AllOf, AnyOf, Compare, Exists, IsNull, IsTrue, Not, Now, Operand, Predicate, Ruled
from clew.sql.binds import Binds, array_operand, bare_type
from clew.sql.relations import Levels, join
from clew.sql.scope import Scope
from clew.sql.types import sql_type

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


def condition(
    predicate: Predicate, scope: Scope, levels: Levels, binds: Binds, ruled: Scope | None = None
) -> ColumnElement[bool]:
    """The predicate about the rows of `scope`, three-valued as in SQL.

    Args:
        ruled: the level of the row that a rule is about, while inside one: what `Ruled`
            operands refer to.
    """
    match predicate:
        case Compare(column, operator, operand, mask):
            expression = masked(scope.column(column), mask, scope, levels, binds)
            if operator in _PATTERNS and bare_type(column.type.sql).lower() not in _TEXTS:
                expression = sa.cast(expression, sa.Text)
            value = _operand(operand, column, levels, binds, ruled)
            return _SCALAR[operator](expression, value)
        case IsNull(column, negated, mask):
            expression = masked(scope.column(column), mask, scope, levels, binds)
            return expression.is_not(None) if negated else expression.is_(None)
        case AllOf(items):
            return sa.and_(sa.true(), *(condition(item, scope, levels, binds, ruled) for item in items))
        case AnyOf(items):
            return sa.or_(sa.false(), *(condition(item, scope, levels, binds, ruled) for item in items))
        case Not(item):
            return sa.not_(condition(item, scope, levels, binds, ruled))
        case IsTrue(item, negated):
            truth = condition(item, scope, levels, binds, ruled)
            return truth.is_not(sa.true()) if negated else truth.is_(sa.true())
        case Exists(relation, rows, link, mask):
            inner = levels.scope(relation.target, scope)
            statement: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(inner.source)
            statement = statement.where(
                join(levels, relation, scope, inner, link), *levels.conditions(rows, inner, ruled)
            )
            found = sa.exists(inner.correlate(statement))
            if mask is None:
                return found
            return sa.and_(condition(mask, scope, levels, binds, scope).is_(sa.true()), found)


def masked(
    expression: ColumnElement[Any], mask: Predicate | None, scope: Scope, levels: Levels, binds: Binds
) -> ColumnElement[Any]:
    """The expression where `mask` holds for the row of `scope`, null elsewhere."""
    if mask is None:
        return expression
    return sa.case((condition(mask, scope, levels, binds, scope), expression))


def _operand(operand: Operand, column: Column, levels: Levels, binds: Binds, ruled: Scope | None) -> ColumnElement[Any]:
    match operand.source:
        case Now():
            now = sa.func.now()
            return now if operand.type.name == "DateTime" else sa.cast(now, sql_type(operand.type))
        case Ruled(path):
            assert ruled is not None, operand.place
            return _field(path, ruled, levels)
        case _:
            is_array = operand.type.is_list and column.type.is_list
            bind = binds.add(operand)
            return array_operand(bind, column.type) if is_array else bind


def _field(path: tuple[str, ...], scope: Scope, levels: Levels) -> ColumnElement[Any]:
    """A field of the row of `scope`, or of one that its to-ones lead to, unmasked."""
    name, *rest = path
    if not rest:
        column = scope.entity.column(name)
        assert column is not None, name
        if column.computed is None or column.computed.stored:
            return scope.key(column.column)
        # The expression's text must stand where its own row is the innermost FROM.
        inner = levels.scope(scope.entity.name, scope)
        same = [inner.key(key.column) == scope.key(key.column) for key in scope.entity.key_columns]
        statement = sa.select(inner.column(column)).select_from(inner.source).where(*same)
        return inner.correlate(statement).scalar_subquery()
    relation = scope.entity.relation(name)
    assert relation is not None, name
    inner = levels.scope(relation.target, scope)
    statement = sa.select(_field(tuple(rest), inner, levels)).select_from(inner.source)
    statement = statement.where(join(levels, relation, scope, inner, None))
    return inner.correlate(statement).scalar_subquery()
