"""Aggregates in filters, orders and selections -> measures (SPEC 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clew.access.predicates import operand
from clew.access.types import Literal, Measure, Operand, Predicate, Template, Variable
from clew.document.inputs import Tree
from clew.errors import ClewError
from clew.model.types import Entity

COUNT = Measure("count")

# The type of an aggregate's fields, but for `count`, with the entity's name to be filled in.
MEASURE_TYPES = {
    "countDistinct": "{}AggregateCountDistinct",
    "sum": "{}AggregateSum",
    "avg": "{}AggregateAvg",
    "min": "{}AggregateMinMax",
    "max": "{}AggregateMinMax",
}


def measure(entity: Entity, function: str, name: str, masks: Mapping[str, Predicate]) -> Measure:
    """A function of a column of `entity`, by API names."""
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return Measure(function, column, masks.get(name))


def conditions(
    entity: Entity, tree: Mapping[str, Tree], masks: Mapping[str, Predicate], place: str
) -> Iterator[tuple[Measure, str, Operand]]:
    """The conditions of an aggregate filter but for its `where`.

    Args:
        entity: whose rows are counted and summed.
        tree: `{count: {gt: 3}, sum: {price: {lt: 5}}}`.
        place: of the filter, for errors.

    Raises:
        ClewError: BAD_USER_INPUT for a null where a condition should be.
    """
    for function, value in tree.items():
        here = f"{place}.{function}"
        if function == "where":
            continue
        given = _object(value, here)
        if function == "count":
            yield from _operators(COUNT, given, here)
            continue
        for name, inner in given.items():
            below = f"{here}.{name}"
            yield from _operators(measure(entity, function, name, masks), _object(inner, below), below)


def _operators(measured: Measure, tree: Mapping[str, Tree], place: str) -> Iterator[tuple[Measure, str, Operand]]:
    for operator, value in tree.items():
        here = f"{place}.{operator}"
        if value is None:
            raise ClewError(f"`{here}` must not be null.", hint="Leave it out, or use isNull: true.")
        assert isinstance(value, Literal | Variable | Template)
        yield measured, operator, operand(measured.type, operator, value, here)


def _object(tree: Tree, place: str) -> Mapping[str, Tree]:
    if tree is None:
        raise ClewError(f"`{place}` must not be null.", hint="Leave it out.")
    assert isinstance(tree, dict)
    return tree


def one(tree: Tree, place: str) -> tuple[str, Tree]:
    """The one key of a oneOf object, and what it holds.

    Raises:
        ClewError: BAD_USER_INPUT for none or several.
    """
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ClewError(
            f"`{place}` must have exactly one key.", hint="Write a list of objects: [{createdAt: DESC}, {name: ASC}]."
        )
    ((name, value),) = tree.items()
    return name, value


def direction(tree: Tree, place: str) -> tuple[bool, bool | None]:
    """An `OrderDirection`: whether descending, and whether nulls come first, None where that is not said.

    Raises:
        ClewError: BAD_USER_INPUT for a null.
    """
    if not isinstance(tree, Literal):
        raise ClewError(f"`{place}` must not be null.", hint="Leave it out.")
    value: str = tree.value
    return value.startswith("DESC"), value.endswith("FIRST") if "NULLS" in value else None
