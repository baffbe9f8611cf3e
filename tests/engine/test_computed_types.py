"""Computed fields that have a type of their own, and that a search finds: docs/directives.md."""

from __future__ import annotations

import pytest

from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

SDL = """
type Person @table {
  id: Int! @id
  given: String!
  family: String
  name: String @computed(sql: "given || coalesce(' ' || family, '')") @search(weight: A) @index
  half: Decimal @computed(sql: "id / 3.0") @column(type: "numeric(6,2)")
  stored: Decimal @computed(sql: "id / 3.0") @column(name: kept, type: "numeric(6,1)") @index
  note: String @search
}
"""
ROWS = """INSERT INTO persons (id, given, family, note) VALUES
  (1, 'Ann', 'Stone', NULL), (2, 'Ben', NULL, 'Stone walls'), (4, 'Cyd', 'Reed', 'grass')"""


async def test_a_stored_computed_field_is_searched(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        for text, found in (("stone", [1, 2]), ("reed", [4]), ("Ann Stone", [1]), ("walls", [2])):
            rows = (await api.ok("query($q: String!) { persons(search: $q) { id } }", {"q": text}))["persons"]
            assert sorted(row["id"] for row in rows) == found
        await api.ok('mutation { updatePerson(id: 4, set: {family: "Stone"}) { id } }')
        assert len((await api.ok('{ persons(search: "stone") { id } }'))["persons"]) == 3


async def test_a_computed_field_has_the_type_of_its_column(prepared_url: str) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
        assert await api.ok("{ persons { half stored } }") == {
            "persons": [
                {"half": "0.33", "stored": "0.3"},
                {"half": "0.67", "stored": "0.7"},
                {"half": "1.33", "stored": "1.3"},
            ]
        }
        for where in ('half: {eq: "0.33"}', 'stored: {eq: "0.3"}', 'half: {lt: "0.333"}'):
            assert await api.ok(f"{{ persons(where: {{{where}}}) {{ id }} }}") == {"persons": [{"id": 1}]}
        assert await api.sql("SELECT kept::text FROM persons ORDER BY id") == ["0.3", "0.7", "1.3"]
