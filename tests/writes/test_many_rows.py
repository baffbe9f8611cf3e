"""Writes of many rows: their number is bounded, and others have their turn meanwhile (docs/writes.md, "Limits")."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

ANN = Viewer("ann", frozenset({"user"}))
SDL = """
type Team @table @allow(role: user, to: ALL) {
  id: Int! @id
  owner: String!
  kids: [Kid!]!
  tags: [Tag!]! @relation(through: "Tagging")
  marks: [Mark!]! @relation(through: "Marking")
}
type Kid @table
  @allow(role: user, where: {team: {owner: "$auth.sub"}})
  @allow(role: user, to: [CREATE, UPDATE, DELETE], where: {team: {owner: "$auth.sub"}}) {
  id: Int! @id
  name: String @unique
  price: Decimal
  team: Team!
  parent: Kid
}
type Tag @table @allow(role: user, to: ALL) { id: Int! @id teams: [Team!]! @relation(through: "Tagging") }
type Mark @table @allow(role: user, to: ALL) { id: Int! @id }
type Marking @table @allow(role: user, to: ALL) { team: Team! @id mark: Mark! @id }
"""
ROWS = """INSERT INTO teams (id, owner) VALUES (1, 'ann'), (2, 'ben');
  INSERT INTO kids (id, name, team_id) SELECT n, n, 1 FROM generate_series(1, 3000) n;
"""
MANY = 3000
NEW = [{"name": f"n{number}", "teamId": 1} for number in range(MANY)]
OLD = [{"id": 1 + number} for number in range(MANY)]
CHANGES = [{**key, "set": {"price": "1.5"}} for key in OLD]
CREATE = "mutation ($r: [KidCreateInput!]!) { createKids(inputs: $r) { count } }"
UPSERT = "mutation ($r: [KidCreateInput!]!) { upsertKids(inputs: $r, on: name) { count } }"
UPDATE = "mutation ($u: [KidUpdateInput!]!) { updateManyKids(updates: $u) { count } }"
NEST = "mutation ($s: TeamSetInput!) { updateTeam(id: 1, set: $s) { id } }"

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "new": (CREATE, {"r": NEW}),
    "new, the last nowhere": (CREATE, {"r": [*NEW, {"teamId": -1}]}),
    "new, the last in another's team": (CREATE, {"r": [*NEW, {"teamId": 2}]}),
    "new, the last as the first": (CREATE, {"r": [*NEW, NEW[0]]}),
    "new, all nowhere": (CREATE, {"r": [{"teamId": -1}] * MANY}),
    "new, connected": (
        CREATE,
        {"r": [{"team": {"connect": {"id": 1}}, "parent": {"connect": {"name": f"{1 + n}"}}} for n in range(MANY)]},
    ),
    "new, the last connected to none": (
        CREATE,
        {"r": [{"team": {"connect": {"id": 1}}}] * MANY + [{"team": {"connect": {"id": -1}}}]},
    ),
    "upserted": (UPSERT, {"r": [{"name": f"{1500 + n}", "teamId": 1, "price": 2} for n in range(MANY)]}),
    "upserted, the last nowhere": (UPSERT, {"r": [*NEW, {"name": "x", "teamId": -1}]}),
    "changed": (UPDATE, {"u": CHANGES}),
    "changed, the first twice": (UPDATE, {"u": [*CHANGES, CHANGES[0]]}),
    "changed, the last leading nowhere": (UPDATE, {"u": [*CHANGES[:-1], {"id": MANY, "set": {"teamId": -1}}]}),
    "changed by a filter": ("mutation { updateKids(where: {id: {gt: 0}}, set: {price: 3}) { count } }", {}),
    "deleted by a filter": ("mutation { deleteKids(where: {id: {gt: 0}}) { count } }", {}),
    "nested, connected": (NEST, {"s": {"kids": {"connect": OLD}}}),
    "nested, connected by another key": (
        NEST,
        {"s": {"kids": {"connect": [{"name": f"{1 + n}"} for n in range(MANY)]}}},
    ),
    "nested, the last connected to none": (NEST, {"s": {"kids": {"connect": [*OLD, {"id": -1}]}}}),
    "nested, changed": (NEST, {"s": {"kids": {"update": CHANGES}}}),
    "nested, the last changed absent": (NEST, {"s": {"kids": {"update": [*CHANGES, {"id": -1, "set": {}}]}}}),
    "nested, deleted": (NEST, {"s": {"kids": {"delete": OLD}}}),
    "nested, new": (NEST, {"s": {"kids": {"create": [{"name": row["name"]} for row in NEW]}}}),
}


class Calls:
    """Counts the calls of Python functions on this thread between two turns of the event loop."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._thread = threading.get_ident()

    async def __aenter__(self) -> Calls:
        self._task = asyncio.create_task(self._turns())
        await asyncio.sleep(0)
        sys.setprofile(self._count)
        return self

    async def __aexit__(self, *_: object) -> None:
        sys.setprofile(None)
        self._task.cancel()

    def _count(self, _frame: object, event: str, _argument: object) -> None:
        self._now += event == "call"

    async def _turns(self) -> None:
        while True:
            self.most, self._now = max(self.most, self._now), 0
            await asyncio.sleep(0)


@pytest.mark.parametrize("shape", SHAPES)
async def test_others_have_their_turn(shape: str, prepared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.slices._SLICE", 0)
    document, variables = SHAPES[shape]
    async with api_of(prepared_url, SDL, ROWS) as api:
        # What is compiled once does not count.
        await api.run(document, variables, ANN)
        async with Calls() as calls:
            await api.run(document, variables, ANN)
    # Some loops over rows are quick enough. None calls several functions for each row.
    assert calls.most < 4 * MANY, calls.most


@pytest.mark.parametrize(
    ("field", "way"),
    [
        *(("kids", way) for way in ("connect", "update", "delete", "create")),
        *(("tags", way) for way in ("connect", "disconnect", "delete", "create")),
        *(("marks", way) for way in ("connect", "disconnect", "delete")),
    ],
)
async def test_nested_rows_count_towards_those_of_the_field(field: str, way: str, prepared_url: str) -> None:
    item: dict[str, Any] = {"update": {"id": 1, "set": {}}, "create": {}}.get(way, {"id": 1})
    # The rows are distinct, for to connect one twice is to connect it.
    items = [item | ({"id": 1 + number} if "id" in item else {}) for number in range(10_001)]
    async with api_of(prepared_url, SDL, ROWS) as api:
        error = await api.fails(NEST, {"s": {field: {way: items}}}, ANN)
    assert error["message"] == f"`set.{field}.{way}` is too long: one field writes at most 10000 rows.", error
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "hint": "Write them in several requests."}
