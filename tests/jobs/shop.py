"""A database with jobs, and workers whose handlers are in the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clew.database.pool import Pool
from clew.jobs import queue
from clew.jobs.types import Fetch, Handler, JobDeclaration, NewJob
from clew.jobs.worker import Worker
from clew.viewer import Viewer
from tests.databases import install

# In seconds. Long, because the machine may be busy; a test that passes never waits as long.
PATIENCE = 30.0

CALLER = {"id": "ada", "roles": ["user"], "claims": {"team": 7}}


async def until(fits: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not await fits():
            await asyncio.sleep(0.02)


class MemoryOutput:
    """Keeps chunks in memory, by job and attempt."""

    def __init__(self) -> None:
        self.chunks: dict[tuple[str, int], list[tuple[Any, str, str | None]]] = {}
        self.attempts: dict[str, int] = {}
        self.flushed: list[str] = []
        self.ended: list[tuple[str, int]] = []

    async def begin(self, job: str, attempt: int, continues: int | None = None) -> None:
        self.attempts[job] = attempt
        self.chunks[job, attempt] = [] if continues is None else self.chunks.setdefault((job, continues), [])

    async def emit(self, job: str, attempt: int, data: Any, kind: str, step: str | None) -> None:
        await asyncio.sleep(0)
        self.chunks[job, attempt].append((data, kind, step))

    async def flush(self, job: str) -> None:
        self.flushed.append(job)

    def end(self, job: str, attempt: int) -> None:
        self.ended.append((job, attempt))

    def position(self, job: str) -> int:
        return len(self.chunks[job, self.attempts[job]])

    async def copy(self, fetch: Fetch, job: str, attempt: int, from_attempt: int, first: int, last: int) -> None:
        self.chunks[job, attempt] += self.chunks[job, from_attempt][first - 1 : last]


async def run_graphql(
    document: str, variables: Mapping[str, Any], viewer: Viewer, connection: AsyncConnection | None
) -> dict[str, Any]:
    """Tell what it was called with; within a transaction, write a note of it."""
    if connection is not None:
        await connection.execute(text("INSERT INTO effects VALUES (:job, :note)"), {"job": "graphql", "note": document})
    return {"viewer": viewer.id, "within": connection is not None, "variables": dict(variables)}


def declared(name: str, **given: Any) -> JobDeclaration:
    """A job whose arguments and result are any JSON."""
    return JobDeclaration(**{"name": name, "decode": dict, "encode": lambda value: value, **given})


class Jobs:
    """A database with jobs. It can run workers.

    Attributes:
        connection: for looks at the tables.
    """

    def __init__(self, url: str, connection: asyncpg.Connection[Any]) -> None:
        self.url = url
        self.connection = connection
        self.output = MemoryOutput()
        self.workers: list[tuple[Worker, asyncio.Task[None]]] = []
        self.declarations: dict[str, JobDeclaration] = {}
        self.handlers: dict[str, Handler] = {}

    def job(self, name: str, **given: Any) -> Callable[[Handler], Handler]:
        """Declare a job, and register its handler."""

        def register(handler: Handler) -> Handler:
            self.declarations[name] = declared(name, **given)
            self.handlers[name] = handler
            return handler

        return register

    def worker(self, **given: Any) -> Worker:
        """Start a worker."""
        settings: dict[str, Any] = {"lease": 15.0, **given}
        pool = Pool(self.url, size=10, wait=30.0, statement_timeout=None, idle_timeout=None)
        worker = Worker(
            self.url,
            pool,
            declarations=self.declarations,
            handlers=settings.pop("handlers", self.handlers),
            run_graphql=run_graphql,
            output=settings.pop("output", self.output),
            **settings,
        )
        self.workers.append((worker, asyncio.create_task(worker.run())))
        return worker

    async def stop(self, worker: Worker) -> None:
        """Stop a worker at once, as a crash would."""
        task = next(task for one, task in self.workers if one is worker)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def enqueue(self, name: str, arguments: Mapping[str, Any] | None = None, **given: Any) -> str:
        """Enqueue a job as its declaration says, and wake the workers."""
        return (await self.enqueue_all([self.new(name, arguments, **given)]))[0]

    def new(self, name: str, arguments: Mapping[str, Any] | None = None, **given: Any) -> NewJob:
        declaration = self.declarations.get(name)
        settings = (
            {}
            if declaration is None
            else {"queue": declaration.queue, "priority": declaration.priority, "retries": declaration.retries}
        )
        return NewJob(**{"name": name, "arguments": arguments or {}, "caller": CALLER, **settings, **given})

    async def enqueue_all(self, jobs: list[NewJob]) -> list[str]:
        made = await queue.enqueue(self.connection.fetch, jobs)
        self.wake()
        return [job for job, _ in made]

    def wake(self) -> None:
        for worker, _ in self.workers:
            worker.wake()

    async def row(self, job: str) -> asyncpg.Record:
        (row,) = await self.connection.fetch("SELECT * FROM clew.jobs WHERE id = $1", job)
        return cast("asyncpg.Record", row)

    async def until(self, job: str, *statuses: str) -> asyncpg.Record:
        """Wait until a job has one of some statuses; by default until it has ended."""
        wanted = statuses or ("SUCCEEDED", "FAILED", "CANCELLED")
        async with asyncio.timeout(PATIENCE):
            while (row := await self.row(job))["status"] not in wanted:
                await asyncio.sleep(0.02)
        return row

    async def until_true(self, fits: Callable[[], Awaitable[bool]]) -> None:
        await until(fits)

    async def until_waiting(self, job: str, attempt: int) -> asyncpg.Record:
        """Wait until an attempt of a job has failed, and the next one is awaited."""

        async def fits() -> bool:
            row = await self.row(job)
            return bool(row["status"] == "QUEUED" and row["attempt"] == attempt)

        await self.until_true(fits)
        return await self.row(job)

    async def hasten(self) -> None:
        """Make all that is delayed due."""
        await self.connection.execute("UPDATE clew.job_delays SET due = clock_timestamp()")
        self.wake()

    async def effects(self) -> list[tuple[str, str]]:
        # Handlers look, too, while the test waits.
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch("SELECT * FROM effects ORDER BY job, note")]
        finally:
            await connection.close()

    async def close(self) -> None:
        for worker, _ in self.workers:
            await self.stop(worker)


@asynccontextmanager
async def jobs_at(url: str) -> AsyncIterator[Jobs]:
    """Install jobs in a database; stop all workers at the end."""
    await install(url, "CREATE TABLE effects (job text, note text)")
    connection = await asyncpg.connect(url)
    made = Jobs(url, connection)
    try:
        yield made
    finally:
        await made.close()
        await connection.close()
