"""Every way to change rows is logged, with the rows before and after."""

from __future__ import annotations

import asyncio

import pytest

from tests.changes.log import Log, brief

WRITES: dict[str, tuple[str, list[tuple[object, ...]]]] = {
    "insert": ("INSERT INTO people VALUES (7, 'Eve', 1)", [("people", "INSERT", None, (7, "Eve", 1))]),
    "insert of several rows": (
        "INSERT INTO people VALUES (7, 'Eve', 1), (8, 'Fay', 2)",
        [("people", "INSERT", None, (7, "Eve", 1)), ("people", "INSERT", None, (8, "Fay", 2))],
    ),
    "update": (
        "UPDATE people SET age = 30 WHERE id = 1",
        [("people", "UPDATE", (1, "Ann", 20), (1, "Ann", 30))],
    ),
    "update of several rows": (
        "UPDATE people SET age = age + id WHERE id < 4",
        [
            ("people", "UPDATE", (1, "Ann", 20), (1, "Ann", 21)),
            ("people", "UPDATE", (2, "Bob", 20), (2, "Bob", 22)),
            ("people", "UPDATE", (3, "Cid", 20), (3, "Cid", 23)),
        ],
    ),
    "update of no row": ("UPDATE people SET age = 0 WHERE id = 99", []),
    "update of a key": (
        "UPDATE people SET id = 9 WHERE id = 2",
        [("people", "UPDATE", (2, "Bob", 20), (9, "Bob", 20))],
    ),
    "update of keys in a circle": (
        "UPDATE people SET id = -id WHERE id IN (2, 3)",
        [
            ("people", "UPDATE", (2, "Bob", 20), (-2, "Bob", 20)),
            ("people", "UPDATE", (3, "Cid", 20), (-3, "Cid", 20)),
        ],
    ),
    "update of a key that others follow": (
        "UPDATE people SET id = 9 WHERE id = 1",
        [
            ("people", "UPDATE", (1, "Ann", 20), (9, "Ann", 20)),
            ("posts", "UPDATE", (1, "One", 1), (1, "One", 9)),
            ("posts", "UPDATE", (2, "Two", 1), (2, "Two", 9)),
        ],
    ),
    "delete": ("DELETE FROM people WHERE id = 2", [("people", "DELETE", (2, "Bob", 20), None)]),
    "delete that takes others along": (
        "DELETE FROM people WHERE id IN (1, 2)",
        [
            ("people", "DELETE", (1, "Ann", 20), None),
            ("people", "DELETE", (2, "Bob", 20), None),
            ("posts", "DELETE", (1, "One", 1), None),
            ("posts", "DELETE", (2, "Two", 1), None),
        ],
    ),
    "truncate": ("TRUNCATE posts", [("posts", "RESET", None, None)]),
    "truncate that takes others along": (
        "TRUNCATE people CASCADE",
        [("people", "RESET", None, None), ("posts", "RESET", None, None)],
    ),
    "upsert": (
        "INSERT INTO people VALUES (1, 'Ann', 50), (7, 'Eve', 1) ON CONFLICT (id) DO UPDATE SET age = excluded.age",
        [("people", "INSERT", None, (7, "Eve", 1)), ("people", "UPDATE", (1, "Ann", 20), (1, "Ann", 50))],
    ),
    "upsert that does nothing": ("INSERT INTO people VALUES (1, 'Ann', 50) ON CONFLICT DO NOTHING", []),
    "merge": (
        """
        MERGE INTO people USING (VALUES (1), (2), (7)) AS given (id) ON people.id = given.id
            WHEN MATCHED AND given.id = 2 THEN DELETE
            WHEN MATCHED THEN UPDATE SET age = 50
            WHEN NOT MATCHED THEN INSERT VALUES (given.id, 'Eve', 1)
        """,
        [
            ("people", "DELETE", (2, "Bob", 20), None),
            ("people", "INSERT", None, (7, "Eve", 1)),
            ("people", "UPDATE", (1, "Ann", 20), (1, "Ann", 50)),
        ],
    ),
    "statement with several writes": (
        "WITH gone AS (DELETE FROM posts RETURNING id) INSERT INTO people SELECT id + 70, 'Eve', 1 FROM gone",
        [
            ("people", "INSERT", None, (71, "Eve", 1)),
            ("people", "INSERT", None, (72, "Eve", 1)),
            ("posts", "DELETE", (1, "One", 1), None),
            ("posts", "DELETE", (2, "Two", 1), None),
        ],
    ),
    "through a view": (
        "CREATE VIEW young AS SELECT id, age FROM people; UPDATE young SET age = 3 WHERE id = 2",
        [("people", "UPDATE", (2, "Bob", 20), (2, "Bob", 3))],
    ),
    "trigger that changes the row": (
        """
        CREATE FUNCTION older() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.age := NEW.age + 1; RETURN NEW; END';
        CREATE TRIGGER older BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION older();
        INSERT INTO people VALUES (7, 'Eve', 1)
        """,
        [("people", "INSERT", None, (7, "Eve", 2))],
    ),
    "transaction with a savepoint that is rolled back": (
        """
        BEGIN; INSERT INTO people VALUES (7, 'Eve', 1); SAVEPOINT s; UPDATE people SET age = 0; TRUNCATE posts;
        ROLLBACK TO s; UPDATE people SET age = 2 WHERE id = 7; COMMIT
        """,
        [("people", "INSERT", None, (7, "Eve", 1)), ("people", "UPDATE", (7, "Eve", 1), (7, "Eve", 2))],
    ),
    "insert into a partitioned table": (
        "INSERT INTO hits VALUES (1, 1), (2, 2)",
        [("hits", "INSERT", None, (1, 1)), ("hits", "INSERT", None, (2, 2))],
    ),
    "insert into a partition": ("INSERT INTO hits_1 VALUES (1, 1)", [("hits", "INSERT", None, (1, 1))]),
    "move to another partition": (
        "INSERT INTO hits VALUES (1, 1); UPDATE hits SET day = 2",
        [("hits", "INSERT", None, (1, 1)), ("hits", "UPDATE", (1, 1), (1, 2))],
    ),
    "truncate of a partition": ("TRUNCATE hits_1", [("hits", "RESET", None, None)]),
    "insert as a replica": (
        "SET session_replication_role = replica; INSERT INTO people VALUES (7, 'Eve', 1)",
        [("people", "INSERT", None, (7, "Eve", 1))],
    ),
}
FILL = """
    INSERT INTO people SELECT n, name, 20 FROM unnest('{Ann,Bob,Cid,Dan}'::text[]) WITH ORDINALITY AS t (name, n);
    INSERT INTO posts VALUES (1, 'One', 1), (2, 'Two', 1)
"""


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_is_logged(log: Log, write: str) -> None:
    statement, changes = WRITES[write]
    writer = await log.writer()
    await writer.execute(FILL)
    ear = await log.ear()
    await writer.execute(statement)
    await writer.execute("RESET ALL; INSERT INTO people VALUES (999)")
    *told, end = [
        brief(change) for change in await ear.until(lambda found: any(c.new and c.new["id"] == 999 for c in found))
    ]
    assert end == ("people", "INSERT", None, (999, None, None))
    assert sorted(told, key=repr) == sorted(changes, key=repr)


async def test_an_update_of_many_rows_is_logged_soon_after_one_of_none_in_the_same_session(log: Log) -> None:
    """A session plans what its triggers do at the first update. 9,000,000 pairs of rows would take a minute."""
    writer = await log.writer()
    await writer.execute("INSERT INTO quiet SELECT generate_series(1, 3000)")
    await writer.execute("SELECT clew.log_changes('quiet')")
    await writer.execute("UPDATE quiet SET id = -id WHERE id = 0")
    async with asyncio.timeout(20):
        await writer.execute("UPDATE quiet SET id = -id")
    assert await writer.fetchval("SELECT count(*) FROM clew.change_log WHERE kind = 'U'") == 3000
