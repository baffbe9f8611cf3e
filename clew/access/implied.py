"""What need not be asked of a row because of the row that it is reached from.

Where a comment is visible if its document is one's own, a comment that was reached from
a visible document is visible: its document is that very row. A condition is left out
only where this follows from the form of the two predicates, from nothing but that the
near row is one of its `Visible` and that the two rows have equal values in the columns
that the relation joins. One statement reads both, so they are of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from clew.access.predicates import conjunction
from clew.access.types import (
    TRUE,
    Aggregated,
    AllOf,
    AnyOf,
    Compare,
    Exists,
    IsNull,
    IsTrue,
    Not,
    Operand,
    Predicate,
    Rows,
    Ruled,
    Somewhere,
    Visible,
)
from clew.model.types import Entity, Relation

# What is true of a row.
_Facts = Sequence[Predicate]
# SQL columns that hold equal values: of the row that a predicate is about, of another row.
_Pairs = frozenset[tuple[str, str]]


def reached(relation: Relation, near: Visible, far: Visible) -> Visible:
    """The rows of `far` at the other end of `relation` from a row of `near`, with what is left to ask of them.

    Of a many-to-many all is left but what is about no row: what the near row says is about the links (`linked`).
    """
    if far.where == TRUE:  # alike if false: a shortcut
        return far
    joined = frozenset((theirs, ours) for ours, theirs in relation.on)
    told = _leads_to_one(relation, far.entity)

    def holds(item: Predicate, facts: _Facts) -> bool:
        return (
            _is_witness(near.entity, facts, joined, item)
            or (told and item in _told(relation, facts))
            or _holds_anywhere(near.entity, facts, item)
        )

    return _without(far, near, holds)


def linked(relation: Relation, near: Visible, far: Visible, link: Visible) -> Visible:
    """The rows of a many-to-many's `link` between a row of `near` and one of `far`, with what is left to ask."""
    assert relation.through is not None
    to_near = frozenset((column, ours) for ours, column in relation.through.local)
    to_far = frozenset(relation.through.remote)
    for end, joined in ((near, to_near), (far, to_far)):
        link = _without(link, end, partial(_is_known, end.entity, joined))
    return link


def _is_known(entity: Entity, joined: _Pairs, item: Predicate, facts: _Facts) -> bool:
    """Whether a condition holds by the row of `entity` that the facts are about, which is at an end of the link."""
    return _is_witness(entity, facts, joined, item) or _holds_anywhere(entity, facts, item)


def _without(rows: Visible, other: Visible, holds: Callable[[Predicate, _Facts], bool]) -> Visible:
    """The rows without the conditions that hold, whichever of the rules shows the other row."""
    asked = _conjuncts(rows.where)
    cases = _cases(other.where)
    left = [item for item in asked if not all(_follows(item, facts, holds) for facts in cases)]
    return rows if len(left) == len(asked) else replace(rows, where=conjunction(left))  # alike if false: a copy


def _cases(where: Predicate) -> Sequence[_Facts]:
    """What is true of a row of `where`, for each alternative of its last condition: the rules' are there."""
    facts = _conjuncts(where)
    last = facts[-1] if facts else None
    if isinstance(last, AnyOf) and last.items:
        return [(*facts, *_conjuncts(item)) for item in last.items]
    return [facts]


def _follows(predicate: Predicate, facts: _Facts, holds: Callable[[Predicate, _Facts], bool]) -> bool:
    match predicate:
        case AllOf(items):
            return all(_follows(item, facts, holds) for item in items)
        case AnyOf(items):
            return any(_follows(item, facts, holds) for item in items) or holds(predicate, facts)
    return holds(predicate, facts)


def _is_witness(entity: Entity, facts: _Facts, joined: _Pairs, predicate: Predicate) -> bool:
    """Whether the row of `entity` that the facts are about, joined by `joined`, is one that `predicate` wants."""
    if not isinstance(predicate, Exists) or predicate.link is not None or predicate.mask is not None:
        return False
    relation = predicate.relation
    if relation.target != entity.name or not relation.on or not joined.issuperset(relation.on):
        return False
    # A view is made anew wherever it is read.
    return entity.view_sql is None and all(item in facts and _is_of_any_rule(item) for item in _wanted(predicate.rows))


def _holds_anywhere(entity: Entity, facts: _Facts, predicate: Predicate) -> bool:
    """Whether a condition that is about no row holds: it is a fact, or the row of `entity` is one that it wants."""
    asked = predicate.item if isinstance(predicate, Not) else predicate
    if not isinstance(asked, Somewhere) or not _is_of_any_rule(asked):
        return False
    if predicate in facts:
        return True
    is_there = asked.rows.visible.entity.name == entity.name and entity.view_sql is None
    return predicate is asked and is_there and all(item in facts for item in _wanted(asked.rows))


def _leads_to_one(relation: Relation, target: Entity) -> bool:
    """Whether all that is said of a row at the other end is said of one row, the one with that primary key.

    Nothing keeps a view's key unique.
    """
    key = {column.column for column in target.key_columns}
    return target.view_sql is None and key == {theirs for _, theirs in relation.on}


def _told(relation: Relation, facts: _Facts) -> Iterable[Predicate]:
    """What facts about a row say of the rows at the other end of its relation."""
    for fact in facts:
        if isinstance(fact, Exists) and fact.relation == relation and fact.link is None and fact.mask is None:
            yield from filter(_is_of_any_rule, _wanted(fact.rows))


def _wanted(rows: Rows) -> Iterable[Predicate]:
    return (*_conjuncts(rows.visible.where), *_conjuncts(rows.where))


def _conjuncts(predicate: Predicate) -> _Facts:
    return predicate.items if isinstance(predicate, AllOf) else (predicate,)


def _is_of_any_rule(predicate: Predicate) -> bool:
    """Whether a predicate says the same in the rules of another row: `Ruled` operands are about the ruled row."""
    match predicate:
        case Compare(operand=operand):
            return not _is_ruled(operand)
        case IsNull():
            return True
        case AllOf(items) | AnyOf(items):
            return all(map(_is_of_any_rule, items))
        case Not(item) | IsTrue(item):
            return _is_of_any_rule(item)
        case Exists(rows=rows) | Somewhere(rows=rows):
            return all(map(_is_of_any_rule, _wanted(rows)))
        case Aggregated(rows=rows, conditions=conditions):
            fixed = not any(_is_ruled(operand) for _, _, operand in conditions)
            return fixed and all(map(_is_of_any_rule, _wanted(rows)))
    return False


def _is_ruled(operand: Operand) -> bool:
    return isinstance(operand.source, Ruled)
