"""Build the JSON array of `Groups`, with an object for each group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, Subquery

from clew.access.types import Measure
from clew.model.types import Column, ValueType
from clew.plan.types import GroupKey, GroupKeys, Groups, KeyValue, Measured
from clew.sql.aggregates import measured_json, measures
from clew.sql.binds import bare_type
from clew.sql.filters import measured
from clew.sql.json import WITHOUT_ZONE, AsJson, Json, JsonArray, JsonObject, json_value
from clew.sql.order import direction
from clew.sql.pages import Pages
from clew.sql.scope import Scope

_MOMENT = ValueType("DateTime", "timestamptz")


@dataclass(frozen=True, slots=True)
class Page:
    """The groups as a FROM item, in their order. `value` gives its column of a measure, `key` that of a key."""

    source: Subquery
    value: Callable[[Measure], ColumnElement[Any]]
    key: Callable[[KeyValue], tuple[ColumnElement[Any], ValueType]]


def groups(pages: Pages, read: Groups, as_json: AsJson = json_value) -> ColumnElement[Any]:
    """Return the JSON array."""
    page = grouped(pages, read)
    array = JsonArray(group(page, read, as_json))
    return sa.select(array.label("clew_json")).select_from(page.source).scalar_subquery()


def group(page: Page, read: Groups, as_json: AsJson = json_value) -> Json:
    """Return the object of a group."""

    def json(output: Measured | GroupKeys | KeyValue) -> Json:
        match output:
            case KeyValue():
                return as_json(*page.key(output))
            case GroupKeys(output=inner):
                return JsonObject([(item.key, json(item)) for item in inner])
            case _:
                return measured_json(output, page.value, as_json)

    return JsonObject([(output.key, json(output)) for output in read.output])


def grouped(pages: Pages, read: Groups) -> Page:
    """Select the groups. An inner SELECT computes the keys once a row, because a key may be a subquery."""
    scope = pages.scope(read.rows.visible.entity.name, None)
    keys = [_key(pages, key, scope).label(f"key{index}") for index, key in enumerate(read.by)]
    found = {_name(measure): measure for measure in _measures(read)}
    columns = {measure.column.name: measure for measure in found.values() if measure.column is not None}
    values = [
        pages.masked(scope.column(measure.column), measure.mask, scope).label(f"value{index}")
        for index, measure in enumerate(columns.values())
        if measure.column is not None
    ]
    rows = pages.select([*keys, *values], read.rows, scope).subquery(f"rows{pages.number()}")
    places = {name: rows.c[f"value{index}"] for index, name in enumerate(columns)}
    computed = {
        name: (sa.func.count() if m.column is None else measured(m, places[m.column.name])).label(f"measure{index}")
        for index, (name, m) in enumerate(found.items())
    }
    by = [rows.c[key.name] for key in keys]
    statement = sa.select(*by, *computed.values()).select_from(rows).group_by(*by)
    order = [
        direction(
            computed[_name(key.value)] if isinstance(key.value, Measure) else by[key.value],
            key.descending,
            key.nulls_first,
        )
        for key in read.order
    ]
    statement = pages.cut(statement.order_by(*order, *by), read.rows, scope)
    page = statement.subquery(f"page{pages.number()}")

    def value(measure: Measure) -> ColumnElement[Any]:
        return page.c[computed[_name(measure)].name]

    def key(output: KeyValue) -> tuple[ColumnElement[Any], ValueType]:
        return page.c[f"key{output.index}"], _key_type(read.by[output.index])

    return Page(page, value, key)


def _key(pages: Pages, key: GroupKey, scope: Scope) -> ColumnElement[Any]:
    value = pages.follow(key.value, scope)
    if key.unit is None:
        return value
    unit: ColumnElement[Any] = sa.literal_column(f"'{key.unit}'")
    if _column(key).type.name == "Date":
        return sa.cast(sa.func.date_trunc(unit, sa.cast(value, sa.TIMESTAMP())), sa.DATE())
    if bare_type(_column(key).type.sql) in WITHOUT_ZONE:
        value = sa.func.timezone(sa.literal_column("'UTC'"), value)
    return sa.func.date_trunc(unit, value, *(() if key.zone is None else (pages.binds.add(key.zone),)))


def _key_type(key: GroupKey) -> ValueType:
    type_ = _column(key).type
    return _MOMENT if key.unit is not None and type_.name == "DateTime" else type_


def _column(key: GroupKey) -> Column:
    assert isinstance(key.value.end, Column)
    return key.value.end


def _measures(read: Groups) -> Iterator[Measure]:
    """Yield each measure that the query selects or sorts by."""
    yield from (key.value for key in read.order if isinstance(key.value, Measure))
    yield from measures(output for output in read.output if not isinstance(output, GroupKeys))


def _name(measure: Measure) -> tuple[str, str]:
    return measure.function, "" if measure.column is None else measure.column.name
