"""Jobs that sleep: they hold no worker, go on where they were, and their followers notice nothing."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from clew import ClewError, JobContext
from clew.jobs import queue
from clew.jobs import statements as sql
from clew.jobs.output.types import Chunk, Final, GoneError
from clew.jobs.types import LostLeaseError
from tests.jobs.output import WORKER, lab
from tests.jobs.shop import Jobs

LATER = datetime(2100, 1, 1, tzinfo=UTC)


async def asleep(jobs: Jobs, job: str, attempt: int = 1) -> None:
    """Wait until an attempt of a job sleeps."""

    async def fits() -> bool:
        row = await jobs.row(job)
        return bool(row["asleep"] and row["status"] == "QUEUED" and row["attempt"] == attempt)

    await jobs.until_true(fits)


async def test_a_job_that_sleeps_holds_no_worker_and_goes_on_afterwards(jobs: Jobs) -> None:
    calls: list[str] = []

    @jobs.job("nap")
    async def nap(ctx: JobContext) -> list[object]:
        async def look(inner: JobContext) -> str:
            calls.append("look")
            await inner.emit("looked")
            return "seen"

        async def write(inner: JobContext) -> str:
            await inner.emit("written")
            return "done"

        try:
            await ctx.emit(f"run {ctx.attempt}")
            seen = await ctx.step("look", look)
            await ctx.emit("tired")
            await ctx.sleep(LATER)
            await ctx.emit("awake")
            await ctx.sleep(0.05)
            await ctx.emit("again")
            return [seen, await ctx.step("write", write), ctx.attempt]
        except Exception:
            calls.append("caught")
            raise
        finally:
            calls.append("ended")

    @jobs.job("other")
    async def other(ctx: JobContext) -> None:
        pass

    jobs.worker(concurrency=1)
    job = await jobs.enqueue("nap", unique_key="a")
    await asleep(jobs, job)
    row = await jobs.row(job)
    assert (row["status"], row["attempt"], row["run_at"], row["worker"]) == ("QUEUED", 1, LATER, None)
    assert calls == ["look", "ended"]
    # Others have the worker meanwhile. The job still holds its unique key.
    await jobs.until(await jobs.enqueue("other"))
    assert not (await queue.enqueue(jobs.connection.fetch, [jobs.new("nap", unique_key="a")]))[0].is_new
    # The moment is the database's to tell. This one's clock may go otherwise.
    await jobs.hasten()
    row = await jobs.until(job)
    assert json.loads(row["result"]) == ["seen", "done", 3]
    assert (row["error"], row["attempt"], row["uncounted"], row["continues"], row["asleep"]) == (None, 3, 2, 1, False)
    assert calls == ["look", "ended", "ended", "ended"]
    assert jobs.output.chunks[job, 3] == [
        ("run 1", "token", None),
        ("looked", "token", "look"),
        ("tired", "token", None),
        ("awake", "token", None),
        ("again", "token", None),
        ("written", "token", "write"),
    ]


async def test_a_retry_after_a_sleep_has_an_output_of_its_own_and_sleeps_no_more(jobs: Jobs) -> None:
    @jobs.job("nap", retries=1)
    async def nap(ctx: JobContext) -> int:
        async def look(inner: JobContext) -> int:
            await inner.emit(f"looked {inner.attempt}")
            return 1

        await ctx.emit(f"run {ctx.attempt}")
        await ctx.step("look", look)
        await ctx.sleep(0.05)
        await ctx.emit(f"awake {ctx.attempt}")
        if ctx.attempt < 3:
            raise ClewError("Not yet.")
        return ctx.attempt

    jobs.worker()
    job = await jobs.enqueue("nap")
    row = await jobs.until_waiting(job, 2)
    assert (row["error"], row["continues"]) == ("Not yet.", 1)
    await jobs.hasten()
    row = await jobs.until(job)
    assert (row["status"], row["result"], row["continues"]) == ("SUCCEEDED", "3", None)
    assert [chunk for chunk, _, _ in jobs.output.chunks[job, 2]] == ["run 1", "looked 1", "awake 2"]
    assert [chunk for chunk, _, _ in jobs.output.chunks[job, 3]] == ["run 3", "looked 1", "awake 3"]


async def test_a_sleeping_job_is_cancelled_at_once_and_sleeps_on_if_it_is_retried(jobs: Jobs) -> None:
    runs: list[int] = []

    @jobs.job("nap")
    async def nap(ctx: JobContext) -> None:
        runs.append(ctx.attempt)
        await ctx.emit("run")
        await ctx.sleep(LATER)
        await ctx.emit("awake")

    jobs.worker()
    job = await jobs.enqueue("nap")
    await asleep(jobs, job)
    await queue.cancel(jobs.connection.fetch, [job])
    assert (await jobs.row(job))["status"] == "CANCELLED"
    await queue.retry(jobs.connection.fetch, [job])
    jobs.wake()
    await asleep(jobs, job, 2)
    row = await jobs.row(job)
    assert (row["attempt"], row["run_at"], row["continues"]) == (2, LATER, None)
    await jobs.hasten()
    assert (await jobs.until(job))["status"] == "SUCCEEDED"
    assert runs == [1, 2, 3]
    assert jobs.output.chunks[job, 3] == [("run", "token", None), ("awake", "token", None)]


async def test_an_end_that_is_written_twice_puts_no_later_run_to_sleep(jobs: Jobs) -> None:
    ends = asyncio.Event()

    @jobs.job("nap")
    async def nap(ctx: JobContext) -> None:
        await ctx.sleep(LATER)
        await ends.wait()

    jobs.worker()
    job = await jobs.enqueue("nap")
    await asleep(jobs, job)
    await jobs.hasten()
    # It is the same worker's.
    row = await jobs.until(job, "RUNNING")
    given = ([job], [1], [str(row["worker"])], ["ASLEEP"], [None], [None], [None], [None], [LATER])
    assert await jobs.connection.fetch(sql.END, *given) == []
    ends.set()
    assert (await jobs.until(job))["status"] == "SUCCEEDED"


async def test_what_cannot_sleep_says_so(jobs: Jobs) -> None:
    found: list[str] = []

    @jobs.job("nap")
    async def nap(ctx: JobContext) -> None:
        async def step() -> None:
            await ctx.sleep(1)

        async def told(work: object) -> None:
            try:
                await work  # type: ignore[misc]
            except (ValueError, RuntimeError) as error:
                found.append(str(error))

        await told(ctx.step("a", step))
        await told(ctx.sleep(datetime(2100, 1, 1)))  # noqa: DTZ001  that is the fault
        far = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))
        for until in (1e300, -1e300, 10**400, math.inf, math.nan, 1e12, far):
            await told(ctx.sleep(until))
        await told(ctx.step("clew.a", step))
        await ctx.sleep(datetime.now(UTC) - timedelta(days=1))
        async with ctx.transaction():
            await told(ctx.sleep(1))

    jobs.worker()
    row = await jobs.until(await jobs.enqueue("nap"))
    assert (row["status"], row["attempt"]) == ("SUCCEEDED", 1)
    assert found == [
        "a step cannot sleep",
        "the moment has no time zone",
        *["the moment is not in the years 1 to 9999"] * 7,
        'a step\'s name does not begin with "clew."',
        "sleeps come before the transaction, whose effects would be undone",
    ]


async def test_a_job_that_sleeps_forever_holds_up_no_other(jobs: Jobs) -> None:
    """The last moment that Python has is infinity in the database."""

    @jobs.job("forever")
    async def forever(ctx: JobContext) -> None:
        await ctx.sleep(datetime.max.replace(tzinfo=UTC))

    @jobs.job("soon")
    async def soon(ctx: JobContext) -> None:
        await ctx.sleep(0.05)

    jobs.worker()
    sleeping = await jobs.enqueue("forever")
    await jobs.until_waiting(sleeping, 1)
    assert str(await jobs.connection.fetchval("SELECT due::text FROM clew.job_delays")) == "infinity"
    (moved,) = await jobs.connection.fetch(sql.DUE, datetime(2000, 1, 1, tzinfo=UTC))
    assert 0 < moved["next"] <= 3600
    (depth,) = await jobs.connection.fetch(sql.DEPTHS)
    assert (depth["depth"], depth["age"]) == (1, 0)
    assert (await jobs.until(await jobs.enqueue("soon")))["status"] == "SUCCEEDED"


async def test_output_that_was_dropped_during_a_sleep_is_not_numbered_again(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        job = await here.job(WORKER)
        writer = here.writer(outputs)
        await writer.begin(job, 1)
        for letter in "abc":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        await here.connection.execute("UPDATE clew.jobs SET status = 'QUEUED', asleep = true WHERE id = $1", job)
        for _ in range(3):
            assert await here.connection.fetchval("SELECT clew.rotate_job_output(interval '0', 1)")
        assert await here.rows(job) == []
        await here.connection.execute(
            "UPDATE clew.jobs SET status = 'RUNNING', attempt = 2, continues = 1, asleep = false WHERE id = $1", job
        )
        await writer.begin(job, 2, 1)
        await writer.emit(job, 2, "d", "token", None)
        await writer.flush(job)
        assert await here.rows(job) == [(1, 4, "d")]
        with pytest.raises(GoneError):
            await here.follow(outputs, job).final()
        late = here.follow(outputs, job, "1:3")
        await late.until(lambda it: it.text == "d")


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_followers_are_told_nothing_of_a_sleep(prepared_url: str, elsewhere: bool) -> None:
    async with lab(prepared_url) as here:
        writing = await here.process()
        following = await here.process() if elsewhere else writing
        job = await here.job(WORKER, attempt=2)
        zombie = here.writer(writing)
        await zombie.begin(job, 2)
        for letter in "ab":
            await zombie.emit(job, 2, letter, "token", None)
        await zombie.flush(job)
        early = here.follow(following, job, "2:0")
        await early.until(lambda it: it.text == "ab")
        await here.connection.execute("UPDATE clew.jobs SET status = 'QUEUED', asleep = true WHERE id = $1", job)
        during = here.follow(following, job, "2:1")
        await during.until(lambda it: it.text == "b")
        await here.connection.execute(
            "UPDATE clew.jobs SET status = 'RUNNING', attempt = 3, continues = 2, asleep = false WHERE id = $1", job
        )
        # Another process goes on with it.
        writer = here.writer(await here.process())
        await writer.begin(job, 3, 2)
        assert writer.position(job) == 2
        await writer.emit(job, 3, "c", "token", None)
        await writer.flush(job)
        await zombie.emit(job, 2, "z", "token", None)
        with pytest.raises(LostLeaseError):
            await zombie.flush(job)
        late = here.follow(following, job, "2:0")
        for reading, text in ((early, "abc"), (during, "bc"), (late, "abc")):
            await reading.until(lambda it, text=text: it.text == text)  # type: ignore[misc]
        await here.set(job, "SUCCEEDED")
        for reading in (early, during, late):
            assert await reading.final() == "SUCCEEDED"
            assert {type(event) for event in reading.events} == {Chunk, Final}
        assert await here.rows(job) == [(2, 0, ""), (2, 1, "a"), (2, 2, "b"), (2, 3, "c")]


async def test_a_sleep_of_an_earlier_output_hides_nothing_of_a_later_one(jobs: Jobs) -> None:
    """The clocks of two workers may differ: a retry may sleep once more where another run had gone on."""

    @jobs.job("nap")
    async def nap(ctx: JobContext) -> None:
        await ctx.emit("a")
        await ctx.sleep(LATER)
        await ctx.emit("b")
        await ctx.sleep(LATER)
        await ctx.emit("c")

    jobs.worker()
    job = await jobs.enqueue("nap")
    for attempt in (1, 2):
        await asleep(jobs, job, attempt)
        if attempt == 1:
            await jobs.hasten()
    await queue.cancel(jobs.connection.fetch, [job])
    await queue.retry(jobs.connection.fetch, [job])
    jobs.wake()
    for attempt in (3, 4):
        await asleep(jobs, job, attempt)
        await jobs.hasten()
    assert (await jobs.until(job))["attempt"] == 5
    assert [chunk for chunk, _, _ in jobs.output.chunks[job, 5]] == ["a", "b", "c"]
