"""A worker that dies, hangs or is cut off: others take over, and it writes nothing more."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from clew import ClewError, JobContext
from clew.jobs import connection as connection_module
from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection
from tests.jobs.shop import Jobs


async def test_jobs_of_a_worker_that_died_run_elsewhere(jobs: Jobs) -> None:
    attempts: list[int] = []

    @jobs.job("work", retries=1)
    async def work(ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            await asyncio.Event().wait()

    first = jobs.worker(lease=1.0)
    job = await jobs.enqueue("work")
    await jobs.until(job, "RUNNING")
    await jobs.stop(first)
    jobs.worker(lease=1.0)
    row = await jobs.until_waiting(job, 1)
    assert row["error"] == "The worker that ran the job was lost."
    await jobs.hasten()
    assert (await jobs.until(job))["status"] == "SUCCEEDED"
    assert attempts == [1, 2]


async def test_a_job_that_kills_its_worker_each_time_stops_after_its_retries(jobs: Jobs) -> None:
    @jobs.job("poison", retries=1)
    async def poison(ctx: JobContext) -> None:
        await asyncio.Event().wait()

    job = await jobs.enqueue("poison")
    for attempt in (1, 2):
        worker = jobs.worker(lease=1.0)
        await jobs.until(job, "RUNNING")
        await jobs.stop(worker)
        healthy = jobs.worker(lease=1.0, handlers={})
        if attempt == 1:
            await jobs.until_waiting(job, 1)
            await jobs.hasten()
        else:
            row = await jobs.until(job)
        await jobs.stop(healthy)
    assert (row["status"], row["attempt"]) == ("FAILED", 2)
    assert row["error"] == "The worker that ran the job was lost."


async def test_a_zombie_writes_nothing_more(jobs: Jobs) -> None:
    """Its loop does not turn, so that it learns of the lost lease only after it has tried to write."""
    reached, told = asyncio.Event(), asyncio.Event()

    @jobs.job("work", retries=1)
    async def work(ctx: JobContext) -> str:
        async with ctx.transaction() as connection:
            await connection.execute(text("INSERT INTO effects VALUES ('work', :note)"), {"note": str(ctx.attempt)})
        await ctx.progress(0.5, f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            reached.set()
            await told.wait()
        return f"attempt {ctx.attempt}"

    worker = jobs.worker()
    job = await jobs.enqueue("work")
    await reached.wait()
    # Another one finds the lease over, while this one believes in it.
    await jobs.connection.execute("UPDATE clew.job_workers SET until = now()")
    await jobs.connection.fetch(sql.REAP)
    told.set()
    await jobs.until_true(lambda: asyncio.sleep(0, worker.metrics.running == 0))
    row = await jobs.row(job)
    assert (row["status"], row["attempt"], row["result"]) == ("QUEUED", 1, None)
    assert await jobs.effects() == []
    await jobs.hasten()
    row = await jobs.until(job)
    assert (row["status"], row["attempt"], row["result"]) == ("SUCCEEDED", 2, '"attempt 2"')
    assert await jobs.effects() == [("work", "2")]


async def test_a_handler_that_blocks_the_loop_past_the_lease_is_fenced(jobs: Jobs) -> None:
    results: list[str] = []

    @jobs.job("block", retries=1)
    async def block(ctx: JobContext) -> str:
        if ctx.attempt == 1:
            # As another process would, while this one's loop stands still.
            await asyncio.to_thread(_take_over, jobs.url, wait=0.1)
            time.sleep(1.2)  # noqa: ASYNC251 (it is to block)
            await asyncio.to_thread(_take_over, jobs.url, wait=0)
        results.append(f"attempt {ctx.attempt}")
        return results[-1]

    jobs.worker(lease=1.0)
    job = await jobs.enqueue("block")
    await jobs.until_waiting(job, 1)
    await jobs.hasten()
    row = await jobs.until(job)
    assert (row["status"], row["attempt"], row["result"]) == ("SUCCEEDED", 2, '"attempt 2"')


def _take_over(url: str, wait: float) -> None:
    async def reap() -> None:
        connection = await asyncpg.connect(url)
        await connection.fetch(sql.REAP)
        await connection.close()

    time.sleep(wait)
    asyncio.run(reap())


async def test_a_worker_whose_lease_is_over_stops_its_handlers_and_goes_on_under_a_new_one(jobs: Jobs) -> None:
    stopped = asyncio.Event()

    @jobs.job("work", retries=1)
    async def work(ctx: JobContext) -> None:
        if ctx.attempt == 1:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    worker = jobs.worker(lease=1.0)
    job = await jobs.enqueue("work")
    await jobs.until(job, "RUNNING")
    await jobs.connection.execute("UPDATE clew.job_workers SET until = now() - interval '1 second'")
    await asyncio.wait_for(stopped.wait(), 10)
    await jobs.until_waiting(job, 1)
    await jobs.hasten()
    assert (await jobs.until(job))["attempt"] == 2
    assert worker.metrics.lost == 1


async def test_a_run_whose_lease_ends_because_the_database_is_away_does_not_count(jobs: Jobs) -> None:
    told = asyncio.Event()
    attempts: list[int] = []

    @jobs.job("work")
    async def work(ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            try:
                await asyncio.Event().wait()
            finally:
                told.set()
        async with ctx.transaction() as connection:
            await connection.execute(text("INSERT INTO effects VALUES ('work', 'done')"))
            # Meanwhile leases that are over are looked for, and the transactions under them are ended.
            await asyncio.sleep(1.5)

    jobs.worker(lease=1.0)
    job = await jobs.enqueue("work")
    await jobs.until(job, "RUNNING")
    name = await jobs.connection.fetchval("SELECT current_database()")
    await jobs.connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await jobs.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", name
    )
    async with asyncio.timeout(30):
        await told.wait()
    await jobs.connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    row = await jobs.until(job)
    assert (row["status"], row["attempt"], row["uncounted"], row["error"]) == ("SUCCEEDED", 2, 1, None)
    assert attempts == [1, 2]
    assert await jobs.effects() == [("work", "done")]


async def test_a_lease_that_is_slow_to_begin_is_not_over(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch, joined = JobConnection.fetch, 0

    async def slow(self: JobConnection, statement: str, /, *arguments: Any) -> list[asyncpg.Record]:
        nonlocal joined
        rows = await fetch(self, statement, *arguments)
        if statement == sql.JOIN:
            joined += 1
            await asyncio.sleep(0.5)
        return rows

    monkeypatch.setattr(JobConnection, "fetch", slow)

    @jobs.job("work")
    async def work(ctx: JobContext) -> None:
        pass

    jobs.worker(lease=3.0)
    assert (await jobs.until(await jobs.enqueue("work")))["status"] == "SUCCEEDED"
    assert joined == 1


async def test_a_drained_worker_finishes_or_gives_back_what_runs(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("short")
    async def short(ctx: JobContext) -> None:
        await gate.wait()

    @jobs.job("long")
    async def long(ctx: JobContext) -> int:
        if ctx.attempt == 1:
            await asyncio.Event().wait()
        return ctx.attempt

    worker = jobs.worker()
    first, second = await jobs.enqueue_all([jobs.new("short"), jobs.new("long")])
    await jobs.until(first, "RUNNING")
    await jobs.until(second, "RUNNING")
    draining = asyncio.create_task(worker.drain(1.0))
    await asyncio.sleep(0.1)
    third = await jobs.enqueue("short")
    gate.set()
    await draining
    assert (await jobs.row(first))["status"] == "SUCCEEDED"
    row = await jobs.row(second)
    # Without retries it would have failed, if this attempt counted.
    assert (row["status"], row["attempt"], row["error"]) == ("QUEUED", 1, None)
    assert (await jobs.row(third))["attempt"] == 0
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_workers") == 0
    jobs.worker()
    assert (await jobs.until(second))["result"] == "2"
    await jobs.until(third)


async def test_a_worker_goes_on_after_its_connections_were_lost(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("work")
    async def work(ctx: JobContext) -> str:
        await gate.wait()
        return "done"

    jobs.worker()
    job = await jobs.enqueue("work")
    await jobs.until(job, "RUNNING")
    for _ in range(3):
        await jobs.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(0.2)
    gate.set()
    row = await jobs.until(job)
    assert (row["status"], row["attempt"]) == ("SUCCEEDED", 1)
    assert (await jobs.until(await jobs.enqueue("work")))["status"] == "SUCCEEDED"


async def test_the_transaction_of_a_worker_that_hangs_is_ended(jobs: Jobs) -> None:
    """Its locks would hold up the next attempt."""
    reached, told = asyncio.Event(), asyncio.Event()

    @jobs.job("work", retries=1)
    async def work(ctx: JobContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute(text("UPDATE effects SET note = :note"), {"note": str(ctx.attempt)})
        if ctx.attempt == 1:
            reached.set()
            await told.wait()

    await jobs.connection.execute("INSERT INTO effects VALUES ('work', '')")
    jobs.worker()
    job = await jobs.enqueue("work")
    await reached.wait()
    await jobs.connection.execute("UPDATE clew.job_workers SET until = now()")
    await jobs.connection.fetch(sql.REAP)
    # The first attempt still hangs.
    await jobs.hasten()
    assert (await jobs.until(job))["attempt"] == 2
    assert await jobs.effects() == [("work", "2")]
    told.set()


async def test_the_metrics_count_what_a_worker_does(jobs: Jobs) -> None:
    @jobs.job("fail", retries=1, queue="mail")
    async def fail(ctx: JobContext) -> None:
        raise ClewError("No.")

    worker = jobs.worker()
    waits: list[float] = []
    worker.metrics.waited = waits.append
    job = await jobs.enqueue("fail")
    await jobs.until_waiting(job, 1)
    await jobs.hasten()
    await jobs.until(job)
    await jobs.until_true(lambda: asyncio.sleep(0, worker.metrics.running == 0))
    assert worker.metrics.attempts == {("mail", "fail"): 2}
    assert worker.metrics.failures == {("mail", "fail"): 2}
    assert worker.metrics.ended == {("mail", "fail", "FAILED"): 1}
    assert len(waits) == 1


async def test_a_worker_runs_behind_a_proxy_that_refuses_its_settings(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncpg.connect

    async def refuse(url: str, **given: Any) -> Any:
        if "jit" in given.get("server_settings", {}):
            raise asyncpg.ProtocolViolationError("unsupported startup parameter: jit")
        return await connect(url, **given)

    @jobs.job("work")
    async def work(ctx: JobContext) -> None:
        await ctx.progress(0.5)

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext) -> None: ...

    monkeypatch.setattr("clew.jobs.connection.asyncpg.connect", refuse)
    jobs.worker()
    for name in ("work", "sync", "sync"):
        assert (await jobs.until(await jobs.enqueue(name)))["status"] == "SUCCEEDED"


async def test_a_job_that_was_taken_back_is_not_completed_by_the_transaction_of_its_old_worker(jobs: Jobs) -> None:
    reached, told = asyncio.Event(), asyncio.Event()

    @jobs.job("work", retries=1)
    async def work(ctx: JobContext) -> None:
        async with ctx.transaction() as connection:
            await connection.execute(text("INSERT INTO effects VALUES ('work', 'done')"))
        reached.set()
        await told.wait()

    worker = jobs.worker()
    job = await jobs.enqueue("work")
    await reached.wait()
    await jobs.connection.execute("UPDATE clew.jobs SET status = 'QUEUED', worker = NULL WHERE id = $1", job)
    told.set()
    await jobs.until_true(lambda: asyncio.sleep(0, worker.metrics.running == 0))
    assert (await jobs.row(job))["status"] == "QUEUED"
    assert await jobs.effects() == []


async def test_a_job_of_a_worker_that_nobody_knows_is_taken_back(jobs: Jobs) -> None:
    """Its lease ended while it claimed."""
    job = await jobs.enqueue("work", retries=1)
    await jobs.connection.execute(
        "UPDATE clew.jobs SET status = 'RUNNING', attempt = 1, worker = gen_random_uuid() WHERE id = $1", job
    )
    jobs.worker(lease=1.0)
    assert (await jobs.until_waiting(job, 1))["error"] == "The worker that ran the job was lost."


@pytest.mark.parametrize("limits", [{}, {"concurrency": 2}], ids=["plain", "limited"])
async def test_jobs_that_were_claimed_unheard_run_all_the_same(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    """The claim has committed, and the connection is lost before the answer comes. The worker lives on."""
    ran: list[int] = []

    @jobs.job("work", **limits)
    async def work(ctx: JobContext) -> None:
        ran.append(ctx.attempt)

    lost: list[str] = []
    fetch, transaction = JobConnection.fetch, JobConnection.transaction

    async def lose(connection: JobConnection) -> None:
        if not lost and await fetch(connection, "SELECT FROM clew.jobs WHERE status = 'RUNNING'"):
            lost.append("the answer")
            raise ConnectionResetError("the answer is lost")

    async def fetch_and_lose(self: JobConnection, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        found = await fetch(self, statement, *arguments)
        await lose(self)
        return found

    @asynccontextmanager
    async def commit_and_lose(self: JobConnection) -> AsyncIterator[Any]:
        async with transaction(self) as within:
            yield within
        await lose(self)

    monkeypatch.setattr(JobConnection, "fetch", fetch_and_lose)
    monkeypatch.setattr(JobConnection, "transaction", commit_and_lose)
    jobs.worker(lease=1.0)
    job = await jobs.enqueue("work")
    row = await jobs.until(job)
    assert lost
    # The execution that never was does not count.
    assert (row["status"], row["attempt"], row["uncounted"]) == ("SUCCEEDED", 2, 1)
    assert ran == [2]
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_workers") == 1


async def test_a_lease_from_before_the_clock_was_put_back_does_not_last(jobs: Jobs) -> None:
    gone, living = uuid.uuid4(), uuid.uuid4()
    await jobs.connection.execute(
        "INSERT INTO clew.job_workers (id, until, sessions)"
        " VALUES ($1, now() + interval '1 year', ''), ($2, now() + interval '1 minute', '')",
        gone,
        living,
    )
    leases = (
        "SELECT id, until > now() + interval '30 seconds', until < now() + interval '2 minutes' FROM clew.job_workers"
    )
    assert await jobs.connection.fetch(sql.REAP) == []
    assert {tuple(row) for row in await jobs.connection.fetch(leases)} == {(gone, True, True), (living, True, True)}


async def test_a_worker_that_hangs_with_the_lock_of_a_key_holds_up_others_for_a_moment(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection_module.SETTINGS, "idle_in_transaction_session_timeout", "500")

    @jobs.job("work", concurrency=1)
    async def work(ctx: JobContext) -> None: ...

    began = time.monotonic()
    async with connection_module.connected(jobs.url) as hanging:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
            async with hanging.transaction() as fetch:
                await fetch(sql.LOCK_KEYS, ["work"], [""])
                jobs.worker()
                assert (await jobs.until(await jobs.enqueue("work")))["status"] == "SUCCEEDED"
    assert time.monotonic() - began < 8
