"""Which entities a rule reads."""

from __future__ import annotations

from collections.abc import Iterable

from clew.access.types import Aggregated, AllOf, AnyOf, Compare, Exists, IsTrue, Not, Operand, Predicate, Ruled
from clew.model.types import Model


def reads(predicate: Predicate, model: Model) -> frozenset[str]:
    """Return the entities whose rows a condition reads by relations."""
    return frozenset(_reads(predicate, model))


def _reads(predicate: Predicate, model: Model) -> Iterable[str]:
    match predicate:
        case AllOf(items) | AnyOf(items):
            for item in items:
                yield from _reads(item, model)
        case Not(item) | IsTrue(item):
            yield from _reads(item, model)
        case Exists(relation=relation, rows=rows) | Aggregated(relation=relation, rows=rows):
            yield relation.target
            if relation.through is not None:
                yield relation.through.entity
            yield from _reads(rows.where, model)
    for operand in _operands(predicate):
        if isinstance(operand.source, Ruled):
            yield from _passed(operand.source, model)


def _operands(predicate: Predicate) -> list[Operand]:
    match predicate:
        case Compare(operand=operand):
            return [operand]
        case Aggregated(conditions=conditions):
            return [operand for _, _, operand in conditions]
    return []


def _passed(source: Ruled, model: Model) -> Iterable[str]:
    """Yield the entities that the to-ones of `$row.folder.owner.name` lead to."""
    here = source.entity
    for name in source.path[:-1]:
        relation = here.relation(name)
        assert relation is not None, source.path
        yield relation.target
        here = model.entity(relation.target)
