"""Compile a predicate to an SQL condition. No operator here can raise on any row."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, operators
from sqlalchemy.sql.elements import Grouping

from clew.access.types import (
    Aggregated,
    AllOf,
    AnyOf,
    Compare,
    Constant,
    Exists,
    FieldPath,
    IsNull,
    IsTrue,
    JsonPath,
    Literal,
    Measure,
    Not,
    Now,
    Operand,
    Predicate,
    Reach,
    RelatedMeasure,
    Rows,
    Ruled,
    Search,
    Somewhere,
    ThisTransaction,
)
from clew.model.types import Column, Entity, SearchField, ValueType
from clew.sql.binds import Binds, array_operand, bare_type
from clew.sql.constraints import SEARCH_COLUMN
from clew.sql.effort import LONGEST_OF_ROW
from clew.sql.json import BOOLEANS
from clew.sql.literals import quote_text
from clew.sql.relations import Levels, join
from clew.sql.scope import Scope
from clew.sql.tables import search_part
from clew.sql.types import sql_type

_Comparison = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]

_SCALAR: dict[str, _Comparison] = {
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    # Python may call the right operand's method first, but `any` must stand on the right.
    "in": lambda column, value: column.operate(operators.eq, sa.func.any(value)),
    "notIn": lambda column, value: column.operate(operators.ne, sa.func.all(value)),
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

# As the default of `clew.jobs.transaction` has it.
_THIS_TRANSACTION: ColumnElement[Any] = sa.literal_column(
    "(pg_current_xact_id_if_assigned()::text || '@' || extract(epoch FROM now()))", sa.Text
)

# The operators of `jsonb` that differ from those of other types.
_JSON: dict[str, _Comparison] = {
    "contains": lambda column, value: column.op("@>", is_comparison=True)(value),
    "hasKey": lambda column, value: column.op("?", is_comparison=True)(value),
}
_JSONB = sql_type(ValueType("JSON", "jsonb"))
_JSON_NULL: ColumnElement[Any] = sa.literal_column("'null'::jsonb", _JSONB)
_HERE: ColumnElement[Any] = sa.literal_column("'{}'::text[]")
_STRING: ColumnElement[Any] = sa.literal_column("'string'")
_ZERO: ColumnElement[Any] = sa.literal_column("0")
_ANYTHING: ColumnElement[Any] = sa.literal_column("'%'", sa.Text)
_LIKE_SPECIAL: ColumnElement[Any] = sa.literal_column(r"'([\\%_])'", sa.Text)
_ESCAPED: ColumnElement[Any] = sa.literal_column(r"'\\\1'", sa.Text)
_EACH: ColumnElement[Any] = sa.literal_column("'g'", sa.Text)
_LONE_ESCAPE: ColumnElement[Any] = sa.literal_column(r"'(^|[^\\])(\\\\)*\\$'", sa.Text)


def _float(value: float) -> ColumnElement[Any]:
    return sa.literal_column(f"'{value}'::float8", sa.Double())


_LARGE_FLOAT, _TINY_FLOAT, _ONE, _ZERO_FLOAT = _float(2.0**900), _float(1e-290), _float(1), _float(0)
_SCALE_DOWN, _SCALE_UP, _INFINITY = _float(2.0**-100), _float(2.0**100), _float(math.inf)
_LARGEST_SCALED = _float(sys.float_info.max * 2.0**-100)
_NO_WORDS: ColumnElement[Any] = sa.literal_column("''::tsvector")

_LONGEST_OF_ROW: ColumnElement[Any] = sa.literal_column(str(LONGEST_OF_ROW))

_PATTERNS = frozenset({"like", "ilike", "startsWith", "endsWith", "contains"})
# The types that have LIKE in Postgres. A String may also be an `inet` or a native enum.
_TEXTS = frozenset({"text", "varchar", "character varying", "char", "character", "bpchar", "citext", "name"})


def can_fail(predicate: Predicate) -> bool:
    """Return whether a condition may raise on some row, by the schema's own SQL."""
    match predicate:
        case AllOf(items) | AnyOf(items):
            return any(map(can_fail, items))
        case Not(item) | IsTrue(item):
            return can_fail(item)
        case Exists(rows=rows) | Somewhere(rows=rows):
            return can_fail(rows.where) or can_fail(rows.visible.where)
        case Aggregated(rows=rows, conditions=conditions):
            measures = [measure for measure, _, _ in conditions]
            return can_fail(rows.where) or can_fail(rows.visible.where) or any(map(_can_raise, measures))
        case Compare(column=column) | IsNull(column=column) | JsonPath(column=column):
            return column.computed is not None and not column.computed.stored
    return False


