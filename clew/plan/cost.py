"""The cost of a query: the most rows that its lists may return. Nested lists multiply."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, assert_never

from clew.access.types import Literal, Operand, Variable
from clew.errors import ClewError, Code
from clew.plan.types import (
    Aggregate,
    ChangeNode,
    Connection,
    Edges,
    Groups,
    Many,
    Node,
    Nodes,
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
# The most lists that an error names.
_MOST_NAMED = 10


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
            hint=f"Nested lists multiply. {_cure(plan, size, most)}",
        )


def _cure(plan: ReadPlan, size: _Size, most: int) -> str:
    """Return the lists to limit, by their paths in the response, with the largest number that fits for all of them."""
    lists = list(_listed(plan))

    def fits(number: int) -> bool:
        return _cost(plan, lambda operand: min(number, size(operand))) <= most

    if not fits(1):
        return "Ask for fewer lists."
    largest = max(size(operand) for _, operand in lists)
    number = bisect_left(range(1, largest), True, key=lambda number: not fits(number + 1)) + 1
    named = [f"`{path}({operand.place}: {number})`" for path, operand in lists if size(operand) > number]
    more = len(named) - _MOST_NAMED
    if more > 0:
        named[_MOST_NAMED:] = [f"{more} more with the same number"]
    return f"This would fit: {', '.join(named)}."


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
    return total + sum(_lists(node.output, size) for _, node in _changed(plan))


def _many(read: Read | Connection | Aggregate | Groups, size: _Size) -> int:
    if isinstance(read, Aggregate):
        return 1
    assert read.rows.limit is not None
    return size(read.rows.limit) * (1 + _lists(_of_row(read), size))


def _listed(plan: ReadPlan) -> Iterator[tuple[str, Operand]]:
    """Yield the path of each list in the response, and its number of rows."""
    for root in plan.reads:
        if isinstance(root, RootMany):
            yield from _listed_in(root.read, root.key)
        else:
            yield from _listed_below(root.read.output, root.key)
    for path, node in _changed(plan):
        yield from _listed_below(node.output, path)


def _changed(plan: ReadPlan) -> Iterator[tuple[str, ChangeNode]]:
    """Yield the nodes of change events, each with its path in the response."""
    root = plan.changes
    if root is not None:
        for output in root.read.output:
            if isinstance(output, ChangeNode):
                yield f"{root.key}.{output.key}", output


def _listed_in(read: Read | Connection | Aggregate | Groups, path: str) -> Iterator[tuple[str, Operand]]:
    if isinstance(read, Aggregate):
        return
    assert read.rows.limit is not None
    yield path, read.rows.limit
    if isinstance(read, Read):
        yield from _listed_below(read.output, path)
    elif isinstance(read, Connection):
        for output in read.output:
            if isinstance(output, Nodes):
                yield from _listed_below(output.output, f"{path}.{output.key}")
            elif isinstance(output, Edges):
                for node in output.output:
                    if isinstance(node, Node):
                        yield from _listed_below(node.output, f"{path}.{output.key}.{node.key}")


def _listed_below(outputs: Iterable[Output], path: str) -> Iterator[tuple[str, Operand]]:
    for output in outputs:
        if isinstance(output, Many):
            yield from _listed_in(output.read, f"{path}.{output.key}")
        elif isinstance(output, One):
            yield from _listed_below(output.read.output, f"{path}.{output.key}")


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
