"""Find the entities that a rule reads."""

from __future__ import annotations

from collections.abc import Iterable

from clew.access.predicates import operands_of, parts
from clew.access.types import Aggregated, Exists, Predicate, Ruled, Somewhere
from clew.model.types import Model


def reads(predicate: Predicate, model: Model) -> frozenset[str]:
    """Return the entities of the other rows that a condition reads, beside the row that it is about."""
    return frozenset(_reads(predicate, model))


def _reads(predicate: Predicate, model: Model) -> Iterable[str]:
    if isinstance(predicate, Exists | Aggregated):
        relation = predicate.relation
        yield relation.target
        if relation.through is not None:
            yield relation.through.entity
    if isinstance(predicate, Somewhere):
        yield predicate.rows.visible.entity.name
    for part in parts(predicate):
        yield from _reads(part, model)
    for operand in operands_of(predicate):
        if isinstance(operand.source, Ruled):
            yield from _passed(operand.source, model)


def _passed(source: Ruled, model: Model) -> Iterable[str]:
    """Yield the entities that the to-ones of `$row.folder.owner.name` lead to."""
    here = source.entity
    for name in source.path[:-1]:
        relation = here.relation(name)
        assert relation is not None, source.path
        yield relation.target
        here = model.entity(relation.target)
