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
    prepared_url: str, field: str, expected: object, viewer: Viewer
) -> None:
    async with api_of(prepared_url, SDL, ROWS) as api:
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


ASKING = """
type Closing @table { id: Int! @id }
type Entry @table(plural: "entries")
  @guard(to: [UPDATE, DELETE], where: {not: {exists: {Closing: {}}}}, check: {}, bindsAdmin: true)
  @allow(role: user, to: ALL) {
  id: Int! @id
  n: Int!
}
"""


@pytest.mark.parametrize("viewer", [USER, ADMIN], ids=["user", "admin"])
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("deleteEntry(id: 1) { id }", {"deleteEntry": None}),
        ("updateEntry(id: 1, set: {n: 9}) { id }", {"updateEntry": None}),
        ("deleteEntries(where: {n: {gt: 0}}) { count }", {"deleteEntries": {"count": 0}}),
        ("updateEntries(where: {n: {gt: 0}}, set: {n: 9}) { count }", {"updateEntries": {"count": 0}}),
    ],
)
async def test_a_write_that_has_waited_asks_other_entities_again(
    prepared_url: str, field: str, expected: object, viewer: Viewer
) -> None:
    async with api_of(prepared_url, ASKING, "INSERT INTO entries (id, n) VALUES (1, 1)") as api:
        other = await asyncpg.connect(api.url)
        try:
            async with other.transaction():
                await other.execute("UPDATE entries SET n = 2; INSERT INTO closings (id) VALUES (1)")
                writing = asyncio.create_task(api.run(f"mutation {{ {field} }}", viewer=viewer))
                await waits(api)
            assert (await writing)["data"] == expected
        finally:
            await other.close()
        assert await api.sql("SELECT id, n FROM entries") == [(1, 2)]


SOFT = """
type Box @table @allow(role: user, to: ALL) {
  id: Int! @id
  items: [Item!]!
  deletedAt: DateTime @softDelete
}
type Item @table @allow(role: user, to: ALL) @allow(role: user, to: CREATE, fields: [id]) {
  id: Int! @id
  n: Int
  code: Int @unique
  box: Box @relation(onDelete: CASCADE)
  parts: [Part!]!
  deletedAt: DateTime @softDelete
}
type Part @table @allow(role: user, to: ALL) @allow(role: user, to: CREATE, fields: [id]) {
  id: Int! @id
  item: Item! @relation(onDelete: CASCADE)
  deletedAt: DateTime @softDelete
}
"""
SOFT_ROWS = """INSERT INTO boxes (id) VALUES (1), (2);
  INSERT INTO items (id, code, box_id, deleted_at) VALUES (1, 1, 2, NULL), (2, 2, 1, '2020-01-01'), (3, 3, 1, NULL)"""
LIVE_BELOW_DELETED = """SELECT i.id FROM items i JOIN boxes b ON b.id = i.box_id
  WHERE i.deleted_at IS NULL AND b.deleted_at IS NOT NULL UNION ALL
  SELECT p.id FROM parts p JOIN items i ON i.id = p.item_id
  WHERE p.deleted_at IS NULL AND i.deleted_at IS NOT NULL"""


