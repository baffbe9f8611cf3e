"""Chunks on their way to the database: in few statements, fenced, bounded, and never lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from clew.errors import ClewError, Code
from clew.jobs.types import LostLeaseError
from tests.jobs.output import WORKER, lab


async def test_one_statement_writes_for_all_jobs(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        jobs = [await here.job(WORKER) for _ in range(20)]
        for job in jobs:
            await writer.begin(job, 1)
        for number in range(10):
            for job in jobs:
                await writer.emit(job, 1, f"{number}", "token", None)
        for job in jobs:
            await writer.flush(job)
        assert writer.flushes <= 3
        for job in jobs:
            assert [row[2] for row in await here.rows(job)] == [f"{number}" for number in range(10)]
            assert writer.position(job) == 10


@pytest.mark.parametrize(
    ("status", "attempt", "worker"),
    [("RUNNING", 2, uuid4()), ("RUNNING", 2, WORKER), ("QUEUED", 1, WORKER),
     ("FAILED", 1, WORKER), ("SUCCEEDED", 1, WORKER), ("CANCELLED", 1, WORKER)],
)  # fmt: skip
async def test_a_zombies_chunk_is_refused(prepared_url: str, status: str, attempt: int, worker: object) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        job, other = await here.job(WORKER), await here.job(WORKER)
        for each in (job, other):
            await writer.begin(each, 1)
            await writer.emit(each, 1, "before", "token", None)
            await writer.flush(each)
        await here.connection.execute(
            "UPDATE clew.jobs SET status = $2, attempt = $3, worker = $4 WHERE id = $1", job, status, attempt, worker
        )
        await writer.emit(job, 1, "after", "token", None)
        await writer.emit(other, 1, "after", "token", None)
        with pytest.raises(LostLeaseError):
            await writer.flush(job)
        with pytest.raises(LostLeaseError):
            await writer.emit(job, 1, "later", "token", None)
        await writer.flush(other)
        assert await here.rows(job) == [(1, 1, "before")]
        assert await here.rows(other) == [(1, 1, "before"), (1, 2, "after")]


async def test_a_zombie_whose_job_is_taken_at_the_same_moment_is_refused(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        async with here.connection.transaction():
            await here.set(job, "RUNNING", 2, uuid4())
            await writer.emit(job, 1, "late", "token", None)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.flush(job), 0.3)
        with pytest.raises(LostLeaseError):
            await writer.flush(job)
        assert await here.rows(job) == []


async def test_a_job_cannot_be_taken_while_its_chunks_are_being_written(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        # It holds up the insertion, after the lock of the job.
        await here.connection.execute("BEGIN")
        await here.connection.execute(
            "INSERT INTO clew.job_output VALUES ($1, 1, 1, 0, 'token', 'x', false, NULL)", job
        )
        await writer.emit(job, 1, "a", "token", None)
        flushing = asyncio.create_task(writer.flush(job))
        other = await asyncpg.connect(here.url)
        try:
            await asyncio.sleep(0.3)
            taking = asyncio.create_task(other.execute("UPDATE clew.jobs SET attempt = 2 WHERE id = $1", job))
            await asyncio.sleep(0.3)
            assert not taking.done()
            await here.connection.execute("ROLLBACK")
            await flushing
            await taking
        finally:
            await other.close()
        assert await here.rows(job) == [(1, 1, "a")]


async def test_a_locked_job_holds_up_no_other(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        locked, free = await here.job(WORKER), await here.job(WORKER)
        for job in (locked, free):
            await writer.begin(job, 1)
        async with here.connection.transaction():
            await here.connection.execute("SELECT FROM clew.jobs WHERE id = $1 FOR UPDATE", locked)
            for job in (locked, free):
                await writer.emit(job, 1, "a", "token", None)
            await asyncio.wait_for(writer.flush(free), 5)
        await writer.flush(locked)
        assert await here.rows(locked) == [(1, 1, "a")]


async def test_an_old_attempt_cannot_emit(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        job = await here.job(WORKER)
        with pytest.raises(LostLeaseError):
            await writer.emit(job, 1, "a", "token", None)
        await writer.begin(job, 1)
        await here.set(job, "RUNNING", 2)
        await writer.begin(job, 2)
        with pytest.raises(LostLeaseError):
            await writer.emit(job, 1, "a", "token", None)
        writer.end(job, 1)
        await writer.emit(job, 2, "a", "token", None)
        writer.end(job, 2)
        with pytest.raises(LostLeaseError):
            await writer.emit(job, 2, "a", "token", None)
        assert [row[:2] for row in await here.rows(job)] == [(2, 0)]


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ("a\0", "token", "The output has a NUL character."),
        ("\ud83d", "token", "The output has half of a surrogate pair."),
        ({"a": "\udc00"}, "token", "The output has half of a surrogate pair."),
        (float("nan"), "token", "The output is neither text nor JSON."),
        ({1, 2}, "token", "The output is neither text nor JSON."),
        (b"bytes", "token", "The output is neither text nor JSON."),
        ("a", "", "The kind of the output must be a text of 1 to 100 characters."),
        ("a", "k" * 101, "The kind of the output must be a text of 1 to 100 characters."),
        ("a", "a\0", "The kind of the output has a NUL character."),
        ("é" * 501, "token", "A chunk of the job's output is too large: at most 1000 bytes are allowed."),
        (["x" * 1000], "token", "A chunk of the job's output is too large: at most 1000 bytes are allowed."),
    ],
)
async def test_what_cannot_be_kept_is_a_clear_error(prepared_url: str, data: object, kind: str, message: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process(), most_of_chunk=1000)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        with pytest.raises(ClewError) as refused:
            await writer.emit(job, 1, data, kind, None)
        assert refused.value.message == message
        # The job may go on.
        await writer.emit(job, 1, "fine", "token", None)
        await writer.flush(job)
        assert await here.rows(job) == [(1, 1, "fine")]


async def test_json_is_kept_as_it_is(prepared_url: str) -> None:
    values = [
        {"b": 1, "a": [None, True, 1.5, "\0", "é\n\u2028", 10**40]}, [], {}, 0, None, False, "text", "", "\"quoted\"",
        "line\r\nline", "👩‍👩‍👧", "ü" * 1000,
    ]  # fmt: skip
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for value in values:
            await writer.emit(job, 1, value, "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        for process in (outputs, await here.process()):
            reading = here.follow(process, job)
            assert await reading.final() == "SUCCEEDED"
            assert [event.value for event in reading.events[:-1]] == values  # type: ignore[union-attr]  # another one would fail the test


async def test_the_output_of_an_execution_is_bounded(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process(), most_of_attempt=10_000)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for _ in range(10_000 // 65):
            await writer.emit(job, 1, "", "t", None)
        with pytest.raises(ClewError, match="The job's output is too large") as refused:
            await writer.emit(job, 1, "", "t", None)
        assert refused.value.code is Code.LIMIT_EXCEEDED
        assert writer.position(job) == 10_000 // 65
        await writer.flush(job)


async def test_a_job_that_emits_too_fast_waits(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process(), most_of_attempt=2**30)
        job, other = await here.job(WORKER), await here.job(WORKER)
        for each in (job, other):
            await writer.begin(each, 1)
        async with here.connection.transaction():
            await here.connection.execute("SELECT FROM clew.jobs WHERE id = $1 FOR UPDATE", job)

            async def flood() -> None:
                for _ in range(100):
                    await writer.emit(job, 1, "x" * 60_000, "token", None)

            flooding = asyncio.create_task(flood())
            await asyncio.sleep(0.3)
            assert not flooding.done()
            assert writer._waiting <= 2**20
            await writer.emit(other, 1, "a", "token", None)
            await asyncio.wait_for(writer.flush(other), 5)
        await flooding
        await writer.flush(job)
        assert writer._waiting == 0
        assert [row[1] for row in await here.rows(job)] == list(range(1, 101))


async def test_nothing_is_lost_or_doubled_when_the_database_breaks_off(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs, other = await here.process(), await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        readings = [here.follow(outputs, job), here.follow(other, job)]
        for reading in readings:
            await reading.opened.wait()
        await writer.begin(job, 1)

        async def kill() -> None:
            while True:
                await asyncio.sleep(0.05)
                await here.connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        killing = asyncio.create_task(kill())
        for number in range(300):
            await writer.emit(job, 1, f"{number};", "token", None)
            await asyncio.sleep(0.005)
        killing.cancel()
        await asyncio.wait([killing])
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        expected = "".join(f"{number};" for number in range(300))
        for reading in readings:
            assert await reading.final() == "SUCCEEDED"
            assert reading.text == expected
        assert "".join(row[2] for row in await here.rows(job)) == expected


async def test_a_statement_whose_answer_is_lost_is_sent_again_without_harm(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        fetch, lost = outputs.pool.fetch, [True, True]

        async def loses(sql: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
            found = await fetch(sql, arguments)
            if lost:
                lost.pop()
                raise ClewError("gone", code=Code.UNAVAILABLE)
            return found

        monkeypatch.setattr(outputs.pool, "fetch", loses)
        for letter in "abc":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        assert not lost
        assert [row[1:] for row in await here.rows(job)] == [(1, "a"), (2, "b"), (3, "c")]


async def test_a_chunk_that_is_written_twice_counts_once(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for letter in "abc":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        # A try whose answer was lost, and a turn of the partitions before the next one.
        await here.connection.execute(
            "INSERT INTO clew.job_output SELECT job, attempt, seq, 1, kind, data, is_json, step FROM clew.job_output"
        )
        await here.set(job, "SUCCEEDED")
        for process in (outputs, await here.process()):
            reading = here.follow(process, job)
            assert await reading.final() == "SUCCEEDED"
            assert reading.text == "abc"


async def test_kept_chunks_that_were_dropped_are_told_of(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER, attempt=2)
        await writer.begin(job, 2)
        async with here.connection.transaction():
            await writer.copy(here.connection.fetch, job, 2, 1, 1, 3)
        assert writer.position(job) == 3
        await writer.emit(job, 2, "d", "token", None)
        await writer.flush(job)
        with pytest.raises(ClewError) as gone:
            await outputs.follow(job).open()
        assert gone.value.code is Code.GONE
        reading = here.follow(outputs, job, "2:3")
        await reading.until(lambda it: it.text == "d")


async def test_emitting_does_not_wait_for_the_database(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writer = here.writer(await here.process())
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        delays = []
        for _ in range(50):
            began = time.perf_counter()
            await writer.emit(job, 1, "token", "token", None)
            delays.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
        await writer.flush(job)
        assert sorted(delays)[25] < 0.001


async def test_a_fault_of_the_writer_fails_the_jobs_that_it_was_about_and_no_other(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        jobs = [await here.job(WORKER) for _ in range(2)]
        for job in jobs:
            await writer.begin(job, 1)
        wrote = outputs.wrote

        def fail(job: str, chunks: Sequence[Any]) -> None:
            if job == jobs[0]:
                raise RuntimeError("no")
            wrote(job, chunks)

        monkeypatch.setattr(outputs, "wrote", fail)
        await writer.emit(jobs[0], 1, "a", "token", None)
        with pytest.raises(ClewError, match="cannot be kept"):
            await writer.flush(jobs[0])
        await writer.emit(jobs[1], 1, "b", "token", None)
        await writer.flush(jobs[1])
        assert await here.rows(jobs[1]) == [(1, 1, "b")]
