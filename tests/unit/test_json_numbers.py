"""Numbers of JSON keep the digits that they are written with."""

from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest

from clew.json_numbers import Decoder, ExactFloat, Written, dumps, encode, exact_float, holds_exact, plain

NUMBERS = ("1.10", "0.123456789012345678901234567890", "12345678901234567.89", "1e400", "-0.0", "1E5", "-1.5e-7")


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_written_as_it_was_read(text: str) -> None:
    document = f'{{"a": [{text}, {{"b": {text}}}], "c": "{text}", "d": null, "e": true}}'
    value = Decoder().decode(document)
    assert dumps(value) == document
    assert dumps(value, compact=True) == document.replace(" ", "")
    assert encode({"data": {"j": Written(value)}}) == f'{{"data":{{"j":{document.replace(" ", "")}}}}}'.encode()


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_a_float_and_keeps_its_text_in_copies(text: str) -> None:
    number = exact_float(text)
    assert number == float(text)
    assert type(float(number)) is float
    for same in (number, copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert isinstance(same, ExactFloat)
        assert (str(same), f"{same}", Decimal(str(same))) == (text, text, Decimal(text))


def test_an_integer_has_all_its_digits() -> None:
    assert int(exact_float("9007199254740993.0")) == 9007199254740993
    assert int(exact_float("1e23")) == 10**23
    with pytest.raises(OverflowError):
        int(exact_float("1e2000"))


@pytest.mark.parametrize("text", ["[NaN]", '{"a": Infinity}', "-Infinity"])
def test_what_is_no_number_of_json_is_not_read(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        Decoder().decode(text)


def test_what_is_no_number_of_json_is_not_written() -> None:
    for value in (float("nan"), [exact_float("1.10"), float("inf")]):
        with pytest.raises(ValueError, match="JSON compliant"):
            dumps(value)
        with pytest.raises(ValueError, match="JSON compliant"):
            encode(value)


@pytest.mark.parametrize("value", [{1: 1.5, None: 2, False: 3, 1.5: 4, "ä": 5}, (1, [2.5, {}]), "x", [], {}, None])
def test_other_values_are_written_as_python_writes_them(value: Any) -> None:
    assert not holds_exact(value)
    assert dumps(value) == json.dumps(value, ensure_ascii=False)
    assert json.loads(dumps([value, exact_float("1.10")])) == [json.loads(json.dumps(value)), 1.1]


def test_an_answer_may_hold_any_number_of_written_parts() -> None:
    parts = [Written({"a": exact_float(f"{number}.10")}) for number in range(12)]
    answer = {"data": {"list": [{"j": part, "s": '"'} for part in parts]}}
    found = encode(answer)
    expected = ",".join(f'{{"j":{dumps(part.value, compact=True)},"s":"\\""}}' for part in parts)
    assert found.decode() == f'{{"data":{{"list":[{expected}]}}}}'
    assert dumps(plain(answer), compact=True).encode() == found
