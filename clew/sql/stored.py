"""Values on their way into a table, as asyncpg takes them; refused where the column cannot hold them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from uuid import UUID

from graphql import GraphQLEnumType

from clew.errors import ClewError
from clew.model.types import Column, ValueType
from clew.plan.inputs import enum_names
from clew.sql.arguments import item_converter
from clew.sql.binds import bare_type

_SIZED = re.compile(r"\((\d+)(?:\s*,\s*(-?\d+))?\)")
_DIGITS = Context(prec=4000)
_INTEGERS = {"smallint": 15, "int2": 15, "integer": 31, "int": 31, "int4": 31}
_TEXTS = frozenset({"varchar", "character varying", "char", "character", "bpchar"})


def stored_value(column: Column, value: Any, place: str, enum: GraphQLEnumType | None = None) -> Any:
    """What is bound for a column.

    Args:
        value: as the scalar's input coercion gave it; None for null.
        place: names the value in errors.
        enum: of the column, where the application bound values of its own to it.

    Raises:
        ClewError: BAD_USER_INPUT for what the column cannot hold.
    """
    if value is None:
        if not column.nullable:
            raise ClewError(f"`{place}` must not be null.")
        return None
    if enum is not None:
        value = enum_names(value, enum)
    convert = _converter(column.type, place)
    if column.type.is_list:
        return _as_json([None if item is None else convert(item) for item in value], column.type)
    return convert(value)


def preset_value(column: Column, value: Any) -> Any:
    """What is bound for a column that the server fills, of a value as asyncpg takes it."""
    return _as_json(value, column.type) if column.type.is_list else value


def _as_json(items: Sequence[Any], type_: ValueType) -> str:
    """Arrays of arrays cannot be unnested: a list travels as JSON."""
    return json.dumps([None if item is None else _json_item(item, type_) for item in items])


def _converter(type_: ValueType, place: str) -> Callable[[Any], Any]:
    convert = item_converter(type_.item, place)
    fits = _fits(type_)

    def checked(value: Any) -> Any:
        found = convert(value)
        if not fits(found):
            raise ClewError(f"`{place}` does not fit its column.", hint=f"It is of the type {type_.sql}.")
        return found

    return checked


@functools.lru_cache(maxsize=1024)
def _fits(type_: ValueType) -> Callable[[Any], bool]:
    base = bare_type(type_.sql).lower()
    sized = _SIZED.search(type_.sql)
    if base in _TEXTS:
        most = int(sized[1]) if sized else 1 if base in ("char", "character") else None
        return lambda value: most is None or len(value) <= most
    if base in _INTEGERS:
        bound_of_integer = 2 ** _INTEGERS[base]
        return lambda value: -bound_of_integer <= int(value) < bound_of_integer
    if base in ("numeric", "decimal") and sized:
        precision, scale = int(sized[1]), int(sized[2] or 0)
        bound = Decimal(10) ** (precision - scale)
        step = Decimal(1).scaleb(-scale)
        # Half up, as Postgres rounds; the default context has fewer digits than a column may.
        return lambda value: abs(value) < bound and abs(value.quantize(step, ROUND_HALF_UP, _DIGITS)) < bound
    if base in ("real", "float4"):
        return lambda value: abs(value) < 3.4028235e38
    return lambda value: True


def _json_item(value: Any, type_: ValueType) -> Any:
    match value:
        case bool() | int() | float():
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return "\\x" + value.hex()
        case Decimal() | UUID():
            return str(value)
    return json.loads(value) if type_.name == "JSON" else value
