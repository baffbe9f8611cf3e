"""How much of a stored value each operator reads, so that its work can be bounded. No database."""

from __future__ import annotations

import pytest

from clew.access.predicates import operand
from clew.access.types import Constant, Reach
from clew.model import operators
from clew.model.types import ValueType

TEXT = ValueType("String", "text")
# Types of which one stored value may have a megabyte.
WIDE = (
    TEXT,
    ValueType("ID", "text"),
    ValueType("Bytes", "bytea"),
    ValueType("JSON", "jsonb"),
    ValueType("Int", "integer", is_list=True),
    ValueType("String", "text", is_list=True),
    ValueType("JSON", "jsonb", is_list=True),
)


@pytest.mark.parametrize("type_", WIDE, ids=lambda type_: f"{type_.name}{' list' if type_.is_list else ''}")
def test_every_operator_says_how_much_it_reads(type_: ValueType) -> None:
    for operator, kind in operators.operators(type_).items():
        if kind is not operators.Operand.PATHS:
            reach = operand(type_, operator, Constant(None), "place").reach
            assert (reach is Reach.NARROW) == (operator == "isNull"), operator


def test_every_operator_at_a_path_says_how_much_it_reads() -> None:
    for operator in operators.AT_PATH:
        reach = operand(ValueType("JSON", "jsonb"), operator, Constant(None), "place", operators.AT_PATH).reach
        # Postgres also looks for the path.
        assert reach not in (Reach.NARROW, Reach.SAME), operator


def test_an_operator_that_does_not_say_so_is_refused() -> None:
    known = {"matches": operators.Operand.TEXT}
    with pytest.raises(ValueError, match="How much of a stored value does `matches` read"):
        operand(TEXT, "matches", Constant(None), "place", known)
