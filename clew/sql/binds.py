"""The bound values of one statement."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.access.types import Claim, Operand, TieKey
from clew.document.limits import MOST_VALUES
from clew.errors import ClewError, Code
from clew.model.types import ValueType
from clew.sql.types import bound_type, sql_type


class Binds:
    """Collects operands as a statement is built; `names` maps a bind's name to its operand.

    `orders` are the orders of its cursors, by the number that stands in them.
    """

    def __init__(self) -> None:
        self.names: dict[str, Operand] = {}
        self.orders: list[str] = []
        self._shared: dict[tuple[Claim | TieKey, ValueType], str] = {}

    def order(self, name: str) -> int:
        """The number of an order of cursors."""
        if name not in self.orders:
            self.orders.append(name)
        return self.orders.index(name)

    def add(self, operand: Operand) -> sa.BindParameter[Any]:
        """A bind parameter for the operand, typed as it is compared. A claim has one in the whole statement:

        rules name it again and again, and Postgres sees that what is compared with it is alike.

        Raises:
            ClewError: LIMIT_EXCEEDED for one more than a statement can have.
        """
        source = operand.source
        if isinstance(source, Claim | TieKey) and (source, operand.type) in self._shared:
            return self._parameter(self._shared[source, operand.type], operand)
        if len(self.names) >= MOST_VALUES:
            raise ClewError(
                f"The operation is too large: at most {MOST_VALUES} values are allowed.",
                code=Code.LIMIT_EXCEEDED,
                hint="Use `in` for many values of one field.",
            )
        # SQLAlchemy finds binds in the finished text, as `%(name)s`: a NUL is in no SQL name and no expression.
        name = f"\0{len(self.names)}"
        self.names[name] = operand
        if isinstance(source, Claim | TieKey):
            self._shared[source, operand.type] = name
        return self._parameter(name, operand)

    def _parameter(self, name: str, operand: Operand) -> sa.BindParameter[Any]:
        return sa.bindparam(name, type_=bound_type(compared_type(operand.type)), unique=False)


def compared_type(type_: ValueType) -> ValueType:
    """The type to bind a value as when it is compared with a column of `type_`.

    Without length and precision: `$1::numeric(4,2)` would round the client's value and
    raise where it does not fit, and a comparison must never raise.
    """
    base = bare_type(type_.sql)
    base = _COMPARED.get(base, base)
    if base == type_.sql:
        return type_
    return ValueType(type_.name, base, type_.is_enum, type_.is_list, type_.item_nullable)


def array_operand(value: sa.BindParameter[Any], column: ValueType) -> ColumnElement[Any]:
    """A bound list as it is compared with a list column: Postgres compares arrays of one item type only."""
    base = bare_type(column.sql)
    if base not in _COMPARED:
        return value
    return sa.cast(value, sql_type(ValueType(column.name, _ANY_LENGTH.get(base, base), column.is_enum, is_list=True)))


def bare_type(sql: str) -> str:
    """A type without length and precision: `timestamp(3) with time zone` -> `timestamp with time zone`."""
    return _PRECISION.sub("", sql).strip()


def is_padded(type_: ValueType) -> bool:
    """Whether a type fills its texts up with blanks, which count for nothing."""
    return bare_type(type_.sql).lower() in ("char", "character", "bpchar")


_PRECISION = re.compile(r"\s*\([^)]*\)")
# `char` alone is one character long.
_ANY_LENGTH = {"char": "bpchar", "character": "bpchar"}
_COMPARED = {
    "varchar": "text",
    "character varying": "text",
    # Blanks at the end count for nothing, as in the column, and its index serves.
    "char": "bpchar",
    "character": "bpchar",
    "smallint": "integer",
    # Values are moments with a zone; Postgres compares the two kinds, and by index.
    "timestamp": "timestamptz",
    "timestamp without time zone": "timestamptz",
}
