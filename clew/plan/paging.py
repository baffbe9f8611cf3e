"""`orderBy`, `limit` and `offset` (SPEC 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clew.errors import ClewError
from clew.model.types import Entity, Model, Relation, ValueType
from clew.plan.inputs import Tree
from clew.plan.types import Literal, Operand, OrderKey, Variable, Visible
from clew.plan.visible import visible
from clew.viewer import Viewer

_COUNT = ValueType("BigInt", "bigint")


def order_keys(model: Model, viewer: Viewer, entity: Entity, tree: Tree, place: str) -> tuple[OrderKey, ...]:
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
        keys.append(_order_key(model, viewer, entity, item, f"{place}.{index}", ()))
    given = {key.column.name for key in keys if not key.path}
    keys.extend(OrderKey(column, descending=False) for column in entity.key_columns if column.name not in given)
    return tuple(keys)


def _order_key(
    model: Model, viewer: Viewer, entity: Entity, tree: Tree, place: str, path: tuple[tuple[Relation, Visible], ...]
) -> OrderKey:
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ClewError(
            f"`{place}` must have exactly one key.", hint="Write orderBy: [{createdAt: DESC}, {name: ASC}]."
        )
    ((name, value),) = tree.items()
    here = f"{place}.{name}"
    column = entity.column(name)
    if column is None:
        relation = entity.relation(name)
        assert relation is not None, here
        target = model.entity(relation.target)
        return _order_key(model, viewer, target, value, here, (*path, (relation, visible(target, viewer))))
    if not isinstance(value, Literal):
        raise ClewError(f"`{here}` must not be null.", hint="Leave it out.")
    direction: str = value.value
    nulls_first = None if "NULLS" not in direction else direction.endswith("FIRST")
    return OrderKey(column, direction.startswith("DESC"), nulls_first, path)


def ceiling(value: int) -> int:
    """The power of ten that is not below a limit or an offset.

    For a LIMIT that it does not know Postgres assumes a tenth of the table, finds that a
    plan for it would be costly, and so plans anew each time the statement is run. A
    constant bound around it avoids that; powers of ten keep the statements few.
    """
    return 10 ** len(str(value - 1)) if value > 1 else 1


def cut(
    arguments: Mapping[str, Tree], variables: Mapping[str, Any]
) -> tuple[Operand | None, Operand | None, int | None]:
    """Limit, offset and ceiling of a list.

    Args:
        arguments: the list's; `limit` and `offset` may be absent or null.
        variables: coerced; their ceilings are part of the plan.

    Raises:
        ClewError: BAD_USER_INPUT for a negative one.
    """
    limit, most = _count(arguments.get("limit"), "limit", variables)
    offset, skipped = _count(arguments.get("offset"), "offset", variables)
    bound = any(operand is not None and isinstance(operand.source, Variable) for operand in (limit, offset))
    return limit, offset, most + skipped if bound and limit is not None else None


def _count(tree: Tree, place: str, variables: Mapping[str, Any]) -> tuple[Operand | None, int]:
    if tree is None:
        return None, 0
    if isinstance(tree, Variable):
        value: int = variables[str(tree.path[0])]
    else:
        assert isinstance(tree, Literal)
        value = tree.value
    if value < 0:
        raise ClewError(f"`{place}` must not be negative.")
    return Operand(tree, _COUNT, place, form="count"), ceiling(value)
