"""A database with jobs, workers' writers of their output, and processes whose clients follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from clew.background import Background
from clew.changes.source import LoggedChanges
from clew.database.pool import Pool
from clew.jobs.output.follow import Follower
from clew.jobs.output.source import PLANNER, JobOutputs
from clew.jobs.output.types import Chunk, Final, OutputEvent, Reset
from clew.jobs.output.writer import JobOutputWriter
from tests.databases import install

# In seconds. Long, because the machine may be busy; a test that passes never waits as long.
PATIENCE = 30.0


class Reading:
    """A follower that keeps what it gets, in a task of its own."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.events: list[OutputEvent] = []
        self.opened = asyncio.Event()
        self._new = asyncio.Event()
        self._gate = asyncio.Event()
        self._gate.set()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> Final | None:
        try:
            await self.follower.open()
            self.opened.set()
            async for event in self.follower:
                self.events.append(event)
                self._new.set()
                await self._gate.wait()
            last = self.events[-1] if self.events else None
            return last if isinstance(last, Final) else None
        finally:
            self._new.set()
            await self.follower.aclose()

    def stall(self) -> None:
        """Take nothing more for now."""
        self._gate.clear()

    def go_on(self) -> None:
        self._gate.set()

    @property
    def text(self) -> str:
        """What a client shows: it clears at a reset, and appends."""
        return shown(self.events)

    async def until(self, fits: Callable[[Reading], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fits(self):
                if self.task.done():
                    await self.task
                    raise AssertionError(f"it has ended with {self.events}")
                self._new.clear()
                await self._new.wait()

    async def final(self) -> str:
        """The status that it ends with."""
        async with asyncio.timeout(PATIENCE):
            last = await self.task
        assert last is not None
        return last.status.value

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


def shown(events: Sequence[OutputEvent]) -> str:
    """The text of the events. Their chunks must follow each other."""
    found: list[str] = []
    attempt: int | None = None
    seq = 0
    for event in events:
        if isinstance(event, Reset):
            found, attempt, seq = [], event.attempt, 0
        elif isinstance(event, Chunk):
            if attempt is not None:
                assert (event.attempt, event.seq) == (attempt, seq + 1), (event, events)
            attempt, seq = event.attempt, event.seq
            found.append(str(event.value))
    return "".join(found)


class Lab:
    """What a test works with."""

    def __init__(self, url: str, connection: asyncpg.Connection[asyncpg.Record], stack: AsyncExitStack) -> None:
        self.url = url
        self.connection = connection
        self._stack = stack

    async def process(self, *, retention: float = 3600, most: int = 2**40, wakes: bool = True) -> JobOutputs:
        """What follows jobs in one process, with its own connections. Without `wakes` no notification comes."""
        background = Background()
        changes = LoggedChanges(self.url, [("clew", "jobs")] if wakes else [], background, retention=3600)
        outputs = JobOutputs(
            self.url,
            lambda size: Pool(self.url, size=size, application_name="clew-output", planner=PLANNER),
            background,
            changes,
            retention=retention,
            most=most,
        )
        self._stack.push_async_callback(outputs.close)
        self._stack.push_async_callback(background.close)
        return outputs

    def writer(
        self, outputs: JobOutputs, *, most_of_chunk: int = 65536, most_of_attempt: int = 2**24
    ) -> JobOutputWriter:
        return JobOutputWriter(outputs, most_of_chunk=most_of_chunk, most_of_attempt=most_of_attempt)

    async def job(self, worker: UUID | None = None, status: str = "RUNNING", attempt: int = 1) -> str:
        """A new job."""
        return str(
            await self.connection.fetchval(
                "INSERT INTO clew.jobs (name, queue, status, attempt, worker, arguments, caller)"
                " VALUES ('reply', 'default', $1, $2, $3, '{}', '{}') RETURNING id",
                status,
                attempt,
                worker,
            )
        )

    async def set(self, job: str, status: str, attempt: int | None = None, worker: UUID | None = None) -> None:
        """Change a job, as its worker does."""
        await self.connection.execute(
            "UPDATE clew.jobs SET status = $2, attempt = coalesce($3, attempt), worker = coalesce($4, worker)"
            " WHERE id = $1",
            job,
            status,
            attempt,
            worker,
        )

    async def rows(self, job: str) -> list[tuple[Any, ...]]:
        sql = "SELECT attempt, seq, data FROM clew.job_output WHERE job = $1 ORDER BY attempt, seq"
        return [tuple(row) for row in await self.connection.fetch(sql, job)]

    def follow(self, outputs: JobOutputs, job: str, after: str | None = None) -> Reading:
        reading = Reading(outputs.follow(job, after))
        self._stack.push_async_callback(reading.stop)
        return reading


@asynccontextmanager
async def lab(url: str) -> AsyncIterator[Lab]:
    """A database, and all that ends at the end of a test."""
    await install(url)
    connection = await asyncpg.connect(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        yield Lab(url, connection, stack)


WORKER = uuid4()
