"""Turn the `where` argument into a predicate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clew.access.predicates import TEXT, at_path, comparison, quantified
from clew.access.sight import Sight
from clew.access.types import (
    TRUE,
    Aggregated,
    AllOf,
    AnyOf,
    Exists,
    Literal,
    Not,
    Operand,
    Predicate,
    Rows,
    Search,
    Template,
    Variable,
)
from clew.access.visible import Access
from clew.document.inputs import Tree
from clew.errors import ClewError
from clew.model.types import Column, Entity, FieldKind, Model, Relation
from clew.plan.measures import conditions


def filter_predicate(access: Access, sight: Sight, entity: Entity, tree: Tree, place: str) -> Predicate:
    """Turn a filter object into a predicate over the masked rows of `entity`.

    Args:
        tree: the value of `where`; None (an explicit null of the whole filter) means no condition.
        place: the argument's name, for errors.

    Raises:
        ClewError: BAD_USER_INPUT for a null in place of a condition.
    """
    if tree is None:
        return TRUE
    assert isinstance(tree, dict)
    masks = access.visible(entity, sight).masks
    items: list[Predicate] = []
    for name, value in tree.items():
        here = f"{place}.{name}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint=_instead_of_null(entity, name))
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
        elif (many := entity.many(name)) is not None and many[1] is FieldKind.AGGREGATE:
            items.append(_aggregated(access, sight, masks, many[0], value, here))
        else:
            relation = entity.relation(name)
            assert relation is not None, here
            items.extend(_related(access, sight, masks, relation, value, here))
    return items[0] if len(items) == 1 else AllOf(tuple(items))


def _instead_of_null(entity: Entity, name: str) -> str:
    """Return what to write in place of a null. Only a column has `isNull`."""
    if entity.column(name) is not None:
        return "Leave it out, or use isNull: true."
    relation = entity.relation(name)
    if relation is None:
        return "Leave it out."
    nothing = f"{{{name}: {{none: {{}}}}}}" if relation.to_many else f"{{not: {{{name}: {{}}}}}}"
    return f"Leave it out, or write {nothing} for rows without one."


def _related(
    access: Access, sight: Sight, masks: Mapping[str, Predicate], relation: Relation, tree: Tree, place: str
) -> list[Predicate]:
    """Plan a filter through a relation: a to-one, or `some`, `none` and `every` of a to-many."""
    target = access.model.entity(relation.target)
    rows, link = access.across(relation, sight)
    mask = masks.get(relation.name)
    if not relation.to_many:
        return [Exists(relation, Rows(rows, filter_predicate(access, sight, target, tree, place)), link, mask)]
    assert isinstance(tree, dict)
    items: list[Predicate] = []
    for quantifier, value in tree.items():
        here = f"{place}.{quantifier}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or write {}.")
        where = filter_predicate(access, sight, target, value, here)
        items.append(quantified(quantifier, relation, rows, where, link, mask))
    return items


def _aggregated(
    access: Access, sight: Sight, masks: Mapping[str, Predicate], relation: Relation, tree: Tree, place: str
) -> Predicate:
    """Plan a filter on the aggregates over the rows of a to-many."""
    assert isinstance(tree, dict)
    target = access.model.entity(relation.target)
    visible, link = access.across(relation, sight)
    where: Predicate = TRUE
    if "where" in tree:
        if tree["where"] is None:
            raise ClewError(f"`{place}.where` must not be null.", hint="Leave it out, or write {}.")
        where = filter_predicate(access, sight, target, tree["where"], f"{place}.where")
    found = tuple(conditions(target, tree, visible.masks, place))
    return Aggregated(relation, Rows(visible, where), found, link, masks.get(relation.name)) if found else TRUE


def search_predicate(access: Access, sight: Sight, entity: Entity, tree: Tree) -> Predicate:
    """Plan the `search` argument. An absent or null one means no condition."""
    if tree is None:
        return TRUE
    assert isinstance(tree, Literal | Variable | Template)
    masks = access.visible(entity, sight).masks
    parts = tuple((part, masks.get(part.column)) for part in entity.search)
    return Search(entity, parts, Operand(tree, TEXT, "search", "search"))


def _conditions(column: Column, mask: Predicate | None, tree: dict[str, Tree], place: str) -> list[Predicate]:
    found: list[Predicate] = []
    for name, value in tree.items():
        here = f"{place}.{name}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or use isNull: true.")
        if isinstance(value, list):
            for index, item in enumerate(value):
                found.extend(_at_path(column, mask, item, f"{here}.{index}"))
            continue
        assert isinstance(value, Literal | Variable | Template)
        found.append(comparison(column, name, value, here, mask))
    return found


def _at_path(column: Column, mask: Predicate | None, tree: Tree, place: str) -> list[Predicate]:
    """Return the conditions on the value at a path of a JSON column."""
    assert isinstance(tree, dict)
    path = tree["at"]
    assert isinstance(path, Literal | Variable | Template)
    found: list[Predicate] = []
    for name, value in tree.items():
        if name == "at":
            continue
        if value is None:
            raise ClewError(f"`{place}.{name}` must not be null.", hint="Leave it out, or use isNull: true.")
        assert isinstance(value, Literal | Variable | Template)
        found.append(at_path(column, path, name, value, place, mask))
    return found


def is_empty(entity: Entity, where: Mapping[str, Any], model: Model) -> bool:
    """Return whether a filter is empty, or a part of it that should hold a condition."""
    return not where or any(value is not None and _says_nothing(entity, n, value, model) for n, value in where.items())


def _says_nothing(entity: Entity, name: str, value: Any, model: Model) -> bool:
    if not value:
        return True
    if entity.column(name) is not None:
        # A path into a JSON value is not a condition by itself.
        return "path" in value and (not value["path"] or any(set(item) <= {"at"} for item in value["path"]))
    if name in ("and", "or", "not"):
        items = value if isinstance(value, list) else [value]
        return any(is_empty(entity, item, model) for item in items if item is not None)
    relation = entity.relation(name)
    if relation is None:
        relation = entity.relation(name.removesuffix("Aggregate"))
        assert relation is not None, name
        rows, *measures = (value.get("where"), *(part for key, part in value.items() if key != "where"))
        return not measures or any(map(_is_hollow, measures)) or _is_vague(relation, rows, model)
    if not relation.to_many:
        return is_empty(model.entity(relation.target), value, model)
    return any(_is_vague(relation, rows, model) for rows in value.values())


def _is_vague(relation: Relation, rows: Mapping[str, Any] | None, model: Model) -> bool:
    """Return whether a filter on a list's rows has an empty part. `{comments: {some: {}}}` asks for a row."""
    return bool(rows) and is_empty(model.entity(relation.target), rows or {}, model)


def _is_hollow(measure: Any) -> bool:
    """Return whether a condition on a measure, `{gt: 1}` or `{price: {gt: 1}}`, has a part without an operator."""
    return isinstance(measure, dict) and (not measure or any(map(_is_hollow, measure.values())))
