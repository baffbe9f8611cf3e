"""Values on their way into a table, as asyncpg takes them; refused where the column cannot hold them."""

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
from clew.model.types import Column, ValueType
from clew.sql.arguments import item_converter
from clew.sql.binds import bare_type

_SIZED = re.compile(r"\((\d+)(?:\s*,\s*(-?\d+))?\)")
_DIGITS = Context(prec=4000)
_INTEGERS = {"smallint": 15, "int2": 15, "integer": 31, "int": 31, "int4": 31}
_TEXTS = frozenset({"varchar", "character varying", "char", "character", "bpchar"})


# Gives what is bound of a value as the scalar's input coercion gave it (None: null), which stands at a place.
Storing = Callable[[Any, str], Any]


def storing(column: Column, enum: GraphQLEnumType | None = None) -> Storing:
    """What makes of a column's values that which is bound for them.

    It raises ClewError BAD_USER_INPUT, naming the place, for what the column cannot hold.

    Args:
        enum: of the column, where the application bound values of its own to it.
    """
    type_, nullable, item = column.type, column.nullable, _storing_item(column.type)
    plain = enum is None and not type_.is_list

    def stored(value: Any, place: str) -> Any:
        if value is None:
            if not nullable:
                raise ClewError(f"`{place}` must not be null.")
            return None
        if plain:
            return item(value, place)
        if enum is not None:
            value = enum_names(value, enum)
        if type_.is_list:
            return _as_json([None if one is None else item(one, place) for one in value], type_)
        return item(value, place)

    return stored


def preset_value(column: Column, value: Any) -> Any:
    """What is bound for a column that the server fills, of a value as asyncpg takes it."""
    return _as_json(value, column.type) if column.type.is_list else value


def _as_json(items: Sequence[Any], type_: ValueType) -> str:
    """Arrays of arrays cannot be unnested: a list travels as JSON."""
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
    """Whether a column can hold a value; None if it can hold all of its scalar."""
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
        # Half up, as Postgres rounds; the default context has fewer digits than a column may.
        return lambda value: (
            value.is_nan()
            or (value.is_finite() and abs(value) < bound and abs(value.quantize(step, ROUND_HALF_UP, _DIGITS)) < bound)
        )
    if base in ("real", "float4"):
        # Postgres raises where rounding leaves infinity, or nothing.
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
            # It is JSON text already.
            return value
    return json.dumps(value)
