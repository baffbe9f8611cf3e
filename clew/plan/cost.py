"""The cost of a query: the most rows that its lists may return. Nested lists multiply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never

from clew.access.types import Literal, Operand, Variable
from clew.errors import ClewError, Code
from clew.plan.types import (
    Aggregate,
    Connection,
    Groups,
    Many,
    One,
    Output,
    Read,
    ReadPlan,
    Required,
    RootMany,
    RootOne,
    TypeName,
    Value,
)

# Returns the number of rows that the operand of a `limit` lets through.
_Size = Callable[[Operand], int]


def largest_cost(plan: ReadPlan) -> int:
    """Return the cost if every variable `limit` is as large as the viewer may ask for.

    Args:
        plan: the plan of a viewer with a largest page. So every list has a `limit`.
    """
    return _cost(plan, _largest)


def check_cost(plan: ReadPlan, variables: Mapping[str, Any], most: int) -> None:
    """Refuse an operation that may return more than `most` rows.

    Args:
        plan: as for `largest_cost`.
        variables: coerced. A `limit` out of bounds counts as the nearest bound: binding refuses it later.

    Raises:
        ClewError: LIMIT_EXCEEDED.
    """

    def size(operand: Operand) -> int:
        if not isinstance(operand.source, Variable):
            return _largest(operand)
        given: int = variables[str(operand.source.path[0])]
        return max(0, min(given, _largest(operand)))

    cost = _cost(plan, size)
    if cost > most:
        raise ClewError(
            f"The operation may return {cost} rows: at most {most} are allowed.",
            code=Code.LIMIT_EXCEEDED,
            hint="Give the lists a smaller `limit`. Nested lists multiply.",
        )


def _cost(plan: ReadPlan, size: _Size) -> int:
    total = 0
    for root in plan.reads:
        match root:
            case RootMany():
                total += _many(root.read, size)
            case RootOne():
                total += _lists(root.read.output, size)
            case _:
                assert_never(root)
    return total


def _many(read: Read | Connection | Aggregate | Groups, size: _Size) -> int:
    if isinstance(read, Aggregate):
        return 1
    assert read.rows.limit is not None
    return size(read.rows.limit) * (1 + _lists(_of_row(read), size))


def _of_row(read: Read | Connection | Groups) -> Iterable[Output]:
    """Return the fields of each row."""
    if isinstance(read, Read):
        return read.output
    if isinstance(read, Groups):
        return ()
    return read.fields


def _lists(outputs: Iterable[Output], size: _Size) -> int:
    """Return the cost of the lists in one row."""
    total = 0
    for output in outputs:
        match output:
            case Many():
                total += _many(output.read, size)
            case One():
                total += _lists(output.read.output, size)
            case Value() | TypeName() | Required():
                pass
            case _:
                assert_never(output)
    return total


def _largest(operand: Operand) -> int:
    if isinstance(operand.source, Literal):
        return int(operand.source.value)
    assert operand.most is not None
    return operand.most
