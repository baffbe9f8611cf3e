"""Drop conditions that the parent row already proves.

Example: a comment is visible if its document belongs to the viewer. A query reaches the comment from a visible
document. So the condition already holds: the document is that parent row.

A condition is dropped only if this follows from the form of the two predicates, and from two facts: the parent row is
one of its `Visible`, and the two rows have equal values in the columns that the relation joins. One statement reads
both rows, so they are of the same moment.

Here the parent row is called near, and the row reached from it far. A fact is a predicate that holds for a row.
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

# Predicates that hold for a row.
_Facts = Sequence[Predicate]
# Pairs of SQL columns with equal values: the first of the row that a predicate is about, the second of another row.
_Pairs = frozenset[tuple[str, str]]


def reached(relation: Relation, near: Visible, far: Visible) -> Visible:
    """Return `far` without the conditions that a row of `near` proves, when `relation` leads from it to `far`.

    For a many-to-many, this drops only `exists` conditions; `linked` drops conditions of its links.
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
    """Return a many-to-many's `link` without the conditions that a row of `near` or a row of `far` proves."""
    assert relation.through is not None
    to_near = frozenset((column, ours) for ours, column in relation.through.local)
    to_far = frozenset(relation.through.remote)
    for end, joined in ((near, to_near), (far, to_far)):
        link = _without(link, end, partial(_is_known, end.entity, joined))
    return link


def _is_known(entity: Entity, joined: _Pairs, item: Predicate, facts: _Facts) -> bool:
    """Return whether the facts about the row of `entity` at an end of a link prove a condition of the link."""
    return _is_witness(entity, facts, joined, item) or _holds_anywhere(entity, facts, item)


def _without(rows: Visible, other: Visible, holds: Callable[[Predicate, _Facts], bool]) -> Visible:
    """Return the rows without the conditions that follow from each rule by which the other row may be visible."""
    asked = _conjuncts(rows.where)
    cases = _cases(other.where)
    left = [item for item in asked if not all(_follows(item, facts, holds) for facts in cases)]
    return rows if len(left) == len(asked) else replace(rows, where=conjunction(left))  # alike if false: a copy


def _cases(where: Predicate) -> Sequence[_Facts]:
    """Return the facts about a row of `where`, once for each alternative of its last condition.

    The last condition holds the rules of the row.
    """
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
    """Return whether `predicate` asks for the existence of exactly the row that the facts are about.

    That row belongs to `entity`, and has equal values in the columns `joined`.
    """
    if not isinstance(predicate, Exists) or predicate.link is not None or predicate.mask is not None:
        return False
    relation = predicate.relation
    if relation.target != entity.name or not relation.on or not joined.issuperset(relation.on):
        return False
    # A view may give other rows each time it is read.
    return entity.view_sql is None and all(item in facts and _is_of_any_rule(item) for item in _wanted(predicate.rows))


def _holds_anywhere(entity: Entity, facts: _Facts, predicate: Predicate) -> bool:
    """Return whether an `exists` condition holds: it is a fact, or the row of `entity` is such a row."""
    asked = predicate.item if isinstance(predicate, Not) else predicate
    if not isinstance(asked, Somewhere) or not _is_of_any_rule(asked):
        return False
    if predicate in facts:
        return True
    is_there = asked.rows.visible.entity.name == entity.name and entity.view_sql is None
    return predicate is asked and is_there and all(item in facts for item in _wanted(asked.rows))


def _leads_to_one(relation: Relation, target: Entity) -> bool:
    """Return whether the relation leads to the target's primary key, so that there is only one row at its other end.

    A view does not count, because nothing keeps its key unique.
    """
    key = {column.column for column in target.key_columns}
    return target.view_sql is None and key == {theirs for _, theirs in relation.on}


def _told(relation: Relation, facts: _Facts) -> Iterable[Predicate]:
    """Yield the facts about the row at the other end of a relation that follow from facts about the near row."""
    for fact in facts:
        if isinstance(fact, Exists) and fact.relation == relation and fact.link is None and fact.mask is None:
            yield from filter(_is_of_any_rule, _wanted(fact.rows))


def _wanted(rows: Rows) -> Iterable[Predicate]:
    return (*_conjuncts(rows.visible.where), *_conjuncts(rows.where))


def _conjuncts(predicate: Predicate) -> _Facts:
    return predicate.items if isinstance(predicate, AllOf) else (predicate,)


def _is_of_any_rule(predicate: Predicate) -> bool:
    """Return whether a predicate means the same in the rules of another row. `Ruled` operands do not."""
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
