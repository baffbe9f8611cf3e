"""Pages of many-to-manys that follow their links: the same as with a filter that holds for every row."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from clew import Viewer
from tests.writes.api import ADMIN, api_of

SDL = """
type Rack @table @allow(role: user) {
  id: Int! @id
  books: [Book!]! @relation(through: "Standing")
  parts: [Part!]! @relation(through: "Bin")
  above: [Rack!]! @relation(through: "Stack", from: "lower")
  below: [Rack!]! @relation(through: "Stack", from: "upper")
}
type Book
  @table
  @allow(role: user, where: {shown: true})
  @allow(role: user, where: {id: {gt: 8}}, fields: [id, title]) {
  id: Int! @id
  title: String!
  loud: String! @computed(sql: "upper(title)")
  shown: Boolean!
  gone: DateTime @softDelete
  racks: [Rack!]! @relation(through: "Standing")
}
type Part @table @allow(role: user) { tenant: Int! @id number: Int! @id label: String }
type Standing @table @allow(role: user, where: {open: true}) {
  rack: Rack! @id
  book: Book! @id
  open: Boolean!
  gone: DateTime @softDelete
}
type Bin @table @allow(role: user, where: {open: true}) {
  rack: Rack! @id
  part: Part! @id
  open: Boolean!
  gone: DateTime @softDelete
}
type Stack @table @allow(role: user) { lower: Rack! @id upper: Rack! @id }
"""
COUNT = 12
FIELDS = {
    "books": "id title loud shown racks(limit: 2) { id }",
    "parts": "tenant number label",
    "above": "id books(limit: 1) { title }",
    "below": "id",
}
ORDERS = {
    "books": ["", "{id: ASC}", "{id: DESC}", "{shown: ASC}, {id: DESC}"],
    "parts": ["", "{number: DESC}, {tenant: ASC}", "{tenant: DESC}, {number: ASC}", "{number: ASC}"],
    "above": ["", "{id: DESC}"],
    "below": ["", "{id: DESC}"],
}
TRUE = {"books": "{id: {gt: -1}}", "parts": "{number: {gt: -1}}", "above": "{id: {gt: -1}}", "below": "{id: {gt: -1}}"}


def rows() -> str:
    """Rows at random, half of all links."""
    rng = random.Random(1)
    ids = range(COUNT)
    parts = [(n % 3, n // 3) for n in ids]
    when = ["NULL", "NULL", "now()"]
    tables: dict[str, list[tuple[Any, ...]]] = {
        "racks": [(n,) for n in ids],
        "books (id, title, shown, gone)": [
            (n, f"'title {n % 5}'", rng.choice(["true", "false"]), rng.choice(when)) for n in ids
        ],
        "parts": [(tenant, number, f"'part {number}'") for tenant, number in parts],
        "standings (rack_id, book_id, open, gone)": [
            (rack, book, rng.choice(["true", "true", "false"]), rng.choice(when))
            for rack, book in itertools.product(ids, ids)
            if rng.random() < 0.5
        ],
        "bins (rack_id, part_tenant, part_number, open, gone)": [
            (rack, *part, rng.choice(["true", "true", "false"]), rng.choice(when))
            for rack, part in itertools.product(ids, parts)
            if rng.random() < 0.5
        ],
        "stacks (lower_id, upper_id)": [pair for pair in itertools.product(ids, ids) if rng.random() < 0.5],
    }
    return ";".join(
        f"INSERT INTO {table} VALUES {', '.join('(' + ', '.join(map(str, row)) + ')' for row in values)}"
        for table, values in tables.items()
    )


@pytest.mark.parametrize("viewer", [ADMIN, Viewer("ann", frozenset({"user"}), {})], ids=["admin", "user"])
async def test_a_filter_that_holds_for_every_row_changes_nothing(viewer: Viewer, prepared_url: str) -> None:
    asked = "query ($limit: Int, $offset: Int) { racks { "
    names: list[str] = []
    for relation, orders in ORDERS.items():
        for order, (limit, offset) in itertools.product(orders, [("1", "0"), ("3", "2"), ("$limit", "$offset")]):
            for deleted in (
                ["", ", deleted: INCLUDE", ", deleted: ONLY"] if relation == "books" and viewer is ADMIN else [""]
            ):
                names.append(f"{relation}{len(names)}")
                page = f"limit: {limit}, offset: {offset}, orderBy: [{order}]{deleted}"
                asked += f"{names[-1]}: {relation}({page}) {{ {FIELDS[relation]} }} "
                asked += f"{names[-1]}f: {relation}({page}, where: {TRUE[relation]}) {{ {FIELDS[relation]} }} "
    async with api_of(prepared_url, SDL, rows()) as api:
        found = await api.ok(asked + "} }", {"limit": 4, "offset": 1}, viewer)
    different = [name for rack in found["racks"] for name in names if rack[name] != rack[f"{name}f"]]
    assert different == []
    assert all(any(rack[name] for rack in found["racks"]) for name in names)
