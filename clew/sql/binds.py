"""The bound values of one statement."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.access.types import Claim, Operand, Reach, TieKey
from clew.document.limits import MOST_VALUES
from clew.errors import ClewError, Code
from clew.model.types import ValueType
from clew.sql.types import bound_type, sql_type


class Binds:
    """Collects the operands of a statement while it is built. `names` maps a bind's name to its operand.

    `orders` are the orders of its cursors, by the number in these cursors.

    Args:
        one_row: whether the statement gets the keys and values of exactly one row (`clew.sql.given`).
    """

    def __init__(self, *, one_row: bool = False) -> None:
        self.one_row = one_row
        self.names: dict[str, Operand] = {}
        self.orders: list[str] = []
        self._shared: dict[Hashable, str] = {}

    def order(self, name: str) -> int:
        """Return the number of an order of cursors."""
        if name not in self.orders:
            self.orders.append(name)
        return self.orders.index(name)

    def add(self, operand: Operand) -> ColumnElement[Any]:
        """Return a bind parameter for the operand, with the type of its comparison.

        A claim has one parameter in the whole statement, and so has an operand that stands at several places, if it is
        no work to compare. Rules name it often, and so Postgres sees equal conditions.

        Raises:
            ClewError: LIMIT_EXCEEDED for more parameters than a statement can have.
        """
        key = _shared_key(operand)
        if key is not None and key in self._shared:
            return self._parameter(self._shared[key], operand)
        if len(self.names) >= MOST_VALUES:
            raise ClewError(
                f"The operation is too large: at most {MOST_VALUES} values are allowed.",
                code=Code.LIMIT_EXCEEDED,
                hint="Use `in` for many values of one field.",
            )
        # SQLAlchemy finds binds in the finished text, as `%(name)s`. No SQL name or expression contains a NUL.
        name = f"\0{len(self.names)}"
        self.names[name] = operand
        if key is not None:
            self._shared[key] = name
        return self._parameter(name, operand)

    def _parameter(self, name: str, operand: Operand) -> ColumnElement[Any]:
        return sa.bindparam(name, type_=bound_type(compared_type(operand.type)), unique=False)


def _shared_key(operand: Operand) -> Hashable | None:
    if isinstance(operand.source, Claim | TieKey):
        return operand.source, operand.type
    # The work of other operands is counted for each place (`clew.sql.effort`). `names` keeps the operand alive.
    return id(operand) if operand.reach is Reach.NARROW else None


def compared_type(type_: ValueType) -> ValueType:
    """Return the type of a bind that is compared with a column of `type_`.

    It has no length or precision. `$1::numeric(4,2)` would round the client's value, and raise if it does not fit.
    A comparison must never raise.
    """
    base = bare_type(type_.sql)
    base = _COMPARED.get(base, base)
    if base == type_.sql:
        return type_
    return ValueType(type_.name, base, type_.is_enum, type_.is_list, type_.item_nullable)


def array_operand(value: ColumnElement[Any], column: ValueType) -> ColumnElement[Any]:
    """Cast a bound list for a comparison with a list column: Postgres compares only arrays of one item type."""
    base = bare_type(column.sql)
    if base not in _COMPARED:
        return value
    return sa.cast(value, sql_type(ValueType(column.name, _ANY_LENGTH.get(base, base), column.is_enum, is_list=True)))


def bare_type(sql: str) -> str:
    """Drop length and precision: `timestamp(3) with time zone` -> `timestamp with time zone`."""
    return _PRECISION.sub("", sql).strip()


def is_padded(type_: ValueType) -> bool:
    """Return whether a type pads its texts with blanks that do not count."""
    return bare_type(type_.sql).lower() in ("char", "character", "bpchar")


_PRECISION = re.compile(r"\s*\([^)]*\)")
# `char` alone is one character long.
_ANY_LENGTH = {"char": "bpchar", "character": "bpchar"}
_COMPARED = {
    "varchar": "text",
    "character varying": "text",
    # Blanks at the end do not count, as in the column. So its index serves.
    "char": "bpchar",
    "character": "bpchar",
    "smallint": "integer",
    # Values are moments with a zone. Postgres compares the two kinds, and can use an index.
    "timestamp": "timestamptz",
    "timestamp without time zone": "timestamptz",
}
