"""`concurrency` and `rate` by a key."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress

from clew import JobContext
from clew.jobs import queue
from clew.jobs import statements as sql
from clew.jobs.connection import connected
from clew.jobs.places import Places
from tests.jobs.shop import Jobs


async def test_no_more_jobs_of_one_key_run_at_once_than_its_concurrency(jobs: Jobs) -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()

    @jobs.job("sync", concurrency=2)
    async def sync(ctx: JobContext, key: str, place: int) -> None:
        running[key] += 1
        most[key] = max(most[key], running[key])
        await asyncio.sleep(random.random() * 0.02)
        running[key] -= 1

    made = await jobs.enqueue_all(
        [
            jobs.new("sync", {"key": key, "place": place}, limit_key=key)
            for place in range(15)
            for key in ("a", "b", "c")
        ]
    )
    for _ in range(3):
        jobs.worker()
    for job in made:
        assert (await jobs.until(job))["status"] == "SUCCEEDED"
    assert most == {"a": 2, "b": 2, "c": 2}
    # In their order: two that begin in one statement may change places.
    begun = await jobs.connection.fetch("SELECT limit_key, arguments FROM clew.jobs ORDER BY started_at")
    for key in "abc":
        places = [json.loads(row["arguments"])["place"] for row in begun if row["limit_key"] == key]
        assert all(abs(place - index) <= 1 for index, place in enumerate(places)), places
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_waiting") == 0
    await jobs.until_true(lambda: _is_empty(jobs, "clew.job_running"))


async def test_jobs_that_another_worker_is_about_to_begin_are_not_overtaken(jobs: Jobs) -> None:
    order: list[int] = []

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext, place: int) -> None:
        order.append(place)

    made = await jobs.enqueue_all([jobs.new("sync", {"place": place}, limit_key="a") for place in range(6)])

    async def other_has_come() -> bool:
        waits = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(order) or bool(await jobs.connection.fetchval(waits))

    async with connected(jobs.url) as connection:
        with suppress(ConnectionAbortedError):
            async with connection.transaction() as fetch:
                await fetch(sql.LOCK_TAKING)
                assert len(await fetch(sql.TAKE, *Places({"sync": "default"}).arguments(), 3)) > 1
                jobs.worker()
                await jobs.until_true(other_has_come)
                raise ConnectionAbortedError
    for job in made:
        await jobs.until(job)
    assert order == [0, 1, 2, 3, 4, 5]


async def _is_empty(jobs: Jobs, table: str) -> bool:
    return bool(await jobs.connection.fetchval(f"SELECT count(*) = 0 FROM {table}"))


async def test_jobs_without_a_key_are_limited_together(jobs: Jobs) -> None:
    running: list[int] = [0, 0]

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext) -> None:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.01)
        running[0] -= 1

    jobs.worker()
    for job in await jobs.enqueue_all([jobs.new("sync") for _ in range(8)]):
        await jobs.until(job)
    assert running == [0, 1]


async def test_waiting_jobs_are_not_looked_at_over_and_over(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext) -> None:
        await gate.wait()

    jobs.worker()
    made = await jobs.enqueue_all([jobs.new("sync", limit_key="a") for _ in range(30)])
    await jobs.until_true(lambda: _is_empty(jobs, "clew.job_queue"))
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_waiting") == 29
    gate.set()
    for job in made:
        await jobs.until(job)


async def test_the_next_job_of_a_key_begins_although_the_worker_of_the_first_died(jobs: Jobs) -> None:
    reached = asyncio.Event()
    ran: list[str] = []

    @jobs.job("sync", concurrency=1, retries=1)
    async def sync(ctx: JobContext) -> None:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        ran.append(ctx.id)

    first_worker = jobs.worker(lease=1.0)
    first, second = await jobs.enqueue_all([jobs.new("sync", limit_key="a"), jobs.new("sync", limit_key="a")])
    await reached.wait()
    await jobs.stop(first_worker)
    jobs.worker(lease=1.0)
    await jobs.until(second)
    await jobs.hasten()
    await jobs.until(first)
    assert ran == [second, first]


async def test_a_cancelled_job_does_not_hold_up_those_that_wait_behind_it(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext) -> None:
        await gate.wait()

    jobs.worker()
    first, second, third = await jobs.enqueue_all([jobs.new("sync", limit_key="a") for _ in range(3)])
    await jobs.until(first, "RUNNING")
    await jobs.until_true(lambda: _is_empty(jobs, "clew.job_queue"))
    await queue.cancel(jobs.connection.fetch, [second])
    gate.set()
    await jobs.until(third)
    assert (await jobs.row(second))["status"] == "CANCELLED"


async def test_no_more_jobs_of_one_key_begin_within_a_minute_than_its_rate(jobs: Jobs) -> None:
    @jobs.job("call", rate=3)
    async def call(ctx: JobContext) -> None: ...

    jobs.worker()
    made = await jobs.enqueue_all([jobs.new("call", limit_key="a") for _ in range(5)])
    other = await jobs.enqueue("call", limit_key="b")
    for job in [*made[:3], other]:
        await jobs.until(job)
    await asyncio.sleep(0.3)
    assert [(await jobs.row(job))["status"] for job in made[3:]] == ["QUEUED", "QUEUED"]
    (due,) = await jobs.connection.fetch(
        "SELECT due - (SELECT min(at) FROM clew.job_starts WHERE key = 'a') FROM clew.job_delays"
    )
    assert due[0].total_seconds() == 60
    # A minute later.
    await jobs.connection.execute("UPDATE clew.job_starts SET at = at - interval '61 seconds'")
    await jobs.hasten()
    for job in made[3:]:
        await jobs.until(job)
    begun = await jobs.connection.fetchval(
        "SELECT count(*) FROM clew.job_starts WHERE at > now() - interval '1 minute'"
    )
    assert begun == 2


async def test_jobs_whose_limit_is_gone_run(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext) -> None:
        await gate.wait()

    old = jobs.worker(lease=1.0)
    made = await jobs.enqueue_all([jobs.new("sync", limit_key="a") for _ in range(4)])
    await jobs.until_true(lambda: _is_empty(jobs, "clew.job_queue"))
    jobs.job("sync")(sync)
    jobs.worker(lease=1.0)
    for job in made[1:]:
        await jobs.until(job, "RUNNING")
    gate.set()
    await jobs.stop(old)


async def test_many_jobs_of_a_busy_key_do_not_keep_others_waiting(jobs: Jobs) -> None:
    gate = asyncio.Event()

    @jobs.job("sync", concurrency=1)
    async def sync(ctx: JobContext, waits: bool) -> None:
        if waits:
            await gate.wait()

    busy = await jobs.enqueue_all([jobs.new("sync", {"waits": True}, limit_key="a") for _ in range(3000)])
    other = await jobs.enqueue("sync", {"waits": False}, limit_key="b")
    jobs.worker(concurrency=2)
    row = await jobs.until(other)
    first = await jobs.row(busy[0])
    assert (row["started_at"] - first["started_at"]).total_seconds() < 5
    gate.set()
