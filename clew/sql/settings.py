"""The values of a statement as settings of its transaction.

`COPY` takes no bind parameters. So each operand is kept in a setting, which lasts until the end of the transaction, and
the statement reads it. No value is part of the SQL.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.access.types import Operand
from clew.model.types import ValueType
from clew.sql.binds import Binds, compared_type
from clew.sql.types import bound_type, sql_text, sql_type

# Postgres resets a setting to the empty text, so that is null. Where a value may be an empty text, all have a mark.
_MARK = "="
_NEVER_EMPTY = frozenset({"Int", "BigInt", "Float", "Decimal", "Boolean", "DateTime", "Date", "Time", "UUID", "JSON"})
SET_ALL = "SELECT count(set_config(name, value, true)) FROM unnest($1::text[], $2::text[]) AS given(name, value)"


class SettingBinds(Binds):
    """Reads the operands of a statement from settings.

    Each stands in a subquery without a FROM, which Postgres runs once and not for each row.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, ColumnElement[Any]] = {}

    def _parameter(self, name: str, operand: Operand) -> ColumnElement[Any]:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = _reading(setting(len(self._made)), compared_type(operand.type))
        return made


def setting(number: int) -> str:
    """Return the name of the setting of an operand."""
    return f"clew.v{number}"


def as_setting(value: Any, type_: ValueType) -> str:
    """Return a value that asyncpg would take for an operand of `type_`, as the text of its setting."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return _array(value)
    return f"{_MARK}{_text(value)}" if _is_marked(type_) else _text(value)


def _is_marked(type_: ValueType) -> bool:
    return not type_.is_list and type_.name not in _NEVER_EMPTY


def _reading(name: str, type_: ValueType) -> ColumnElement[Any]:
    text = f"nullif(current_setting('{name}'), '')"
    if _is_marked(type_):
        text = f"substr({text}, 2)"
    cast = sql_text(bound_type(type_))
    # `ANY ((SELECT ...))` would be a comparison with rows. With the outer cast it is one with an array.
    again = sql_text(sql_type(type_))
    return sa.literal_column(f"(SELECT {text}::{cast})::{again}", sql_type(type_))


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return f"\\x{value.hex()}"
        case float():
            return repr(value)
        case str() | int() | Decimal() | uuid.UUID():
            return str(value)
    raise TypeError(f"{type(value).__name__} is no value of a statement.")


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join("NULL" if value is None else _quoted(_text(value)) for value in values) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
