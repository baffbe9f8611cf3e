"""The generated record shop."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest

from bench.chinook.generate import COUNTS, PLAYLIST_SIZES, generate


@pytest.fixture(scope="module")
def shop() -> dict[str, list[dict[str, object]]]:
    return {
        table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in generate(scale=1)
    }


def test_the_counts_are_those_of_chinook(shop: dict[str, list[dict[str, object]]]) -> None:
    counts = {name: len(rows) for name, rows in shop.items()}
    assert counts == {**COUNTS, "genres": 25, "media_types": 5, "employees": 8}


def test_playlist_sizes_add_up() -> None:
    assert sum(PLAYLIST_SIZES) == COUNTS["playlist_tracks"]
    assert len(PLAYLIST_SIZES) == COUNTS["playlists"]


def test_two_runs_give_the_same_rows() -> None:
    def read() -> list[tuple[str, list[tuple[object, ...]]]]:
        return [(table.name, list(table.rows)) for table in generate(scale=2)]

    assert read() == read()


def test_rows_do_not_depend_on_the_order_in_which_tables_are_read() -> None:
    forwards = {table.name: list(table.rows) for table in generate()}
    backwards = {table.name: list(table.rows) for table in reversed(list(generate()))}
    assert forwards == backwards


def test_a_scale_multiplies_what_grows() -> None:
    counts = {table.name: sum(1 for _ in table.rows) for table in generate(scale=3)}
    assert {name: counts[name] for name in COUNTS} == {name: count * 3 for name, count in COUNTS.items()}
    assert (counts["genres"], counts["media_types"], counts["employees"]) == (25, 5, 8)


@pytest.mark.parametrize(
    ("table", "column", "target"),
    [
        ("albums", "artist_id", "artists"),
        ("tracks", "album_id", "albums"),
        ("tracks", "genre_id", "genres"),
        ("tracks", "media_type_id", "media_types"),
        ("playlist_tracks", "playlist_id", "playlists"),
        ("playlist_tracks", "track_id", "tracks"),
        ("employees", "reports_to_id", "employees"),
        ("customers", "support_rep_id", "employees"),
        ("invoices", "customer_id", "customers"),
        ("invoice_lines", "invoice_id", "invoices"),
        ("invoice_lines", "track_id", "tracks"),
    ],
)
def test_foreign_keys_hold(shop: dict[str, list[dict[str, object]]], table: str, column: str, target: str) -> None:
    keys = {row["id"] for row in shop[target]}
    assert {row[column] for row in shop[table] if row[column] is not None} <= keys


def test_every_album_has_a_track_and_every_artist_an_album(shop: dict[str, list[dict[str, object]]]) -> None:
    assert {row["album_id"] for row in shop["tracks"]} == {row["id"] for row in shop["albums"]}
    assert {row["artist_id"] for row in shop["albums"]} == {row["id"] for row in shop["artists"]}


def test_playlists_name_a_track_once(shop: dict[str, list[dict[str, object]]]) -> None:
    pairs = Counter((row["playlist_id"], row["track_id"]) for row in shop["playlist_tracks"])
    assert set(pairs.values()) == {1}


def test_an_invoice_is_the_sum_of_its_lines_at_the_tracks_prices(shop: dict[str, list[dict[str, object]]]) -> None:
    prices = {row["id"]: row["unit_price"] for row in shop["tracks"]}
    totals: dict[object, Decimal] = {}
    for line in shop["invoice_lines"]:
        assert line["unit_price"] == prices[line["track_id"]]
        price, quantity = line["unit_price"], line["quantity"]
        assert isinstance(price, Decimal)
        assert isinstance(quantity, int)
        totals[line["invoice_id"]] = totals.get(line["invoice_id"], Decimal(0)) + price * quantity
    assert totals == {row["id"]: row["total"] for row in shop["invoices"]}


def test_keys_have_no_gaps(shop: dict[str, list[dict[str, object]]]) -> None:
    for name, rows in shop.items():
        if name == "playlist_tracks":
            continue
        keys = [row["id"] for row in rows]
        assert all(isinstance(a, int) and isinstance(b, int) and b == a + 1 for a, b in pairwise(keys)), name


def test_a_scale_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        list(generate(scale=0))
