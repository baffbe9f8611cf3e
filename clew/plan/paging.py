"""`orderBy`, `limit` and `offset` (SPEC 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clew.errors import ClewError, Code
from clew.model.types import Entity, Relation, ValueType
from clew.plan.inputs import Tree
from clew.plan.types import Literal, Operand, OrderKey, Predicate, Variable, Visible
from clew.plan.visible import Access, Sight

_COUNT = ValueType("BigInt", "bigint")


def order_keys(access: Access, sight: Sight, entity: Entity, tree: Tree, place: str) -> tuple[OrderKey, ...]:
    """The keys of an ordering, the primary key ascending as the last tie-break.

    Args:
        tree: the value of `orderBy`: a list of one-key objects, or None.
        place: the argument's name, for errors.

    Raises:
        ClewError: BAD_USER_INPUT for a null where a direction should be.
    """
    assert tree is None or isinstance(tree, list)
    keys = []
    for index, item in enumerate(tree or ()):
        keys.append(_order_key(access, sight, entity, item, f"{place}.{index}", (), ()))
    given = {key.column.name for key in keys if not key.path and key.masks == (None,)}
    keys.extend(OrderKey(column, descending=False) for column in entity.key_columns if column.name not in given)
    return tuple(keys)


def _order_key(
    access: Access,
    sight: Sight,
    entity: Entity,
    tree: Tree,
    place: str,
    path: tuple[tuple[Relation, Visible], ...],
    masks: tuple[Predicate | None, ...],
) -> OrderKey:
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ClewError(
            f"`{place}` must have exactly one key.", hint="Write orderBy: [{createdAt: DESC}, {name: ASC}]."
        )
    ((name, value),) = tree.items()
    here = f"{place}.{name}"
    masks = (*masks, access.visible(entity, sight).masks.get(name))
    column = entity.column(name)
    if column is None:
        relation = entity.relation(name)
        assert relation is not None, here
        target = access.model.entity(relation.target)
        step = (relation, access.visible(target, sight))
        return _order_key(access, sight, target, value, here, (*path, step), masks)
    if not isinstance(value, Literal):
        raise ClewError(f"`{here}` must not be null.", hint="Leave it out.")
    direction: str = value.value
    nulls_first = None if "NULLS" not in direction else direction.endswith("FIRST")
    return OrderKey(column, direction.startswith("DESC"), nulls_first, path, masks)


def ceiling(value: int) -> int:
    """The power of ten that is not below a limit or an offset.

    For a LIMIT that it does not know Postgres assumes a tenth of the table, finds that a
    plan for it would be costly, and so plans anew each time the statement is run. A
    constant bound around it avoids that; powers of ten keep the statements few.
    """
    return 10 ** len(str(value - 1)) if value > 1 else 1


def cut(
    arguments: Mapping[str, Tree], variables: Mapping[str, Any], page: int | None
) -> tuple[Operand | None, Operand | None, int | None]:
    """Limit, offset and ceiling of a list.

    Args:
        arguments: the list's; `limit` and `offset` may be absent or null.
        variables: coerced; their ceilings are part of the plan.
        page: the most rows a viewer may ask for, and what a list without `limit` gets; None: no bound.

    Raises:
        ClewError: BAD_USER_INPUT for a negative one, LIMIT_EXCEEDED for one above the page.
    """
    given = arguments.get("limit")
    if given is None and page is not None:
        given = Literal(page)
    limit, most = _count(given, "limit", variables, page)
    offset, skipped = _count(arguments.get("offset"), "offset", variables, None)
    bound = any(operand is not None and isinstance(operand.source, Variable) for operand in (limit, offset))
    return limit, offset, most + skipped if bound and limit is not None else None


def _count(tree: Tree, place: str, variables: Mapping[str, Any], most: int | None) -> tuple[Operand | None, int]:
    if tree is None:
        return None, 0
    if isinstance(tree, Variable):
        # Another value of the same shape may break the bounds: they are checked when it is bound.
        return Operand(tree, _COUNT, place, "count", most), ceiling(variables[str(tree.path[0])])
    assert isinstance(tree, Literal)
    if tree.value < 0:
        raise ClewError(f"`{place}` must not be negative.")
    if most is not None and tree.value > most:
        raise ClewError(f"`{place}` must not be more than {most}.", code=Code.LIMIT_EXCEEDED)
    return Operand(tree, _COUNT, place, "count"), ceiling(tree.value)
