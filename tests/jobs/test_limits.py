"""`concurrency` and `rate` by a key."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict

from clew import JobContext
from clew.jobs import queue
from tests.jobs.shop import Jobs


async def test_no_more_jobs_of_one_key_run_at_once_than_its_concurrency(jobs: Jobs) -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    order: dict[str, list[int]] = defaultdict(list)

    @jobs.job("sync", concurrency=2)
    async def sync(ctx: JobContext, key: str, place: int) -> None:
        order[key].append(place)
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
    for places in order.values():
        # In their order: two at a time may change places.
        assert all(abs(place - index) <= 2 for index, place in enumerate(places))
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_waiting") == 0
    await jobs.until_true(lambda: _is_empty(jobs, "clew.job_running"))


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
