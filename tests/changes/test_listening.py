"""Who reads when, what processes tell each other, and what a lost connection costs: docs/changes.md."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from clew.changes import connection as connection_module
from clew.changes import source as source_module
from clew.changes import statements as sql
from clew.changes.source import LoggedChanges
from clew.changes.tables import Relations
from clew.changes.types import Batch, ChangeKind
from clew.errors import ClewError, Code
from tests.changes.log import NAMES, PATIENCE, Ear, Log, brief

SESSIONS = """
    SELECT pid, query_start FROM pg_stat_activity
    WHERE application_name = 'clew-changes' AND datname = current_database()
"""


@pytest.fixture
def no_look_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read but what somebody tells of."""
    monkeypatch.setattr(source_module, "_LOOK", 1000.0)
    monkeypatch.setattr(source_module, "_MEND", 1000.0)


@pytest.fixture
def quick_mending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_MEND", 0.05)


async def sessions(writer: asyncpg.Connection[Any]) -> dict[int, Any]:
    return {row["pid"]: row["query_start"] for row in await writer.fetch(SESSIONS)}


async def until_sessions(writer: asyncpg.Connection[Any], count: int) -> dict[int, Any]:
    async with asyncio.timeout(PATIENCE):
        while len(found := await sessions(writer)) != count:
            await asyncio.sleep(0.02)
    return found


def serving(source: LoggedChanges) -> LoggedChanges:
    """The source as in an app that serves: it hears of commits though nobody listens."""
    source.keep_short()
    return source


async def test_nothing_runs_before_somebody_listens(log: Log) -> None:
    writer = await log.writer()
    serving(log.source())
    await writer.execute("INSERT INTO people VALUES (1)")
    await asyncio.sleep(0.3)
    assert await sessions(writer) == {}


async def test_no_statement_runs_when_nobody_listens_any_more(log: Log) -> None:
    writer = await log.writer()
    source = serving(log.source())
    ear = await log.ear(source)
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(1)
    assert ear.listening is not None
    ear.listening()
    await asyncio.sleep(0.3)
    before = await sessions(writer)
    for number in range(2, 5):
        await writer.execute("INSERT INTO people VALUES ($1)", number)
        source.wake()
        await asyncio.sleep(0.15)
    assert await sessions(writer) == before
    assert len(ear.changes) == 1


async def test_a_listener_of_later_gets_nothing_of_the_time_between(log: Log) -> None:
    writer = await log.writer()
    source = log.source()
    first = await log.ear(source)
    assert first.listening is not None
    first.listening()
    await asyncio.sleep(0.1)
    await writer.execute("INSERT INTO people VALUES (1)")
    second = await log.ear(source)
    await writer.execute("INSERT INTO people VALUES (2)")
    await second.until(1)
    assert [change.new and change.new["id"] for change in second.changes] == [2]
    assert first.changes == []


async def test_while_it_is_quiet_one_process_of_all_looks_out(log: Log) -> None:
    writer = await log.writer()
    for _ in range(3):
        await log.ear()
    await asyncio.sleep(1.2)
    before = await sessions(writer)
    await asyncio.sleep(0.6)
    after = await sessions(writer)
    assert len(after) == 3
    # The others only ask once a second whether the look-out is still there.
    assert 1 <= sum(before[pid] != after[pid] for pid in after) <= 3
    await asyncio.sleep(0.2)
    assert (await sessions(writer)) != after


async def test_a_table_that_is_made_again_behind_the_back_of_migrations_is_told_of(
    log: Log, quick_mending: None
) -> None:
    writer = await log.writer()
    source = log.source()
    ear = await log.ear(source)
    await writer.execute("DROP TABLE people CASCADE")
    await ear.until(1)
    await writer.execute("CREATE TABLE people (id int PRIMARY KEY)")
    await ear.until(2)
    assert {(change.table, change.kind) for change in ear.changes} == {("people", ChangeKind.RESET)}
    # Nothing logs its changes, and that is known.
    assert (None, "people") in await source.unlogged()
    await writer.execute("SELECT clew.log_changes('people')")
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(3)
    assert ear.changes[-1].kind is ChangeKind.INSERT


async def test_another_process_looks_out_when_the_first_is_gone(log: Log, quick_mending: None) -> None:
    writer = await log.writer()
    first, second = log.source(), log.source()
    ear = await log.ear(first)
    other = await log.ear(second)
    await first._background.close()
    await writer.execute("INSERT INTO people VALUES (1)")
    await other.until(1)
    assert ear.changes == []


