"""The work of comparing one row with an operand, in units. No database."""

from __future__ import annotations

import random
from typing import Any

import pytest

from clew.access.types import Reach
from clew.errors import ClewError, Code
from clew.sql.effort import LONGEST_PATTERN, MOST_EFFORT, check_effort, effort

USUAL: tuple[tuple[Reach, Any], ...] = (
    (Reach.WITHIN, "report 2024"),
    (Reach.WITHIN, "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of"),
    (Reach.WITHIN, "-" * 80),
    (Reach.PATTERN, "%2024%final_v2.pdf"),
    (Reach.ANY_CASE, "%müller%"),
    (Reach.ITEMS, [f"tag{number}" for number in range(50)]),
    (Reach.ITEMS, ["tag"] * 10_000),
    (Reach.PARTS, {"tags": ["red", "blue"], "size": {"width": 3, "height": 4}}),
    (Reach.PARTS, {"lines": [{"sku": "A1", "count": 2}, {"sku": "B2"}]}),
    (Reach.SAME, "x" * 100_000),
    (Reach.WHOLE, "x" * 1_000_000),
    (Reach.NARROW, "x" * 1_000_000),
)

HOSTILE: tuple[tuple[Reach, Any], ...] = (
    (Reach.WITHIN, "a" * 1000 + "b"),
    (Reach.WITHIN, "ab" * 500),
    (Reach.WITHIN, "a" * 1_000_000),
    (Reach.WITHIN, "".join(random.Random(1).choices("abcdefgh", k=LONGEST_PATTERN + 1))),
    (Reach.PATTERN, "%" + "a" * 1000 + "b%"),
    (Reach.PATTERN, "x%\\%%" + "\\_" * 1000 + "%"),
    (Reach.PATTERN, "%" + "a_" * 500),
    (Reach.PATTERN, "%" + "_b" * 500 + "%"),
    (Reach.PATTERN, "%x" * 100 + "%" + "a" * 1000),
    (Reach.ANY_CASE, "%" + "aA" * 500 + "%"),
    (Reach.ANY_CASE, "%" + "".join(random.Random(1).choices("iI\u0130\u0131", k=1000)) + "%"),
    (Reach.ITEMS, [f"tag{number}" for number in range(1000)]),
    (Reach.PARTS, [1] * 2000),
    (Reach.PARTS, {"a": {"b": [["x"] * 500]}}),
    (Reach.PARTS, [[]] * 100),
    (Reach.PARTS, [{}] * 100),
    (Reach.PARTS, {str(number): number for number in range(50_000)}),
)


@pytest.mark.parametrize(("reach", "value"), USUAL, ids=lambda part: str(part)[:40])
def test_what_people_look_for_is_allowed(reach: Reach, value: Any) -> None:
    assert effort(value, reach) <= MOST_EFFORT / 2


@pytest.mark.parametrize(("reach", "value"), HOSTILE, ids=lambda part: str(part)[:40])
def test_an_operand_that_holds_up_the_database_is_too_much(reach: Reach, value: Any) -> None:
    assert effort(value, reach) > MOST_EFFORT


def test_a_text_counts_at_least_the_comparisons_that_it_causes() -> None:
    """Of each pattern: the largest number of comparisons at a position, over texts that are made of its pieces."""
    chance = random.Random(7)
    for _ in range(300):
        alphabet = "ab" if chance.random() < 0.7 else "abc"
        piece = "".join(chance.choices(alphabet, k=chance.randint(1, 4)))
        pattern = (piece * 30)[: chance.randint(1, 40)] + "".join(chance.choices(alphabet, k=chance.randint(0, 4)))
        cut = chance.randint(1, len(pattern))
        text = (pattern[:cut] * 400)[:2000] if chance.random() < 0.5 else (piece * 2000)[:2000]
        assert comparisons(text, pattern) / len(text) <= effort(pattern, Reach.WITHIN)


def comparisons(text: str, pattern: str) -> int:
    """Return how often equal characters are compared by the search that LIKE makes."""
    count = 0
    for start in range(len(text)):
        for one, other in zip(text[start:], pattern, strict=False):
            if one != other:
                break
            count += 1
        else:
            return count
    return count


def test_the_largest_operand_is_named() -> None:
    efforts = [(100.0, "where.a.hasAny"), (290.0, "where.b.contains"), (11.0, "where.c.like")]
    check_effort(efforts[:2])
    with pytest.raises(ClewError) as refused:
        check_effort(efforts)
    assert refused.value.code is Code.LIMIT_EXCEEDED
    assert "`where.b.contains`" in refused.value.message
