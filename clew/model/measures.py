"""The aggregate functions that a column has, and the types of their results (docs/queries.md)."""

from __future__ import annotations

from clew.model.operators import sortable
from clew.model.types import ValueType

FUNCTIONS = ("countDistinct", "sum", "avg", "min", "max")

COUNT = ValueType("Int", "bigint")
_DECIMAL = ValueType("Decimal", "numeric")
_DOUBLE = ValueType("Float", "double precision")

# Sums have a wider type than the values that they add, so that they cannot overflow.
_SUMS = {"Int": ValueType("BigInt", "bigint"), "BigInt": _DECIMAL, "Decimal": _DECIMAL, "Float": _DOUBLE}
_AVERAGES = {"Int": _DOUBLE, "BigInt": _DOUBLE, "Decimal": _DECIMAL, "Float": _DOUBLE}
# A String may have any type of an existing database. Postgres has no `min` of some of them, such as `uuid`.
_TEXTS = frozenset({"text", "varchar", "character varying", "char", "character", "bpchar", "citext", "name"})
_EXTREMES = frozenset({"Int", "BigInt", "Decimal", "Float", "String", "DateTime", "Date", "Time"})


def measured(function: str, type_: ValueType) -> ValueType | None:
    """Return the result type of an aggregate function of a column, or None where the column lacks the function."""
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
