"""Values of JSON as text."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from clew.json_numbers import Decoder
from clew.stored_json import UnstorableError, WrittenList, WrittenObject, stored_text, written

FAULTY = ("\x00", "\ud800", {"\x00": 1}, float("nan"), float("-inf"), Decoder().decode("1e5000"))


def value(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(10 if depth < 4 else 6):
        case 0:
            return chance.choice((None, True, False))
        case 1 | 2:
            return chance.randint(-(10**20), 10**20)
        case 3:
            return chance.random()
        case 4 | 5:
            return "".join(chance.choices('a"\\\n\u00e9\u2028\U0001f600/', k=chance.randrange(8)))
        case 6 | 7:
            return [value(chance, depth + 1) for _ in range(chance.randrange(5))]
        case _:
            return {f'k{key}"': value(chance, depth + 1) for key in range(chance.randrange(5))}


def test_a_value_is_written_as_python_writes_it() -> None:
    chance = random.Random(5)
    for _ in range(500):
        found = value(chance)
        assert stored_text(found) == json.dumps(found, ensure_ascii=False)


def test_numbers_keep_their_digits() -> None:
    text = '{"a": [1.10, 1E+2, -0.0, 12345678901234567890.123456789]}'
    assert stored_text(Decoder().decode(text)) == text


@pytest.mark.parametrize("faulty", FAULTY, ids=repr)
def test_what_cannot_be_stored_is_told_each_time(faulty: Any) -> None:
    with pytest.raises(UnstorableError) as plain:
        stored_text([1, faulty])
    once = written([1, faulty])
    for _ in range(2):
        with pytest.raises(UnstorableError) as told:
            stored_text(once)
        assert (told.value.fault, told.value.hint) == (plain.value.fault, plain.value.hint)


def test_a_value_with_its_text_is_still_that_value() -> None:
    items, members = written([1, {"a": None}]), written({"a": [True]})
    assert isinstance(items, WrittenList)
    assert isinstance(members, WrittenObject)
    assert (items, members) == ([1, {"a": None}], {"a": [True]})
    assert (stored_text(items), stored_text([members])) == ('[1, {"a": null}]', '[{"a": [true]}]')
