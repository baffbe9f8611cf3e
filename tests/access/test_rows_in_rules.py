"""`$row` in a rule leads through to-ones, but not through rows that are deleted: docs/access.md, "Rules"."""

from __future__ import annotations

import pytest

from clew import Viewer
from tests.writes.api import api_of

pytestmark = pytest.mark.anyio

SDL = """
type Team @table { id: Int! @id owner: String! deletedAt: DateTime @softDelete }
type Pass @table(plural: "passes") { id: Int! @id sub: String! }
type Note @table @allow(role: user, where: %s) { id: Int! @id team: Team }
"""
ROWS = """INSERT INTO teams (id, owner, deleted_at) VALUES (1, 'ann', NULL), (2, 'ann', now()), (3, 'ben', NULL);
  INSERT INTO passes (id, sub) VALUES (1, 'ann');
  INSERT INTO notes (id, team_id) VALUES (1, 1), (2, 2), (3, 3), (4, NULL)"""


@pytest.mark.parametrize(
    "condition",
    [
        '{team: {owner: "$auth.sub"}}',
        '{exists: {Pass: {sub: "$row.team.owner"}}}',
        '{exists: {Pass: {and: [{sub: "$auth.sub"}, {sub: {in: ["x", "$row.team.owner"]}}]}}}',
    ],
)
async def test_a_deleted_row_opens_nothing(condition: str, prepared_url: str) -> None:
    viewer = Viewer("ann", frozenset({"user"}), {"sub": "ann"})
    async with api_of(prepared_url, SDL % condition, ROWS) as api:
        assert await api.ok("{ notes { id } }", viewer=viewer) == {"notes": [{"id": 1}]}
