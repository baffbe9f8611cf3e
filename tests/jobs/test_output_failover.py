"""A standby becomes the primary, and lacks what its predecessor wrote last: docs/job-output.md."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

import asyncpg
import pytest

from clew.database import cluster
from clew.database.embedded import embedded_postgres
from clew.jobs.output.types import Chunk, Final, Reset, UnknownJobError
from tests.jobs.output import PATIENCE, WORKER, lab

pytestmark = pytest.mark.anyio


async def stop(data: Path) -> None:
    postmaster = cluster.postmaster(data)
    assert postmaster is not None
    postmaster.send_signal(signal.SIGINT)
    await asyncio.to_thread(postmaster.wait, PATIENCE)


async def start(data: Path, url: str) -> asyncpg.Connection[asyncpg.Record]:
    await asyncio.to_thread(cluster.start, data, True)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await asyncpg.connect(url)
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)


async def test_followers_begin_anew_after_a_failover_that_lost_output() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="clew-test-", ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder), durable=False) as url,
    ):
        async with lab(url) as here:
            data = Path(await here.connection.fetchval("SHOW data_directory"))
            outputs = await here.process()
            writer = here.writer(outputs)

            async def write(job: str, attempt: int, text: str) -> None:
                for letter in text:
                    await writer.emit(job, attempt, letter, "token", None)
                await writer.flush(job)

            attempt_lost, attempt_repeated, chunks_lost = [await here.job(WORKER) for _ in range(3)]
            for job in (attempt_lost, attempt_repeated, chunks_lost):
                await writer.begin(job, 1)
                await write(job, 1, "ab")

            # What the standby has.
            await here.connection.close()
            await stop(data)
            # It keeps the owner, whom Postgres asks for.
            copying = await asyncio.create_subprocess_exec("cp", "-a", data, data.with_name("standby"))
            assert await copying.wait() == 0
            here.connection = await start(data, url)

            job_lost = await here.job(WORKER)
            await writer.begin(job_lost, 1)
            await write(job_lost, 1, "lost")
            for job in (attempt_lost, attempt_repeated):
                await here.set(job, "RUNNING", 2, WORKER)
                await writer.begin(job, 2)
                await write(job, 2, "uvw")
            await write(chunks_lost, 1, "cd")
            readings = {
                job: here.follow(outputs, job) for job in (attempt_lost, attempt_repeated, chunks_lost, job_lost)
            }
            for job, text in zip(readings, ("uvw", "uvw", "abcd", "lost"), strict=True):
                await readings[job].until(lambda it, text=text: it.text == text)  # type: ignore[misc]

            await here.connection.close()
            await stop(data)
            data.rename(data.with_name("primary"))
            data.with_name("standby").rename(data)
            (data / "standby.signal").touch()
            here.connection = await start(data, url)
            await here.connection.execute("SELECT pg_promote()")
            # The second attempt is given out again before anybody has noticed.
            await here.set(attempt_repeated, "RUNNING", 2, WORKER)
            await writer.begin(attempt_repeated, 2)
            await write(attempt_repeated, 2, "pqrst")

            for job, text in ((attempt_lost, "ab"), (attempt_repeated, "pqrst"), (chunks_lost, "ab")):
                await readings[job].until(lambda it, text=text: it.text == text)  # type: ignore[misc]
            with pytest.raises(UnknownJobError):
                await readings[job_lost].final()
            # Who comes back elsewhere with a cursor of what was lost begins anew, too.
            elsewhere = await here.process()
            later = {after: here.follow(elsewhere, chunks_lost, after) for after in ("1:2", "1:3", "1:4", "2:1")}
            for reading in later.values():
                await reading.opened.wait()
            for job in (attempt_lost, attempt_repeated, chunks_lost):
                await here.set(job, "SUCCEEDED")
                assert await readings[job].final() == "SUCCEEDED"
            assert readings[attempt_lost].events[-4:-1] == [
                Reset(1, None),
                *(Chunk(1, number, "token", letter, is_json=False) for number, letter in ((1, "a"), (2, "b"))),
            ]
            for after, reading in later.items():
                assert await reading.final() == "SUCCEEDED"
                kinds = [type(event) for event in reading.events]
                assert kinds == ([Final] if after == "1:2" else [Reset, Chunk, Chunk, Final])
