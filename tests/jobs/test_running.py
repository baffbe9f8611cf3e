"""What a worker does with one job: it runs it, tries it again, stops it."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from clew import ClewError, JobContext
from clew.jobs import queue
from clew.jobs.connection import JobConnection
from clew.jobs.endings import Endings
from clew.jobs.execution import Claimed
from tests.jobs.shop import Jobs


async def test_a_job_runs_with_its_arguments_and_keeps_its_result(jobs: Jobs) -> None:
    @jobs.job("greet")
    async def greet(ctx: JobContext, name: str) -> dict[str, object]:
        assert ctx.viewer.id == "ada"
        assert ctx.viewer.claims == {"team": 7}
        return {"hello": name, "attempt": ctx.attempt, "id": ctx.id}

    jobs.worker()
    job = await jobs.enqueue("greet", {"name": "Bob"})
    row = await jobs.until(job)
    assert row["status"] == "SUCCEEDED"
    assert json.loads(row["result"]) == {"hello": "Bob", "attempt": 1, "id": job}
    assert row["worker"] is None
    assert row["created_at"] <= row["started_at"] <= row["finished_at"]


async def test_a_rollback_leaves_no_job(jobs: Jobs) -> None:
    ran: list[str] = []

    @jobs.job("note")
    async def note(ctx: JobContext) -> None:
        ran.append(ctx.id)

    jobs.worker()
    transaction = jobs.connection.transaction()
    await transaction.start()
    await jobs.enqueue("note")
    await transaction.rollback()
    kept = await jobs.enqueue("note")
    await jobs.until(kept)
    assert ran == [kept]
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.jobs") == 1
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_queue") == 0


async def test_a_job_that_raises_is_tried_again_and_then_fails(jobs: Jobs) -> None:
    attempts: list[int] = []

    @jobs.job("fail", retries=2)
    async def fail(ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        raise ClewError("No more paper.") if ctx.attempt < 3 else ValueError("secret")

    jobs.worker()
    job = await jobs.enqueue("fail")
    for attempt in (1, 2):
        row = await jobs.until_waiting(job, attempt)
        assert row["error"] == "No more paper."
        await jobs.hasten()
    row = await jobs.until(job)
    assert attempts == [1, 2, 3]
    assert row["status"] == "FAILED"
    assert row["error"] == "The job failed."


async def test_effects_commit_together_with_the_completion(jobs: Jobs) -> None:
    seen: list[int] = []

    @jobs.job("pay")
    async def pay(ctx: JobContext) -> str:
        async with ctx.transaction() as connection:
            await connection.execute(text("INSERT INTO effects VALUES (:job, 'paid')"), {"job": ctx.id})
        found = await ctx.graphql("mutation { more }")
        assert found["within"]
        seen.append(len(await jobs.effects()))
        return "done"

    jobs.worker()
    row = await jobs.until(job := await jobs.enqueue("pay"))
    assert row["status"] == "SUCCEEDED"
    assert seen == [0]
    assert await jobs.effects() == [(job, "paid"), ("graphql", "mutation { more }")]


async def test_effects_of_a_job_that_raises_are_undone(jobs: Jobs) -> None:
    @jobs.job("pay")
    async def pay(ctx: JobContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute(text("INSERT INTO effects VALUES (:job, 'paid')"), {"job": ctx.id})
        raise ClewError("No.")

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("pay"))
    assert (row["status"], row["error"]) == ("FAILED", "No.")
    assert await jobs.effects() == []


async def test_a_block_that_raises_is_undone_alone(jobs: Jobs) -> None:
    @jobs.job("pay")
    async def pay(ctx: JobContext) -> None:
        insert = text("INSERT INTO effects VALUES ('pay', :note)")
        async with ctx.transaction() as connection:
            await connection.execute(insert, {"note": "first"})
        with suppress(ZeroDivisionError):
            async with ctx.transaction() as connection:
                await connection.execute(insert, {"note": "second"})
                raise ZeroDivisionError
        async with ctx.transaction() as connection, ctx.transaction() as inner:
            assert inner is connection
            await inner.execute(insert, {"note": "third"})

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("pay"))
    assert row["status"] == "SUCCEEDED"
    assert await jobs.effects() == [("pay", "first"), ("pay", "third")]


async def test_a_job_that_takes_too_long_is_stopped(jobs: Jobs) -> None:
    @jobs.job("sleep", timeout=0.2)
    async def sleep(ctx: JobContext) -> None:
        await asyncio.Event().wait()

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("sleep"))
    assert (row["status"], row["error"]) == ("FAILED", "The job took longer than 0.2 s.")


async def test_a_job_that_is_cancelled_is_stopped(jobs: Jobs) -> None:
    seen: list[bool] = []

    @jobs.job("sleep", retries=3)
    async def sleep(ctx: JobContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(ctx.cancelled)

    jobs.worker()
    job = await jobs.enqueue("sleep")
    await jobs.until(job, "RUNNING")
    assert await queue.cancel(jobs.connection.fetch, [job]) == [job]
    jobs.wake()
    row = await jobs.until(job)
    assert row["status"] == "CANCELLED"
    assert row["error"] is None
    assert seen == [True]
    assert await queue.cancel(jobs.connection.fetch, [job]) == []


async def test_a_job_that_is_cancelled_in_time_never_runs_and_can_be_retried(jobs: Jobs) -> None:
    ran: list[int] = []

    @jobs.job("note")
    async def note(ctx: JobContext) -> None:
        ran.append(ctx.attempt)

    job = await jobs.enqueue("note")
    assert await queue.cancel(jobs.connection.fetch, [job, "00000000-0000-0000-0000-000000000000"]) == [job]
    jobs.worker()
    other = await jobs.enqueue("note")
    await jobs.until(other)
    assert (await jobs.row(job))["status"] == "CANCELLED"
    assert ran == [1]
    assert await queue.retry(jobs.connection.fetch, [job, other]) == [job]
    jobs.wake()
    assert (await jobs.until(job, "SUCCEEDED", "FAILED"))["status"] == "SUCCEEDED"


async def test_a_failed_job_that_is_retried_has_all_its_retries_again(jobs: Jobs) -> None:
    attempts: list[int] = []

    @jobs.job("fail", retries=1)
    async def fail(ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        raise ClewError("No.")

    jobs.worker()
    job = await jobs.enqueue("fail")
    await jobs.until_waiting(job, 1)
    await jobs.hasten()
    await jobs.until(job)
    assert await queue.retry(jobs.connection.fetch, [job]) == [job]
    jobs.wake()
    await jobs.until_waiting(job, 3)
    await jobs.hasten()
    row = await jobs.until(job)
    assert (row["status"], row["attempt"]) == ("FAILED", 4)
    assert attempts == [1, 2, 3, 4]


async def test_a_handler_that_ignores_its_end_is_left_behind(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.jobs.worker._PATIENCE", 0.2)
    gate = asyncio.Event()
    late: list[str] = []

    @jobs.job("deaf", timeout=0.2)
    async def deaf(ctx: JobContext) -> str:
        while not gate.is_set():
            with suppress(asyncio.CancelledError):
                await gate.wait()
        try:
            await ctx.emit("too late")
        except RuntimeError as error:
            late.append(str(error))
        return "too late"

    @jobs.job("other")
    async def other(ctx: JobContext) -> None:
        pass

    jobs.worker(concurrency=1)
    job = await jobs.enqueue("deaf")
    assert (await jobs.until(job))["error"] == "The job took longer than 0.2 s."
    assert (await jobs.until(await jobs.enqueue("other")))["status"] == "SUCCEEDED"
    gate.set()
    await jobs.until_true(lambda: asyncio.sleep(0, bool(late)))
    assert late == ["the job has ended"]
    assert (await jobs.row(job))["status"] == "FAILED"


async def test_what_a_handler_leaves_running_can_do_nothing_after_its_end(jobs: Jobs) -> None:
    left: list[asyncio.Task[None]] = []

    @jobs.job("leave")
    async def leave(ctx: JobContext) -> None:
        async def later() -> None:
            await asyncio.sleep(0.2)
            await ctx.emit("late")

        left.append(asyncio.create_task(later()))

    jobs.worker()
    job = await jobs.enqueue("leave")
    assert (await jobs.until(job))["status"] == "SUCCEEDED"
    with pytest.raises(RuntimeError, match="the job has ended"):
        await left[0]
    assert jobs.output.chunks[job, 1] == []


async def test_a_handler_that_exits_or_cancels_itself_fails(jobs: Jobs) -> None:
    @jobs.job("leave")
    async def leave(ctx: JobContext) -> None:
        sys.exit(3)

    @jobs.job("cancel")
    async def cancel(ctx: JobContext) -> None:
        raise asyncio.CancelledError

    jobs.worker()
    for name in ("leave", "cancel"):
        row = await jobs.until(await jobs.enqueue(name))
        assert (row["status"], row["error"]) == ("FAILED", "The job failed.")


@pytest.mark.parametrize(
    "value", ["a\x00b", "\ud800", float("nan"), object()], ids=["nul", "surrogate", "nan", "object"]
)
async def test_a_result_that_cannot_be_kept_fails_its_job_alone(jobs: Jobs, value: object) -> None:
    @jobs.job("bad")
    async def bad(ctx: JobContext) -> object:
        return value

    @jobs.job("good")
    async def good(ctx: JobContext) -> str:
        return "good"

    first, second = await jobs.enqueue_all([jobs.new("bad"), jobs.new("good")])
    jobs.worker()
    assert (await jobs.until(first))["error"] == "The job failed."
    assert (await jobs.until(second))["result"] == '"good"'


async def test_an_error_with_characters_that_postgres_does_not_take_is_kept(jobs: Jobs) -> None:
    @jobs.job("bad")
    async def bad(ctx: JobContext) -> None:
        raise ClewError("a\x00b\ud800c")

    jobs.worker()
    assert (await jobs.until(await jobs.enqueue("bad")))["error"] == "ab?c"


async def test_arguments_that_do_not_fit_fail_the_job(jobs: Jobs) -> None:
    def refuse(given: object) -> dict[str, object]:
        raise ValueError

    @jobs.job("old", decode=refuse)
    async def old(ctx: JobContext) -> None: ...

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("old"))
    assert (row["status"], row["error"]) == ("FAILED", "The job's arguments do not fit its declaration.")


async def test_progress_is_kept_and_the_last_one_comes_with_the_end(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("work")
    async def work(ctx: JobContext) -> None:
        await ctx.progress(0.25, "a quarter")
        await gate.wait()
        for share in range(26, 100):
            await ctx.progress(share / 100)
        await ctx.progress(1, "all")
        with pytest.raises(ValueError, match="from 0 to 1"):
            await ctx.progress(1.5)

    jobs.worker()
    job = await jobs.enqueue("work")

    async def told() -> bool:
        return bool((await jobs.row(job))["message"] == "a quarter")

    await jobs.until_true(told)
    gate.set()
    row = await jobs.until(job)
    assert (row["progress"], row["message"]) == (1.0, "all")
    written = await jobs.connection.fetchval(
        "SELECT count(*) FROM clew.change_log WHERE relation = 'clew.jobs'::regclass AND kind = 'U'"
    )
    assert written <= 5


async def test_statements_of_handlers_outside_a_transaction_commit_by_themselves(jobs: Jobs) -> None:
    @jobs.job("note")
    async def note(ctx: JobContext) -> None:
        await ctx.connection.execute(text("INSERT INTO effects VALUES ('note', 'kept')"))
        raise ClewError("No.")

    jobs.worker()
    await jobs.until(await jobs.enqueue("note"))
    assert await jobs.effects() == [("note", "kept")]


async def test_a_cancelled_job_does_not_commit_its_transaction(jobs: Jobs) -> None:
    reached, gate = asyncio.Event(), asyncio.Event()

    @jobs.job("pay")
    async def pay(ctx: JobContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute(text("INSERT INTO effects VALUES ('pay', 'paid')"))
        reached.set()
        await gate.wait()

    jobs.worker()
    job = await jobs.enqueue("pay")
    await reached.wait()
    # Without a wake-up: the worker has not looked yet as the handler returns.
    await queue.cancel(jobs.connection.fetch, [job])
    gate.set()
    assert (await jobs.until(job))["status"] == "CANCELLED"
    assert await jobs.effects() == []


@pytest.mark.parametrize("code", ["54000", "23514", "XX000"])
async def test_a_result_that_postgres_refuses_fails_its_job_alone(jobs: Jobs, code: str) -> None:
    """Such as one with too many digits, or because of a trigger of somebody's."""
    await jobs.connection.execute(
        f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN RAISE EXCEPTION 'too large' USING ERRCODE = '{code}'; END
        $body$;
        CREATE TRIGGER refuse BEFORE UPDATE ON clew.jobs FOR EACH ROW
            WHEN (new.result::text LIKE '"xxx%') EXECUTE FUNCTION refuse()
        """
    )

    @jobs.job("large")
    async def large(ctx: JobContext) -> str:
        return "xxx"

    @jobs.job("small")
    async def small(ctx: JobContext) -> str:
        return "small"

    first, *others = await jobs.enqueue_all([jobs.new("large"), *(jobs.new("small") for _ in range(3))])
    jobs.worker()
    for job in others:
        assert (await jobs.until(job))["status"] == "SUCCEEDED"
    row = await jobs.until(first)
    assert (row["status"], row["error"]) == ("FAILED", "The job failed.")


async def test_an_end_that_postgres_takes_only_later_is_not_lost(jobs: Jobs) -> None:
    """Such as while a server that was the first one is read-only."""
    await jobs.connection.execute(
        """
        CREATE SEQUENCE refused;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF nextval('refused') <= 3 THEN
                RAISE EXCEPTION 'not now' USING ERRCODE = 'read_only_sql_transaction';
            END IF;
            RETURN new;
        END
        $body$;
        CREATE TRIGGER refuse BEFORE UPDATE ON clew.jobs FOR EACH ROW
            WHEN (new.status = 'SUCCEEDED') EXECUTE FUNCTION refuse()
        """
    )

    @jobs.job("work")
    async def work(ctx: JobContext) -> str:
        return "done"

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("work"))
    assert (row["status"], row["attempt"], row["result"]) == ("SUCCEEDED", 1, '"done"')


async def test_the_locks_of_a_handler_that_ignores_its_end_are_gone_with_it(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.jobs.worker._PATIENCE", 0.2)
    gate = asyncio.Event()
    failed: list[str] = []
    await jobs.connection.execute("INSERT INTO effects VALUES ('work', 'locked')")

    async def lock(ctx: JobContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute(text("UPDATE effects SET note = :note"), {"note": str(ctx.attempt)})
            while ctx.attempt == 1 and not gate.is_set():
                with suppress(asyncio.CancelledError):
                    await gate.wait()
            try:
                await connection.execute(text("UPDATE effects SET note = 'too late'"))
            except Exception as error:
                failed.append(type(error).__name__)
                raise

    @jobs.job("work", retries=1, timeout=1)
    async def work(ctx: JobContext) -> None:
        await lock(ctx)

    @jobs.job("step", retries=1, timeout=1)
    async def step(ctx: JobContext) -> None:
        await ctx.step("lock", lambda: lock(ctx))

    worker = jobs.worker()
    for name in ("work", "step"):
        gate.clear()
        job = await jobs.enqueue(name)
        await jobs.until_waiting(job, 1)
        await jobs.hasten()
        row = await jobs.until(job)
        assert (row["status"], row["attempt"]) == ("SUCCEEDED", 2), name
        gate.set()
        await jobs.until_true(lambda: asyncio.sleep(0, len(failed) == 1))
        failed.clear()
    await jobs.until_true(lambda: asyncio.sleep(0, not worker._tasks))
    assert worker._pool._open == len(worker._pool._idle)


async def test_a_long_message_of_progress_is_cut(jobs: Jobs) -> None:
    @jobs.job("work")
    async def work(ctx: JobContext) -> None:
        await ctx.progress(0.5, "x" * 10_000)

    jobs.worker()
    assert len((await jobs.until(await jobs.enqueue("work")))["message"]) == 4000


async def test_progress_of_a_job_that_ends_while_another_is_locked_is_no_fault(jobs: Jobs) -> None:
    ids = await jobs.enqueue_all([jobs.new("work"), jobs.new("work")])
    rows = [Claimed(job, "work", "default", 0, 1, 0, "{}", "{}", 0.0, str(uuid.uuid4())) for job in ids]
    endings = Endings(jobs.url, lambda: None)
    for row in rows:
        endings.report(row, 0.5, None)
    locked = asyncio.Event()
    fetch = JobConnection.fetch

    async def note(self: JobConnection, statement: str, *arguments: object) -> list[asyncpg.Record]:
        locked.set()
        return await fetch(self, statement, *arguments)

    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr(JobConnection, "fetch", note)
        async with jobs.connection.transaction():
            await jobs.connection.execute("SELECT FROM clew.jobs FOR UPDATE")
            task = asyncio.create_task(endings.run())
            await locked.wait()
            # Their handlers' own transactions are about to end them.
            for row in rows:
                endings.last_report(row)
            await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])
    assert not logs


async def test_a_result_that_is_too_large_fails_its_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.jobs.execution._LONGEST_RESULT", 100)

    @jobs.job("work")
    async def work(ctx: JobContext) -> str:
        return "x" * 99

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("work"))
    assert (row["status"], row["error"]) == ("FAILED", "The job's result is too large.")
