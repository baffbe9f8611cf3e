"""Steps: what they give and emit is kept."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import text

from clew import ClewError, JobContext
from tests.jobs.shop import Jobs


async def test_a_retry_goes_on_after_the_last_finished_step(jobs: Jobs) -> None:
    calls: list[str] = []

    @jobs.job("reply", retries=2)
    async def reply(ctx: JobContext) -> list[object]:
        async def think() -> dict[str, int]:
            calls.append("think")
            await ctx.emit("hm")
            await ctx.emit("aha")
            return {"thoughts": 2}

        async def write(inner: JobContext) -> str:
            calls.append("write")
            assert inner is ctx
            await ctx.emit("I")
            if ctx.attempt < 3:
                raise ClewError("Out of tokens.")
            await ctx.emit("think")
            return "I think"

        await ctx.emit(f"attempt {ctx.attempt}")
        return [await ctx.step("think", think), await ctx.step("write", write)]

    jobs.worker()
    job = await jobs.enqueue("reply")
    for attempt in (1, 2):
        await jobs.until_waiting(job, attempt)
        await jobs.hasten()
    row = await jobs.until(job)
    assert json.loads(row["result"]) == [{"thoughts": 2}, "I think"]
    assert calls == ["think", "write", "write", "write"]
    assert jobs.output.chunks[job, 3] == [
        ("attempt 3", "token", None),
        ("hm", "token", "think"),
        ("aha", "token", "think"),
        ("I", "token", "write"),
        ("think", "token", "write"),
    ]
    kept = await jobs.connection.fetch("SELECT name, attempt, first, last FROM clew.job_steps ORDER BY position")
    assert [tuple(row) for row in kept] == [("think", 3, 2, 3), ("write", 3, 4, 5)]


async def test_effects_of_a_step_commit_with_its_result(jobs: Jobs) -> None:
    @jobs.job("pay", retries=2)
    async def pay(ctx: JobContext) -> None:
        async def charge() -> str:
            async with ctx.transaction() as connection:
                await connection.execute(text("INSERT INTO effects VALUES ('pay', :note)"), {"note": str(ctx.attempt)})
            assert (await ctx.graphql("mutation { charge }"))["within"]
            if ctx.attempt == 1:
                raise ClewError("No.")
            return "charged"

        await ctx.step("charge", charge)
        if ctx.attempt == 2:
            raise ClewError("Later.")

    jobs.worker()
    job = await jobs.enqueue("pay")
    await jobs.until_waiting(job, 1)
    assert await jobs.effects() == []
    await jobs.hasten()
    await jobs.until_waiting(job, 2)
    await jobs.hasten()
    assert (await jobs.until(job))["status"] == "SUCCEEDED"
    assert await jobs.effects() == [("graphql", "mutation { charge }"), ("pay", "2")]


async def test_a_step_name_used_twice_is_an_error(jobs: Jobs) -> None:
    async def nothing() -> None: ...

    @jobs.job("twice")
    async def twice(ctx: JobContext) -> None:
        await ctx.step("a", nothing)
        with pytest.raises(ValueError, match='the step "a" is named twice'):
            await ctx.step("a", nothing)
        for name in ("", "x" * 201, "a\x00"):
            with pytest.raises(ValueError, match=r"name|character"):
                await ctx.step(name, nothing)

    jobs.worker()
    assert (await jobs.until(await jobs.enqueue("twice")))["status"] == "SUCCEEDED"


async def test_a_step_that_raised_can_be_tried_again_at_once(jobs: Jobs) -> None:
    tries: list[int] = []

    @jobs.job("again")
    async def again(ctx: JobContext) -> str:
        async def fail_first() -> str:
            tries.append(1)
            if len(tries) == 1:
                raise ZeroDivisionError
            return "done"

        with pytest.raises(ZeroDivisionError):
            await ctx.step("a", fail_first)
        return await ctx.step("a", fail_first)

    jobs.worker()
    assert (await jobs.until(await jobs.enqueue("again")))["result"] == '"done"'


async def test_steps_do_not_contain_or_overlap_each_other_and_come_before_the_transaction(jobs: Jobs) -> None:
    order: list[str] = []

    @jobs.job("many")
    async def many(ctx: JobContext) -> None:
        async def slow() -> None:
            order.append("slow begins")
            await ctx.emit("slow 1")
            await asyncio.sleep(0.1)
            await ctx.emit("slow 2")
            order.append("slow ends")

        async def quick() -> None:
            order.append("quick")

        async def outer() -> None:
            await ctx.step("inner", quick)

        async def aside() -> None:
            await asyncio.sleep(0.05)
            await ctx.emit("aside")

        await asyncio.gather(ctx.step("slow", slow), ctx.step("quick", quick), aside())
        with pytest.raises(RuntimeError, match="cannot contain"):
            await ctx.step("outer", outer)
        async with ctx.transaction():
            pass
        with pytest.raises(RuntimeError, match="before the transaction"):
            await ctx.step("late", quick)

    jobs.worker()
    job = await jobs.enqueue("many")
    assert (await jobs.until(job))["status"] == "SUCCEEDED"
    assert order == ["slow begins", "slow ends", "quick"]
    assert [data for data, _, _ in jobs.output.chunks[job, 1]] == ["slow 1", "slow 2", "aside"]


async def test_a_result_that_is_not_json_is_not_kept(jobs: Jobs) -> None:
    @jobs.job("bad")
    async def bad(ctx: JobContext) -> None:
        async def give() -> object:
            return object()

        with pytest.raises(TypeError):
            await ctx.step("a", give)

    jobs.worker()
    assert (await jobs.until(await jobs.enqueue("bad")))["status"] == "SUCCEEDED"
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_steps") == 0


async def test_a_zombie_keeps_no_step(jobs: Jobs) -> None:
    reached, told = asyncio.Event(), asyncio.Event()

    @jobs.job("work", retries=1)
    async def work(ctx: JobContext) -> None:
        async def wait() -> None:
            async with ctx.transaction() as connection:
                await connection.execute(text("INSERT INTO effects VALUES ('work', 'done')"))
            reached.set()
            await told.wait()

        await ctx.step("wait", wait)

    worker = jobs.worker()
    job = await jobs.enqueue("work")
    await reached.wait()
    await jobs.connection.execute("UPDATE clew.jobs SET status = 'QUEUED', worker = NULL WHERE id = $1", job)
    told.set()
    await jobs.until_true(lambda: asyncio.sleep(0, worker.metrics.running == 0))
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.job_steps") == 0
    assert await jobs.effects() == []
    assert (await jobs.row(job))["error"] is None
