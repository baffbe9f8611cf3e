"""Constants and names as SQL text, for DDL. Statements for requests bind their values instead."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from clew.json_numbers import dumps
from clew.model.types import ValueType

_preparer = asyncpg_dialect().identifier_preparer  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
_NUMBERS = ("int", "bigint", "smallint", "numeric", "decimal", "real", "double", "float")


def quote_name(name: str) -> str:
    """Return an SQL name, in double quotes where Postgres needs them."""
    return _preparer.quote(name)


def quote_type(name: str) -> str:
    """Return the SQL name of a table's type, always in double quotes: `position` can name a table, but no type."""
    return _preparer.quote_identifier(name)


def quote_text(value: str) -> str:
    """Return an SQL string literal (`standard_conforming_strings` is on). Raise ValueError for a NUL."""
    if "\0" in value:
        raise ValueError("Postgres text cannot hold the NUL character")
    return "'" + value.replace("'", "''") + "'"


def constant_sql(value: Any, value_type: ValueType) -> str:
    """Return a typed constant of the SDL as an SQL expression.

    Args:
        value: None, bool, int, float, str, list or dict, as `@default(value:)` holds it.
        value_type: the column's type. The items of a list have the type `value_type.item`.

    Raises:
        ValueError: the value does not fit the type.
    """
    if value is None:
        return "NULL"
    if value_type.is_list:
        items = value if isinstance(value, list) else [value]
        inner = ", ".join(constant_sql(item, value_type.item) for item in items)
        return f"ARRAY[{inner}]::{value_type.sql}[]" if items else f"'{{}}'::{value_type.sql}[]"
    kind = value_type.sql.lower()
    if kind in ("json", "jsonb"):
        return f"{quote_text(dumps(value))}::{kind}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind.startswith(_NUMBERS) and not value_type.is_enum and not kind.startswith("interval"):
        text = str(float(value) if value_type.name == "Float" else value)
        return text if Decimal(text).is_finite() else f"{quote_text(text)}::{value_type.sql}"
    if kind == "bytea":
        return quote_text("\\x" + base64.b64decode(value, validate=True).hex()) + "::bytea"
    literal = quote_text(str(value))
    return (
        literal
        if kind == "text" or kind.startswith(("varchar", "character varying"))
        else f"{literal}::{value_type.sql}"
    )
