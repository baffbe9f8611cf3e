"""`where` -> predicate (SPEC 3)."""

from __future__ import annotations

from collections.abc import Mapping

from clew.errors import ClewError
from clew.model.types import Column, Entity, Relation
from clew.plan.inputs import Tree
from clew.plan.predicates import comparison, quantified
from clew.plan.types import (
    TRUE,
    AllOf,
    AnyOf,
    Exists,
    Literal,
    Not,
    Predicate,
    Rows,
    Template,
    Variable,
)
from clew.plan.visible import Access, Sight


def filter_predicate(access: Access, sight: Sight, entity: Entity, tree: Tree, place: str) -> Predicate:
    """A filter object as a predicate over the masked rows of `entity`.

    Args:
        tree: the value of `where`; None (an explicit null of the whole filter) means no condition.
        place: the argument's name, for errors.

    Raises:
        ClewError: BAD_USER_INPUT for a null where a condition should be.
    """
    if tree is None:
        return TRUE
    assert isinstance(tree, dict)
    masks = access.visible(entity, sight).masks
    items: list[Predicate] = []
    for name, value in tree.items():
        here = f"{place}.{name}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or use isNull: true.")
        if name in ("and", "or"):
            assert isinstance(value, list)
            parts = tuple(
                filter_predicate(access, sight, entity, item, f"{here}.{index}") for index, item in enumerate(value)
            )
            items.append(AllOf(parts) if name == "and" else AnyOf(parts))
        elif name == "not":
            items.append(Not(filter_predicate(access, sight, entity, value, here)))
        elif (column := entity.column(name)) is not None:
            assert isinstance(value, dict)
            items.extend(_conditions(column, masks.get(name), value, here))
        else:
            relation = entity.relation(name)
            assert relation is not None, here
            items.extend(_related(access, sight, masks, relation, value, here))
    return items[0] if len(items) == 1 else AllOf(tuple(items))


def _related(
    access: Access, sight: Sight, masks: Mapping[str, Predicate], relation: Relation, tree: Tree, place: str
) -> list[Predicate]:
    """A filter through a relation: of a to-one, or `some`, `none` and `every` of a to-many."""
    target = access.model.entity(relation.target)
    rows = access.visible(target, sight)
    mask = masks.get(relation.name)
    if not relation.to_many:
        return [Exists(relation, Rows(rows, filter_predicate(access, sight, target, tree, place)), None, mask)]
    assert isinstance(tree, dict)
    link = access.link(relation, sight)
    items: list[Predicate] = []
    for quantifier, value in tree.items():
        here = f"{place}.{quantifier}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or write {}.")
        where = filter_predicate(access, sight, target, value, here)
        items.append(quantified(quantifier, relation, rows, where, link, mask))
    return items


def _conditions(column: Column, mask: Predicate | None, tree: dict[str, Tree], place: str) -> list[Predicate]:
    conditions: list[Predicate] = []
    for name, value in tree.items():
        here = f"{place}.{name}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or use isNull: true.")
        assert isinstance(value, Literal | Variable | Template)
        conditions.append(comparison(column, name, value, here, mask))
    return conditions
