"""Plan the measures of aggregates in filters, orders and selections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clew.access.predicates import operand
from clew.access.types import Literal, Measure, Operand, Predicate, Template, Variable
from clew.document.inputs import Tree
from clew.errors import ClewError
from clew.model.types import Entity

COUNT = Measure("count")

# The types of an aggregate's fields except `count`. The entity's name goes into the braces.
MEASURE_TYPES = {
    "countDistinct": "{}AggregateCountDistinct",
    "sum": "{}AggregateSum",
    "avg": "{}AggregateAvg",
    "min": "{}AggregateMinMax",
    "max": "{}AggregateMinMax",
}


def measure(entity: Entity, function: str, name: str, masks: Mapping[str, Predicate]) -> Measure:
    """Return the measure that applies a function to a column of `entity`, by API names."""
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return Measure(function, column, masks.get(name))


def conditions(
    entity: Entity, tree: Mapping[str, Tree], masks: Mapping[str, Predicate], place: str
) -> Iterator[tuple[Measure, str, Operand]]:
    """Return the conditions of an aggregate filter, without its `where`.

    Args:
        entity: the entity whose rows the filter counts and sums.
        tree: `{count: {gt: 3}, sum: {price: {lt: 5}}}`.
        place: of the filter, for errors.

    Raises:
        ClewError: BAD_USER_INPUT for a null in place of a condition.
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
    """Return the one key of a oneOf object, and its value.

    Raises:
        ClewError: BAD_USER_INPUT unless there is exactly one key.
    """
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ClewError(
            f"`{place}` must have exactly one key.", hint="Write a list of objects: [{createdAt: DESC}, {name: ASC}]."
        )
    ((name, value),) = tree.items()
    return name, value


def direction(tree: Tree, place: str) -> tuple[bool, bool | None]:
    """Read an `OrderDirection`. Return whether it descends, and whether nulls come first (None: not stated).

    Raises:
        ClewError: BAD_USER_INPUT for a null.
    """
    if not isinstance(tree, Literal):
        raise ClewError(f"`{place}` must not be null.", hint="Leave it out.")
    value: str = tree.value
    return value.startswith("DESC"), value.endswith("FIRST") if "NULLS" in value else None
