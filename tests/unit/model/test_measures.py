"""Which functions of a column there are, and what they give."""

from __future__ import annotations

import pytest

from clew.model.measures import FUNCTIONS, measured
from clew.model.types import ValueType


@pytest.mark.parametrize(
    ("name", "sql", "results"),
    [
        ("Int", "smallint", ["Int bigint", "BigInt bigint", "Float double precision", "Int smallint", "Int smallint"]),
        ("BigInt", "bigint", ["Int bigint", "Decimal numeric", "Float double precision"] + ["BigInt bigint"] * 2),
        ("Decimal", "numeric(9,2)", ["Int bigint", *["Decimal numeric"] * 2, *["Decimal numeric(9,2)"] * 2]),
        ("Float", "real", ["Int bigint", *["Float double precision"] * 2, *["Float real"] * 2]),
        ("String", "varchar(9)", ["Int bigint", None, None, "String varchar(9)", "String varchar(9)"]),
        # Postgres has no least of them.
        ("String", "uuid", ["Int bigint", None, None, None, None]),
        ("String", "macaddr", ["Int bigint", None, None, None, None]),
        ("ID", "uuid", ["Int bigint", None, None, None, None]),
        ("Boolean", "boolean", ["Int bigint", None, None, None, None]),
        ("Date", "date", ["Int bigint", None, None, "Date date", "Date date"]),
        ("JSON", "jsonb", [None] * 5),
        ("Bytes", "bytea", [None] * 5),
    ],
)
def test_each_type_has_the_functions_that_postgres_has(name: str, sql: str, results: list[str | None]) -> None:
    found = [measured(function, ValueType(name, sql)) for function in FUNCTIONS]
    assert [type_ and f"{type_.name} {type_.sql}" for type_ in found] == results


def test_lists_have_none_and_enums_are_counted() -> None:
    assert [measured(function, ValueType("Int", "integer", is_list=True)) for function in FUNCTIONS] == [None] * 5
    enum = [measured(function, ValueType("Mood", "text", is_enum=True)) for function in FUNCTIONS]
    assert [type_ is not None for type_ in enum] == [True, False, False, False, False]
