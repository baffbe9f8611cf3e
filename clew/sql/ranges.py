"""Say of the rows at the other end of a relation what a condition says of the key that joins them.

From `b.a_id = a.id AND a.id > 5` Postgres does not conclude `b.a_id > 5`; it concludes only from equalities. So it may
read all of `b` to find the rows of a page that begins late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from clew.access.predicates import conjunction
from clew.access.types import Compare, Exists, Not, Predicate, Ruled
from clew.model.types import Column, Entity, Model, RelationKind
from clew.sql.binds import bare_type
from clew.sql.json import NUMBERS

_RANGES = frozenset({"gt", "gte", "lt", "lte"})
# Types whose order has no collation, so that it is the same on both sides.
_TYPES = NUMBERS | {"uuid"}


def narrowed(items: Sequence[Predicate], entity: Entity, model: Model) -> list[Predicate]:
    """Return the conditions of rows of `entity`, which must all hold, each EXISTS with the ranges that follow.

    Where the other conditions hold, the EXISTS holds as before. Elsewhere the row is left out anyway.
    """
    ranges = [item for item in items if isinstance(item, Compare) and _is_range(item)]
    if not ranges or entity.view_sql is not None:
        return list(items)
    return [_narrowed(item, ranges, entity, model) for item in items]


def _narrowed(item: Predicate, ranges: Iterable[Compare], entity: Entity, model: Model) -> Predicate:
    match item:
        case Not(Exists() as inner):
            return Not(_narrowed(inner, ranges, entity, model))
        case Exists(relation, rows):
            target = model.entity(relation.target)
            if relation.kind is RelationKind.TO_ONE or target.view_sql is not None:
                return item
            there = {ours: target.column_by_sql(theirs) for ours, theirs in relation.on}
            found = [
                replace(known, column=column)
                for known in ranges
                if (column := there.get(known.column.column)) is not None and _has_order_of(known.column, column)
            ]
            return replace(item, rows=replace(rows, where=conjunction([rows.where, *found])))
    return item


def _is_range(item: Compare) -> bool:
    # A field of a rule's own row has another meaning at another level.
    return item.operator in _RANGES and item.mask is None and not isinstance(item.operand.source, Ruled)


def _has_order_of(one: Column, other: Column) -> bool:
    """Return whether equal values of the two columns are on the same side of any third."""
    base = bare_type(one.type.sql).lower()
    return base == bare_type(other.type.sql).lower() and base in _TYPES
