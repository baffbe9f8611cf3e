"""Convert values for storage to those that asyncpg takes. Refuse values that the column cannot hold."""

from __future__ import annotations

import functools
import json
import math
import re
import struct
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from uuid import UUID

from graphql import GraphQLEnumType

from clew.document.inputs import enum_names
from clew.errors import ClewError
from clew.json_numbers import Decoder
from clew.model.types import Column, ValueType
from clew.moments import read_date, read_moment, read_time
from clew.schema.scalars import SCALARS
from clew.sql.arguments import as_it_is, coerced, item_converter
from clew.sql.binds import bare_type

_SIZED = re.compile(r"\((\d+)(?:\s*,\s*(-?\d+))?\)")
_DIGITS = Context(prec=4000)
_INTEGERS = {"smallint": 15, "int2": 15, "integer": 31, "int": 31, "int4": 31}
_TEXTS = frozenset({"varchar", "character varying", "char", "character", "bpchar"})


_JSON = Decoder()
_MOMENTS: dict[str, Callable[[str], Any]] = {"DateTime": read_moment, "Date": read_date, "Time": read_time}

# Returns the value to bind. It takes a coerced value (None: null) and its place.
Storing = Callable[[Any, str], Any]


def storing(column: Column, enum: GraphQLEnumType | None = None) -> Storing:
    """Return the converter of a column's values to those that are bound.

    The converter raises ClewError BAD_USER_INPUT, naming the place, for a value that the column cannot hold.

    Args:
        enum: the enum of the column, if the application bound Python values to it.
    """
    type_, nullable, item = column.type, column.nullable, _storing_item(column.type)
    plain = enum is None and not type_.is_list
    unchanged = plain and item is as_it_is

    def stored(value: Any, place: str) -> Any:
        if value is None:
            if not nullable:
                raise ClewError(f"`{place}` must not be null.")
            return None
        if unchanged:
            return value
        if plain:
            return item(value, place)
        if enum is not None:
            value = enum_names(value, enum)
        if type_.is_list:
            return _as_json([None if one is None else item(one, place) for one in value], type_)
        return item(value, place)

    return stored


def preset_value(column: Column, value: Any) -> Any:
    """Return the value to bind for a column that the server fills, from a value that asyncpg takes."""
    return _as_json(value, column.type) if column.type.is_list else value


def given_value(column: Column, value: Any, enum: GraphQLEnumType | None, place: str) -> Any:
    """Return the value to bind for a column, from a value that the application's own code gives.

    Args:
        value: as Python or JSON has it; of an enum its name, or the value that the application bound to it.
        enum: the enum of the column, if it has one.

    Raises:
        ClewError, GraphQLError, ValueError, TypeError: the column cannot hold it.
    """
    type_ = column.type
    if value is not None:
        if type_.is_list:
            if not isinstance(value, list | tuple):
                raise TypeError(f"`{place}` must be a list.")
            value = [None if item is None else _given_item(item, type_.item, enum) for item in value]
        else:
            value = _given_item(value, type_, enum)
    return storing(column)(value, place)


def _given_item(value: Any, type_: ValueType, enum: GraphQLEnumType | None) -> Any:
    if enum is not None:
        return value if isinstance(value, str) and value in enum.values else enum.coerce_output_value(value)
    if isinstance(value, UUID):
        value = str(value)
    elif type_.name != "JSON" and not isinstance(value, str | int | float):
        value = SCALARS[type_.name].coerce_output_value(value)
    return coerced(value, type_)


def python_value(value: Any, type_: ValueType) -> Any:
    """Return a value that is bound as Python has it: a `datetime`, a `Decimal`. An id is a text, as the API has it."""
    if value is None:
        return None
    if type_.is_list:
        items = _JSON.decode(value)
        return items if type_.name == "JSON" else [python_value(_list_item(item, type_), type_.item) for item in items]
    match type_.name:
        case "JSON":
            return _JSON.decode(value)
        case "ID":
            return str(value)
        case "DateTime" | "Date" | "Time" if isinstance(value, str):
            return _MOMENTS[type_.name](value)
    return value


def _list_item(item: Any, type_: ValueType) -> Any:
    """Return an item of a list's JSON in the form in which a single value is bound."""
    if item is None:
        return None
    match type_.name:
        case "Bytes":
            return bytes.fromhex(item.removeprefix("\\x"))
        case "Decimal":
            return Decimal(item)
        case "UUID":
            return UUID(item)
    return item


def _as_json(items: Sequence[Any], type_: ValueType) -> str:
    """Return a list as JSON: Postgres cannot unnest an array of arrays into rows of arrays."""
    return "[" + ", ".join("null" if item is None else _json_item(item, type_) for item in items) + "]"


def _storing_item(type_: ValueType) -> Storing:
    convert, fits = item_converter(type_.item), _fits(type_)
    if fits is None:
        return convert

    def checked(value: Any, place: str) -> Any:
        found = convert(value, place)
        if not fits(found):
            raise ClewError(f"`{place}` does not fit its column.", hint=f"The column's type is {type_.sql}.")
        return found

    return checked


@functools.lru_cache(maxsize=1024)
def _fits(type_: ValueType) -> Callable[[Any], bool] | None:
    """Return a test whether a column can hold a value. None: it can hold every value of its scalar."""
    base = bare_type(type_.sql).lower()
    sized = _SIZED.search(type_.sql)
    if base in _TEXTS:
        if not sized and base not in ("char", "character"):
            return None
        most = int(sized[1]) if sized else 1
        return lambda value: len(value) <= most
    if base in _INTEGERS and not (type_.name == "Int" and _INTEGERS[base] == 31):
        bound_of_integer = 2 ** _INTEGERS[base]
        return lambda value: -bound_of_integer <= int(value) < bound_of_integer
    if base in ("numeric", "decimal") and sized:
        precision, scale = int(sized[1]), int(sized[2] or 0)
        bound = Decimal(10) ** (precision - scale)
        step = Decimal(1).scaleb(-scale)
        # Round half up, as Postgres does. The default context has fewer digits than a column may have.
        return lambda value: (
            value.is_nan()
            or (value.is_finite() and abs(value) < bound and abs(value.quantize(step, ROUND_HALF_UP, _DIGITS)) < bound)
        )
    if base in ("real", "float4"):
        # Postgres raises if rounding gives infinity or zero.
        return lambda value: (
            math.isfinite(value) and (value == 0 or struct.unpack("<f", struct.pack("<f", value)) != (0,))
        )
    return None


def _json_item(value: Any, type_: ValueType) -> str:
    match value:
        case bytes():
            value = "\\x" + value.hex()
        case Decimal() | UUID():
            value = str(value)
        case str() if type_.name == "JSON":
            # This is JSON text already.
            return value
    return json.dumps(value)
