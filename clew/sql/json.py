"""Column values as the JSON that SPEC 2 promises, built by Postgres.

Always `json`, never `jsonb`: the keys stay in the order of the selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql import ColumnElement

from clew.model.types import ValueType
from clew.sql.binds import bare_type
from clew.sql.types import sql_type

JSON_TEXT = sql_type(ValueType("JSON", "json"))

# A Postgres function takes at most 100 arguments.
_PAIRS = 50

_BASE64: ColumnElement[Any] = sa.literal_column("'base64'")
_NEWLINE: ColumnElement[Any] = sa.literal_column("E'\\n'")
_EMPTY_TEXT: ColumnElement[Any] = sa.literal_column("''")
EMPTY_ARRAY: ColumnElement[Any] = sa.literal_column("'[]'::json", JSON_TEXT)
_TEXT_ARRAY = sa.ARRAY(sa.Text())
_MOMENT_ARRAY = sql_type(ValueType("DateTime", "timestamptz", is_list=True))
# Where the text of a JSON object is cut: before its last character, from its second one on.
_BUT_LAST: ColumnElement[Any] = sa.literal_column("-1")
_SECOND: ColumnElement[Any] = sa.literal_column("2")
_WITHOUT_ZONE = frozenset({"timestamp", "timestamp without time zone"})
_EXACT = frozenset({"BigInt", "Decimal"})


def text_constant(text: str) -> ColumnElement[Any]:
    """A constant of the schema or a response key, as SQL text (never a client's value)."""
    escaped = text.replace("'", "''")
    return sa.literal_column(f"'{escaped}'::text")


def json_object(pairs: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    """A JSON object with these keys (GraphQL names) in this order."""
    if not pairs:
        return sa.literal_column("'{}'::json", JSON_TEXT)
    parts = [_build(pairs[start : start + _PAIRS]) for start in range(0, len(pairs), _PAIRS)]
    if len(parts) == 1:
        return parts[0]
    text: ColumnElement[Any] = sa.func.left(sa.cast(parts[0], sa.Text), _BUT_LAST)
    for index, part in enumerate(parts[1:], 2):
        inside = sa.func.substr(sa.cast(part, sa.Text), _SECOND)
        if index < len(parts):
            inside = sa.func.left(inside, _BUT_LAST)
        text = text.op("||")(sa.literal_column("', '")).op("||")(inside)
    return sa.cast(text, JSON_TEXT)


def _build(pairs: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    arguments: list[ColumnElement[Any]] = []
    for key, value in pairs:
        arguments += (sa.literal_column(f"'{key}'"), value)
    return sa.func.json_build_object(*arguments, type_=JSON_TEXT)


def json_array(item: ColumnElement[Any], order: Sequence[ColumnElement[Any]] = ()) -> ColumnElement[Any]:
    """The rows' items as a JSON array, `[]` without rows; in `order`, or as the rows come."""
    items = aggregate_order_by(item, *order) if order else item
    return sa.func.coalesce(sa.func.json_agg(items, type_=JSON_TEXT), EMPTY_ARRAY, type_=JSON_TEXT)


def json_value(column: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
    """A column such that its JSON is the scalar's output form."""
    if type_.name == "Bytes":
        if type_.is_list:
            item = sa.column("item", sa.LargeBinary)
            items = sa.func.unnest(column).table_valued(item, with_ordinality="position").render_derived()
            array = sa.func.json_agg(
                sa.func.translate(sa.func.encode(items.c.item, _BASE64), _NEWLINE, _EMPTY_TEXT),
                type_=JSON_TEXT,
            )
            found = sa.select(sa.func.coalesce(array, EMPTY_ARRAY, type_=JSON_TEXT)).select_from(items)
            return sa.case((column.is_not(None), found.scalar_subquery()))
        return sa.func.translate(sa.func.encode(column, _BASE64), _NEWLINE, _EMPTY_TEXT)
    as_text = type_.name in _EXACT or (type_.name == "ID" and type_.sql not in ("uuid", "text"))
    if as_text:
        return sa.cast(column, _TEXT_ARRAY if type_.is_list else sa.Text())
    if type_.name == "DateTime" and bare_type(type_.sql) in _WITHOUT_ZONE:
        if type_.is_list:
            # Sessions run in UTC.
            return sa.cast(column, _MOMENT_ARRAY)
        return sa.func.timezone(sa.literal_column("'UTC'"), column)
    return column