@pytest.mark.parametrize("viewer", [USER, ADMIN], ids=["user", "admin"])
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("createItem(input: {id: 9, boxId: 1}) { id }", "CONSTRAINT_VIOLATION"),
        ("createItem(input: {id: 9, box: {connect: {id: 1}}}) { id }", "CONSTRAINT_VIOLATION"),
        ("createItems(inputs: [{id: 8, boxId: 2}, {id: 9, boxId: 1}]) { count }", "CONSTRAINT_VIOLATION"),
        ("updateItem(id: 1, set: {boxId: 1}) { id }", "CONSTRAINT_VIOLATION"),
        ("updateItem(id: 1, set: {box: {connect: {id: 1}}}) { id }", "CONSTRAINT_VIOLATION"),
        ("updateItems(where: {id: {eq: 1}}, set: {boxId: 1}) { count }", "CONSTRAINT_VIOLATION"),
        ("upsertItem(input: {code: 1, boxId: 1}, on: code) { id }", "CONSTRAINT_VIOLATION"),
        ("restoreItem(id: 2) { id }", "CONSTRAINT_VIOLATION"),
        ("createPart(input: {id: 1, itemId: 3}) { id }", "CONSTRAINT_VIOLATION"),
        ("createPart(input: {id: 1, item: {create: {id: 9, boxId: 1}}}) { id }", "CONSTRAINT_VIOLATION"),
        ("updateBox(id: 1, set: {items: {create: [{id: 9}]}}) { id }", {"updateBox": None}),
        ("updateItem(id: 1, set: {n: 5}) { id }", {"updateItem": {"id": 1}}),
        ("createItem(input: {id: 9, boxId: 2}) { id }", {"createItem": {"id": 9}}),
        ("createItem(input: {id: 9}) { id }", {"createItem": {"id": 9}}),
    ],
)
async def test_nothing_is_put_below_what_is_deleted_meanwhile(
    prepared_url: str, field: str, expected: object, viewer: Viewer
) -> None:
    """As a foreign key refuses it where rows are deleted for good."""
    async with api_of(prepared_url, SOFT, SOFT_ROWS) as api:
        other = await asyncpg.connect(api.url)
        try:
            async with other.transaction():
                await other.execute("UPDATE boxes SET deleted_at = now() WHERE id = 1")
                await other.execute("UPDATE items SET deleted_at = now() WHERE box_id = 1 AND deleted_at IS NULL")
                writing = asyncio.create_task(api.run(f"mutation {{ {field} }}", viewer=viewer))
                if isinstance(expected, str) or expected == {"updateBox": None}:
                    await waits(api)
                else:
                    await writing
            found = await writing
        finally:
            await other.close()
        answer = found["errors"][0]["extensions"]["code"] if "errors" in found else found["data"]
        assert answer == expected, found
        assert await api.sql(LIVE_BELOW_DELETED) == []


@pytest.mark.parametrize(
    "field",
    [
        "createItem(input: {id: 9, boxId: 1}) { id }",
        "updateItem(id: 1, set: {boxId: 1}) { id }",
        "updateItem(id: 1, set: {box: {connect: {id: 1}}}) { id }",
        "restoreItem(id: 2) { id }",
        "createPart(input: {id: 1, itemId: 3}) { id }",
        "createPart(input: {id: 1, item: {connect: {id: 3}}}) { id }",
        "updateItem(id: 3, set: {parts: {create: [{id: 1}]}}) { id }",
    ],
)
async def test_a_deletion_waits_for_what_is_being_put_below_and_takes_it_along(prepared_url: str, field: str) -> None:
    async with api_of(prepared_url, SOFT, SOFT_ROWS) as api:
        other = await asyncpg.connect(api.url)
        try:
            # Each writer stops at its end while the test has the lock.
            await other.execute("""
                CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
                  $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER stops AFTER INSERT OR UPDATE ON items
                  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION stop();
                CREATE CONSTRAINT TRIGGER stops AFTER INSERT OR UPDATE ON parts
                  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION stop();
            """)
            async with other.transaction():
                await other.execute("SELECT pg_advisory_xact_lock(1)")
                writing = asyncio.create_task(api.run(f"mutation {{ {field} }}", viewer=USER))
                await waits(api)
                deleting = asyncio.create_task(api.run("mutation { deleteBox(id: 1) { id } }", viewer=USER))
                await waits(api, 2)
            assert "errors" not in await writing
            assert await deleting == {"data": {"deleteBox": {"id": 1}}}
        finally:
            await other.close()
        assert await api.sql(LIVE_BELOW_DELETED) == []


async def test_rows_that_lead_to_one_another_come_back_together(prepared_url: str) -> None:
    sdl = """
    type Knot @table @allow(role: user, to: ALL) {
      id: Int! @id
      next: Knot @relation(onDelete: CASCADE)
      deletedAt: DateTime @softDelete
    }
    """
    rows = "INSERT INTO knots (id) VALUES (1), (2), (3); UPDATE knots SET next_id = 3 - id WHERE id < 3"
    async with api_of(prepared_url, sdl, rows) as api:
        assert await api.run("mutation { deleteKnot(id: 1) { id } }", viewer=USER) == {
            "data": {"deleteKnot": {"id": 1}}
        }
        assert await api.sql("SELECT id FROM knots WHERE deleted_at IS NULL") == [3]
        found = await api.run("mutation { restoreKnot(id: 1) { next { id } } }", viewer=USER)
        assert found == {"data": {"restoreKnot": {"next": {"id": 2}}}}


async def waits(api: Api, number: int = 1) -> None:
    """Return when so many statements wait for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(500):
        (found,) = await api.sql(blocked)
        if found >= number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing waits")
