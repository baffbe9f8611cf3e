"""How jobs end, and how far they are: written for all jobs of a worker at once, while others go on running."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import asyncpg

from clew.database.errors import UNREACHABLE
from clew.jitter import LONGEST_WAIT, Backoff
from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection, connected
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# In seconds. How often the progress of a job is written, at most.
_PROGRESS = 0.1
# After a lost connection: about the first wait.
_FIRST_WAIT = 0.1

# What one statement writes: so many, and of results about so many characters.
_MOST, _MOST_CHARACTERS = 500, 2**24

# What Postgres says of a value that it cannot store, whenever it is asked to.
_UNSTORABLE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.InternalServerError,
)

# How long a job that somebody has locked holds up the others.
_LOCKED = "100ms"


class Outcome(StrEnum):
    """What an execution says of its job. RETRY: it failed.

    These do not count. BACK: it was given back. LATER: the database took no writes. ASLEEP: the handler sleeps.
    """

    SUCCEEDED = "SUCCEEDED"
    CANCELLED = "CANCELLED"
    RETRY = "RETRY"
    BACK = "BACK"
    LATER = "LATER"
    ASLEEP = "ASLEEP"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an execution. It takes effect only while the job is this attempt's, and this worker's."""

    job: str
    attempt: int
    worker: str
    outcome: Outcome
    result: str | None = None
    error: str | None = None
    until: datetime | None = None


class Fenced(Protocol):
    """An execution, as the fence names it."""

    @property
    def job(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def worker(self) -> str: ...


class Endings:
    """Writes endings and progress on a connection of its own.

    Args:
        url: of the database.
        committed: called after each statement that has changed jobs.
    """

    def __init__(self, url: str, committed: Callable[[], None]) -> None:
        self._url = url
        self._committed = committed
        self._woken = asyncio.Event()
        self._endings: list[tuple[Ending, asyncio.Future[str | None]]] = []
        self._reports: dict[tuple[str, int, str], tuple[float, str | None]] = {}
        self._unwritten: set[tuple[str, int, str]] = set()
        self._report_at = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether there are endings that are not written yet."""
        return bool(self._endings)

    def end(self, ending: Ending) -> asyncio.Future[str | None]:
        """Write an ending. The result is the job's status; None if the job is another's by now."""
        written: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._endings.append((ending, written))
        self._woken.set()
        return written

    def report(self, execution: Fenced, share: float, message: str | None) -> None:
        """Write soon how far a job is."""
        key = (execution.job, execution.attempt, execution.worker)
        self._reports[key] = (share, message)
        self._unwritten.add(key)
        self._woken.set()

    def last_report(self, execution: Fenced) -> tuple[float | None, str | None]:
        """Return how far a job is, to be written with its end. Forget it."""
        key = (execution.job, execution.attempt, execution.worker)
        self._unwritten.discard(key)
        return self._reports.pop(key, (None, None))

    async def run(self) -> None:
        """Write until cancelled. While the database cannot be reached, nothing is lost."""
        backoff = Backoff(_FIRST_WAIT, LONGEST_WAIT)
        while True:
            try:
                async with connected(self._url, lock_timeout=_LOCKED) as connection:
                    connection.when_closed(self._woken.set)
                    while True:
                        await self._wait()
                        await self._write(connection)
            except UNREACHABLE as error:
                _LOG.warning("ends of jobs not written yet", error=type(error).__name__, detail=str(error))
            except Exception:
                _LOG.exception("ends of jobs not written yet")
            await backoff.wait()

    async def _wait(self) -> None:
        if self._endings:
            return
        until = None
        if self._unwritten:
            until = max(0.0, self._report_at - time.monotonic())
            if not until:
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(until):
                await self._woken.wait()
        self._woken.clear()

    async def _write(self, connection: JobConnection) -> None:
        if connection.is_closed:
            raise ConnectionResetError("the connection was closed")
        if self._unwritten and time.monotonic() >= self._report_at:
            await self._write_reports(connection)
        batch = self._batch()
        if not batch:
            return
        try:
            statuses = await self._write_all(connection, [ending for ending, _ in batch])
        except asyncpg.PostgresError:
            if connection.is_closed:
                raise
            await self._write_each(connection, len(batch))
            return
        except BaseException:
            # Whatever takes too long among them, others do not wait for that.
            self._endings = self._endings[len(batch) :] + batch
            raise
        del self._endings[: len(batch)]
        for (_, written), status in zip(batch, statuses, strict=True):
            if not written.done():
                written.set_result(status)
        self._committed()

    def _batch(self) -> list[tuple[Ending, asyncio.Future[str | None]]]:
        """Return the endings to write next."""
        batch: list[tuple[Ending, asyncio.Future[str | None]]] = []
        size = 0
        for entry in self._endings[:_MOST]:
            size += len(entry[0].result or "")
            if batch and size > _MOST_CHARACTERS:
                break
            batch.append(entry)
        return batch

    async def _write_each(self, connection: JobConnection, count: int) -> None:
        """Write endings one by one: one of them holds what Postgres does not take, or its job is locked."""
        for _ in range(count):
            ending, written = self._endings.pop(0)
            try:
                (status,) = await self._write_all(connection, [ending])
            except asyncpg.LockNotAvailableError:
                # Such as by a transaction that cancels it. Others do not wait for that.
                self._endings.append((ending, written))
                continue
            except _UNSTORABLE as error:
                _LOG.error("end of a job not storable", job=ending.job, error=type(error).__name__)
                if ending.result is None:
                    # Whatever it is, it is not what the job returned. Others do not wait for that.
                    self._endings.append((ending, written))
                    raise
                failed = replace(ending, outcome=Outcome.RETRY, result=None, error="The job failed.")
                self._endings.append((failed, written))
                continue
            except BaseException:
                self._endings.append((ending, written))
                raise
            if not written.done():
                written.set_result(status)
            self._committed()

    async def _write_all(self, connection: JobConnection, endings: Sequence[Ending]) -> list[str | None]:
        reports = [self._reports.get((one.job, one.attempt, one.worker), (None, None)) for one in endings]
        rows = await connection.fetch(
            sql.END,
            [one.job for one in endings],
            [one.attempt for one in endings],
            [one.worker for one in endings],
            [one.outcome.value for one in endings],
            [one.result for one in endings],
            [one.error for one in endings],
            [share for share, _ in reports],
            [message for _, message in reports],
            [one.until for one in endings],
        )
        for one in endings:
            self.last_report(one)
        found = {(job, attempt): status for job, attempt, status in rows}
        return [found.get((one.job, one.attempt)) for one in endings]

    async def _write_reports(self, connection: JobConnection) -> None:
        keys = sorted(self._unwritten)
        self._unwritten.clear()
        self._report_at = time.monotonic() + _PROGRESS
        try:
            await self._write_progress(connection, keys)
        except asyncpg.LockNotAvailableError:
            for key in keys:
                with suppress(asyncpg.LockNotAvailableError):
                    await self._write_progress(connection, [key])

    async def _write_progress(self, connection: JobConnection, keys: Sequence[tuple[str, int, str]]) -> None:
        # Those that have ended meanwhile are left out.
        rows = [(*key, *self._reports[key]) for key in keys if key in self._reports]
        if not rows:
            return
        await connection.fetch(sql.PROGRESS, *(list(column) for column in zip(*rows, strict=True)))
        self._committed()
