"""What is enqueued, once or not at all, and in which order it runs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import asyncpg

from clew import JobContext
from clew.background import Background
from clew.jobs import queue
from clew.jobs.notify import Notifier
from clew.jobs.types import Enqueued
from tests.jobs.shop import PATIENCE, Jobs


async def test_a_second_job_with_a_unique_key_is_the_first_one(jobs: Jobs) -> None:
    new, other = jobs.new("once", unique_key="a"), jobs.new("once", unique_key="b")
    first, again, third = await queue.enqueue(jobs.connection.fetch, [new, new, other])
    assert again == Enqueued(first.id, False)
    assert (first.is_new, third.is_new) == (True, True)
    assert await queue.enqueue(jobs.connection.fetch, [new]) == [Enqueued(first.id, False)]
    await queue.cancel(jobs.connection.fetch, [first.id])
    (next_,) = await queue.enqueue(jobs.connection.fetch, [new])
    assert next_.is_new
    # Its key is another job's now.
    assert await queue.retry(jobs.connection.fetch, [first.id]) == []


async def test_of_two_transactions_with_one_unique_key_the_second_waits_for_the_first(jobs: Jobs) -> None:
    new = jobs.new("once", unique_key="a")
    for commits in (True, False):
        await jobs.connection.execute("DELETE FROM clew.jobs")
        other = await asyncpg.connect(jobs.url)
        transaction = other.transaction()
        await transaction.start()
        (first,) = await queue.enqueue(other.fetch, [new])
        second = asyncio.create_task(queue.enqueue(jobs.connection.fetch, [new]))
        await asyncio.sleep(0.2)
        assert not second.done()
        await (transaction.commit() if commits else transaction.rollback())
        (found,) = await asyncio.wait_for(second, PATIENCE)
        assert found == Enqueued(first.id, False) if commits else found.is_new
        await other.close()


async def test_a_retry_waits_for_a_transaction_that_queues_a_job_with_its_unique_key(jobs: Jobs) -> None:
    new = jobs.new("once", unique_key="a")
    for commits in (True, False):
        await jobs.connection.execute("DELETE FROM clew.jobs")
        (first,) = await queue.enqueue(jobs.connection.fetch, [new])
        await queue.cancel(jobs.connection.fetch, [first.id])
        other = await asyncpg.connect(jobs.url)
        transaction = other.transaction()
        await transaction.start()
        await queue.enqueue(other.fetch, [new])
        again = asyncio.create_task(queue.retry(jobs.connection.fetch, [first.id]))
        await asyncio.sleep(0.1)
        assert not again.done()
        await (transaction.commit() if commits else transaction.rollback())
        assert await asyncio.wait_for(again, PATIENCE) == ([] if commits else [first.id])
        await other.close()


async def test_jobs_of_one_name_run_in_their_order_and_urgent_ones_first(jobs: Jobs) -> None:
    order: list[str] = []

    async def handler(ctx: JobContext, place: int) -> None:
        order.append(f"{ctx.log._context['name']}{place}")

    jobs.job("slow")(handler)
    jobs.job("fast", priority=5)(handler)
    made = await jobs.enqueue_all([jobs.new(name, {"place": place}) for place in range(5) for name in ("slow", "fast")])
    jobs.worker(concurrency=1)
    for job in made:
        await jobs.until(job)
    assert order == [f"fast{place}" for place in range(5)] + [f"slow{place}" for place in range(5)]


async def test_a_job_for_later_begins_when_it_is_due(jobs: Jobs) -> None:
    @jobs.job("later")
    async def later(ctx: JobContext) -> None: ...

    jobs.worker()
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    job, never = await jobs.enqueue_all(
        [jobs.new("later", run_at=due), jobs.new("later", run_at=due + timedelta(days=1))]
    )
    row = await jobs.until(job)
    assert due <= row["started_at"] < due + timedelta(seconds=1)
    assert (await jobs.row(never))["status"] == "QUEUED"


async def test_a_paused_queue_begins_no_job_until_it_is_resumed(jobs: Jobs) -> None:
    async def handler(ctx: JobContext) -> None: ...

    jobs.job("a", queue="mail")(handler)
    jobs.job("b", queue="mail", concurrency=1)(handler)
    jobs.job("c")(handler)
    await queue.pause(jobs.connection.fetch, "mail")
    await queue.pause(jobs.connection.fetch, "mail")
    jobs.worker()
    a, b, c = await jobs.enqueue_all([jobs.new("a"), jobs.new("b"), jobs.new("c")])
    await jobs.until(c)
    await asyncio.sleep(0.2)
    assert [(await jobs.row(job))["attempt"] for job in (a, b)] == [0, 0]
    await queue.resume(jobs.connection.fetch, "mail")
    jobs.wake()
    await jobs.until(a)
    await jobs.until(b)


async def test_a_worker_leaves_jobs_without_a_handler_and_of_other_queues_to_others(jobs: Jobs) -> None:
    async def handler(ctx: JobContext) -> str:
        return "done"

    jobs.job("known")(handler)
    jobs.job("new")(handler)
    jobs.job("mail", queue="mail")(handler)
    jobs.worker(handlers={"known": handler, "mail": handler}, queues=["default"])
    known, new, mail = await jobs.enqueue_all([jobs.new("known"), jobs.new("new"), jobs.new("mail")])
    await jobs.until(known)
    assert [(await jobs.row(job))["status"] for job in (new, mail)] == ["QUEUED", "QUEUED"]
    jobs.worker()
    await jobs.until(new)
    await jobs.until(mail)


async def test_a_job_of_a_transaction_that_ends_late_is_found(jobs: Jobs) -> None:
    """Others with higher numbers are claimed meanwhile, so the worker's place in the queue goes on."""

    @jobs.job("note")
    async def note(ctx: JobContext) -> None: ...

    jobs.worker()
    late = await asyncpg.connect(jobs.url)
    transaction = late.transaction()
    await transaction.start()
    ((first, _),) = await queue.enqueue(late.fetch, [jobs.new("note")])
    ends = asyncio.get_running_loop().time() + 3
    while asyncio.get_running_loop().time() < ends:
        await jobs.until(await jobs.enqueue("note"))
    ((second, _),) = await queue.enqueue(late.fetch, [jobs.new("note")])
    await transaction.commit()
    jobs.wake()
    await jobs.until(first)
    await jobs.until(second)
    await late.close()


