"""Jobs that ended long ago."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clew import JobContext
from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection, connected
from clew.jobs.retention import forget_old
from tests.jobs.shop import Jobs


async def test_ended_jobs_are_deleted_with_their_steps_when_they_are_old(jobs: Jobs) -> None:
    @jobs.job("work")
    async def work(ctx: JobContext) -> None:
        async def nothing() -> None: ...

        await ctx.step("a", nothing)

    old, young = await jobs.enqueue_all([jobs.new("work"), jobs.new("work")])
    waiting = await jobs.enqueue("unknown")
    worker = jobs.worker()
    await jobs.until(old)
    await jobs.until(young)
    await jobs.stop(worker)

    async def with_steps() -> set[str]:
        return {str(row[0]) for row in await jobs.connection.fetch("SELECT job FROM clew.job_steps")}

    assert await with_steps() == {old, young}
    await jobs.connection.execute(
        "UPDATE clew.jobs SET created_at = now() - interval '1 hour',"
        " finished_at = CASE WHEN id = $1 THEN now() - interval '1 hour' ELSE finished_at END WHERE id <> $2",
        old,
        young,
    )
    jobs.worker(retention=3.0, handlers={})

    async def is_gone() -> bool:
        return not await jobs.connection.fetch("SELECT FROM clew.jobs WHERE id = $1", old)

    await jobs.until_true(is_gone)
    assert old not in await with_steps()
    assert await jobs.connection.fetch("SELECT FROM clew.jobs WHERE id = $1", waiting)


async def test_old_jobs_are_found_by_an_index_however_many_young_ones_there_are(jobs: Jobs) -> None:
    async with connected(jobs.url) as connection:
        plan = await connection.fetch(f"EXPLAIN {sql.FORGET}", "SUCCEEDED", 3.0, 10)
    (condition,) = [line for (line,) in plan if "Index Cond: ((status" in line]
    assert "created_at <" in condition


async def test_jobs_that_take_long_to_delete_are_deleted_a_few_at_a_time(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await jobs.enqueue_all([jobs.new("work") for _ in range(30)])
    await jobs.connection.execute(
        "UPDATE clew.jobs SET status = 'SUCCEEDED', created_at = now() - interval '1 hour',"
        " finished_at = now() - interval '1 hour'"
    )
    fetch, sizes = JobConnection.fetch, []

    async def too_slow(self: JobConnection, statement: str, *arguments: Any) -> Any:
        if statement == sql.FORGET:
            sizes.append(arguments[2])
            if arguments[2] > 10:
                raise TimeoutError
        return await fetch(self, statement, *arguments)

    monkeypatch.setattr(JobConnection, "fetch", too_slow)
    task = asyncio.create_task(forget_old(jobs.url, 0.5, lambda: None))

    async def is_empty() -> bool:
        return not await jobs.connection.fetch("SELECT FROM clew.jobs LIMIT 1")

    await jobs.until_true(is_empty)
    task.cancel()
    await asyncio.wait([task])
    assert sizes[:3] == [1000, 100, 10]
