"""What aggregates compute of a column, and of what type the result is (SPEC 3)."""

from __future__ import annotations

from clew.model.operators import sortable
from clew.model.types import ValueType

FUNCTIONS = ("countDistinct", "sum", "avg", "min", "max")

COUNT = ValueType("Int", "bigint")
_DECIMAL = ValueType("Decimal", "numeric")
_DOUBLE = ValueType("Float", "double precision")

# Sums are wider than what they add, so that they cannot overflow.
_SUMS = {"Int": ValueType("BigInt", "bigint"), "BigInt": _DECIMAL, "Decimal": _DECIMAL, "Float": _DOUBLE}
_AVERAGES = {"Int": _DOUBLE, "BigInt": _DOUBLE, "Decimal": _DECIMAL, "Float": _DOUBLE}
# A String may be of any type of an existing database, and Postgres has no least of many of them, `uuid` for one.
_TEXTS = frozenset({"text", "varchar", "character varying", "char", "character", "bpchar", "citext", "name"})
_EXTREMES = frozenset({"Int", "BigInt", "Decimal", "Float", "String", "DateTime", "Date", "Time"})


def measured(function: str, type_: ValueType) -> ValueType | None:
    """The type of `sum`, `avg`, `min`, `max` or `countDistinct` of a column; None where it has no such."""
    if not sortable(type_):
        return None
    if function == "countDistinct":
        return COUNT
    if type_.is_enum:
        return None
    if function == "sum":
        return _SUMS.get(type_.name)
    if function == "avg":
        return _AVERAGES.get(type_.name)
    if type_.name == "String" and type_.sql.partition("(")[0].strip().lower() not in _TEXTS:
        return None
    return type_ if type_.name in _EXTREMES else None
