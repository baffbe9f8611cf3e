"""A reader that was away goes on where it was, or is told that it cannot: docs/changes.md."""

from __future__ import annotations

import asyncio
import random
import subprocess
import uuid
from collections.abc import Collection
from urllib.parse import urlsplit, urlunsplit

import pytest

from clew.changes.source import LoggedChanges
from clew.changes.types import (
    Change,
    LostPositionError,
    OtherEpochError,
    PastRetentionError,
    Position,
    TableName,
)
from clew.database import cluster
from tests.changes.log import NAMES, Ear, Log, brief
from tests.depth import examples, seeds


async def begin(log: Log, source: LoggedChanges) -> Position:
    """The position now."""
    ear = await log.ear(source)
    assert ear.listening is not None
    return ear.listening.position


async def begin_alone(log: Log, source: LoggedChanges) -> Position:
    """A position that saw no transaction running, such as one in another test's database."""
    while not (position := await begin(log, source)).snapshot.endswith(":"):
        await asyncio.sleep(0.01)
    return position


async def replay(
    source: LoggedChanges, position: Position, until: Position, tables: Collection[TableName] = NAMES
) -> list[Change]:
    return [change for batch in [b async for b in source.since(position, tables, until)] for change in batch.changes]


def ids(changes: list[Change]) -> list[int]:
    return [change.new["id"] for change in changes if change.new is not None]


async def test_a_reader_goes_on_in_another_process(log: Log) -> None:
    writer = await log.writer()
    position = await begin(log, log.source())
    await writer.execute("INSERT INTO people VALUES (1)")
    await writer.execute("INSERT INTO posts VALUES (1, 'One', 1)")
    await writer.execute("UPDATE people SET age = 3")
    other = log.source()
    until = await begin(log, other)
    await writer.execute("INSERT INTO people VALUES (2)")
    changes = await replay(other, Position.parse(str(position)), until)
    assert [brief(change) for change in changes] == [
        ("people", "INSERT", None, (1, None, None)),
        ("posts", "INSERT", None, (1, "One", 1)),
        ("people", "UPDATE", (1, None, None), (1, None, 3)),
    ]
    assert [change.table for change in await replay(other, position, until, {(None, "posts")})] == ["posts"]
    assert await replay(other, until, until) == []


async def test_a_reader_goes_on_within_a_batch_though_an_older_id_commits_later(log: Log) -> None:
    early, late = await log.writer(), await log.writer()
    source = log.source()
    ear = await log.ear(source)
    transaction = early.transaction()
    await transaction.start()
    await early.execute("INSERT INTO people VALUES (1)")
    await late.execute("INSERT INTO people SELECT n FROM generate_series(2, 2501) AS n")
    await ear.until(2500)
    await transaction.commit()
    await ear.until(2501)
    until = await begin(log, source)
    everything = [*range(2, 2502), 1]
    done = 0
    for batch in ear.batches:
        for change in batch.changes:
            done += 1
            if done in (1, 2, 999, 1000, 1001, 2499, 2500, 2501):
                assert ids(await replay(source, batch.after(change), until)) == everything[done:]


async def test_a_reader_of_many_changes_gets_them_in_pieces_and_each_piece_has_a_position(log: Log) -> None:
    writer = await log.writer()
    source = log.source()
    position = await begin(log, source)
    for first in range(0, 4000, 500):
        await writer.execute("INSERT INTO people SELECT n FROM generate_series($1::int, $1 + 499) AS n", first)
    until = await begin(log, source)
    pieces = [batch async for batch in source.since(position, NAMES, until)]
    assert len(pieces) > 3
    seen: list[int] = []
    for piece in pieces:
        seen += ids(list(piece.changes))
        assert seen + ids(await replay(source, piece.position, until)) == list(range(4000))


