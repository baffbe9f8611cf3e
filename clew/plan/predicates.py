"""How predicates are made, by a client's filters and by rules alike."""

from __future__ import annotations

from collections.abc import Iterable

from clew.model import operators
from clew.model.types import Column, Relation, ValueType
from clew.plan.types import (
    TRUE,
    AllOf,
    AnyOf,
    Compare,
    Constant,
    Exists,
    IsNull,
    IsTrue,
    Literal,
    Not,
    Operand,
    Predicate,
    Rows,
    Source,
    Visible,
)

FALSE = AnyOf(())

_FORMS = {"like": "pattern", "ilike": "pattern", "startsWith": "prefix", "endsWith": "suffix", "contains": "infix"}
_TEXT = ValueType("String", "text")
_BOOLEAN = ValueType("Boolean", "boolean")


def operand_type(column: ValueType, operator: str) -> ValueType:
    """The type of what a column of this type is compared with by `operator`."""
    item = column.item
    match operators.operators(column)[operator]:
        case operators.Operand.TEXT:
            return _TEXT
        case operators.Operand.BOOLEAN:
            return _BOOLEAN
        case operators.Operand.LIST:
            return ValueType(item.name, item.sql, item.is_enum, is_list=True)
        case _:
            return item


def comparison(column: Column, operator: str, source: Source, place: str, mask: Predicate | None = None) -> Predicate:
    """`column operator source`; `place` is what errors call the operand."""
    if operator == "isNull" and isinstance(source, Literal | Constant):
        return IsNull(column, not source.value, mask)
    operand = Operand(source, operand_type(column.type, operator), place, _FORMS.get(operator, "value"))
    return Compare(column, operator, operand, mask)


def quantified(
    quantifier: str,
    relation: Relation,
    visible: Visible,
    where: Predicate,
    link: Visible | None,
    mask: Predicate | None = None,
) -> Predicate:
    """`some`, `none` or `every` of the rows at the other end of a to-many."""
    if quantifier == "every":
        # Of every row it must be true: unknown is not enough.
        return Not(Exists(relation, Rows(visible, IsTrue(where, negated=True)), link, mask))
    exists = Exists(relation, Rows(visible, where), link, mask)
    return exists if quantifier == "some" else Not(exists)


def conjunction(items: Iterable[Predicate]) -> Predicate:
    """All of these; TRUE and nested conjunctions fold away."""
    flat: list[Predicate] = []
    for item in items:
        flat.extend(item.items if isinstance(item, AllOf) else (item,))
    if FALSE in flat:
        return FALSE
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat))


def disjunction(items: Iterable[Predicate]) -> Predicate:
    """One of these; TRUE if one is, FALSE of none."""
    flat = [item for item in items if item != FALSE]
    if TRUE in flat:
        return TRUE
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))
