"""Jobs that ended long ago."""

from __future__ import annotations

from clew import JobContext
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
