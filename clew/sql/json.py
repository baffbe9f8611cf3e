"""Column values as the JSON that SPEC 2 promises, built by Postgres.

Always `json`, never `jsonb`: the keys stay in the order of the selection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler

from clew.model.types import ValueType
from clew.sql.binds import bare_type, is_padded
from clew.sql.types import sql_type

JSON_TEXT = sql_type(ValueType("JSON", "json"))

# A Postgres function takes at most 100 arguments.
_PAIRS = 50

_BASE64: ColumnElement[Any] = sa.literal_column("'base64'")
_NEWLINE: ColumnElement[Any] = sa.literal_column("E'\\n'")
_EMPTY_TEXT: ColumnElement[Any] = sa.literal_column("''")
EMPTY_ARRAY: ColumnElement[Any] = sa.literal_column("'[]'::json", JSON_TEXT)
_WHOLE: ColumnElement[Any] = sa.literal_column("'{}'::text[]")
_TEXT_ARRAY = sa.ARRAY(sa.Text())
_MOMENT_ARRAY = sql_type(ValueType("DateTime", "timestamptz", is_list=True))
# Where the text of a JSON object is cut: before its last character, from its second one on.
_BUT_LAST: ColumnElement[Any] = sa.literal_column("-1")
_SECOND: ColumnElement[Any] = sa.literal_column("2")
WITHOUT_ZONE = frozenset({"timestamp", "timestamp without time zone"})
_EXACT = frozenset({"BigInt", "Decimal"})


def text_constant(text: str) -> ColumnElement[Any]:
    """A constant of the schema or a response key, as SQL text (never a client's value)."""
    escaped = text.replace("'", "''")
    return sa.literal_column(f"'{escaped}'::text")


def json_object(pairs: Sequence[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    """A JSON object with these keys (GraphQL names) in this order."""
    if not pairs:
        return sa.literal_column("'{}'::json", JSON_TEXT)
    parts = [JsonObject(pairs[start : start + _PAIRS]) for start in range(0, len(pairs), _PAIRS)]
    if len(parts) == 1:
        return parts[0]
    text: ColumnElement[Any] = sa.func.left(sa.cast(parts[0], sa.Text), _BUT_LAST)
    for index, part in enumerate(parts[1:], 2):
        inside = sa.func.substr(sa.cast(part, sa.Text), _SECOND)
        if index < len(parts):
            inside = sa.func.left(inside, _BUT_LAST)
        text = text.op("||")(sa.literal_column("', '")).op("||")(inside)
    return sa.cast(text, JSON_TEXT)


def json_array(
    item: ColumnElement[Any],
    order: Sequence[ColumnElement[Any]] = (),
    where: ColumnElement[bool] | None = None,
) -> ColumnElement[Any]:
    """The items of the rows of `where` as a JSON array, `[]` without rows; in `order`, or as the rows come."""
    return JsonArray(item, order, where)


class Json(ColumnElement[Any]):
    """JSON built of other expressions.

    SQLAlchemy's own functions look through their arguments for FROM items again at each
    level around them, which for nested JSON took a third of a statement's compilation;
    every SELECT here names its FROM, so there is nothing to look for.
    """

    inherit_cache = False
    _from_objects: ClassVar[list[Any]] = []

    def __init__(self) -> None:
        self.type = JSON_TEXT

    def parts(self) -> Iterable[ColumnElement[Any]]:
        """What it is made of."""
        raise NotImplementedError


class JsonObject(Json):
    """`json_build_object` of at most fifty pairs."""

    __visit_name__ = "clew_json_object"

    def __init__(self, pairs: Sequence[tuple[str, ColumnElement[Any]]]) -> None:
        super().__init__()
        self.pairs = pairs

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return [value for _, value in self.pairs]


class JsonArray(Json):
    """`json_agg` that gives `[]` where there are no rows."""

    __visit_name__ = "clew_json_array"

    def __init__(
        self, item: ColumnElement[Any], order: Sequence[ColumnElement[Any]], where: ColumnElement[bool] | None
    ) -> None:
        super().__init__()
        self.item = item
        self.order = order
        self.where = where

    def parts(self) -> Iterable[ColumnElement[Any]]:
        return [self.item, *self.order, *([] if self.where is None else [self.where])]


@compiles(JsonObject)
def _compile_object(element: JsonObject, compiler: SQLCompiler, **options: Any) -> str:
    options = _inside(options)
    pairs = (f"'{key}', {compiler.process(value, **options)}" for key, value in element.pairs)
    return f"json_build_object({', '.join(pairs)})"


@compiles(JsonArray)
def _compile_array(element: JsonArray, compiler: SQLCompiler, **options: Any) -> str:
    options = _inside(options)
    item = compiler.process(element.item, **options)
    order = ", ".join(compiler.process(key, **options) for key in element.order)
    array = f"json_agg({item}{f' ORDER BY {order}' if order else ''})"
    if element.where is not None:
        array += f" FILTER (WHERE {compiler.process(element.where, **options)})"
    return f"coalesce({array}, '[]'::json)"


def _inside(options: dict[str, Any]) -> dict[str, Any]:
    """The compiler's options for what is no column of a SELECT, but a part of one."""
    return {**options, "within_columns_clause": False, "add_to_result_map": None}


def key_value(column: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
    """A column of a row as Clew keeps it, to bind it again: of what asyncpg has no value the text that is bound."""
    if type_.name in ("DateTime", "Date", "Time"):
        return sa.func.to_json(json_value(column, type_), type_=JSON_TEXT).op("#>>", return_type=sa.Text())(_WHOLE)
    return sa.cast(column, sa.Text()) if type_.name in ("ID", "String") and is_padded(type_) else column


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
    if type_.name == "DateTime" and bare_type(type_.sql) in WITHOUT_ZONE:
        if type_.is_list:
            # Sessions run in UTC.
            return sa.cast(column, _MOMENT_ARRAY)
        return sa.func.timezone(sa.literal_column("'UTC'"), column)
    return column
