"""Which entities a rule reads."""

from __future__ import annotations

from clew.model.types import Model
from clew.plan.types import Aggregated, AllOf, AnyOf, Compare, Exists, IsTrue, Not, Operand, Predicate, Ruled


def reaches(predicate: Predicate, entity: str, model: Model) -> bool:
    """Whether a condition reads rows of the entity by a relation."""
    match predicate:
        case AllOf(items) | AnyOf(items):
            return any(reaches(item, entity, model) for item in items)
        case Not(item) | IsTrue(item):
            return reaches(item, entity, model)
        case Exists(relation=relation, rows=rows) | Aggregated(relation=relation, rows=rows):
            through = relation.through is not None and relation.through.entity == entity
            if relation.target == entity or through or reaches(rows.where, entity, model):
                return True
    return any(isinstance(o.source, Ruled) and _leads(o.source, entity, model) for o in _operands(predicate))


def _operands(predicate: Predicate) -> list[Operand]:
    match predicate:
        case Compare(operand=operand):
            return [operand]
        case Aggregated(conditions=conditions):
            return [operand for _, _, operand in conditions]
    return []


def _leads(source: Ruled, entity: str, model: Model) -> bool:
    """Whether the to-ones of `$row.folder.owner.name` come to the entity."""
    here = source.entity
    for name in source.path[:-1]:
        relation = here.relation(name)
        assert relation is not None, source.path
        if relation.target == entity:
            return True
        here = model.entity(relation.target)
    return False
