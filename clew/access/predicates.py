"""Make predicates, for clients' filters and for rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from clew.access.types import (
    TRUE,
    Aggregated,
    AllOf,
    AnyOf,
    Claim,
    Compare,
    Constant,
    Exists,
    IsNull,
    IsTrue,
    JsonPath,
    Literal,
    Not,
    Operand,
    Predicate,
    Reach,
    Rows,
    Search,
    Somewhere,
    Source,
    Visible,
)
from clew.model import operators
from clew.model.types import Column, Relation, ValueType

FALSE = AnyOf(())

_FORMS = {"like": "pattern", "ilike": "pattern", "startsWith": "prefix", "endsWith": "suffix", "contains": "infix"}
TEXT = ValueType("String", "text")
_PATH = ValueType("String", "text", is_list=True)
_BOOLEAN = ValueType("Boolean", "boolean")


def operand_type(column: ValueType, operator: str, known: Mapping[str, operators.Operand] | None = None) -> ValueType:
    """Return the type of the operand if `operator` compares a column of this type.

    Args:
        known: the operators to choose from; None for those of the column's type.
    """
    item = column.item
    match (operators.operators(column) if known is None else known)[operator]:
        case operators.Operand.TEXT:
            return TEXT
        case operators.Operand.BOOLEAN:
            return _BOOLEAN
        case operators.Operand.LIST:
            return ValueType(item.name, item.sql, item.is_enum, is_list=True)
        case _:
            return item


def operand(
    type_: ValueType,
    operator: str,
    source: Source,
    place: str,
    known: Mapping[str, operators.Operand] | None = None,
) -> Operand:
    """Return the operand for a comparison with a value of `type_`. Errors call it `place`."""
    compared = operand_type(type_, operator, known)
    # JSON has a `contains` of its own.
    form = _FORMS.get(operator, "value") if compared == TEXT else "value"
    reach = _reach(type_, operator, form)
    if known is operators.AT_PATH and reach in (Reach.NARROW, Reach.SAME):
        reach = Reach.WHOLE
    if isinstance(source, Claim):
        # Comparisons that limit the size of a claim alike share one value in the statement.
        source = replace(source, form=form, reach=Reach.NARROW if reach in (Reach.SAME, Reach.WHOLE) else reach)
    return Operand(source, compared, place, form, reach=reach)


def _reach(column: ValueType, operator: str, form: str) -> Reach:
    """Return how much of a stored value of `column` an operator reads. Each operator has a line of its own here."""
    if not operators.is_wide(column):
        return Reach.NARROW
    match operator:
        case "isNull":
            return Reach.NARROW
        case "eq" | "neq" | "in" | "notIn":
            return Reach.SAME if operators.has_length(column) else Reach.WHOLE
        case "gt" | "gte" | "lt" | "lte" | "startsWith" | "has" | "hasKey":
            return Reach.WHOLE
        case "hasAny" | "hasAll":
            return Reach.ITEMS
        case "like":
            return Reach.PATTERN
        case "ilike":
            return Reach.ANY_CASE
        case "endsWith":
            return Reach.WITHIN
        case "contains":
            return Reach.PARTS if form == "value" else Reach.WITHIN
    raise ValueError(f"How much of a stored value does `{operator}` read? Nothing here says it.")


def comparison(column: Column, operator: str, source: Source, place: str, mask: Predicate | None = None) -> Predicate:
    """Return `column operator source` as a predicate. Errors call the operand `place`."""
    if operator == "isNull" and isinstance(source, Literal | Constant):
        return IsNull(column, not source.value, mask)
    return Compare(column, operator, operand(column.type, operator, source, place), mask)


def at_path(
    column: Column, path: Source, operator: str, source: Source, place: str, mask: Predicate | None = None
) -> Predicate:
    """Return `operator source`, for the value in a JSON column at `path`, as a predicate."""
    compared = operand(column.type, operator, source, f"{place}.{operator}", operators.AT_PATH)
    return JsonPath(column, Operand(path, _PATH, f"{place}.at"), operator, compared, mask)


def quantified(
    quantifier: str,
    relation: Relation,
    visible: Visible,
    where: Predicate,
    link: Visible | None,
    mask: Predicate | None = None,
) -> Predicate:
    """Return the predicate that `some`, `none` or `every` row at the other end of a to-many matches."""
    if quantifier == "every":
        # The condition must be true for every row: unknown is not enough.
        return Not(Exists(relation, Rows(visible, IsTrue(where, negated=True)), link, mask))
    exists = Exists(relation, Rows(visible, where), link, mask)
    return exists if quantifier == "some" else Not(exists)


def conjunction(items: Iterable[Predicate]) -> Predicate:
    """Return the predicate that all items hold. Drop TRUE, and flatten nested conjunctions."""
    flat: list[Predicate] = []
    for item in items:
        flat.extend(item.items if isinstance(item, AllOf) else (item,))
    if FALSE in flat:
        return FALSE
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat))


def disjunction(items: Iterable[Predicate]) -> Predicate:
    """Return the predicate that at least one item holds. It is TRUE if an item is, and FALSE without items."""
    flat = [item for item in items if item != FALSE]
    if TRUE in flat:
        return TRUE
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def parts(predicate: Predicate) -> tuple[Predicate, ...]:
    """Return the conditions directly inside a condition of a rule, including those on other rows that it reads."""
    match predicate:
        case AllOf(items) | AnyOf(items):
            return items
        case Not(item) | IsTrue(item):
            return (item,)
        case Exists(rows=rows) | Somewhere(rows=rows) | Aggregated(rows=rows):
            return (rows.where,)
        case Compare() | IsNull():
            return ()
        case JsonPath() | Search():
            # Rules contain neither. Skipping one silently would change the meaning of a rule.
            raise TypeError(f"{type(predicate).__name__} is not a condition of rules.")
        case _:
            assert_never(predicate)


def operands_of(predicate: Predicate) -> tuple[Operand, ...]:
    """Return the operands of a condition of a rule, without the operands of its `parts`."""
    match predicate:
        case Compare(operand=compared):
            return (compared,)
        case Aggregated(conditions=conditions):
            return tuple(compared for _, _, compared in conditions)
    return ()


def claims_in(predicate: Predicate) -> Iterable[Claim]:
    """Yield the claims that a condition of a rule names, anywhere in it."""
    for compared in operands_of(predicate):
        if isinstance(compared.source, Claim):
            yield compared.source
    for part in parts(predicate):
        yield from claims_in(part)
