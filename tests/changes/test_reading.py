"""Each change comes once, after its commit, in the right order for its row: docs/changes.md."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import Any

import asyncpg
import pytest

from clew.changes import source as source_module
from clew.changes.types import ChangeKind
from tests.changes.log import NAMES, Log
from tests.depth import examples, seeds


async def test_a_change_comes_after_its_commit_and_not_before(log: Log) -> None:
    ear = await log.ear()
    writer = await log.writer()
    async with writer.transaction():
        await writer.execute("INSERT INTO people VALUES (1, 'Ann')")
        await asyncio.sleep(0.3)
        assert ear.changes == []
    await ear.until(1)
    assert ear.told() == [("people", "INSERT", None, (1, "Ann", None))]


async def test_changes_before_the_listener_do_not_come(log: Log) -> None:
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    source = log.source()
    first = await log.ear(source)
    await writer.execute("INSERT INTO people VALUES (2)")
    second = await log.ear(source)
    await writer.execute("INSERT INTO people VALUES (3)")
    await second.until(1)
    await first.until(2)
    assert [change.new and change.new["id"] for change in first.changes] == [2, 3]
    assert [change.new and change.new["id"] for change in second.changes] == [3]


async def test_an_id_that_was_drawn_first_and_committed_last_is_not_lost(log: Log) -> None:
    ear = await log.ear()
    early, late = await log.writer(), await log.writer()
    transaction = early.transaction()
    await transaction.start()
    await early.execute("INSERT INTO people VALUES (1)")
    await late.execute("INSERT INTO people VALUES (2)")
    await ear.until(1)
    await transaction.commit()
    await ear.until(2)
    assert [change.new and change.new["id"] for change in ear.changes] == [2, 1]


async def test_a_row_is_created_before_it_is_deleted_though_its_deleter_has_the_older_transaction(log: Log) -> None:
    ear = await log.ear()
    older, newer = await log.writer(), await log.writer()
    transaction = older.transaction()
    await transaction.start()
    await older.execute("INSERT INTO people VALUES (1)")  # it has its number now
    await newer.execute("INSERT INTO people VALUES (2)")
    await older.execute("DELETE FROM people WHERE id = 2")
    await transaction.commit()
    await ear.until(3)
    kinds = [change.kind for change in ear.changes if 2 in [(row or {}).get("id") for row in (change.old, change.new)]]
    assert kinds == [ChangeKind.INSERT, ChangeKind.DELETE]


@pytest.mark.parametrize("opened", ["SELECT 1", "INSERT INTO quiet VALUES (1)"], ids=["a reader", "a writer"])
async def test_an_open_transaction_delays_nothing(log: Log, opened: str) -> None:
    """Such as that of pg_dump."""
    other, writer = await log.writer(), await log.writer()
    async with other.transaction(isolation="repeatable_read"):
        await other.execute(opened)
        await other.fetch("SELECT * FROM clew.change_log, people")
        ear = await log.ear()
        for number in range(1, 20):
            await writer.execute("INSERT INTO people VALUES ($1)", number)
            await ear.until(number)
    assert len(ear.changes) == 19


async def test_a_prepared_transaction_is_read_when_it_commits(log: Log) -> None:
    writer = await log.writer()
    if await writer.fetchval("SHOW max_prepared_transactions") == "0":
        await writer.execute("INSERT INTO people VALUES (1)")  # most servers have none
        return
    ear = await log.ear()
    await writer.execute("BEGIN; INSERT INTO people VALUES (1); PREPARE TRANSACTION 'later'")
    await writer.execute("INSERT INTO people VALUES (2)")
    await ear.until(1)
    await writer.execute("COMMIT PREPARED 'later'")
    await ear.until(2)


async def test_copy_is_logged(log: Log) -> None:
    ear = await log.ear()
    writer = await log.writer()
    await writer.copy_records_to_table("people", records=[(n, f"name {n}", n) for n in range(50)])
    await ear.until(50)
    assert ear.told() == [("people", "INSERT", None, (n, f"name {n}", n)) for n in range(50)]


async def test_of_a_statement_over_more_rows_than_the_cap_only_that_is_told(log: Log) -> None:
    ear = await log.ear()
    writer = await log.writer()
    await writer.execute(
        """
        BEGIN; INSERT INTO people VALUES (-1);
        INSERT INTO people SELECT n FROM generate_series(1, 10001) AS n;
        INSERT INTO people VALUES (-2); COMMIT
        """
    )
    await ear.until(2)
    assert ear.told() == [("people", "RESET", None, None), ("people", "INSERT", None, (-2, None, None))]
    await writer.execute("UPDATE people SET age = 1")
    await writer.execute("DELETE FROM people")
    await ear.until(4)
    assert [change.kind for change in ear.changes[2:]] == [ChangeKind.RESET, ChangeKind.RESET]


async def test_a_huge_statement_is_one_change(log: Log) -> None:
    """Of a million rows in `make deep`."""
    rows = examples(500) * 100
    ear = await log.ear()
    writer = await log.writer()
    for statement in (
        f"INSERT INTO people SELECT n, 'name', 1 FROM generate_series(1, {rows}) AS n",
        "UPDATE people SET age = age + 1",
        "DELETE FROM people",
    ):
        await writer.execute(statement)
    await ear.until(3)
    assert ear.told() == [("people", "RESET", None, None)] * 3
    assert await writer.fetchval("SELECT count(*) FROM clew.change_log") == 3


async def test_a_publication_of_all_tables_hinders_no_write(log: Log) -> None:
    ear = await log.ear()
    writer = await log.writer()
    await writer.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    await writer.execute("INSERT INTO people VALUES (1); TRUNCATE people CASCADE")
    await writer.execute("SELECT clew.rotate_changes('0')")
    await ear.until(2)
    assert ear.told() == [("people", "RESET", None, None), ("posts", "RESET", None, None)]


async def test_as_many_rows_as_the_cap_come_in_pieces_of_one_batch(log: Log) -> None:
    ear = await log.ear()
    writer = await log.writer()
    await writer.execute("INSERT INTO people SELECT n FROM generate_series(1, 10000) AS n")
    changes = await ear.until(10_000)
    assert [change.new and change.new["id"] for change in changes] == list(range(1, 10_001))
    assert len({batch.start for batch in ear.batches}) == 1
    assert max(len(batch.changes) for batch in ear.batches) == source_module.PAGE
    await writer.execute("UPDATE people SET age = id WHERE id <= 9999")
    changes = (await ear.until(19_999))[10_000:]
    assert all(c.old and c.new and c.old["id"] == c.new["id"] == c.new["age"] for c in changes)


async def test_values_are_written_the_same_whatever_the_writers_settings(log: Log) -> None:
    maker = await log.writer()
    await maker.execute(
        "CREATE TABLE things (at timestamptz, raw bytea, long interval, number float8, span tstzrange);"
        "SELECT clew.log_changes('things')"
    )
    source = log.source([(None, "things")])
    ear = await log.ear(source)
    insert = (
        "INSERT INTO things VALUES ('2026-01-02 03:04:05Z', '\\x00ff', '1 day 2 hours', 0.1 + 0.2::float8,"
        " '[2026-01-02 03:04:05Z,2026-01-03 03:04:05Z]')"
    )
    settings = {
        "timezone": "Asia/Tokyo",
        "bytea_output": "escape",
        "intervalstyle": "iso_8601",
        "extra_float_digits": "-3",
        "datestyle": "German, DMY",
    }
    await (await log.writer(timezone="UTC")).execute(insert)
    for name, value in settings.items():
        other = await log.writer(**{"timezone": "UTC", name: value})
        await other.execute(insert)
        assert await other.fetchval(f"SHOW {name}") == value
    await ear.until(1 + len(settings))
    assert len({change.new_text for change in ear.changes}) == 1


HOSTILE_COLUMNS = ("x", "n", "image", "before", "after", "number", "tg_relid", "written", "settings", "clew_new", "x.*")


async def test_no_columns_name_confuses_a_trigger(log: Log) -> None:
    writer = await log.writer()
    columns = ", ".join(f'"{name}" int' for name in HOSTILE_COLUMNS)
    await writer.execute(f"CREATE TABLE odd ({columns}); SELECT clew.log_changes('odd')")
    await writer.execute('CREATE TABLE "clew_new" (id int); CREATE TABLE x (id int); CREATE TABLE none ()')
    await writer.execute("SELECT clew.log_changes('none')")
    ear = await log.ear(log.source([(None, "odd"), (None, "none")]))
    values = ", ".join(str(place) for place in range(len(HOSTILE_COLUMNS)))
    await writer.execute(f"INSERT INTO odd VALUES ({values}), ({values}); UPDATE odd SET x = 7; DELETE FROM odd")
    await writer.execute("INSERT INTO none DEFAULT VALUES")
    await ear.until(7)
    row = dict(zip(HOSTILE_COLUMNS, range(len(HOSTILE_COLUMNS)), strict=True))
    assert [(change.old, change.new) for change in ear.changes] == [
        *[(None, row)] * 2,
        *[(row, {**row, "x": 7})] * 2,
        *[({**row, "x": 7}, None)] * 2,
        (None, {}),
    ]


async def test_a_writer_needs_no_rights_to_the_log_and_has_none(log: Log) -> None:
    owner, role = await log.writer(), "clew_test_writer"
    await owner.execute(
        f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON people TO {role}; GRANT CREATE ON SCHEMA public TO {role}"
    )
    ear = await log.ear()
    try:
        writer = await log.writer()
        await writer.execute(f"SET ROLE {role}")
        await writer.execute("INSERT INTO people VALUES (1); UPDATE people SET age = 2; DELETE FROM people")
        for forged in (
            "INSERT INTO clew.change_log (relation, kind) VALUES ('people'::regclass, 'R')",
            "SELECT * FROM clew.change_log",
            "SELECT nextval('clew.change_id')",
            "SELECT clew.rotate_changes('0')",
            "SELECT clew.mend_triggers()",
            "CREATE TABLE own (id int); CREATE TRIGGER t AFTER INSERT ON own EXECUTE FUNCTION clew.log_truncate()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await writer.execute(forged)
        # What the role puts before everything else is not what the triggers call.
        await writer.execute(
            "CREATE FUNCTION public.row_to_json(people) RETURNS json LANGUAGE sql AS $$ SELECT '\"forged\"'::json $$;"
            "CREATE TEMP TABLE change_log (id int); CREATE TEMP TABLE clew_new (id int);"
            "SET search_path = pg_temp, public, pg_catalog; INSERT INTO public.people VALUES (2)"
        )
        await ear.until(4)
        assert ear.told() == [
            ("people", "INSERT", None, (1, None, None)),
            ("people", "UPDATE", (1, None, None), (1, None, 2)),
            ("people", "DELETE", (1, None, 2), None),
            ("people", "INSERT", None, (2, None, None)),
        ]
        assert await writer.fetchval("SELECT current_user") == role
    finally:
        await writer.execute("RESET ROLE")
        await owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


async def test_tables_of_others_in_the_log_are_passed_over(log: Log) -> None:
    ear = await log.ear(log.source([(None, "posts")]))
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1); INSERT INTO posts VALUES (1, 'One', 1)")
    await ear.until(1)
    assert ear.told() == [("posts", "INSERT", None, (1, "One", 1))]


async def test_a_table_in_a_schema_is_named_as_its_entity_names_it(log: Log) -> None:
    writer = await log.writer()
    await writer.execute(
        'CREATE SCHEMA "My"; CREATE TABLE "My"."Posts" (id int); SELECT clew.log_changes(\'"My"."Posts"\')'
    )
    ear = await log.ear(log.source([("My", "Posts"), ("public", "people"), (None, "people")]))
    await writer.execute('INSERT INTO "My"."Posts" VALUES (1); INSERT INTO people VALUES (1)')
    await ear.until(3)
    assert [change.name for change in ear.changes] == [("My", "Posts"), ("public", "people"), (None, "people")]


WRITERS = 8


@pytest.mark.parametrize("seed", seeds(examples(300), 100))
async def test_of_crossing_writers_each_change_comes_once_and_those_of_a_row_in_order(log: Log, seed: int) -> None:
    """Each row's changes are a chain: the row after one is the row before the next."""
    dice = random.Random(seed)
    setup = await log.writer()
    await setup.execute("INSERT INTO people SELECT n, '', 0 FROM generate_series(1, 20) AS n")
    listeners = [await log.ear() for _ in range(2)]

    async def write(dice: random.Random) -> None:
        connection = await log.writer()
        for _ in range(40):
            transaction = connection.transaction()
            await transaction.start()
            for row in sorted(dice.sample(range(1, 21), dice.randint(1, 4))):
                await connection.execute("UPDATE people SET age = age + 1 WHERE id = $1", row)
                if dice.random() < 0.3:
                    savepoint = connection.transaction()
                    await savepoint.start()
                    await connection.execute("UPDATE people SET age = age + 100 WHERE id = $1", row)
                    await (savepoint.rollback() if dice.random() < 0.7 else savepoint.commit())
                await asyncio.sleep(dice.random() * 0.004)
            await (transaction.rollback() if dice.random() < 0.2 else transaction.commit())

    await asyncio.gather(*(write(random.Random(dice.random())) for _ in range(WRITERS)))
    await setup.execute("INSERT INTO people VALUES (0)")
    rows = {row["id"]: row["age"] for row in await setup.fetch("SELECT id, age FROM people WHERE id > 0")}
    for ear in listeners:
        *changes, _end = await ear.until(lambda changes: any(change.kind is ChangeKind.INSERT for change in changes))
        assert len({change.id for change in changes}) == len(changes)
        chains: dict[int, list[Any]] = defaultdict(lambda: [0])
        for change in changes:
            assert change.old is not None
            assert change.new is not None
            chain = chains[change.new["id"]]
            assert change.old["age"] == chain[-1]
            chain.append(change.new["age"])
        assert {row: chains[row][-1] for row in rows} == rows


async def test_large_rows_come_in_pieces_of_few_bytes(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand changes of rows with a megabyte each would be gigabytes at once."""
    monkeypatch.setattr(source_module, "PAGE_BYTES", 200_000)
    source = log.source()
    ear = await log.ear(source)
    assert ear.listening is not None
    writer = await log.writer()
    await writer.execute("INSERT INTO people SELECT n, repeat('x', 30000) FROM generate_series(1, 50) AS n")
    await writer.execute("INSERT INTO people VALUES (51, repeat('y', 500000))")
    changes = await ear.until(51)
    assert [change.new and change.new["id"] for change in changes] == list(range(1, 52))
    assert max(sum(len(c.new_text or "") for c in batch.changes) for batch in ear.batches) < 600_000
    assert len(ear.batches) >= 7
    again = [batch async for batch in source.since(ear.listening.position, NAMES, ear.batches[-1].position)]
    assert [c.new and c.new["id"] for batch in again for c in batch.changes] == list(range(1, 52))
    assert len(again) >= 7
