"""Measures as JSON, and what there is where there are no rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.access.types import Measure
from clew.plan.types import (
    Aggregate,
    Connection,
    Edges,
    Measured,
    Measures,
    MeasureValue,
    Nodes,
    PageInfo,
    Read,
    TotalCount,
    TypeName,
)
from clew.sql.json import EMPTY_ARRAY, JSON_TEXT, json_object, json_value, text_constant


def measured_json(output: Measured, value: Callable[[Measure], ColumnElement[Any]]) -> ColumnElement[Any]:
    """A field of an aggregate as JSON; `value` gives the SQL of a measure."""
    match output:
        case MeasureValue(measure=measure):
            return json_value(value(measure), measure.type)
        case TypeName(name=name):
            return text_constant(name)
        case Measures(output=inner):
            return json_object([(item.key, measured_json(item, value)) for item in inner])


def measures(outputs: Iterable[Measured]) -> Iterator[Measure]:
    """The measures of an aggregate's fields."""
    for output in outputs:
        if isinstance(output, MeasureValue):
            yield output.measure
        elif isinstance(output, Measures):
            yield from measures(output.output)


def nothing(read: Read | Connection | Aggregate) -> ColumnElement[Any]:
    """The JSON of a field over no rows at all."""
    match read:
        case Read():
            return EMPTY_ARRAY
        case Aggregate(output=output):
            found = {item.key: _empty(item) for item in output}
        case Connection(output=output):
            found = {item.key: _empty(item) for item in output}
    return sa.literal_column(f"'{json.dumps(found)}'::json", JSON_TEXT)


def _empty(output: Any) -> Any:
    match output:
        case MeasureValue(measure=measure):
            return 0 if measure.function in ("count", "countDistinct") else None
        case TypeName(name=name):
            return name
        case Measures(output=inner):
            return {item.key: _empty(item) for item in inner}
        case Edges() | Nodes():
            return []
        case TotalCount():
            return 0
        case PageInfo(fields=fields):
            empty = {"hasNextPage": False, "hasPreviousPage": False, "__typename": "PageInfo"}
            return {key: empty.get(name) for key, name in fields}