async def test_a_process_reads_its_own_commits_at_once(log: Log, no_look_out: None) -> None:
    writer = await log.writer()
    source = log.source()
    ear = await log.ear(source)
    await writer.execute("INSERT INTO people VALUES (1)")
    await asyncio.sleep(0.2)
    assert ear.changes == []
    source.wake()
    await ear.until(1)


async def test_a_process_tells_the_others_of_its_commits(log: Log, no_look_out: None) -> None:
    writer = await log.writer()
    first, second = log.source(), log.source()
    ears = [await log.ear(first), await log.ear(second)]
    # Without the look-out, a process is told of nothing until the others know of it.
    while not all(source.others_until > time.monotonic() for source in (first, second)):
        await asyncio.sleep(0.01)
    for number in range(1, 4):
        await writer.execute("INSERT INTO people VALUES ($1)", number)
        (first if number % 2 else second).wake()
        for ear in ears:
            await ear.until(number)


async def test_a_process_without_listeners_tells_those_that_have_some(log: Log, no_look_out: None) -> None:
    writer = await log.writer()
    silent, source = serving(log.source()), log.source()
    ear = await log.ear(source)
    silent.wake()
    await until_sessions(writer, 2)
    await asyncio.sleep(0.3)
    await writer.execute("INSERT INTO people VALUES (1)")
    silent.wake()
    await ear.until(1)
    # When they have gone, it says nothing any more.
    assert ear.listening is not None
    ear.listening()
    await asyncio.sleep(0.3)
    before = await sessions(writer)
    silent.wake()
    await asyncio.sleep(0.2)
    assert await sessions(writer) == before


async def test_a_thousand_listeners_at_once_are_one_read(log: Log) -> None:
    source = log.source()
    ears = [Ear() for _ in range(1000)]
    began = time.perf_counter()
    await asyncio.gather(*(source.listen(ear) for ear in ears))
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    await asyncio.gather(*(ear.until(1) for ear in ears))
    assert time.perf_counter() - began < PATIENCE
    assert len(await sessions(writer)) == 1


async def test_a_listener_that_fails_harms_nobody(log: Log) -> None:
    source = log.source()

    def fail(batch: Batch) -> None:
        raise RuntimeError("no")

    await source.listen(fail)
    ear = await log.ear(source)
    writer = await log.writer()
    for number in range(1, 3):
        await writer.execute("INSERT INTO people VALUES ($1)", number)
        await ear.until(number)


async def test_without_a_database_a_listener_is_refused(log: Log) -> None:
    source = LoggedChanges(log.url + "&port=1", NAMES, log.source()._background, retention=60)
    with pytest.raises(ClewError) as refused:
        await source.listen(Ear())
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_source_that_has_ended_refuses(log: Log) -> None:
    source = log.source()
    await source._background.close()
    with pytest.raises(ClewError) as refused:
        await source.listen(Ear())
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_listener_that_gives_up_while_it_waits_is_none(log: Log) -> None:
    source = log.source()
    ear = Ear()
    waiting = asyncio.create_task(source.listen(ear))
    await asyncio.sleep(0)
    waiting.cancel()
    other = await log.ear(source)
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    await other.until(1)
    assert ear.changes == []


async def test_a_killed_connection_loses_and_repeats_nothing(log: Log) -> None:
    writer = await log.writer()
    ear = await log.ear()
    for number in range(1, 41):
        await writer.execute("INSERT INTO people VALUES ($1)", number)
        if number % 8 == 0:
            await writer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'clew-changes' AND datname = current_database()"
            )
    await ear.until(40)
    assert [change.new and change.new["id"] for change in ear.changes] == list(range(1, 41))


