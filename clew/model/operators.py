"""The filter operators that each type has, and the operands that they take (docs/queries.md)."""

from __future__ import annotations

import re
from enum import StrEnum

from clew.model.types import ValueType


class Operand(StrEnum):
    """The kind of value that an operator takes, relative to the filtered column's type."""

    SAME = "SAME"  # one value of the column's type
    ITEM = "ITEM"  # one item of the column's list type
    LIST = "LIST"  # a list of values of the (item) type
    TEXT = "TEXT"  # a String
    BOOLEAN = "BOOLEAN"
    PATHS = "PATHS"  # conditions on the values at paths of a JSON value


# Comparisons with a list, each with the one for a single item, and of how many items that must be true.
ITEM_OPERATORS = {"in": ("eq", "any"), "notIn": ("neq", "all"), "hasAny": ("has", "any"), "hasAll": ("has", "all")}
_EQUALITY = {"eq": Operand.SAME, "neq": Operand.SAME, "in": Operand.LIST, "notIn": Operand.LIST}
_ORDER = {"gt": Operand.SAME, "gte": Operand.SAME, "lt": Operand.SAME, "lte": Operand.SAME}
_NULL = {"isNull": Operand.BOOLEAN}
_TEXT = {
    "like": Operand.TEXT,
    "ilike": Operand.TEXT,
    "startsWith": Operand.TEXT,
    "endsWith": Operand.TEXT,
    "contains": Operand.TEXT,
}
_LIST = {
    "eq": Operand.LIST,
    "neq": Operand.LIST,
    "has": Operand.ITEM,
    "hasAny": Operand.LIST,
    "hasAll": Operand.LIST,
}

_BY_SCALAR: dict[str, dict[str, Operand]] = {
    "ID": _EQUALITY | _ORDER | _NULL,
    "UUID": _EQUALITY | _ORDER | _NULL,
    "String": _EQUALITY | _ORDER | _NULL | _TEXT,
    "Int": _EQUALITY | _ORDER | _NULL,
    "BigInt": _EQUALITY | _ORDER | _NULL,
    "Float": _EQUALITY | _ORDER | _NULL,
    "Decimal": _EQUALITY | _ORDER | _NULL,
    "DateTime": _EQUALITY | _ORDER | _NULL,
    "Date": _EQUALITY | _ORDER | _NULL,
    "Time": _EQUALITY | _ORDER | _NULL,
    "Boolean": {"eq": Operand.SAME, "neq": Operand.SAME} | _NULL,
    "Bytes": _EQUALITY | _NULL,
    "JSON": {
        "eq": Operand.SAME,
        "neq": Operand.SAME,
        "contains": Operand.SAME,
        "hasKey": Operand.TEXT,
        "path": Operand.PATHS,
    }
    | _NULL,
}

# Operators on the value at a path of a JSON value.
AT_PATH = {
    "eq": Operand.SAME,
    "neq": Operand.SAME,
    "in": Operand.LIST,
    "gt": Operand.SAME,
    "gte": Operand.SAME,
    "lt": Operand.SAME,
    "lte": Operand.SAME,
    "like": Operand.TEXT,
    "ilike": Operand.TEXT,
    "contains": Operand.SAME,
    "hasKey": Operand.TEXT,
    "isNull": Operand.BOOLEAN,
}

_ENUM = _EQUALITY | _NULL

# Types of a String or an ID whose values are always short, and the most characters of a text that is not long.
_SHORT = frozenset({"uuid", "smallint", "integer", "bigint", "inet", "cidr", "macaddr", "macaddr8", "name", "char"})
_LENGTH = re.compile(r"\(\s*([0-9]+)\s*\)")
_LONG = 10_000


def operators(type_: ValueType) -> dict[str, Operand]:
    """Return the operators of a column's type, with the operand of each. Do not change the result."""
    if type_.name == "JSON" and (type_.is_list or not is_binary_json(type_)):
        return _NULL
    if type_.is_list:
        return _LIST | _NULL
    return _ENUM if type_.is_enum else _BY_SCALAR[type_.name]


def filter_type_name(type_: ValueType) -> str:
    """Return the name of the input type that holds these operators: `StringFilter`, `AgentStatusListFilter`."""
    if type_.name == "JSON" and not is_binary_json(type_):
        return "JSONTextFilter"
    return f"{type_.name}{'List' if type_.is_list else ''}Filter"


def is_binary_json(type_: ValueType) -> bool:
    """Return whether a JSON column is `jsonb`.

    A `json` column has no operators, and casting its values to `jsonb` could raise.
    """
    return type_.sql.lower() == "jsonb"


def is_wide(type_: ValueType) -> bool:
    """Return whether a stored value of the type may have thousands of bytes."""
    if type_.is_list or type_.name in ("JSON", "Bytes"):
        return True
    if type_.is_enum or type_.name not in ("String", "ID") or type_.sql.lower() in _SHORT:
        return False
    length = _LENGTH.search(type_.sql)
    return length is None or int(length[1]) > _LONG


def has_length(type_: ValueType) -> bool:
    """Return whether Postgres knows that two values differ if their lengths do."""
    return not type_.is_list and (
        type_.name == "Bytes" or type_.sql.lower().startswith(("text", "varchar", "character v"))
    )


def sortable(type_: ValueType) -> bool:
    """Return whether `orderBy` takes a column of this type."""
    return not type_.is_list and type_.name not in ("JSON", "Bytes")
