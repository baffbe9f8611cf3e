"""Measures as JSON, and the JSON of fields without rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy.sql import ColumnElement

from clew.access.types import Measure
from clew.plan.types import (
    Aggregate,
    Connection,
    Edges,
    Many,
    Measured,
    Measures,
    MeasureValue,
    Nodes,
    PageInfo,
    Read,
    TotalCount,
    TypeName,
)
from clew.sql.filters import measure_value
from clew.sql.json import EMPTY_ARRAY, AsJson, Json, JsonConstant, JsonObject, json_name, json_value
from clew.sql.pages import Pages
from clew.sql.scope import Scope


def aggregate(
    pages: Pages, read: Aggregate, outer: Scope | None, via: Many | None, as_json: AsJson = json_value
) -> ColumnElement[Any]:
    """Return the object of an aggregate. `outer` and `via` are as for `Pages.page`."""
    if not any(measures(read.output)):
        # Without an aggregate function the SELECT would return one object for each row.
        return nothing(read)
    scope = pages.scope(read.rows.visible.entity.name, outer)

    def value(measure: Measure) -> ColumnElement[Any]:
        return measure_value(measure, scope, pages, pages.binds)

    json = JsonObject([(output.key, measured_json(output, value, as_json)) for output in read.output])
    statement = pages.select([json.label("clew_json")], read.rows, scope, pages.belonging(scope, outer, via))
    return statement.scalar_subquery()


def measured_json(output: Measured, value: Callable[[Measure], ColumnElement[Any]], as_json: AsJson) -> Json:
    """Return a field of an aggregate as JSON. `value` returns the SQL of a measure."""
    match output:
        case MeasureValue(measure=measure):
            return as_json(value(measure), measure.type)
        case TypeName(name=name):
            return json_name(name)
        case Measures(output=inner):
            return JsonObject([(item.key, measured_json(item, value, as_json)) for item in inner])


def measures(outputs: Iterable[Measured]) -> Iterator[Measure]:
    """Yield the measures of an aggregate's fields."""
    for output in outputs:
        if isinstance(output, MeasureValue):
            yield output.measure
        elif isinstance(output, Measures):
            yield from measures(output.output)


def nothing(read: Read | Connection | Aggregate) -> Json:
    """Return the JSON of a field without any rows."""
    match read:
        case Read():
            return EMPTY_ARRAY
        case Aggregate(output=output):
            found = {item.key: _empty(item) for item in output}
        case Connection(output=output):
            found = {item.key: _empty(item) for item in output}
    return JsonConstant(json.dumps(found, separators=(",", ":")))


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
