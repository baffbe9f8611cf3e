"""Values of JSON as Postgres stores them: as text. A large value is written once, where nobody waits for it."""

from __future__ import annotations

import math
import re
from json.encoder import encode_basestring
from typing import Any

from clew.json_numbers import ExactFloat

_SURROGATE = re.compile("[\ud800-\udfff]")


class UnstorableError(ValueError):
    """Postgres cannot store the value. `fault` ends a sentence that begins with its place; `hint` is advice."""

    def __init__(self, fault: str, hint: str | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.hint = hint


class WrittenList(list[Any]):
    """A list with the text of its JSON, or the error that writing it has raised."""

    __slots__ = ("json",)
    json: str | UnstorableError


class WrittenObject(dict[str, Any]):
    """An object with the text of its JSON, or the error that writing it has raised."""

    __slots__ = ("json",)
    json: str | UnstorableError


def written(value: list[Any] | dict[str, Any]) -> WrittenList | WrittenObject:
    """Return the value with its text. This takes long for a large value, but other threads have their turn."""
    found = WrittenList(value) if isinstance(value, list) else WrittenObject(value)
    try:
        found.json = _text(value)
    except UnstorableError as error:
        found.json = error
    return found


def stored_text(value: Any) -> str:
    """Return the JSON text of a value, its numbers as they were read.

    Raises:
        UnstorableError: Postgres cannot store it.
    """
    if isinstance(value, WrittenList | WrittenObject):
        if isinstance(value.json, UnstorableError):
            raise UnstorableError(value.json.fault, value.json.hint)
        return value.json
    return _text(value)


def check_text(text: str) -> None:
    """Refuse a text that Postgres cannot store.

    Raises:
        UnstorableError: it holds U+0000 or a lone surrogate.
    """
    if "\x00" in text:
        raise UnstorableError("must not hold the character U+0000.", "Postgres cannot store it.")
    if not text.isascii() and _SURROGATE.search(text):
        raise UnstorableError("must not hold a lone surrogate.", "It is not valid Unicode text.")


def _text(value: Any) -> str:
    # Python's own encoder would be quicker, but it lets no other thread run before it has written all.
    if isinstance(value, str):
        check_text(value)
        return encode_basestring(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_text(key)}: {_text(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([_text(item) for item in value]) + "]"
    if isinstance(value, ExactFloat):
        if not value.is_storable:
            raise UnstorableError("holds a number that is too long, too large or too small.")
        return value.text
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnstorableError("must not hold NaN or infinity.")
        return float.__repr__(value)
    return int.__repr__(value)
