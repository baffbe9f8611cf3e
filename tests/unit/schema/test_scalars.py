"""What each scalar reads, in variables and in documents alike."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError, parse_const_value

from clew.schema.scalars import SCALARS


@pytest.mark.parametrize(
    ("scalar", "literal", "value"),
    [
        ("Decimal", "12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
        ("Decimal", "0.1000000000000000000001", Decimal("0.1000000000000000000001")),
        ("Decimal", '"1.50"', Decimal("1.50")),
        ("Decimal", "1e400", Decimal("1e400")),
        ("BigInt", "9223372036854775807", 2**63 - 1),
        ("BigInt", '"-9223372036854775808"', -(2**63)),
    ],
)
def test_a_number_in_a_document_is_read_exactly(scalar: str, literal: str, value: Any) -> None:
    read = SCALARS[scalar].coerce_input_literal
    assert read is not None
    found = read(parse_const_value(literal))
    assert (found, str(found)) == (value, str(value))


@pytest.mark.parametrize("digits", range(1, 10))
def test_times_and_moments_take_nine_digits_and_keep_six(digits: int) -> None:
    fraction = "123456999"[:digits]
    micros = int(fraction[:6].ljust(6, "0"))
    at, moment = time(5, 0, 0, micros), datetime(2026, 1, 1, 5, 0, 0, micros, UTC)
    late = f"12026-01-01T05:00:00.{fraction[:6]}+00:00"
    for scalar, text, value in (
        ("Time", "05:00:00.{}", at),
        ("Time", "05:00:00.{}Z", at.replace(tzinfo=UTC)),
        ("DateTime", "2026-01-01T05:00:00.{}", moment),
        ("DateTime", "2026-01-01T05:00:00.{}Z", moment),
        ("DateTime", "12026-01-01T05:00:00.{}Z", late),
    ):
        read = SCALARS[scalar].coerce_input_value
        assert read(text.format(fraction)) == value
        with pytest.raises(GraphQLError):
            read(text.format("1234567890"))


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *(
            ("BigInt", value)
            for value in (2**63, -(2**63) - 1, "9223372036854775808", "١٢", "1_0", " 1", "", True, 1.0)
        ),
        *(
            ("Decimal", value)
            for value in ("nan", "sNaN", "+Infinity", "inf", "1e1001", "9" * 1001, "", "1,5", True, float("nan"), [1])
        ),
        *(
            ("Decimal", value)
            for value in ("1_000", " 1", "1 ", "1\n", "\u0661\u0662", "1e", ".", "1e9999999999", "0x1")
        ),
        *(("DateTime", value) for value in ("2026-02-30T00:00Z", "294277-01-01T00:00Z", "2026-01-01", "now", 5)),
        *(
            ("Date", value)
            for value in (
                "2026-02-30",
                "0000-01-01",
                "5874898-01-01",
                "04714-01-01",
                "4714-11-23 BC",
                "Infinity",
                "٢٠٢٦-01-01",
                "20260101",
                None,
            )
        ),
        *(("Time", value) for value in ("24:00:01", "5:00", "05:00+16", "05:00:60", "05:00:00.1234567890", "")),
        *(("UUID", value) for value in ("0x" + "0" * 30, "1_2" + "0" * 29, "0" * 31, "\u0660" * 32, 5, "")),
        *(("Bytes", value) for value in ("é", "A", "AA=", "A A=", 1)),
        *(("JSON", value) for value in (float("inf"), float("nan"))),
    ],
)
def test_what_is_no_such_value_is_refused_without_repeating_it(scalar: str, value: Any) -> None:
    read = SCALARS[scalar].coerce_input_value
    with pytest.raises(GraphQLError) as caught:
        read(value)
    assert caught.value.message.startswith(f"{scalar} cannot represent")
    assert len(caught.value.message) < 120