async def test_changes_past_the_retention_are_an_error_and_never_a_gap(log: Log) -> None:
    writer = await log.writer()
    source = log.source()
    old = await begin(log, source)
    await writer.execute("INSERT INTO people VALUES (1)")
    await writer.execute("SELECT clew.rotate_changes('0')")
    young = await begin_alone(log, source)
    await writer.execute("INSERT INTO people VALUES (2)")
    assert ids(await replay(source, old, await begin(log, source))) == [1, 2]
    await writer.execute("SELECT clew.rotate_changes('0')")
    await writer.execute("SELECT clew.rotate_changes('0')")
    until = await begin(log, source)
    with pytest.raises(PastRetentionError, match="no longer kept"):
        await replay(source, old, until)
    assert ids(await replay(source, young, until)) == [2]
    await writer.execute("SELECT clew.rotate_changes('0')")
    with pytest.raises(PastRetentionError):
        await replay(source, young, until)
    assert await replay(source, until, until) == []


async def test_a_turn_waits_for_its_time_and_for_nobody_who_uses_its_partition(log: Log) -> None:
    writer, reader = await log.writer(), await log.writer()
    assert await writer.fetchval("SELECT clew.rotate_changes('1 hour')") is False
    assert await writer.fetchval("SELECT clew.rotate_changes('0')") is True
    async with reader.transaction():
        await reader.execute("LOCK TABLE clew.change_log IN ACCESS SHARE MODE")  # as pg_dump does
        assert await asyncio.wait_for(writer.fetchval("SELECT clew.rotate_changes('0')"), 5) is False
        await asyncio.wait_for(writer.execute("INSERT INTO people VALUES (1)"), 5)
    assert await writer.fetchval("SELECT clew.rotate_changes('0')") is True


async def test_changes_of_an_open_transaction_are_never_dropped(log: Log) -> None:
    early, writer = await log.writer(), await log.writer()
    source = log.source()
    ear = await log.ear(source)
    transaction = early.transaction()
    await transaction.start()
    await early.execute("INSERT INTO people VALUES (1)")
    for number in range(2, 8):
        await writer.execute("SELECT clew.rotate_changes('0')")
        await writer.execute("INSERT INTO people VALUES ($1)", number)
    position = await begin(log, source)
    await transaction.commit()
    await ear.until(7)
    assert ids(await replay(source, position, await begin(log, source))) == [1]


async def test_one_process_at_a_time_drops_old_changes(log: Log) -> None:
    connections = [await log.writer() for _ in range(6)]
    statement = "SELECT clew.rotate_changes('1 hour')"
    await connections[0].execute("UPDATE clew.change_log_state SET turned_at = now() - interval '61 minutes'")
    assert sorted(await asyncio.gather(*(c.fetchval(statement) for c in connections))) == [False] * 5 + [True]


async def test_an_app_drops_old_changes_though_nobody_listens(log: Log) -> None:
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    log.source(retention=0.1).keep_short()
    async with asyncio.timeout(30):
        while await writer.fetchval("SELECT count(*) FROM clew.change_log"):
            await asyncio.sleep(0.02)


async def test_a_position_of_another_database_is_an_error(log: Log) -> None:
    source = log.source()
    position = await begin(log, source)
    for epoch in ("1-2-3-00000001-0", position.epoch.replace(".00000001.", ".00000002.")):
        with pytest.raises(OtherEpochError, match="restored or failed over"):
            await replay(source, Position(epoch, position.snapshot), position)
    assert issubclass(OtherEpochError, LostPositionError)


async def test_a_copy_of_a_database_has_an_empty_log_and_another_epoch(log: Log) -> None:
    """Its changes belong to transactions of the other database."""
    writer = await log.writer()
    source = log.source()
    await writer.execute("INSERT INTO people VALUES (1)")
    position = await begin(log, source)
    # What pg_restore brings along: rows of the log, of transactions that this server has not begun yet.
    await writer.execute(
        "INSERT INTO clew.change_log (xid, relation, kind) SELECT '999999999', 'people'::regclass, 'R'"
    )
    await writer.execute("UPDATE clew.change_log_state SET home = 'of-the-dump', dropped_xid = '99999999'")
    copy = log.source()
    ear = await log.ear(copy)
    assert ear.listening is not None
    assert await writer.fetchval("SELECT count(*) FROM clew.change_log") == 0
    assert await replay(copy, ear.listening.position, await begin(log, copy)) == []
    await writer.execute("INSERT INTO people VALUES (2)")
    await ear.until(1)
    assert ear.told() == [("people", "INSERT", None, (2, None, None))]
    with pytest.raises(OtherEpochError):
        await replay(copy, position, ear.listening.position)


