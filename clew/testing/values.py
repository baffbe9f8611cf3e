"""Plausible values for fields that a test does not care about."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clew.model.types import Column, Entity, Enum

_FIRST_DAY = date(2025, 1, 1)
_FIRST_MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
_LENGTH = re.compile(r"(?:varchar|character varying|char|character|bpchar)\s*\((\d+)\)", re.IGNORECASE)
_NUMERIC = re.compile(r"(?:numeric|decimal)\s*\((\d+)(?:\s*,\s*(-?\d+))?\)", re.IGNORECASE)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def value_of(entity: Entity, column: Column, enums: Mapping[str, Enum], number: int) -> Any:
    """Return the value of a field for the row with this number; each number has another value, as far as there are any.

    Raises:
        ValueError: no value fits the column's patterns.
    """
    kind = column.type
    if kind.is_list:
        return []
    if kind.is_enum:
        return enums[kind.name].values[0].name
    if kind.name in ("String", "ID") and kind.sql != "uuid":
        return _text(entity, column, number)
    return _scalar(kind.name, kind.sql, number)


def _scalar(name: str, sql: str, number: int) -> Any:
    match name:
        case "ID" | "UUID":
            return str(uuid.uuid4())
        case "Int":
            return number % 2**15 if sql in ("smallint", "int2") else number
        case "BigInt":
            return number
        case "Float":
            return float(number)
        case "Decimal":
            return _decimal(sql, number)
        case "Boolean":
            return False
        case "Date":
            return (_FIRST_DAY + timedelta(days=number)).isoformat()
        case "DateTime":
            return (_FIRST_MOMENT + timedelta(minutes=number)).isoformat()
        case "Time":
            return (_FIRST_MOMENT + timedelta(seconds=number)).time().isoformat()
        case "Bytes":
            return base64.b64encode(str(number).encode()).decode()
        case _:
            return {}


def _decimal(sql: str, number: int) -> str:
    match = _NUMERIC.fullmatch(sql)
    if match is None:
        return str(number)
    precision, scale = int(match[1]), int(match[2] or 0)
    if scale <= 0 or precision > scale:
        return str(number % 10 ** (precision - max(scale, 0)) or 1)
    return f"0.{number % 10**scale:0{scale}}"


def _text(entity: Entity, column: Column, number: int) -> str:
    sql = column.type.sql
    if sql in ("integer", "bigint", "smallint"):
        return str(number)
    patterns = [check.pattern for check in column.checks if check.pattern is not None]
    length = _LENGTH.fullmatch(sql)
    for text in _texts(column.name, number):
        short = _shortened(text, int(length[1]), number) if length else text
        if all(_matches(pattern, short) for pattern in patterns):
            return short
    raise ValueError(
        f"No plausible value for {entity.name}.{column.name} fits the pattern {' and '.join(patterns)}. "
        f'Give one: make("{entity.name}", {column.name}=...).'
    )


def _texts(name: str, number: int) -> Iterator[str]:
    """Yield texts for the field `name`, the most plausible first."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name).lower()
    dashed, joined = words.replace(" ", "-"), words.replace(" ", "")
    email, url = f"{joined}{number}@example.com", f"https://example.com/{dashed}/{number}"
    if "email" in joined or joined.endswith("mail"):
        yield email
    if joined.endswith(("url", "uri", "link")):
        yield url
    if "slug" in joined:
        yield f"{dashed}-{number}"
    yield f"{words[:1].upper()}{words[1:]} {number}"
    yield f"{dashed}-{number}"
    yield f"{joined}{number}"
    yield f"{words.replace(' ', '_').upper()}_{number}"
    letters = _in_letters(number)
    codes = [_code(number, size) for size in range(1, 9) if number <= 26**size]
    yield from (code.upper() for code in codes)
    yield from codes
    yield f"{joined}{letters}"
    yield f"{words[:1].upper()}{words[1:]} {letters}"
    yield email
    yield url
    yield f"/{dashed}/{number}"
    yield f"+1555{number:07}"
    yield from (f"{number:0{digits}}" for digits in range(1, 33))
    yield str(uuid.uuid4())
    yield f"#{number:06x}"
    yield f"{number:064x}"
    yield (_FIRST_DAY + timedelta(days=number)).isoformat()


def _shortened(text: str, length: int, number: int) -> str:
    """Return the text if it is short enough, else the number in as many characters as there are."""
    if len(text) <= length:
        return text
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits.rjust(length, "0")[-length:]


def _code(number: int, size: int) -> str:
    """Return the number in as many letters: aa, ab, ..., az, ba for 1, 2, ..., 26, 27."""
    return "".join(chr(ord("a") + (number - 1) // 26**place % 26) for place in reversed(range(size)))


def _in_letters(number: int) -> str:
    """Return a, b, ..., z, aa, ab for 1, 2, ..., 26, 27, 28."""
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return letters


def _matches(pattern: str, text: str) -> bool:
    """Return whether the text fits a pattern. If Python cannot read the pattern, Postgres judges."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True
