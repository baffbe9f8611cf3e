"""Plan orders and pages: `orderBy`, `limit`, `offset` and similar arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clew.access.predicates import FALSE
from clew.access.sight import Sight
from clew.access.types import (
    FieldPath,
    KeyDigest,
    Literal,
    Operand,
    OrderKey,
    Predicate,
    RelatedMeasure,
    Rows,
    Variable,
    Visible,
)
from clew.access.visible import Access
from clew.document.inputs import Tree, ceiling
from clew.errors import ClewError, Code
from clew.model.types import Entity, Relation, ValueType
from clew.plan.measures import COUNT, direction, measure, one

_NUMBER = ValueType("BigInt", "bigint")


@dataclass(frozen=True, slots=True)
class Page:
    """How many rows of a list a viewer may ask for, and how many it gets without asking. None: all."""

    most: int | None
    default: int | None


def order_keys(access: Access, sight: Sight, entity: Entity, tree: Tree, place: str) -> tuple[OrderKey, ...]:
    """Return the keys of an ordering, and the keys that break its ties.

    The primary key breaks ties, ascending, as the viewer sees it. Where a part of it is hidden, a digest of the whole
    key takes its place: the order of rows must reveal nothing of their hidden keys.

    Args:
        tree: the value of `orderBy`: a list of one-key objects, or None.
        place: the argument's name, for errors.

    Raises:
        ClewError: BAD_USER_INPUT for a null in place of a direction.
    """
    assert tree is None or isinstance(tree, list)
    different: dict[tuple[str, ...], OrderKey] = {}
    for index, item in enumerate(tree or ()):
        key = _order_key(access, sight, entity, item, f"{place}.{index}")
        # A key that the order already has leaves no ties for it to break, whatever its direction.
        different.setdefault(_names(item), key)
    return (
        *different.values(),
        *(tie for name, tie in _ties(access.visible(entity, sight)) if (name,) not in different),
    )


def order_of_ties(visible: Visible) -> tuple[OrderKey, ...]:
    """Return the order of rows when the client asks for none."""
    return tuple(tie for _, tie in _ties(visible))


def shows_its_keys(visible: Visible) -> bool:
    """Return whether the key of every visible row is open. Then nothing else breaks ties."""
    return all(mask is None for mask in _key_masks(visible))


def _ties(visible: Visible) -> Iterator[tuple[str, OrderKey]]:
    """Yield the keys that tell rows apart, by name: the columns that may be open, and a digest if any may be hidden."""
    for column, mask in zip(visible.entity.key_columns, _key_masks(visible), strict=True):
        if mask != FALSE:
            yield column.name, OrderKey(FieldPath(column, masks=(mask,)), descending=False)
    if not shows_its_keys(visible):
        yield "", OrderKey(FieldPath(KeyDigest(visible.entity)), descending=False)


def _key_masks(visible: Visible) -> list[Predicate | None]:
    return [FALSE if column.hidden else visible.masks.get(column.name) for column in visible.entity.key_columns]


def _names(tree: Tree) -> tuple[str, ...]:
    """Return the names that lead to a key's direction."""
    names: list[str] = []
    while isinstance(tree, dict):
        ((name, tree),) = tree.items()
        names.append(name)
    return tuple(names)


def _order_key(
    access: Access,
    sight: Sight,
    entity: Entity,
    tree: Tree,
    place: str,
    path: tuple[tuple[Relation, Visible], ...] = (),
    masks: tuple[Predicate | None, ...] = (),
) -> OrderKey:
    name, value = one(tree, place)
    here = f"{place}.{name}"
    open_ = access.visible(entity, sight).masks
    if (column := entity.column(name)) is not None:
        return OrderKey(FieldPath(column, path, (*masks, open_.get(name))), *direction(value, here))
    if (many := entity.many(name)) is not None:
        relation, _ = many
        end, way = _related_measure(access, sight, relation, value, here)
        return OrderKey(FieldPath(end, path, (*masks, open_.get(relation.name))), *way)
    step = entity.relation(name)
    assert step is not None, here
    target = access.model.entity(step.target)
    rows, _ = access.across(step, sight)
    path = (*path, (step, rows))
    return _order_key(access, sight, target, value, here, path, (*masks, open_.get(name)))


def _related_measure(
    access: Access, sight: Sight, relation: Relation, tree: Tree, place: str
) -> tuple[RelatedMeasure, tuple[bool, bool | None]]:
    """Read `{count: DESC}` or `{sum: {price: DESC}}`. Return the measure and its direction."""
    target = access.model.entity(relation.target)
    visible, link = access.across(relation, sight)
    function, value = one(tree, place)
    place = f"{place}.{function}"
    found = COUNT
    if function != "count":
        name, value = one(value, place)
        place = f"{place}.{name}"
        found = measure(target, function, name, visible.masks)
    end = RelatedMeasure(relation, Rows(visible), found, link)
    return end, direction(value, place)


def cut(
    arguments: Mapping[str, Tree], variables: Mapping[str, Any], page: Page
) -> tuple[Operand | None, Operand | None, int | None]:
    """Return the limit, offset and ceiling of a list.

    Args:
        arguments: the list's arguments. `limit` and `offset` may be absent or null.
        variables: coerced. Their ceilings are part of the plan.

    Raises:
        ClewError: BAD_USER_INPUT for a negative number, LIMIT_EXCEEDED for one above the page.
    """
    limit, most = page_size(arguments.get("limit"), "limit", variables, page)
    offset, skipped = count(arguments.get("offset"), "offset", variables, None)
    bound = any(operand is not None and isinstance(operand.source, Variable) for operand in (limit, offset))
    return limit, offset, most + skipped if bound and limit is not None else None


def page_size(tree: Tree, place: str, variables: Mapping[str, Any], page: Page) -> tuple[Operand | None, int]:
    """Return the number of rows of a page, and its ceiling.

    Raises:
        ClewError: as `cut`.
    """
    default = None if page.default is None else Literal(page.default)
    return count(default if tree is None else tree, place, variables, page.most)


def count(tree: Tree, place: str, variables: Mapping[str, Any], most: int | None) -> tuple[Operand | None, int]:
    """Return a number of rows, and its ceiling. Raise as `cut` does."""
    if tree is None:
        return None, 0
    if isinstance(tree, Variable):
        # Another value of the same shape may break the bounds. So binding checks them.
        return Operand(tree, _NUMBER, place, "count", most), ceiling(variables[str(tree.path[0])])
    assert isinstance(tree, Literal)
    if tree.value < 0:
        raise ClewError(f"`{place}` must not be negative.")
    if most is not None and tree.value > most:
        raise ClewError(f"`{place}` must not be more than {most}.", code=Code.LIMIT_EXCEEDED)
    return Operand(tree, _NUMBER, place, "count"), ceiling(tree.value)
