"""Writes that wait for another transaction are judged by what that has left, other tables included."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from clew import Viewer
from tests.writes.api import ADMIN, Api, api_of

pytestmark = pytest.mark.anyio

SDL = """
type Ledger @table @allow(role: user, to: ALL) { id: Int! @id posted: Boolean! lines: [Line!]! }
type Line @table
  @guard(to: [CREATE, UPDATE, DELETE], where: {ledger: {posted: false}}, check: {}, bindsAdmin: true)
  @allow(role: user, to: ALL) {
  id: Int! @id
  n: Int!
  mark: Int! @unique
  ledger: Ledger! @relation(onDelete: CASCADE)
  batch: Batch @relation(onDelete: CASCADE)
}
type Batch @table @allow(role: user, to: ALL) { id: Int! @id }
"""
ROWS = """INSERT INTO ledgers (id, posted) VALUES (1, false); INSERT INTO batches (id) VALUES (1);
  INSERT INTO lines (id, n, mark, ledger_id, batch_id) VALUES (1, 1, 7, 1, 1)"""
USER = Viewer("2", frozenset({"user"}))


@pytest.mark.parametrize("viewer", [USER, ADMIN], ids=["user", "admin"])
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("deleteLine(id: 1) { id }", {"deleteLine": None}),
        ("updateLine(id: 1, set: {n: 9}) { id }", {"updateLine": None}),
        ("deleteLines(where: {n: {gt: 0}}) { count rows { id } }", {"deleteLines": {"count": 0, "rows": []}}),
        ("updateLines(where: {n: {gt: 0}}, set: {n: 9}) { count }", {"updateLines": {"count": 0}}),
        ("updateManyLines(updates: [{id: 1, set: {n: 9}}]) { count }", {"updateManyLines": {"count": 0}}),
        ("updateLedger(id: 1, set: {lines: {delete: [{id: 1}]}}) { id }", "BAD_USER_INPUT"),
        ("updateLedger(id: 1, set: {lines: {update: [{id: 1, set: {n: 9}}]}}) { id }", "BAD_USER_INPUT"),
        ("upsertLine(on: mark, input: {mark: 7, n: 9, ledgerId: 1}) { id }", "CONSTRAINT_VIOLATION"),
        ("deleteBatch(id: 1) { id }", "CONSTRAINT_VIOLATION"),
    ],
)
async def test_a_write_that_has_waited_is_judged_by_what_is_there_then(
    database_url: str, field: str, expected: object, viewer: Viewer
) -> None:
    async with api_of(database_url, SDL, ROWS) as api:
        other = await asyncpg.connect(api.url)
        try:
            async with other.transaction():
                # The line is changed, and its ledger posted.
                await other.execute("UPDATE lines SET n = 2; UPDATE ledgers SET posted = true")
                writing = asyncio.create_task(api.run(f"mutation {{ {field} }}", viewer=viewer))
                await waits(api)
            found = await writing
        finally:
            await other.close()
        answer = found["errors"][0]["extensions"]["code"] if "errors" in found else found["data"]
        assert answer == expected, found
        assert await api.sql("SELECT id, n FROM lines") == [(1, 2)]


async def waits(api: Api) -> None:
    """Return when a statement waits for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(500):
        if await api.sql(blocked) != [(0,)]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing waits")