def key_can_fail(value: FieldPath) -> bool:
    """Return whether computing a value to sort by may raise on some row."""
    end = value.end
    if isinstance(end, Column):
        return end.computed is not None and not end.computed.stored
    return isinstance(end, RelatedMeasure) and _can_raise(end.measure)


def _can_raise(measure: Measure) -> bool:
    column = measure.column
    if column is None or measure.function == "countDistinct":
        return False
    return column.computed is not None and not column.computed.stored


def condition(
    predicate: Predicate, scope: Scope, levels: Levels, binds: Binds, ruled: Scope | None = None
) -> ColumnElement[bool]:
    """Compile the predicate about the rows of `scope`, with the three values of SQL.

    Args:
        ruled: inside a rule, the level of the row that the rule is about. `Ruled` operands refer to it.
    """
    match predicate:
        case Compare(column, operator, operand, mask):
            expression = masked(scope.column(column), mask, scope, levels, binds)
            return compared(expression, column.type, operator, _operand(operand, column.type, levels, binds, ruled))
        case IsNull(column, negated, mask):
            expression = masked(scope.column(column), mask, scope, levels, binds)
            return expression.is_not(None) if negated else expression.is_(None)
        case AllOf(items):
            return sa.and_(sa.true(), *(condition(item, scope, levels, binds, ruled) for item in items))
        case AnyOf(items):
            return sa.or_(sa.false(), *(condition(item, scope, levels, binds, ruled) for item in items))
        case Not(item):
            # SQLAlchemy leaves out the parentheses of some negations before IS. Postgres reads `NOT a IS true` as
            # `NOT (a IS true)`, which holds where `a` is unknown.
            return Grouping(sa.not_(condition(item, scope, levels, binds, ruled)))
        case IsTrue(item, negated):
            truth = condition(item, scope, levels, binds, ruled)
            return truth.is_not(sa.true()) if negated else truth.is_(sa.true())
        case Exists(relation, rows, link, mask):
            inner = levels.scope(relation.target, scope)
            joined = join(levels, relation, scope, inner, link)
            exists = _exists(rows, inner, levels, ruled, joined)
            if mask is None:
                return exists
            return sa.and_(levels.opened(mask, scope).is_(sa.true()), exists)
        case Somewhere(rows):
            # Without a word about the row of `scope` Postgres finds it out once for all rows.
            inner = levels.scope(rows.visible.entity.name, scope)
            return _exists(rows, inner, levels, ruled)
        case Aggregated(mask=mask):
            holds = _aggregated(predicate, scope, levels, binds, ruled)
            if mask is None:
                return holds
            of_none = _aggregated(predicate, scope, levels, binds, ruled, empty=True)
            return sa.case((levels.opened(mask, scope), holds), else_=of_none)
        case JsonPath(column, path, operator, operand, mask):
            expression = masked(scope.column(column), mask, scope, levels, binds)
            found = expression.op("#>", return_type=_JSONB)(_operand(path, path.type, levels, binds, ruled))
            return _at_path(found, operator, _operand(operand, operand.type, levels, binds, ruled))
        case Search(entity, parts, operand):
            languages = dict.fromkeys(part.language for part, _ in parts)
            text = binds.add(operand)
            queries: list[ColumnElement[Any]] = [
                sa.func.websearch_to_tsquery(_configuration(language), text) for language in languages
            ]
            query = reduce(lambda one, other: one.op("||")(other), queries)
            return _vector(entity, parts, scope, levels, binds).op("@@", is_comparison=True)(query)


