"""AST values as plain Python constants, and whether a constant fits the type of a field."""

from __future__ import annotations

import base64
import binascii
import math
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
)

from clew.json_numbers import NOT_FINITE, ExactFloat, exact_float
from clew.moments import read_date, read_moment, read_time

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def constant(node: ValueNode) -> Any:
    """Return the constant as None, bool, int, float, str, list or dict. Enum values and bare names are strings.

    Raises:
        ValueError: for a variable, which the SDL cannot hold.
    """
    if isinstance(node, StringValueNode | EnumValueNode):
        return node.value
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, FloatValueNode):
        return exact_float(node.value)
    if isinstance(node, BooleanValueNode):
        return node.value
    if isinstance(node, ListValueNode):
        return [constant(item) for item in node.values or ()]
    if isinstance(node, ObjectValueNode):
        return {field.name.value: constant(field.value) for field in node.fields or ()}
    if isinstance(node, NullValueNode):
        return None
    raise ValueError("a variable is not a constant")


def typed_constant(node: ValueNode, scalar: str) -> Any:
    """Read a constant as `constant` does, but keep each Decimal as a string, so that it loses no digits."""
    if scalar == "Decimal":
        if isinstance(node, ListValueNode):
            return [typed_constant(item, scalar) for item in node.values or ()]
        if isinstance(node, IntValueNode | FloatValueNode):
            return node.value
    return constant(node)


def _fits(parse: Callable[[str], Any]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            parse(value)
        except (ValueError, binascii.Error):
            return False
        return True

    return fits


def _int_of(bits: int) -> Callable[[Any], bool]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def fits(value: Any) -> bool:
        if bits == 64 and isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
            value = int(value)
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return fits


def _is_float(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_decimal(value: Any) -> bool:
    if isinstance(value, str | ExactFloat):
        return str(value) in NOT_FINITE or _NUMBER.fullmatch(str(value)) is not None
    return _is_float(value)


def _moment(text: str) -> object:
    try:
        return read_moment(text)
    except ValueError:
        # Postgres takes a day alone, as in a default.
        return datetime.fromisoformat(text)


# The built-in scalars of a column: a test for its constants, and an example for messages.
_SCALARS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "ID": (lambda value: isinstance(value, str) or _int_of(64)(value), "a string or an integer"),
    "Int": (_int_of(32), "an integer of 32 bits"),
    "BigInt": (_int_of(64), "an integer of 64 bits"),
    "Float": (_is_float, "a number"),
    "Decimal": (_is_decimal, 'a number such as "9.90"'),
    "Boolean": (lambda value: isinstance(value, bool), "true or false"),
    "String": (lambda value: isinstance(value, str), "a string"),
    "DateTime": (_fits(_moment), 'a time such as "2026-01-01T05:00:00+00:00"'),
    "Date": (_fits(read_date), 'a day such as "2026-01-01"'),
    "Time": (_fits(read_time), 'a time of day such as "05:00:00"'),
    "UUID": (_fits(uuid.UUID), "a UUID"),
    "JSON": (lambda value: True, "any value"),
    "Bytes": (_fits(lambda value: base64.b64decode(value, validate=True)), "a base64 string"),
}


def misfit(value: Any, scalar: str, enum_values: Sequence[str] | None = None) -> str | None:
    """Return the form that the type expects if `value` does not have it, or None if it does.

    Args:
        value: a constant, not a list.
        scalar: the name of a column scalar or of an enum.
        enum_values: the enum's values, if `scalar` is an enum.
    """
    if enum_values is not None:
        return None if value in enum_values else "one of " + ", ".join(enum_values)
    fits, expected = _SCALARS[scalar]
    return None if fits(value) else expected
