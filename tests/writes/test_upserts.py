"""What an upsert changes of a row that is there."""

from __future__ import annotations

import pytest

from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

SDL = """
type Rack @table { id: Int! @id name: String! @unique }
type Slot @table { rack: Rack! @id number: Int! @id code: String! @unique note: String }
"""
DATA = """
INSERT INTO racks (id, name) VALUES (1, 'Lower'), (2, 'Upper');
INSERT INTO slots (rack_id, number, code) VALUES (1, 1, 'a')
"""


async def test_the_primary_key_of_a_row_that_is_there_stays_however_it_is_given(database_url: str) -> None:
    document = """mutation($input: SlotCreateInput!) {
      upsertSlot(input: $input, on: code) { rackId number code note }
    }"""
    async with api_of(database_url, SDL, DATA) as api:
        for rack in ({"rackId": 2}, {"rack": {"connect": {"id": 2}}}, {"rack": {"create": {"name": "New"}}}):
            given = {**rack, "number": 2, "code": "a", "note": str(rack)}
            assert await api.ok(document, {"input": given}) == {
                "upsertSlot": {"rackId": 1, "number": 1, "code": "a", "note": str(rack)}
            }
        # Nothing is made for a field that does not change.
        assert await api.sql("SELECT name FROM racks ORDER BY 1") == ["Lower", "Upper"]
