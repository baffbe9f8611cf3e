"""A follower gets every chunk of the current attempt once and in order, whenever it joins."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from clew.errors import ClewError, Code
from clew.jobs.output import source as source_module
from clew.jobs.output.ring import State, Stream
from clew.jobs.output.types import Chunk, Final, GoneError, Reset, UnknownJobError
from clew.jobs.types import Status
from tests.jobs.output import WORKER, lab

EVERYWHERE = pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "other process"])


@EVERYWHERE
@pytest.mark.parametrize("after", [None, "1:0", "1:3", "1:5", "1:9"])
async def test_join_at_the_first_a_middle_the_last_and_past_the_last_byte(
    prepared_url: str, elsewhere: bool, after: str | None
) -> None:
    async with lab(prepared_url) as here:
        writing = await here.process()
        following = await here.process() if elsewhere else writing
        writer = here.writer(writing)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for letter in "abcde":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        reading = here.follow(following, job, after)
        # What is past the last chunk was lost: the follower begins anew.
        has = 0 if after in (None, "1:9") else int(after[2:])
        await reading.until(lambda it: len(it.text) == max(0, 5 - has))
        for letter in "fghij":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await reading.final() == "SUCCEEDED"
        assert reading.text == "abcdefghij"[has:]
        assert reading.events[-1].position == (1, 11)


@EVERYWHERE
async def test_a_follower_can_join_before_the_job_begins(prepared_url: str, elsewhere: bool) -> None:
    async with lab(prepared_url) as here:
        writing = await here.process()
        following = await here.process() if elsewhere else writing
        writer = here.writer(writing)
        job = await here.job(status="QUEUED", attempt=0)
        readings = [here.follow(following, job) for _ in range(3)]
        await here.set(job, "RUNNING", 1, WORKER)
        await writer.begin(job, 1)
        await writer.emit(job, 1, "hello", "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        for reading in readings:
            assert await reading.final() == "SUCCEEDED"
            assert [type(event) for event in reading.events] == [Chunk, Final]


@pytest.mark.parametrize("status", ["CANCELLED", "FAILED", "SUCCEEDED"])
async def test_a_job_that_ends_without_output_has_an_end(prepared_url: str, status: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        job = await here.job(status="QUEUED", attempt=0)
        early = here.follow(outputs, job)
        await here.set(job, status)
        late = here.follow(outputs, job)
        for reading in (early, late):
            assert await reading.final() == status
            assert len(reading.events) == 1
        again = here.follow(outputs, job, str(late.events[0].position))
        assert await again.task is None
        assert again.events == []


@EVERYWHERE
async def test_a_retry_is_a_reset_and_then_the_whole_new_attempt(prepared_url: str, elsewhere: bool) -> None:
    async with lab(prepared_url) as here:
        writing = await here.process()
        following = await here.process() if elsewhere else writing
        writer = here.writer(writing)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for letter in "abc":
            await writer.emit(job, 1, letter, "token", "look")
        await writer.flush(job)
        early = here.follow(following, job)
        await early.until(lambda it: it.text == "abc")
        await here.connection.execute(
            "INSERT INTO clew.job_steps (job, name, position, attempt, first, last) VALUES ($1, 'look', 1, 1, 1, 2)",
            job,
        )
        await here.set(job, "QUEUED")
        await here.set(job, "RUNNING", 2, WORKER)
        await writer.begin(job, 2)
        async with here.connection.transaction():
            await writer.copy(here.connection.fetch, job, 2, 1, 1, 2)
        assert writer.position(job) == 2
        await writer.emit(job, 2, "d", "token", None)
        await writer.flush(job)
        readings = [early, *(here.follow(following, job, after) for after in ("1:0", "1:2", "1:3", "2:0", None))]
        for reading in readings:
            await reading.until(lambda it: it.text == "abd")
        await here.set(job, "FAILED")
        for reading in readings:
            assert await reading.final() == "FAILED"
            assert reading.text == "abd"
            resets = [event for event in reading.events if isinstance(event, Reset)]
            assert resets == ([Reset(2, "look")] if reading in readings[:4] else [])
        assert [event.position for event in readings[1].events] == [(2, 0), (2, 1), (2, 2), (2, 3), (2, 4)]


async def test_attempts_that_came_and_went_unseen_are_one_reset(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        await writer.emit(job, 1, "a", "token", None)
        await writer.flush(job)
        # The second attempt is killed before it says anything; so is the third, which was the last.
        await here.set(job, "RUNNING", 2)
        early = here.follow(outputs, job, "1:1")
        await here.set(job, "FAILED", 3)
        assert await early.final() == "FAILED"
        assert early.events[0] == Reset(3, None)
        assert len(early.events) == 2


async def test_a_job_that_is_retried_after_its_end_goes_on(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        await writer.emit(job, 1, "a", "token", None)
        await writer.flush(job)
        first = here.follow(outputs, job)
        await here.set(job, "FAILED")
        assert await first.final() == "FAILED"
        # Whoever asks after the retry must not be told of the end before it, though another one is still there.
        slow = outputs.follow(job)
        assert await slow.open()
        await here.set(job, "QUEUED")
        second = here.follow(outputs, job, str(first.events[-1].position))
        await here.set(job, "RUNNING", 2, WORKER)
        await writer.begin(job, 2)
        await writer.emit(job, 2, "b", "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await second.final() == "SUCCEEDED"
        assert [type(event) for event in second.events] == [Reset, Chunk, Final]
        await slow.aclose()


@pytest.mark.parametrize(
    "job",
    ["", "x", "1", "0190b0f3-9c1e-7000-8000-00000000000g", "{0190b0f3-9c1e-7000-8000-000000000000}", "\0", "٣" * 32],
)
async def test_what_is_no_id_is_no_job(prepared_url: str, job: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        with pytest.raises(UnknownJobError):
            await outputs.follow(job).open()


async def test_unknown_and_hidden_jobs_are_alike(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()

        async def hidden() -> bool:
            return False

        job = await here.job(WORKER)
        for follower in (
            outputs.follow("0190b0f3-9c1e-7000-8000-000000000000"),
            outputs.follow(job, None, hidden),
        ):
            with pytest.raises(UnknownJobError):
                await follower.open()
            await follower.aclose()


@pytest.mark.parametrize(
    "after", ["", "1", "1:", ":1", "00:1", "01:1", "-1:1", "1:-1", "1:1 ", "1:1:1", "1e3:1", "٣:1", "9" * 20 + ":1"]
)
async def test_what_is_no_cursor_is_refused(prepared_url: str, after: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        with pytest.raises(ClewError, match="cursor is not one"):
            outputs.follow("0190b0f3-9c1e-7000-8000-000000000000", after)


async def test_a_viewer_who_sees_the_job_no_longer_is_let_go(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.jobs.output.follow._LOOK", 0.1)
    async with lab(prepared_url) as here:
        outputs = await here.process()
        sees = True

        async def visible() -> bool:
            return sees

        follower = outputs.follow(await here.job(WORKER), None, visible)
        assert await follower.open()
        sees = False
        with pytest.raises(UnknownJobError):
            await follower.take()
        await follower.aclose()


async def test_dropped_output_is_gone_and_never_a_gap(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process(retention=60)
        other = await here.process()
        writer = here.writer(outputs)
        job, done = await here.job(WORKER), await here.job(WORKER)
        for each in (job, done):
            await writer.begin(each, 1)
            for letter in "abc":
                await writer.emit(each, 1, letter, "token", None)
            await writer.flush(each)
        await here.set(done, "SUCCEEDED")
        living = here.follow(outputs, job)
        await living.until(lambda it: it.text == "abc")
        for _ in range(2):
            assert not await outputs.drop_old()
            await here.connection.execute("UPDATE clew.job_output_state SET turned_at = now() - interval '31 s'")
            assert await outputs.drop_old()
        assert len(await here.rows(job)) == 3, "nothing is dropped before it is old enough"
        await writer.emit(job, 1, "d", "token", None)
        await writer.flush(job)
        await here.connection.execute("UPDATE clew.job_output_state SET turned_at = now() - interval '31 s'")
        assert await outputs.drop_old()
        assert await here.rows(job) == [(1, 4, "d")]
        for process in (outputs, other):
            for of, after in ((job, None), (job, "1:2"), (done, None), (done, "1:0"), (done, "1:2")):
                with pytest.raises(GoneError):
                    await process.follow(of, after).open()
            assert await here.follow(process, done, "1:3").final() == "SUCCEEDED"
            joined = here.follow(process, job, "1:3")
            await joined.until(lambda it: it.text == "d")
        await writer.emit(job, 1, "e", "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await living.final() == "SUCCEEDED"
        assert living.text == "abcde"
        # A new attempt is whole again.
        await here.set(job, "RUNNING", 2)
        await writer.begin(job, 2)
        await writer.emit(job, 2, "x", "token", None)
        await writer.flush(job)
        anew = here.follow(other, job, "1:1")
        await anew.until(lambda it: it.text == "x")


async def test_output_is_dropped_when_it_becomes_too_large(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process(most=3 * 2**20)
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        turns = 0
        for number in range(100):
            # Text that does not shrink when Postgres compresses it.
            await writer.emit(
                job, 1, "".join(chr(0x4E00 + (i * i * 7919 + number) % 20000) for i in range(20000)), "token", None
            )
            await writer.flush(job)
            turns += await outputs.drop_old()
        assert turns >= 2
        size = await here.connection.fetchval(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
            " WHERE inhparent = 'clew.job_output'::regclass"
        )
        assert size < 4 * 2**20
        with pytest.raises(GoneError):
            await outputs.follow(job).open()


async def test_a_slow_follower_holds_one_page_and_misses_nothing(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.jobs.output.ring.MOST_HELD", 200_000)
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        slow, fast = here.follow(outputs, job), here.follow(outputs, job)
        await writer.emit(job, 1, "0;", "token", None)
        await slow.until(lambda it: bool(it.events))
        slow.stall()
        for number in range(1, 2000):
            await writer.emit(job, 1, f"{number}{'.' * 400};", "token", None)
            if number % 100 == 0:
                await writer.flush(job)
                ring = outputs._here().ring
                assert ring._held == sum(stream.held for stream in ring.streams.values()) <= 200_000
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await fast.final() == "SUCCEEDED"
        assert len(slow.follower._pending) <= 1000
        slow.go_on()
        assert await slow.final() == "SUCCEEDED"
        assert slow.text == fast.text
        assert slow.text.count(";") == 2000
        assert outputs.page_reads > 5


async def test_followers_who_join_at_once_share_pages_and_bytes(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writing, following = await here.process(), await here.process()
        writer = here.writer(writing)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for number in range(500):
            await writer.emit(job, 1, f"{number};", "token", None)
        await writer.flush(job)
        readings = [here.follow(following, job) for _ in range(100)]
        for reading in readings:
            await reading.until(lambda it: it.text.count(";") == 500)
        assert following.page_reads <= 5
        for number in range(500, 520):
            await writer.emit(job, 1, f"{number};", "token", None)
        await writer.flush(job)
        for reading in readings:
            await reading.until(lambda it: it.text.count(";") == 520)
        assert len({id(reading.events[-1]) for reading in readings}) == 1


async def test_reads_for_all_followers_are_no_more_than_writes(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        writing, following = await here.process(), await here.process()
        writer = here.writer(writing)
        jobs = [await here.job(WORKER) for _ in range(5)]
        readings = [here.follow(following, job) for job in jobs for _ in range(10)]
        for job in jobs:
            await writer.begin(job, 1)
        for number in range(60):
            for job in jobs:
                await writer.emit(job, 1, f"{number};", "token", None)
            if not number:
                for reading in readings:
                    await reading.until(lambda it: it.text == "0;")
                reads, flushes = following.reads, writer.flushes
        for reading in readings:
            await reading.until(lambda it: it.text.count(";") == 60)
        flushes = writer.flushes - flushes
        # On a busy machine the poll may find a job that was not read for half a second.
        assert following.reads - reads <= flushes + 3
        assert flushes <= 60


async def test_without_any_wake_up_the_poll_finds_what_is_new(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(prepared_url) as here:
        writing, following = await here.process(), await here.process(wakes=False)
        monkeypatch.setattr(writing, "wrote", lambda job, chunks: None)
        writer = here.writer(writing)
        job = await here.job(WORKER)
        reading = here.follow(following, job)
        await writer.begin(job, 1)
        await writer.emit(job, 1, "a", "token", None)
        await reading.until(lambda it: it.text == "a")
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await reading.final() == "SUCCEEDED"


async def test_nothing_is_read_when_nobody_follows(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        for _ in range(10):
            await writer.emit(job, 1, "a", "token", None)
            await writer.flush(job)
        assert (outputs.reads, outputs.page_reads) == (0, 0)


async def test_the_end_comes_after_all_that_there_is_to_read(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(prepared_url) as here:
        writing, following = await here.process(), await here.process(wakes=False)
        monkeypatch.setattr(writing, "wrote", lambda job, chunks: None)
        writer = here.writer(writing)
        job = await here.job(WORKER)
        reading = here.follow(following, job)
        await reading.opened.wait()
        await writer.begin(job, 1)
        # More than is read at once, and the end, before the next look.
        for number in range(50):
            await writer.emit(job, 1, f"{number}{'.' * 20_000};", "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await reading.final() == "SUCCEEDED"
        assert reading.text.count(";") == 50


async def test_a_slow_follower_whose_next_chunk_is_dropped_is_told(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.jobs.output.ring.MOST_HELD", 1)
    async with lab(prepared_url) as here:
        outputs = await here.process()
        writer = here.writer(outputs)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        follower = outputs.follow(job)
        assert await follower.open()
        for letter in "abc":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        await here.connection.execute("DELETE FROM clew.job_output WHERE seq = 1")
        with pytest.raises(GoneError):
            await follower.take()
        await follower.aclose()


def test_a_stream_takes_nothing_over_a_gap() -> None:
    def chunk(attempt: int, seq: int) -> Chunk:
        return Chunk(attempt, seq, "token", "x", is_json=False)

    stream = Stream("job")
    assert not stream.feed([chunk(1, 1)]), "it is not open yet"
    stream.open(State(1, Status.RUNNING, None), 3, None)
    assert stream.feed([chunk(1, 2), chunk(1, 3), chunk(1, 4)])
    assert not stream.feed([chunk(1, 6)])
    assert not stream.feed([chunk(2, 1)])
    assert stream.head == 4
    assert [it.seq for it in stream.after(3) or ()] == [4]
    assert stream.after(2) is None
    assert stream.feed([chunk(3, 0), chunk(3, 1)])
    # A read that is older than what was fed.
    stream.update(State(1, Status.FAILED, None), [chunk(1, 5)], is_all=True)
    assert (stream.attempt, stream.head, stream.status) == (3, 1, Status.RUNNING)
    assert stream.feed([chunk(2, 0)])
    assert stream.attempt == 3


@EVERYWHERE
async def test_wake_ups_suffice_without_the_poll(
    prepared_url: str, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.jobs.output.source._POLL", 3600.0)
    async with lab(prepared_url) as here:
        writing = await here.process()
        following = await here.process() if elsewhere else writing
        writer = here.writer(writing)
        job = await here.job(WORKER)
        reading = here.follow(following, job)
        await reading.opened.wait()
        await writer.begin(job, 1)
        await writer.emit(job, 1, "a", "token", None)
        await writer.flush(job)
        # Processes need a moment until they know of each other.
        async with asyncio.timeout(20):
            while elsewhere and not writing.others_until:
                await asyncio.sleep(0.01)
        await writer.emit(job, 1, "b", "token", None)
        await reading.until(lambda it: it.text == "ab")
        await here.set(job, "QUEUED")
        await here.set(job, "RUNNING", 2, WORKER)
        await writer.begin(job, 2)
        await reading.until(lambda it: it.text == "")
        # What the change log tells has been read by then.
        await asyncio.sleep(0.5)
        async with here.connection.transaction():
            await writer.copy(here.connection.fetch, job, 2, 1, 1, 2)
        await reading.until(lambda it: it.text == "ab")
        await here.set(job, "SUCCEEDED")
        assert await reading.final() == "SUCCEEDED"


@pytest.mark.parametrize("text", ["x" * 5000, "\u4e16" * 5000], ids=["ascii", "wide"])
def test_what_a_chunk_keeps_for_its_clients_is_bounded(text: str) -> None:
    """A client may select the same data again and again, and another client otherwise."""
    chunk = Chunk(1, 1, "token", text, is_json=False)
    once = (("jobOutput", (("data", "data"),)),)
    assert chunk.result(once) is chunk.result(once)
    for number in range(10):
        often = (("jobOutput", tuple((f"a{number}_{place}", "data") for place in range(30))),)
        assert len(chunk.result(often)) > 30 * len(text)
    kept = [len(result) for result in chunk._results.values()] + [len(chunk.bytes), len(text)]
    assert sum(kept) <= chunk.size


async def test_followers_go_on_after_a_fault_of_the_reader(prepared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    update, faults = Stream.update, [1, 2]

    def fail(self: Stream, *given: Any, **more: Any) -> None:
        if faults:
            faults.pop()
            raise RuntimeError("no")
        update(self, *given, **more)

    async with lab(prepared_url) as here:
        outputs = await here.process()
        job = await here.job(WORKER)
        reading = here.follow(outputs, job)
        await reading.opened.wait()
        monkeypatch.setattr(Stream, "update", fail)
        writer = here.writer(await here.process())
        await writer.begin(job, 1)
        await writer.emit(job, 1, "a", "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await reading.final() == "SUCCEEDED"
        assert reading.text == "a"
        assert not faults


async def test_a_job_that_was_cancelled_in_time_and_is_retried_gives_all_to_who_had_its_end(prepared_url: str) -> None:
    async with lab(prepared_url) as here:
        outputs = await here.process()
        job = await here.job(None, "CANCELLED", 0)
        reading = here.follow(outputs, job)
        assert await reading.final() == "CANCELLED"
        cursor = str(reading.events[-1].position)
        assert cursor == "0:1"
        assert not await outputs.follow(job, cursor).open()
        await here.set(job, "QUEUED")
        again = here.follow(outputs, job, cursor)
        await again.opened.wait()
        await here.set(job, "RUNNING", 1, WORKER)
        writer = here.writer(outputs)
        await writer.begin(job, 1)
        for letter in "ab":
            await writer.emit(job, 1, letter, "token", None)
        await writer.flush(job)
        await here.set(job, "SUCCEEDED")
        assert await again.final() == "SUCCEEDED"
        assert [str(event.position) for event in again.events] == ["1:1", "1:2", "1:3"]


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([ClewError("slow", code=Code.TIMEOUT), ClewError("slow", code=Code.TIMEOUT)], Code.TIMEOUT),
        ([ValueError("secret"), ValueError("secret")], Code.INTERNAL),
        ([ClewError("away", code=Code.UNAVAILABLE)] * 4 + [False], Code.NOT_FOUND),
        ([ClewError("slow", code=Code.TIMEOUT), True, ClewError("slow", code=Code.TIMEOUT), False], Code.NOT_FOUND),
    ],
    ids=["never", "a fault", "without the database", "sometimes"],
)
async def test_a_follower_whose_sight_cannot_be_told_twice_is_let_go(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch, answers: list[Exception | bool], code: Code
) -> None:
    monkeypatch.setattr("clew.jobs.output.follow._LOOK", 0.02)
    left = [True, *answers]

    async def visible() -> bool:
        answer = left.pop(0)
        if isinstance(answer, bool):
            return answer
        raise answer

    async with lab(prepared_url) as here:
        outputs = await here.process()
        follower = outputs.follow(await here.job(WORKER), None, visible)
        assert await follower.open()
        with pytest.raises(ClewError) as refused:
            await follower.take()
        assert (refused.value.code, "secret" in refused.value.message) == (code, False)
        assert left == []
        await follower.aclose()


async def test_a_process_that_hangs_as_it_drops_chunks_locks_nobody_out(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "_HELD", "300ms")
    connect, hangs = asyncpg.connect, asyncio.Event()

    async def connect_and_hang(*given: Any, **settings: Any) -> Any:
        connection = await connect(*given, **settings)

        async def fetch_and_hang(*arguments: Any) -> Any:
            await connection.fetchval(*arguments)
            hangs.set()
            await asyncio.Event().wait()

        execute, transaction, close = connection.execute, connection.transaction, connection.close
        return SimpleNamespace(execute=execute, transaction=transaction, close=close, fetchval=fetch_and_hang)

    async with lab(prepared_url) as here:
        outputs, other = await here.process(retention=0.01), await here.process()
        writer = here.writer(other)
        job = await here.job(WORKER)
        await writer.begin(job, 1)
        with monkeypatch.context() as patch:
            patch.setattr(source_module, "asyncpg", SimpleNamespace(connect=connect_and_hang))
            hanging = asyncio.create_task(outputs.drop_old())
            await hangs.wait()
        began = time.monotonic()
        await writer.emit(job, 1, "a", "token", None)
        await writer.flush(job)
        reading = here.follow(other, job)
        await reading.until(lambda it: it.text == "a")
        assert time.monotonic() - began < 5
        hanging.cancel()
        with pytest.raises(ClewError):
            await hanging
