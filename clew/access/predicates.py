"""How predicates are made, by a client's filters and by rules alike."""

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
    """The type of what a column of this type is compared with by `operator`, of its own or of the `known` ones."""
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
    """What a value of `type_` is compared with; `place` is what errors call it."""
    compared = operand_type(type_, operator, known)
    # JSON has a `contains` of its own.
    form = _FORMS.get(operator, "value") if compared == TEXT else "value"
    reach = _reach(type_, operator, form)
    if known is operators.AT_PATH and reach in (Reach.NARROW, Reach.SAME):
        reach = Reach.WHOLE
    if isinstance(source, Claim):
        # One claim is one value of a statement, if its comparisons bound it alike.
        source = replace(source, form=form, reach=Reach.NARROW if reach in (Reach.SAME, Reach.WHOLE) else reach)
    return Operand(source, compared, place, form, reach=reach)


def _reach(column: ValueType, operator: str, form: str) -> Reach:
    """Return how much of a stored value of `column` an operator reads."""
    if not operators.is_wide(column) or operator == "isNull":
        return Reach.NARROW
    if operator == "ilike":
        return Reach.ANY_CASE
    if form != "value":
        return {"pattern": Reach.PATTERN, "prefix": Reach.WHOLE}.get(form, Reach.WITHIN)
    if operator in ("eq", "neq", "in", "notIn"):
        return Reach.SAME if operators.has_length(column) else Reach.WHOLE
    if operator in ("hasAny", "hasAll"):
        return Reach.ITEMS
    return Reach.PARTS if operator == "contains" else Reach.WHOLE


def comparison(column: Column, operator: str, source: Source, place: str, mask: Predicate | None = None) -> Predicate:
    """`column operator source`; `place` is what errors call the operand."""
    if operator == "isNull" and isinstance(source, Literal | Constant):
        return IsNull(column, not source.value, mask)
    return Compare(column, operator, operand(column.type, operator, source, place), mask)


def at_path(
    column: Column, path: Source, operator: str, source: Source, place: str, mask: Predicate | None = None
) -> Predicate:
    """`operator source` of what a JSON column holds at `path`."""
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


def parts(predicate: Predicate) -> tuple[Predicate, ...]:
    """Return the conditions that a condition of a rule is made of: those of its row, and of rows that it reads."""
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
            # Rules have neither. A reader that skipped one would take the rule for another.
            raise TypeError(f"{type(predicate).__name__} is not a condition of rules.")
        case _:
            assert_never(predicate)


def operands_of(predicate: Predicate) -> tuple[Operand, ...]:
    """Return the operands of a condition of a rule, without those of its `parts`."""
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
