"""Positions and what is in a change."""

from __future__ import annotations

import pytest

from clew.changes.types import Batch, Change, ChangeKind, Position
from clew.json_numbers import dumps


@pytest.mark.parametrize("part", [None, ("3:5:3,4", 17)])
def test_a_position_is_a_text_and_back(part: tuple[str, int] | None) -> None:
    position = Position("7437-1-16402", "10:20:10,15", part)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize("text", ["", "e", "e;1:1:;1:1:", "e;1:1:;1:1:;x", "e;1:1:;1:1:;1;2"])
def test_no_other_text_is_a_position(text: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        Position.parse(text)


def test_rows_are_decoded_once_with_all_their_digits() -> None:
    change = Change(1, None, "posts", ChangeKind.UPDATE, '{"n":1.10}', '{"n":12345678901234567890.123456789}')
    assert change.old is change.old
    assert dumps(change.new) == '{"n": 12345678901234567890.123456789}'
    assert dumps(change.old) == '{"n": 1.10}'
    assert Change(1, None, "posts", ChangeKind.DELETE, "{}").new is None


def test_a_position_within_a_batch_remembers_where_the_batch_began() -> None:
    first, last = (Change(number, None, "posts", ChangeKind.INSERT) for number in (4, 9))
    batch = Batch((first, last), "10:10:", Position("e", "12:12:"))
    assert batch.after(first) == Position("e", "12:12:", ("10:10:", 4))
    assert batch.after(last) == batch.position