async def test_a_connection_that_is_lost_within_a_long_batch_repeats_no_piece(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await log.writer()
    ear = Ear()
    source = log.source()
    fetch = connection_module.LogConnection.fetch
    killed: list[int] = []

    async def fetch_and_be_killed(self: Any, statement: str, *arguments: Any) -> Any:
        if len(ear.batches) == 3 and not killed:
            killed.append(self.process)
            await writer.execute("SELECT pg_terminate_backend($1)", self.process)
            await asyncio.sleep(0.05)
        return await fetch(self, statement, *arguments)

    monkeypatch.setattr(connection_module.LogConnection, "fetch", fetch_and_be_killed)
    await source.listen(ear)
    await writer.execute("INSERT INTO people SELECT n FROM generate_series(1, 9000) AS n")
    await ear.until(9000)
    assert killed
    assert [change.new and change.new["id"] for change in ear.changes] == list(range(1, 9001))


async def test_what_may_have_been_missed_is_a_reset_of_every_table(log: Log) -> None:
    """Another epoch: here because the log is a copy's."""
    writer = await log.writer()
    ear = await log.ear()
    await writer.execute("UPDATE clew.change_log_state SET home = 'elsewhere'")
    for pid in await sessions(writer):
        await writer.execute("SELECT pg_terminate_backend($1)", pid)
    await ear.until(3)
    assert [(change.name, change.kind) for change in ear.changes] == [(name, ChangeKind.RESET) for name in NAMES]
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(4)
    assert ear.changes[-1].kind is ChangeKind.INSERT


async def test_behind_a_pooler_each_process_looks_out_for_itself(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler in transaction mode passes no notification on, and holds no lock of a session."""
    monkeypatch.setattr(connection_module, "_ECHO", 0.05)

    async def lost(*_: object) -> None:
        return None

    monkeypatch.setattr(asyncpg.Connection, "add_listener", lost)
    writer = await log.writer()
    sources = [serving(log.source()) for _ in range(2)]
    ears = [await log.ear(source) for source in sources]
    await writer.execute("INSERT INTO people VALUES (1)")
    for ear in ears:
        await ear.until(1)
    locks = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE locktype = 'advisory' AND datname = current_database()
    """
    assert await writer.fetchval(locks) == 0
    for ear in ears:
        assert ear.listening is not None
        ear.listening()
    await until_sessions(writer, 0)
    # There is nobody whom a connection could tell.
    for source in sources:
        source.wake()
    await asyncio.sleep(0.2)
    assert await sessions(writer) == {}


async def test_a_proxy_that_refuses_settings_is_asked_within_transactions(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncpg.connect

    async def refuse(*arguments: Any, server_settings: dict[str, str], **options: Any) -> Any:
        if server_settings:
            raise asyncpg.ProtocolViolationError("unsupported startup parameter: enable_seqscan")
        return await connect(*arguments, **options)

    monkeypatch.setattr(asyncpg, "connect", refuse)
    source = log.source()
    ear = Ear()
    await source.listen(ear)
    monkeypatch.undo()
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(1)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_FIRST_WAIT", 0.02)


async def test_a_partition_that_is_attached_later_is_logged(log: Log, quick_mending: None) -> None:
    writer = await log.writer()
    ear = await log.ear()
    await writer.execute("CREATE TABLE hits_3 PARTITION OF hits FOR VALUES IN (3)")
    await ear.until(1)
    assert ear.told() == [("hits", "RESET", None, None)]
    await writer.execute("INSERT INTO hits_3 VALUES (1, 3)")
    await writer.execute("TRUNCATE hits_3")
    await ear.until(3)
    assert ear.told()[1:] == [("hits", "INSERT", None, (1, 3)), ("hits", "RESET", None, None)]


async def test_rows_of_a_partition_that_comes_or_goes_are_a_reset(log: Log, quick_mending: None) -> None:
    writer = await log.writer()
    ear = await log.ear()
    await writer.execute(
        "CREATE TABLE more (id int, day int NOT NULL, PRIMARY KEY (id, day)); INSERT INTO more VALUES (1, 3)"
    )
    await writer.execute("ALTER TABLE hits ATTACH PARTITION more FOR VALUES IN (3)")
    await ear.until(1)
    await writer.execute("ALTER TABLE hits DETACH PARTITION more")
    await ear.until(2)
    assert ear.told() == [("hits", "RESET", None, None)] * 2
    await writer.execute("INSERT INTO more VALUES (2, 3); INSERT INTO people VALUES (1)")
    await ear.until(3)
    assert ear.told()[2] == ("people", "INSERT", None, (1, None, None))


async def test_what_changed_while_a_partition_was_unknown_is_a_reset_for_who_comes_later(log: Log) -> None:
    """Nobody listened, so nobody saw that the partition had no triggers."""
    writer = await log.writer()
    source = log.source()
    ear = await log.ear(source)
    assert ear.listening is not None
    ear.listening()
    await asyncio.sleep(0.1)
    await writer.execute("CREATE TABLE hits_3 PARTITION OF hits FOR VALUES IN (3); INSERT INTO hits_3 VALUES (1, 3)")
    later = await log.ear(source)
    assert later.listening is not None
    found = [batch async for batch in source.since(ear.listening.position, NAMES, later.listening.position)]
    assert [(change.table, change.kind) for batch in found for change in batch.changes] == [("hits", ChangeKind.RESET)]


async def test_triggers_that_were_switched_off_and_on_are_mended(log: Log, quick_mending: None) -> None:
    writer = await log.writer()
    ear = await log.ear()
    await writer.execute("ALTER TABLE people DISABLE TRIGGER ALL; INSERT INTO people VALUES (1)")
    source = log.source()
    assert await source.unlogged() == {(None, "people")}
    await writer.execute("ALTER TABLE people ENABLE TRIGGER ALL")
    await ear.until(1)
    assert ear.told() == [("people", "RESET", None, None)]
    await writer.execute("SET session_replication_role = replica; INSERT INTO people VALUES (2)")
    await ear.until(2)
    assert await source.unlogged() == set()


async def test_a_change_of_a_table_may_be_one_of_a_partition_that_is_an_entity_too(log: Log) -> None:
    ear = await log.ear(log.source([(None, "hits"), (None, "hits_1")]))
    writer = await log.writer()
    await writer.execute("INSERT INTO hits VALUES (1, 1)")
    await writer.execute("INSERT INTO hits_1 VALUES (2, 1)")
    await ear.until(4)
    assert sorted(ear.told()[:2]) == [("hits", "INSERT", None, (1, 1)), ("hits_1", "RESET", None, None)]
    assert sorted(ear.told()[2:]) == [("hits", "INSERT", None, (2, 1)), ("hits_1", "INSERT", None, (2, 1))]


async def test_after_a_fault_of_the_reader_everything_is_read_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what it was, and it might happen again with the same change."""
    ear = await log.ear()
    writer = await log.writer()
    relations, faults = Relations.changes, [1]

    def fail(self: Relations, *given: Any) -> Any:
        if faults:
            faults.pop()
            raise RuntimeError("no")
        return relations(self, *given)

    monkeypatch.setattr(Relations, "changes", fail)
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(3)
    assert [(change.name, change.kind) for change in ear.changes] == [(name, ChangeKind.RESET) for name in NAMES]
    await writer.execute("INSERT INTO people VALUES (2)")
    await ear.until(4)
    assert ear.changes[-1].new == {"id": 2, "name": None, "age": None}


async def test_a_replay_whose_connection_was_lost_takes_another_one(log: Log) -> None:
    source = log.source()
    ear = await log.ear(source)
    assert ear.listening is not None
    writer = await log.writer()
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(1)
    for _ in range(2):
        found = [batch async for batch in source.since(ear.listening.position, NAMES, ear.batches[-1].position)]
        told = [brief(change) for batch in found for change in batch.changes]
        assert told == [("people", "INSERT", None, (1, None, None))]
        assert source._state is not None
        replay = source._state.replay
        assert replay is not None
        await writer.execute("SELECT pg_terminate_backend($1)", replay.process)
        async with asyncio.timeout(PATIENCE):
            while not replay.is_closed:
                await asyncio.sleep(0.01)


async def test_changes_that_are_too_many_to_be_read_in_time_are_given_up(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a long time without the database."""
    ear = await log.ear()
    writer = await log.writer()
    fetch, slow = connection_module.LogConnection.fetch, [1, 2, 3]

    async def fetch_slowly(self: Any, statement: str, *arguments: Any) -> Any:
        if statement == sql.READ and slow:
            slow.pop()
            raise TimeoutError
        return await fetch(self, statement, *arguments)

    monkeypatch.setattr(connection_module.LogConnection, "fetch", fetch_slowly)
    await writer.execute("INSERT INTO people VALUES (1)")
    await ear.until(3)
    assert [(change.name, change.kind) for change in ear.changes] == [(name, ChangeKind.RESET) for name in NAMES]
    slow += [1, 2]
    await writer.execute("INSERT INTO people VALUES (2)")
    await ear.until(4)
    assert ear.changes[-1].kind is ChangeKind.INSERT
