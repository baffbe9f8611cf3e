"""`where` -> predicate (SPEC 3)."""

from __future__ import annotations

from collections.abc import Mapping

from clew.errors import ClewError
from clew.model import operators
from clew.model.types import Column, Entity, Relation, ValueType
from clew.plan.inputs import Tree
from clew.plan.types import (
    TRUE,
    AllOf,
    AnyOf,
    Compare,
    Exists,
    IsNull,
    IsTrue,
    Literal,
    Not,
    Operand,
    Predicate,
    Rows,
    Template,
    Variable,
)
from clew.plan.visible import Access, Sight

_TEXT = ValueType("String", "text")
_BOOLEAN = ValueType("Boolean", "boolean")
_FORMS = {"like": "pattern", "ilike": "pattern", "startsWith": "prefix", "endsWith": "suffix", "contains": "infix"}


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
        if quantifier == "some":
            items.append(Exists(relation, Rows(rows, where), link, mask))
        elif quantifier == "none":
            items.append(Not(Exists(relation, Rows(rows, where), link, mask)))
        else:
            # Of every row it must be true: unknown is not enough.
            items.append(Not(Exists(relation, Rows(rows, IsTrue(where, negated=True)), link, mask)))
    return items


def _conditions(column: Column, mask: Predicate | None, tree: dict[str, Tree], place: str) -> list[Predicate]:
    kinds = operators.operators(column.type)
    conditions: list[Predicate] = []
    for name, value in tree.items():
        here = f"{place}.{name}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or use isNull: true.")
        assert isinstance(value, Literal | Variable | Template)
        if name == "isNull":
            if isinstance(value, Literal):
                conditions.append(IsNull(column, not value.value, mask))
            else:
                conditions.append(Compare(column, name, Operand(value, _BOOLEAN, here), mask))
            continue
        kind = kinds[name]
        type_ = column.type.item
        if kind is operators.Operand.TEXT:
            type_ = _TEXT
        elif kind is operators.Operand.LIST:
            type_ = ValueType(type_.name, type_.sql, type_.is_enum, is_list=True)
        conditions.append(Compare(column, name, Operand(value, type_, here, _FORMS.get(name, "value")), mask))
    return conditions
