"""Change a column's type: convert the values, and decide whether the new type can hold all of them."""

from __future__ import annotations

import re

_INTEGERS = ("SMALLINT", "INTEGER", "BIGINT")
_NUMBERS = (*_INTEGERS, "NUMERIC", "REAL", "FLOAT", "DOUBLE PRECISION")
_TEXTS = ("TEXT", "VARCHAR", "CHAR", "CITEXT")
_DOCUMENTS = ("JSON", "JSONB")
_FAMILIES = (
    _NUMBERS,
    _TEXTS,
    ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITHOUT TIME ZONE", "DATE"),
    ("TIME WITH TIME ZONE", "TIME WITHOUT TIME ZONE"),
    _DOCUMENTS,
    ("BOOLEAN", "INTEGER"),
)
_PARTS = re.compile(r"([^()]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")


def _parts(sql: str) -> tuple[str, int | None, int]:
    """Return the base type, the length or precision (None: unlimited), and the scale."""
    match = _PARTS.fullmatch(sql.strip().upper())
    if match is None:
        return sql.upper(), None, 0
    return match[1], int(match[2]) if match[2] else None, int(match[3] or 0)


def using(column: str, old: str, new: str) -> str:
    """Return the USING expression from type `old` to type `new`. `column` is quoted."""
    old_list, new_list = old.endswith("[]"), new.endswith("[]")
    if new.upper() in _DOCUMENTS and old.upper() not in (*_DOCUMENTS, *_TEXTS):
        return f"to_jsonb({column})::{new}"
    if new_list and old.upper() in _DOCUMENTS:
        return f"clew.text_list({column}::jsonb)::{new}"
    if old_list and not new_list:
        return f"({column})[1]::text::{new}"
    if new_list and not old_list:
        return f"CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}::text]::{new} END"
    if old_list:
        return f"{column}::text[]::{new}"
    before, after = _parts(old)[0], _parts(new)[0]
    if after in _TEXTS or any(before in family and after in family for family in _FAMILIES):
        return f"{column}::{new}"
    # A direct cast may not exist (integer to uuid). A cast by way of text always does.
    return f"{column}::text::{new}"


def keeps_every_value(old: str, new: str) -> bool:
    """Return whether the type `new` holds every value of type `old` without cutting any."""
    if new.upper() in _DOCUMENTS and old.upper() not in (*_DOCUMENTS, *_TEXTS):
        return True
    if old.endswith("[]") != new.endswith("[]"):
        return new.endswith("[]") and keeps_every_value(old, new[:-2])
    if old.endswith("[]"):
        return keeps_every_value(old[:-2], new[:-2])
    (before, size, scale), (after, new_size, new_scale) = _parts(old), _parts(new)
    if after in ("TEXT", "CITEXT") or (after == "VARCHAR" and new_size is None):
        return True
    if after == "VARCHAR":
        return before == "VARCHAR" and size is not None and new_size is not None and size <= new_size
    if before == after == "NUMERIC":
        if new_size is None:
            return True
        return size is not None and scale <= new_scale and size - scale <= new_size - new_scale
    if after == "NUMERIC":
        return before in _INTEGERS and new_size is None
    if before in _INTEGERS and after in _INTEGERS:
        return _INTEGERS.index(before) <= _INTEGERS.index(after)
    widenings = (
        ("SMALLINT", "REAL"),
        ("SMALLINT", "FLOAT"),
        ("INTEGER", "FLOAT"),
        ("SMALLINT", "DOUBLE PRECISION"),
        ("INTEGER", "DOUBLE PRECISION"),
        ("REAL", "DOUBLE PRECISION"),
        ("REAL", "FLOAT"),
        ("DATE", "TIMESTAMP WITHOUT TIME ZONE"),
        ("DATE", "TIMESTAMP WITH TIME ZONE"),
        ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP WITH TIME ZONE"),
        ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITHOUT TIME ZONE"),  # migrations run in UTC
        ("JSONB", "JSON"),
    )
    return (before == after and size == new_size and scale == new_scale) or (before, after) in widenings