def _exists(
    rows: Rows, inner: Scope, levels: Levels, ruled: Scope | None, *on: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Return whether one of the rows, at the level `inner`, meets the conditions of `on`."""
    source, conditions = levels.restricted(rows, inner, ruled)
    statement: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(source)
    return sa.exists(inner.correlate(statement.where(*on, *conditions)))


def compared(
    expression: ColumnElement[Any], type_: ValueType, operator: str, value: ColumnElement[Any]
) -> ColumnElement[bool]:
    """Compare `expression`, of the type `type_`, with `value` by `operator`."""
    if type_.name == "JSON" and operator in _JSON:
        return _JSON[operator](expression, value)
    if operator in _PATTERNS and bare_type(type_.sql).lower() not in _TEXTS:
        expression = sa.cast(expression, sa.Text)
    return _SCALAR[operator](expression, value)


def _aggregated(
    predicate: Aggregated, scope: Scope, levels: Levels, binds: Binds, ruled: Scope | None, *, empty: bool = False
) -> ColumnElement[bool]:
    inner = levels.scope(predicate.relation.target, scope)
    holds = sa.and_(
        *(
            compared(
                measure_value(measure, inner, levels, binds),
                measure.type,
                operator,
                _operand(operand, measure.type, levels, binds, ruled),
            )
            for measure, operator, operand in predicate.conditions
        )
    )
    if empty:
        statement = sa.select(holds).select_from(inner.source).where(sa.false())
    else:
        source, conditions = levels.restricted(predicate.rows, inner, ruled)
        on = join(levels, predicate.relation, scope, inner, predicate.link)
        statement = sa.select(holds).select_from(source).where(on, *conditions)
    return inner.correlate(statement).scalar_subquery()


def measure_value(measure: Measure, scope: Scope, levels: Levels, binds: Binds) -> ColumnElement[Any]:
    """Return the measure over the rows of `scope`."""
    if measure.column is None:
        return sa.func.count()
    return measured(measure, masked(scope.column(measure.column), measure.mask, scope, levels, binds))


def measured(measure: Measure, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Apply the measure's function to `column`, an expression for its column."""
    match measure.function:
        case "countDistinct":
            return sa.func.count(column.distinct())
        case "sum" | "avg":
            type_ = sql_type(measure.type)
            if measure.column is not None and measure.column.type.name == "Float":
                # Postgres adds reals as reals.
                return _float_measure(measure.function, sa.cast(column, type_))
            return sa.cast(sa.func.sum(column) if measure.function == "sum" else sa.func.avg(column), type_)
        case function:
            return sa.func.min(column) if function == "min" else sa.func.max(column)


def _float_measure(function: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the sum or the mean of floats. A sum that is too large is infinite; Postgres' own sum raises.

    Large floats are added as multiples of 2^100, in which no sum is too large.
    """
    is_large = sa.func.abs(column) >= _LARGE_FLOAT
    small: ColumnElement[Any] = sa.func.sum(column).filter(sa.not_(is_large))
    large: ColumnElement[Any] = sa.func.sum(column * _SCALE_DOWN).filter(is_large)
    # Postgres raises where a product or quotient of other numbers is zero.
    below = sa.case((sa.func.abs(small) >= _ONE, small * _SCALE_DOWN), else_=_ZERO_FLOAT)
    scaled = large + below
    if function == "avg":
        count = sa.func.count(column)
        mean = sa.case((sa.func.abs(small) >= _TINY_FLOAT, small / count), else_=small * _ZERO_FLOAT)
        small, scaled = mean, scaled / count
    whole = sa.case((sa.func.abs(scaled) <= _LARGEST_SCALED, scaled * _SCALE_UP), else_=scaled * _INFINITY)
    return sa.case((large.is_(None), small), else_=whole)


def _at_path(found: ColumnElement[Any], operator: str, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return a condition on a part of a JSON value. JSON's null counts as SQL's null."""
    found = sa.func.nullif(found, _JSON_NULL, type_=_JSONB)
    kind: ColumnElement[Any] = sa.func.jsonb_typeof(found)
    if operator in _PATTERNS and operator not in _JSON:
        text = found.op("#>>", return_type=sa.Text())(_HERE)
        return sa.case((kind == _STRING, _SCALAR[operator](text, value)))
    if operator in ("gt", "gte", "lt", "lte"):
        # Postgres orders values of different kinds by their kind. Nobody means that.
        return sa.case((kind == sa.func.jsonb_typeof(value), _SCALAR[operator](found, value)))
    return (_JSON.get(operator) or _SCALAR[operator])(found, value)


def _configuration(language: str) -> ColumnElement[Any]:
    """Return the text search configuration that the SDL names."""
    return sa.literal_column(f"{quote_text(language)}::regconfig")


def _vector(
    entity: Entity,
    parts: tuple[tuple[SearchField, Predicate | None], ...],
    scope: Scope,
    levels: Levels,
    binds: Binds,
) -> ColumnElement[Any]:
    """Return the stored vector. If a field may be hidden, build one from the open fields."""
    if all(mask is None for _, mask in parts):  # alike if false: the same words
        return scope.key(SEARCH_COLUMN)
    vectors = []
    for part, mask in parts:
        vector: ColumnElement[Any] = sa.literal_column(f"({search_part(entity, part)})")
        if mask is not None:
            vector = sa.case((levels.opened(mask, scope), vector), else_=_NO_WORDS)
        vectors.append(vector)
    return reduce(lambda one, other: one.op("||")(other), vectors)


def masked(
    expression: ColumnElement[Any], mask: Predicate | None, scope: Scope, levels: Levels, binds: Binds
) -> ColumnElement[Any]:
    """Return the expression where `mask` holds for the row of `scope`, null elsewhere."""
    if mask is None:
        return expression
    return sa.case((levels.opened(mask, scope), expression))


def _operand(
    operand: Operand, type_: ValueType, levels: Levels, binds: Binds, ruled: Scope | None
) -> ColumnElement[Any]:
    match operand.source:
        case Now():
            now = sa.func.now()
            return now if operand.type.name == "DateTime" else sa.cast(now, sql_type(operand.type))
        case ThisTransaction():
            return _THIS_TRANSACTION
        case Ruled(path):
            assert ruled is not None, operand.place
            return _in_form(operand.form, _short(operand, _field(path, ruled, levels)))
        case Constant(value) | Literal(value) if isinstance(value, bool) and bare_type(type_.sql).lower() in BOOLEANS:
            # With a bound value Postgres could use no partial index, and a plan for any value would seem to cost more
            # than one for this value. So Postgres would plan each run anew.
            return sa.true() if value else sa.false()
        case _:
            is_array = operand.type.is_list and type_.is_list
            bind = binds.add(operand)
            return array_operand(bind, type_) if is_array else bind


def _short(operand: Operand, field: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the field, or null if to compare it with a stored value might take long (see `clew.sql.effort`)."""
    if operand.reach in (Reach.NARROW, Reach.SAME, Reach.WHOLE):
        return field
    if operand.reach is Reach.ITEMS:
        return sa.case((sa.func.cardinality(field) <= _LONGEST_OF_ROW, field))
    return sa.case((sa.func.octet_length(sa.cast(field, sa.Text)) <= _LONGEST_OF_ROW, field))


def _in_form(form: str, field: ColumnElement[Any]) -> ColumnElement[Any]:
    """Turn a field into a pattern for LIKE, as `clew.sql.arguments` does with a value. An invalid pattern is null."""
    if form == "value":
        return field
    text = sa.cast(field, sa.Text)
    if form == "pattern":
        return sa.case((text.op("!~", is_comparison=True)(_LONE_ESCAPE), text))
    escaped: ColumnElement[Any] = sa.func.regexp_replace(text, _LIKE_SPECIAL, _ESCAPED, _EACH, type_=sa.Text)
    before = escaped if form == "prefix" else _ANYTHING + escaped
    return before if form == "suffix" else before + _ANYTHING


def _field(path: tuple[str, ...], scope: Scope, levels: Levels) -> ColumnElement[Any]:
    """Return a field of the row of `scope`, or of a row that its to-ones lead to: unmasked, null of a deleted row."""
    name, *rest = path
    if not rest:
        column = scope.entity.column(name)
        assert column is not None, name
        if column.computed is None or column.computed.stored:
            return scope.key(column.column)
        return scope.apart(column)
    relation = scope.entity.relation(name)
    assert relation is not None, name
    inner = levels.scope(relation.target, scope)
    statement = sa.select(_field(tuple(rest), inner, levels)).select_from(inner.source)
    statement = statement.where(join(levels, relation, scope, inner, None))
    deleted = inner.entity.soft_delete
    if deleted is not None:
        statement = statement.where(inner.key(deleted.column).is_(None))
    return inner.correlate(statement).scalar_subquery()
