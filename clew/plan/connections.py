"""Plan a connection from its arguments and selection (GraphQL Cursor Connections)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clew.access.predicates import TEXT
from clew.access.types import (
    CursorKey,
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
from clew.document.cursors import bad_cursor, split
from clew.document.inputs import Tree
from clew.errors import ClewError
from clew.model.types import Entity
from clew.plan.paging import Page, page_size
from clew.plan.types import Connection, ConnectionOutput, Position


def connection(
    arguments: Mapping[str, Tree],
    variables: Mapping[str, Any],
    visible: Visible,
    where: Predicate,
    order: tuple[OrderKey, ...],
    page: Page,
    output: tuple[ConnectionOutput, ...],
) -> Connection:
    """Plan a page of a connection.

    Args:
        arguments: this reads `first`, `last`, `after` and `before` of them.
        variables: coerced.

    Raises:
        ClewError: BAD_USER_INPUT for a value that is not a cursor, and for `first` together with `last`.
    """
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise ClewError("`first` and `last` cannot be combined.", hint="Page forward with first, backward with last.")
    backward = last is not None
    limit, most = page_size(*((last, "last") if backward else (first, "first")), variables, page)
    # One more row tells whether there is another page.
    bound = most + 1 if limit is not None and isinstance(limit.source, Variable) else None
    name = _name(visible.entity, order)
    return Connection(
        Rows(visible, where, order, limit, ceiling=bound),
        output,
        name,
        _position(arguments.get("after"), "after", variables, order, name),
        _position(arguments.get("before"), "before", variables, order, name),
        backward,
    )


def _position(
    tree: Tree, place: str, variables: Mapping[str, Any], order: tuple[OrderKey, ...], name: str
) -> Position | None:
    if tree is None:
        return None
    assert isinstance(tree, Literal | Variable)
    nulls, _ = split(tree.value if isinstance(tree, Literal) else variables[str(tree.path[0])], place)
    # Some key tells rows apart, and is never null. Without it nothing would be left that is sealed.
    if nulls + 1 >> len(order):
        raise bad_cursor(place)
    return Position(
        tuple(
            None if nulls >> index & 1 else Operand(CursorKey(tree, name, index), TEXT, place)
            for index in range(len(order))
        )
    )


def _name(entity: Entity, order: tuple[OrderKey, ...]) -> str:
    """Return a name that is unique to an ordering. A cursor of one ordering is not valid in another.

    This holds for equal keys of different entities too. Otherwise a client could learn a hidden key of one entity by
    comparing it with open keys of another.
    """
    keys = (f"{_value(key.value)} {'desc' if key.descending else 'asc'} {key.nulls_lead}" for key in order)
    return f"{entity.name}({','.join(keys)})"


def _value(value: FieldPath) -> str:
    steps = [f"{relation.name}:{relation.target}" for relation, _ in value.path]
    end = value.end
    if isinstance(end, RelatedMeasure):
        measure = end.measure
        column = "" if measure.column is None else f"{measure.column.name}:{measure.column.type.sql}"
        return ".".join([*steps, end.relation.name, measure.function, column])
    if isinstance(end, KeyDigest):
        return "digest"
    return ".".join([*steps, f"{end.name}:{end.type.sql}"])
