"""Generated Chinook-shaped rows: the same at every call, at any scale.

Genres, media types and employees do not grow; everything else does, so that an album, an
invoice and a playlist are as large at 100x as at 1x.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench.chinook import words

Row = tuple[object, ...]

COUNTS = {
    "artists": 275,
    "albums": 347,
    "tracks": 3_503,
    "playlists": 18,
    "playlist_tracks": 8_715,
    "customers": 59,
    "invoices": 412,
    "invoice_lines": 2_240,
}
"""Rows at scale 1 of the tables that grow."""

PLAYLIST_SIZES = (2400, 1800, 1300, 900, 600, 450, 330, 250, 190, 150, 110, 80, 60, 40, 25, 15, 10, 5)

_FIRST_SALE = datetime(2021, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for `COPY table (columns)`; `rows` can be read once."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[Row]


def generate(scale: int = 1, seed: int = 7) -> Iterator[Table]:
    """The tables in an order that satisfies the foreign keys."""
    if scale < 1:
        raise ValueError(f"The scale is {scale}; it must be 1 or more.")
    count = {name: rows * scale for name, rows in COUNTS.items()}
    # Each table has its own source of chance, so that none depends on how another was read.
    rng = {name: random.Random(f"{seed}:{name}") for name in (*COUNTS, "people")}
    yield Table("artists", ("id", "name"), _artists(rng["artists"], count["artists"]))
    yield Table("albums", ("id", "title", "artist_id"), _albums(rng["albums"], count["albums"], count["artists"]))
    yield Table("genres", ("id", "name"), enumerate(words.GENRES, start=1))
    yield Table("media_types", ("id", "name"), enumerate(words.MEDIA_TYPES, start=1))
    yield Table(
        "tracks",
        ("id", "name", "album_id", "media_type_id", "genre_id", "composer", "milliseconds", "bytes", "unit_price"),
        _tracks(rng["tracks"], count["tracks"], count["albums"]),
    )
    yield Table("playlists", ("id", "name"), _playlists(rng["playlists"], count["playlists"]))
    yield Table(
        "playlist_tracks", ("playlist_id", "track_id"), _playlist_tracks(rng["playlist_tracks"], scale, count["tracks"])
    )
    yield Table("employees", _EMPLOYEE, _employees(rng["people"]))
    yield Table("customers", _CUSTOMER, _customers(rng["customers"], count["customers"]))
    invoices, lines = _invoices(
        rng["invoices"], count["invoices"], count["invoice_lines"], count["customers"], count["tracks"]
    )
    yield Table("invoices", _INVOICE, invoices)
    yield Table("invoice_lines", ("id", "invoice_id", "track_id", "unit_price", "quantity"), lines)


_EMPLOYEE = (
    "id", "first_name", "last_name", "title", "reports_to_id", "birth_date", "hire_date", "city", "country", "email",
)  # fmt: skip
_CUSTOMER = (
    "id", "first_name", "last_name", "company", "address", "city", "country", "postal_code", "phone", "email",
    "support_rep_id",
)  # fmt: skip
_INVOICE = (
    "id", "customer_id", "invoice_date", "billing_address", "billing_city", "billing_country", "billing_postal_code",
    "total",
)  # fmt: skip


def _spread(rng: random.Random, total: int, bins: int) -> list[int]:
    """`total` things over `bins` shelves at random, at least one on each."""
    sizes = [1] * bins
    for index in rng.choices(range(bins), k=total - bins):
        sizes[index] += 1
    return sizes


def _artists(rng: random.Random, count: int) -> Iterator[Row]:
    for key in range(1, count + 1):
        prefix = "The " if rng.random() < 0.4 else ""
        yield key, f"{prefix}{rng.choice(words.ADJECTIVES)} {rng.choice(words.NOUNS)}"


def _albums(rng: random.Random, count: int, artists: int) -> Iterator[Row]:
    key = 0
    for artist, size in enumerate(_spread(rng, count, artists), start=1):
        for _ in range(size):
            key += 1
            yield key, f"{rng.choice(words.VERBS)} {rng.choice(words.ADJECTIVES)} {rng.choice(words.NOUNS)}", artist


def _price(media_type: int) -> Decimal:
    return Decimal("1.99") if media_type == 3 else Decimal("0.99")


def _media_type(track: int) -> int:
    """A function of the key, so that an invoice line knows the track's price without reading it."""
    return (1, 1, 1, 1, 1, 1, 2, 2, 5, 4, 1, 1, 3)[track * 7 % 13]


