"""The demo's own fields, called as Ariadne calls them."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any, cast

import pytest

from app import resolvers
from app.pricing import PRICES
from clew import ClewError

INFO = cast("resolvers.Info", None)  # none of these fields looks at it


def test_a_known_model_has_a_price_and_an_unknown_one_has_none() -> None:
    price = resolvers.model_pricing(None, INFO, model="kestrel-2")
    assert price == {
        "model": "kestrel-2",
        "prompt": Decimal("0.80"),
        "completion": Decimal("3.20"),
        "contextWindow": 128_000,
    }
    assert resolvers.model_pricing(None, INFO, model="no-such-model") is None


def test_the_price_list_begins_with_the_cheapest() -> None:
    prices = [cast("Decimal", row["completion"]) for row in resolvers.model_prices(None, INFO)]
    assert prices == sorted(prices)
    assert len(prices) == len(PRICES)


def test_cost_is_exact_to_a_millionth() -> None:
    assert PRICES["sparrow-mini"].cost(1000, 10) == Decimal("0.000156")


def test_the_clock_is_in_utc() -> None:
    assert resolvers.server_time(None, INFO).tzinfo is UTC


def test_an_avatar_depends_on_the_address_only() -> None:
    first = resolvers.avatar_url({"email": "ada@example.com"}, INFO)
    assert first == resolvers.avatar_url({"email": " Ada@Example.com "}, INFO)
    assert "ada" not in first
    assert first.endswith("?s=64&d=identicon")
    assert resolvers.avatar_url({"email": "ada@example.com"}, INFO, size=16).endswith("?s=16&d=identicon")


@pytest.mark.parametrize("size", [-1, 15, 513])
def test_an_avatar_of_an_odd_size_is_refused(size: int) -> None:
    with pytest.raises(ClewError, match="between 16 and 512"):
        resolvers.avatar_url({"email": "ada@example.com"}, INFO, size=size)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Why is Freight over budget?", "why-is-freight-over-budget"),
        ("'Grünwald' in Łódź", "grunwald-in-odz"),
        ("???", "thread"),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_slug_is_plain(title: str, slug: str) -> None:
    parent: dict[str, Any] = {"title": title}
    assert resolvers.thread_slug(parent, INFO) == slug


def test_words_are_split_at_white_space() -> None:
    assert resolvers.word_count({"content": " one  two\nthree "}, INFO) == 3