async def test_old_rows_under_an_open_snapshot_are_passed_over_once(jobs: Jobs) -> None:
    @jobs.job("note")
    async def note(ctx: JobContext) -> None: ...

    snapshot = await asyncpg.connect(jobs.url)
    held = snapshot.transaction(isolation="repeatable_read")
    await held.start()
    await snapshot.fetchval("SELECT 1 FROM clew.jobs")
    # A writer that stays open is another reason for which old rows stay.
    writer = await asyncpg.connect(jobs.url)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("INSERT INTO effects VALUES ('writer', '')")
    worker = jobs.worker(concurrency=200)
    made = await jobs.enqueue_all([jobs.new("note") for _ in range(5000)])
    await jobs.until(made[-1])
    await jobs.until(made[0])
    await asyncio.sleep(1.2)
    await jobs.until(await jobs.enqueue("note"))
    await jobs.until(await jobs.enqueue("note"))
    names, _, xids, numbers, untils = worker._places.arguments()
    (row,) = await jobs.connection.fetch(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM clew.job_queue WHERE name = $1"
        " AND (xid, number) >= ($2, $3) AND xid < $4",
        *(names[-1], xids[-1], numbers[-1], untils[-1]),
    )
    plan = json.loads(row[0])[0]["Plan"]
    assert plan["Shared Hit Blocks"] < 20
    await held.rollback()
    await writing.rollback()
    await snapshot.close()
    await writer.close()


async def test_a_notification_wakes_the_workers_of_other_processes(jobs: Jobs) -> None:
    @jobs.job("note")
    async def note(ctx: JobContext) -> None: ...

    background = Background()
    notifier = Notifier(jobs.url, background)
    jobs.worker()
    await jobs.until(await jobs.enqueue("note"))
    times = []
    for _ in range(5):
        await asyncio.sleep(0.1)
        (made,) = await queue.enqueue(jobs.connection.fetch, [jobs.new("note")])
        notifier.wake()
        row = await jobs.until(made.id)
        times.append((row["started_at"] - row["created_at"]).total_seconds())
    assert sorted(times)[2] < 0.5
    await background.close()


async def test_a_locked_job_holds_up_no_other_one(jobs: Jobs) -> None:
    """A transaction that cancels jobs may stay open for long."""
    gate = asyncio.Event()

    @jobs.job("note")
    async def note(ctx: JobContext) -> None: ...

    @jobs.job("wait")
    async def wait(ctx: JobContext) -> None:
        await ctx.progress(0.5)
        await gate.wait()

    @jobs.job("sync", concurrency=2)
    async def sync(ctx: JobContext) -> None: ...

    jobs.worker()
    running = await jobs.enqueue("wait")
    await jobs.until(running, "RUNNING")
    locker = await asyncpg.connect(jobs.url)
    held = [
        job
        for job, _ in await queue.enqueue(
            jobs.connection.fetch,
            [jobs.new("note", run_at=_soon()), jobs.new("sync", limit_key="a", run_at=_soon())],
        )
    ]
    transaction = locker.transaction()
    await transaction.start()
    assert len(await queue.cancel(locker.fetch, [running, *held])) == 3
    gate.set()
    await asyncio.sleep(1)
    for job in await jobs.enqueue_all([jobs.new("note"), jobs.new("sync", limit_key="a"), jobs.new("wait")]):
        assert (await jobs.until(job))["status"] == "SUCCEEDED"
    assert (await jobs.row(running))["status"] == "RUNNING"
    await transaction.rollback()
    for job in (running, *held):
        assert (await jobs.until(job))["status"] == "SUCCEEDED"
    await locker.close()


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=0.7)
