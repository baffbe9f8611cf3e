"""What an upsert changes of a row that is there."""

from __future__ import annotations

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

SDL = """
type Rack @table { id: Int! @id name: String! @unique }
type Slot @table { rack: Rack! @id number: Int! @id code: String! @unique note: String }
"""
PREFERENCES = """
type Person @table(plural: "people") @allow(role: user) { id: String! @id }
type Preference @table @unique(fields: [owner, name]) @allow(role: user, to: ALL, where: {ownerId: "$auth.sub"}) {
  id: Int! @id
  owner: Person! @preset(claim: "sub", on: [CREATE])
  name: String!
  value: String!
}
"""
DATA = """
INSERT INTO racks (id, name) VALUES (1, 'Lower'), (2, 'Upper');
INSERT INTO slots (rack_id, number, code) VALUES (1, 1, 'a')
"""


async def test_the_primary_key_of_a_row_that_is_there_stays_however_it_is_given(prepared_url: str) -> None:
    document = """mutation($input: SlotCreateInput!) {
      upsertSlot(input: $input, on: code) { rackId number code note }
    }"""
    async with api_of(prepared_url, SDL, DATA) as api:
        for rack in ({"rackId": 2}, {"rack": {"connect": {"id": 2}}}, {"rack": {"create": {"name": "New"}}}):
            given = {**rack, "number": 2, "code": "a", "note": str(rack)}
            assert await api.ok(document, {"input": given}) == {
                "upsertSlot": {"rackId": 1, "number": 1, "code": "a", "note": str(rack)}
            }
        # Nothing is made for a field that does not change.
        assert await api.sql("SELECT name FROM racks ORDER BY 1") == ["Lower", "Upper"]


async def test_a_part_of_the_key_may_be_preset(prepared_url: str) -> None:
    people = """INSERT INTO people VALUES ('ann'), ('bob');
      INSERT INTO preferences (owner_id, name, value) VALUES ('bob', 'theme', 'dark')"""
    document = """mutation($value: String!) {
      upsertPreference(input: {name: "theme", value: $value}, on: owner_name) { ownerId value }
    }"""
    async with api_of(prepared_url, PREFERENCES, people) as api:
        ann = Viewer("ann", frozenset({"user"}))
        for value in ("light", "lighter"):
            found = await api.ok(document, {"value": value}, ann)
            assert found == {"upsertPreference": {"ownerId": "ann", "value": value}}
        assert await api.sql("SELECT owner_id || value FROM preferences ORDER BY 1") == ["annlighter", "bobdark"]
        error = await api.fails(document, {"value": "x"}, Viewer(None, frozenset({"user"})))
        assert error["message"] == "`input.ownerId` is required: it is part of the key."