def _tracks(rng: random.Random, count: int, albums: int) -> Iterator[Row]:
    key = 0
    for album, size in enumerate(_spread(rng, count, albums), start=1):
        genre = min(int(rng.expovariate(0.22)) + 1, len(words.GENRES))
        writer = f"{rng.choice(words.GIVEN)} {rng.choice(words.FAMILY)}"
        for _ in range(size):
            key += 1
            name = f"{rng.choice(words.ADJECTIVES)} {rng.choice(words.NOUNS)}{rng.choice(words.ENDINGS)}"
            length = int(rng.lognormvariate(12.4, 0.35))
            media_type = _media_type(key)
            composer = writer if rng.random() < 0.72 else None
            yield key, name, album, media_type, genre, composer, length, length * 33, _price(media_type)


def _playlists(rng: random.Random, count: int) -> Iterator[Row]:
    for key in range(1, count + 1):
        yield key, f"{rng.choice(words.ADJECTIVES)} {rng.choice(words.GENRES)}"


def _playlist_tracks(rng: random.Random, scale: int, tracks: int) -> Iterator[Row]:
    for playlist, size in enumerate(PLAYLIST_SIZES * scale, start=1):
        for track in sorted(rng.sample(range(1, tracks + 1), size)):
            yield playlist, track


def _employees(rng: random.Random) -> Iterator[Row]:
    for key, (title, manager) in enumerate(zip(words.TITLES, words.MANAGERS, strict=True), start=1):
        given, family = rng.choice(words.GIVEN), rng.choice(words.FAMILY)
        city, country = rng.choice(words.CITIES)
        born = datetime(1960, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(12_000))
        hired = datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(2_500))
        email = f"{given}.{family}{key}@shop.example".lower()
        yield key, given, family, title, manager, born, hired, city, country, email


def _customers(rng: random.Random, count: int) -> Iterator[Row]:
    for key in range(1, count + 1):
        given, family = rng.choice(words.GIVEN), rng.choice(words.FAMILY)
        city, country = rng.choice(words.CITIES)
        company = f"{rng.choice(words.NOUNS)} Ltd." if rng.random() < 0.17 else None
        address, postal_code = _address(rng)
        phone = f"+{rng.randrange(10, 99)} {rng.randrange(100, 999)} {rng.randrange(10_000, 99_999)}"
        email = f"{given}.{family}{key}@mail.example".lower()
        yield key, given, family, company, address, city, country, postal_code, phone, email, rng.randrange(3, 6)


def _address(rng: random.Random) -> tuple[str, str]:
    return f"{rng.randrange(1, 240)} {rng.choice(words.ADJECTIVES)} Street", str(rng.randrange(10_000, 99_999))


def _invoices(
    rng: random.Random, count: int, line_count: int, customers: int, tracks: int
) -> tuple[list[Row], list[Row]]:
    """Invoices and their lines at once, because an invoice's total is the sum of its lines."""
    invoices: list[Row] = []
    lines: list[Row] = []
    step = timedelta(days=5 * 365) / count
    for key, size in enumerate(_spread(rng, line_count, count), start=1):
        total = Decimal(0)
        for _ in range(size):
            track = rng.randrange(1, tracks + 1)
            price = _price(_media_type(track))
            total += price
            lines.append((len(lines) + 1, key, track, price, 1))
        city, country = rng.choice(words.CITIES)
        address, postal_code = _address(rng)
        at = _FIRST_SALE + step * key
        invoices.append((key, rng.randrange(1, customers + 1), at, address, city, country, postal_code, total))
    return invoices, lines