@pytest.mark.parametrize(
    "copied",
    ["UPDATE clew.change_log_state SET home = 'of-the-dump'", "DELETE FROM clew.change_log_state"],
    ids=["a dump", "a dump of the schema alone"],
)
async def test_processes_take_over_a_copy_at_once(log: Log, copied: str) -> None:
    writer = await log.writer()
    readers = [await log.writer() for _ in range(8)]
    for _ in range(10):
        await writer.execute(copied)
        await writer.execute("INSERT INTO people VALUES (1) ON CONFLICT DO NOTHING; UPDATE people SET id = id")
        epochs = await asyncio.gather(*(reader.fetchval("SELECT clew.change_epoch()") for reader in readers))
        assert len(set(epochs)) == 1
        assert await writer.fetchval("SELECT count(*) FROM clew.change_log") == 0


async def test_a_restored_dump_has_an_empty_log_and_all_its_triggers(log: Log, postgres_url: str) -> None:
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    copy = f"copy_{uuid.uuid4().hex}"
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{copy}"))
    dump = await run_program("pg_dump", "--no-owner", log.url)
    await writer.execute(f"CREATE DATABASE {copy} TEMPLATE template0")
    try:
        # Tables of the same names, but of other numbers.
        await run_program("psql", "-qX", "-v", "ON_ERROR_STOP=1", url, given=dump)
        there = Log(url)
        source = there.source()
        ear = await there.ear(source)
        connection = await there.writer()
        assert await connection.fetchval("SELECT count(*) FROM people") == 1
        assert ids(await replay(source, await begin(there, source), await begin(there, source))) == []
        await connection.execute("INSERT INTO people VALUES (2)")
        await connection.execute("SET session_replication_role = replica; INSERT INTO hits_1 VALUES (1, 1)")
        await ear.until(lambda changes: [change.table for change in changes if change.new] == ["people", "hits"])
        # Triggers of partitions named the table by its number.
        while await connection.fetchval("SELECT clew.mend_triggers()"):
            pass
        assert await source.unlogged() == set()
        await there.close()
    finally:
        await writer.execute(f"DROP DATABASE {copy} WITH (FORCE)")


async def run_program(name: str, *arguments: str, given: bytes | None = None) -> bytes:
    """Run a program of Postgres and return what it prints."""
    command = [str(cluster.program(name)), *arguments]
    done = await asyncio.to_thread(subprocess.run, command, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("seed", seeds(examples(300), 100))
async def test_a_reader_that_is_killed_again_and_again_sees_each_change_once(log: Log, seed: int) -> None:
    dice = random.Random(seed)
    writer, crossing = await log.writer(), await log.writer()
    total = 150

    async def write() -> None:
        for number in range(1, total + 1, 3):
            await writer.execute("INSERT INTO people VALUES ($1)", number)
            async with crossing.transaction():
                await crossing.execute("INSERT INTO people VALUES ($1)", number + 1)
                await writer.execute("INSERT INTO people VALUES ($1)", number + 2)
                await asyncio.sleep(dice.random() * 0.02)

    seen: list[int] = []
    sources = [log.source(), log.source()]
    position = await begin(log, sources[0])
    writing = asyncio.create_task(write())
    while len(seen) < total:
        source, ear = dice.choice(sources), Ear()
        listening = await source.listen(ear)
        left = dice.randint(1, 30)
        batches = [batch async for batch in source.since(position, NAMES, listening.position)]
        while left and len(seen) < total:
            batches += ear.batches
            ear.batches.clear()
            if not batches:
                await asyncio.sleep(0.005)
                continue
            batch = batches.pop(0)
            for change in batch.changes:
                seen.append(ids([change])[0])
                position = batch.after(change)
                left -= 1
                if not left:
                    break
        listening()
    await writing
    assert sorted(seen) == list(range(1, total + 1))
