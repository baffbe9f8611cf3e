"""Decide whether a condition of a rule could hold for a row that is not written yet."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from clew.access.predicates import FALSE, operands_of, parts
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
    Predicate,
    Ruled,
    Somewhere,
)
from clew.model.types import RelationKind

Reading = Callable[[Predicate], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Foresight:
    """The facts about a row that are known before it is written.

    Args:
        known: the API names of the columns whose values are known.
        unsettled: the names of entities whose rows may still change; None for all.
        reading: returns the entities whose rows a condition reads, directly or through views.
    """

    known: Collection[str]
    unsettled: Collection[str] | None
    reading: Reading

    def could(self, condition: Predicate) -> Predicate:
        """Return a weaker condition, which reads only known facts. If it is false, the full one cannot hold."""
        return self._bound(condition, TRUE)

    def _bound(self, condition: Predicate, unknown: Predicate) -> Predicate:
        """Replace the parts that are not known by `unknown`: TRUE at the top, and FALSE below a negation."""
        match condition:
            case AllOf(items):
                return AllOf(tuple(self._bound(item, unknown) for item in items))
            case AnyOf(items):
                return AnyOf(tuple(self._bound(item, unknown) for item in items))
            case Not(item):
                return Not(self._bound(item, FALSE if unknown == TRUE else TRUE))
            case IsTrue(item, negated):
                turned = FALSE if unknown == TRUE else TRUE
                return replace(condition, item=self._bound(item, turned if negated else unknown))
        return condition if self._is_known(condition) else unknown

    def _is_known(self, condition: Predicate) -> bool:
        """Return whether a single condition can be decided from known facts."""
        read = self.reading(condition)
        if read and (self.unsettled is None or not read.isdisjoint(self.unsettled)):
            return False
        if _any(condition, _names_the_row):
            return False
        match condition:
            case Compare(column=column) | IsNull(column=column):
                return column.name in self.known
            case Exists(relation=relation):
                return relation.kind is RelationKind.TO_ONE and set(relation.key) <= set(self.known)
            case Somewhere():
                return True
        return False


def depends_on(condition: Predicate, names: Collection[str]) -> bool:
    """Return whether a condition may depend on fields of its row with these names.

    Fields of other rows with these names count too, so the answer may be True without need.
    """
    return _any(condition, lambda part: _depends(part, names))


def _depends(condition: Predicate, names: Collection[str]) -> bool:
    match condition:
        case Compare(column=column) | IsNull(column=column):
            return column.name in names or _names_the_row(condition)
        case Exists(relation=relation):
            return relation.kind is not RelationKind.TO_ONE or not set(relation.key).isdisjoint(names)
        case Aggregated():
            return True
    return False


def _names_the_row(condition: Predicate) -> bool:
    """Return whether a condition compares with a `$row` value."""
    return any(isinstance(item.source, Ruled) for item in operands_of(condition))


def _any(condition: Predicate, holds: Callable[[Predicate], bool]) -> bool:
    return holds(condition) or any(_any(part, holds) for part in parts(condition))
