"""Variables among the items of a list in a rule: docs/access.md, "Rules"."""

from __future__ import annotations

from typing import Any

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

ROWS = """INSERT INTO notes (id, team, tags, owner) VALUES
  (1, 'red', '{a}', 'red'), (2, 'blue', '{a,b}', 'x'), (3, 'green', '{c}', 'x'), (4, NULL, '{}', NULL)"""


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ('{team: {in: ["red", "$auth.team"]}}', [1, 2]),
        ('{team: {in: ["$auth.team"]}}', [2]),
        ('{team: {notIn: ["red", "$auth.team"]}}', [3]),
        ('{not: {team: {in: ["red", "$auth.team"]}}}', [3]),
        ('{not: {team: {notIn: ["green", "$auth.team"]}}}', [2, 3]),
        ('{tags: {hasAny: ["c", "$auth.tag"]}}', [2, 3]),
        ('{tags: {hasAll: ["a", "$auth.tag"]}}', [2]),
        ('{tags: {hasAll: ["$auth.tag"]}}', [2]),
        # The row itself.
        ('{exists: {Note: {owner: {in: ["$row.team", "nobody"]}}}}', [1]),
        # Without the claim the whole rule does not count, whatever is around it.
        ('{team: {notIn: ["red", "$auth.absent"]}}', []),
        ('{or: [{id: 1}, {team: {in: ["red", "$auth.absent"]}}]}', []),
    ],
)
async def test_a_variable_is_an_item_of_a_list(condition: str, shown: list[int], prepared_url: str) -> None:
    sdl = f"type Note @table @allow(role: user, where: {condition})"
    sdl += " { id: Int! @id team: String tags: [String!]! owner: String }"
    viewer = Viewer("ann", frozenset({"user"}), {"team": "blue", "tag": "b"})
    async with api_of(prepared_url, sdl, ROWS) as api:
        found: Any = await api.ok("{ notes { id } }", viewer=viewer)
        assert [note["id"] for note in found["notes"]] == shown
