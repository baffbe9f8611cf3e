"""The scalars (docs/scalars.md): how to read each from a client, and how to write it to one.

Input returns the type that Postgres' driver takes (`datetime`, `Decimal`, `UUID`, `bytes`). Output
accepts that type and also the text in Postgres' own JSON, because both resolvers and the
database fill fields.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from graphql import (
    ConstListValueNode,
    ConstObjectFieldNode,
    ConstObjectValueNode,
    ConstValueNode,
    FloatValueNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLString,
    IntValueNode,
    ListValueNode,
    NameNode,
    ObjectValueNode,
    ValueNode,
    value_from_ast_untyped,
)
from graphql.utilities.value_to_literal import default_scalar_value_to_literal

from clew.aside import is_large
from clew.json_numbers import MOST_DIGITS, NOT_FINITE, ExactFloat, Written, exact_float, holds_exact
from clew.moments import read_date, read_moment, read_time
from clew.stored_json import written as with_text

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
# Python's own parser also accepts 0x and underscores.
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?")


def _refuse(scalar: str, expected: str) -> GraphQLError:
    # The value is left out: it may be long, and the client knows it.
    return GraphQLError(f"{scalar} cannot represent this value: expected {expected}.")


def _parse_bigint(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and INT64_MIN <= value <= INT64_MAX:
        return value
    raise _refuse("BigInt", "an integer of 64 bits, as a string or a number")


_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")


def _parse_decimal(value: Any) -> Decimal:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if isinstance(text, str) and text in NOT_FINITE:
        return Decimal(text)
    # Python reads spaces, underscores and digits of other scripts too.
    if isinstance(text, str) and len(text) <= MOST_DIGITS and _DECIMAL.fullmatch(text):
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS:
            return number
    raise _refuse("Decimal", "a decimal number as a string")


def _parse_datetime(value: Any) -> datetime | str:
    if isinstance(value, str):
        try:
            return read_moment(value)
        except ValueError:
            pass
    raise _refuse("DateTime", "ISO 8601 such as 2026-01-01T05:00:00+00:00")


def _parse_date(value: Any) -> date | str:
    if isinstance(value, str):
        try:
            return read_date(value)
        except ValueError:
            pass
    raise _refuse("Date", "ISO 8601 such as 2026-01-31")


def _parse_time(value: Any) -> time | str:
    if isinstance(value, str):
        try:
            return read_time(value)
        except ValueError:
            pass
    raise _refuse("Time", "ISO 8601 such as 05:00:00")


def _parse_uuid(value: Any) -> uuid.UUID:
    if isinstance(value, str) and _UUID.fullmatch(value):
        return uuid.UUID(value)
    raise _refuse("UUID", "a UUID such as 018f0d3e-7b5a-7c3e-9d2f-0a1b2c3d4e5f")


def _parse_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise _refuse("Bytes", "base64")


def _parse_json(value: Any) -> Any:
    # jsonb has neither NaN nor infinity.
    if isinstance(value, float) and not isinstance(value, ExactFloat) and not math.isfinite(value):
        raise _refuse("JSON", "JSON without NaN or infinity")
    # Here is the only turn that large values have beside the event loop.
    return with_text(value) if isinstance(value, list | dict) and is_large(value) else value


def _write_json(value: Any) -> Any:
    # Looking through a large value takes long. The writer does it, beside the event loop.
    try:
        return Written(value) if is_large(value) or holds_exact(value) else value
    except RecursionError:
        # It is too deep to be looked through. The writer can.
        return Written(value)


def _read_json(node: ValueNode) -> Any:
    """A literal as the value of JSON that it looks like, its numbers as they are written."""
    if isinstance(node, FloatValueNode):
        return exact_float(node.value)
    if isinstance(node, ListValueNode):
        return [_read_json(item) for item in node.values]
    if isinstance(node, ObjectValueNode):
        return {field.name.value: _read_json(field.value) for field in node.fields}
    return value_from_ast_untyped(node)


def _text(types: type | tuple[type, ...], write: Callable[[Any], str], scalar: str) -> Callable[[Any], str]:
    """Return an output coercion. It passes on text from the database, and writes Python values as text."""

    def coerce(value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, types) and not isinstance(value, bool):
            return write(value)
        raise GraphQLError(f"{scalar} cannot represent a value of type {type(value).__name__}.")

    return coerce


def _write_datetime(value: datetime) -> str:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _literal(node: ValueNode) -> Any:
    """Return a literal as plain Python. A number stays text, because a float in between would round it."""
    return node.value if isinstance(node, IntValueNode | FloatValueNode) else value_from_ast_untyped(node)


def _as_literal(value: Any) -> ConstValueNode:
    """A value of JSON as a literal, for a variable within one: graphql-core's own way takes 1e400 for null."""
    if isinstance(value, ExactFloat):
        return FloatValueNode(value=value.text)
    if isinstance(value, list):
        return ConstListValueNode(values=tuple(map(_as_literal, value)))
    if isinstance(value, dict):
        items = value.items()
        fields = (ConstObjectFieldNode(name=NameNode(value=key), value=_as_literal(item)) for key, item in items)
        return ConstObjectValueNode(fields=tuple(fields))
    return default_scalar_value_to_literal(value)


def _scalar(
    name: str,
    description: str,
    parse: Callable[[Any], Any],
    write: Callable[[Any], Any],
    url: str | None = None,
    read: Callable[[ValueNode], Any] = value_from_ast_untyped,
) -> GraphQLScalarType:
    return GraphQLScalarType(
        name,
        description=description,
        coerce_input_value=parse,
        coerce_input_literal=lambda node: parse(read(node)),
        coerce_output_value=write,
        specified_by_url=url,
        value_to_literal=_as_literal,
    )


GraphQLBigInt = _scalar(
    "BigInt", "An integer of 64 bits, as a string.", _parse_bigint, _text(int, str, "BigInt"), read=_literal
)
GraphQLDecimal = _scalar(
    "Decimal",
    "An exact decimal number, as a string.",
    _parse_decimal,
    _text((Decimal, int, float), lambda value: str(Decimal(str(value))), "Decimal"),
    read=_literal,
)
GraphQLDateTime = _scalar(
    "DateTime",
    "A point in time, as ISO 8601 with offset: `2026-01-01T05:00:00+00:00`. Without an offset it is UTC.",
    _parse_datetime,
    _text(datetime, _write_datetime, "DateTime"),
)
GraphQLDate = _scalar("Date", "A day: `2026-01-31`.", _parse_date, _text(date, date.isoformat, "Date"))
GraphQLTime = _scalar("Time", "A time of day: `05:00:00`.", _parse_time, _text(time, time.isoformat, "Time"))
GraphQLUUID = _scalar("UUID", "A UUID.", _parse_uuid, _text(uuid.UUID, str, "UUID"))
GraphQLJSON = _scalar("JSON", "Any JSON value.", _parse_json, _write_json, read=_read_json)
GraphQLBytes = _scalar(
    "Bytes",
    "Binary data, as base64.",
    _parse_bytes,
    _text((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode(), "Bytes"),
)

SCALARS: dict[str, GraphQLScalarType] = {
    scalar.name: scalar
    for scalar in (
        GraphQLID,
        GraphQLInt,
        GraphQLFloat,
        GraphQLString,
        GraphQLBoolean,
        GraphQLBigInt,
        GraphQLDecimal,
        GraphQLDateTime,
        GraphQLDate,
        GraphQLTime,
        GraphQLUUID,
        GraphQLJSON,
        GraphQLBytes,
    )
}
