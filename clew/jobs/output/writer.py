"""The output of a worker's jobs on its way to the database: one statement at a time writes for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clew.database.pool import Pool
from clew.errors import ClewError, Code
from clew.jitter import Backoff
from clew.jobs.output import statements as sql
from clew.jobs.output.source import JobOutputs
from clew.jobs.output.types import Chunk
from clew.jobs.types import Fetch, LostLeaseError
from clew.json_numbers import dumps
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# In seconds: the least time from the start of one statement to the start of the next one.
_EVERY = 0.02
# When followers are told of chunks that were copied.
_SOON = 0.03
# After a fault of the database: the first and the longest wait.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0

# In bytes: what may wait of one job and of all, and what one statement writes.
_MOST_OF_JOB, _MOST_OF_ALL, _MOST_WRITTEN = 2**20, 16 * 2**20, 2 * 2**20
# What a chunk counts beside its text.
_OVERHEAD = 64

_LONGEST_KIND = 100

# The database may do better soon.
_PASSING = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.CONFLICT})


@dataclass(eq=False, slots=True)
class _Output:
    """The output of one execution.

    `number` is the attempt that began it: another one after a sleep. `last` is the number of its last chunk. `size` is
    that of all its chunks, `waiting` of those that are not committed.
    """

    job: str
    attempt: int
    number: int
    last: int = 0
    size: int = 0
    waiting: int = 0
    chunks: deque[tuple[Chunk, int]] = field(default_factory=deque)
    error: ClewError | None = None


class JobOutputWriter:
    """An `OutputWriter` for the jobs of one worker.

    Args:
        outputs: tells followers.
        most_of_chunk: bytes of a chunk, as UTF-8.
        most_of_attempt: bytes of all chunks of one execution.
    """

    def __init__(self, outputs: JobOutputs, *, most_of_chunk: int, most_of_attempt: int) -> None:
        self._of = outputs
        self._most_of_chunk = most_of_chunk
        self._most_of_attempt = most_of_attempt
        self._outputs: dict[str, _Output] = {}
        # Those with chunks to write, the next one first.
        self._due: dict[_Output, None] = {}
        self._waiting = 0
        self._urgent = False
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        # Callers who wait for a change: of the room for chunks, or of what is committed.
        self._waiters: set[asyncio.Future[None]] = set()
        # How many statements have been run.
        self.flushes = 0

    async def begin(self, job: str, attempt: int, continues: int | None = None) -> None:
        """As `OutputWriter.begin`."""
        self._forget(job)
        output = self._outputs[job] = _Output(job, attempt, continues or attempt)
        if continues is not None:
            ((output.last, output.size),) = await self._pool.fetch(sql.GROWN, (job, continues))
        elif attempt > 1:
            rows = await self._pool.fetch(sql.LAST_STEP, (job,))
            step = rows[0][0] if rows else None
            self._put(output, Chunk(attempt, 0, "reset", "", is_json=False, step=step), 0)
            await self._committed(output, 0)

    async def emit(self, job: str, attempt: int, data: Any, kind: str, step: str | None) -> None:
        """As `OutputWriter.emit`."""
        output = self._of_attempt(job, attempt)
        text, is_json = _text(data)
        size = _size("The output", text) + _size("The kind of the output", kind, _LONGEST_KIND)
        if size > self._most_of_chunk:
            raise ClewError(
                f"A chunk of the job's output is too large: at most {self._most_of_chunk} bytes are allowed.",
                code=Code.LIMIT_EXCEEDED,
                hint="Emit it in smaller pieces.",
            )
        size += _OVERHEAD
        while not self._has_room(output, size):
            self._check(output)
            await self._change()
        self._check(output)
        if output.size + size > self._most_of_attempt:
            raise ClewError(
                f"The job's output is too large: at most {self._most_of_attempt} bytes are allowed.",
                code=Code.LIMIT_EXCEEDED,
            )
        output.last += 1
        self._put(output, Chunk(output.number, output.last, kind, text, is_json, step), size)

    async def flush(self, job: str) -> None:
        """As `OutputWriter.flush`."""
        output = self._outputs.get(job)
        if output is None:
            raise LostLeaseError
        self._urgent = True
        self._woken.set()
        await self._committed(output, output.last)

    def position(self, job: str) -> int:
        """As `OutputWriter.position`."""
        output = self._outputs.get(job)
        return 0 if output is None else output.last

    async def copy(self, fetch: Fetch, job: str, attempt: int, from_attempt: int, first: int, last: int) -> None:
        """As `OutputWriter.copy`. If the transaction is rolled back, the attempt must not go on."""
        output = self._of_attempt(job, attempt)
        attempt = output.number
        await self.flush(job)
        count = last - first + 1
        if count <= 0:
            return
        shift = output.last + 1 - first
        rows = await fetch(sql.COPY, job, attempt, from_attempt, first, last, shift)
        found, size = rows[0]
        output.last += count
        output.size += size
        if found < count:
            # Some of them are not kept any more.
            await fetch(sql.LACK, job, attempt, output.last)
        # Followers see them when the transaction has ended. If that takes longer, the poll finds them.
        asyncio.get_running_loop().call_later(_SOON, self._of.wrote, job, ())

    def end(self, job: str, attempt: int) -> None:
        """As `OutputWriter.end`."""
        output = self._outputs.get(job)
        if output is not None and output.attempt == attempt:
            self._forget(job)

    @property
    def _pool(self) -> Pool:
        return self._of.pool

    def _of_attempt(self, job: str, attempt: int) -> _Output:
        output = self._outputs.get(job)
        if output is None or output.attempt != attempt:
            raise LostLeaseError
        self._check(output)
        return output

    def _check(self, output: _Output) -> None:
        if output.error is not None:
            raise output.error

    def _has_room(self, output: _Output, size: int) -> bool:
        if output.error is not None:
            return False
        if not output.waiting:
            # However little room there is: else a job could wait for ever.
            return True
        return output.waiting + size <= _MOST_OF_JOB and self._waiting + size <= _MOST_OF_ALL

    def _put(self, output: _Output, chunk: Chunk, size: int) -> None:
        output.chunks.append((chunk, size))
        output.size += size
        output.waiting += size
        self._waiting += size
        self._due[output] = None
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = self._of.background.start(self._write(), "output-writer")
            if self._task is None:
                self._drop(output, ClewError("The server is shutting down.", code=Code.UNAVAILABLE))

    def _forget(self, job: str) -> None:
        output = self._outputs.pop(job, None)
        if output is not None:
            self._drop(output, LostLeaseError())

    def _drop(self, output: _Output, error: ClewError) -> None:
        """Forget the chunks of an execution that are not committed."""
        output.error = error
        self._due.pop(output, None)
        self._waiting -= output.waiting
        output.waiting = 0
        output.chunks.clear()
        self._changed()

    async def _committed(self, output: _Output, seq: int) -> None:
        """Wait until there is nothing to be written up to a chunk."""
        while output.error is None and output.chunks and output.chunks[0][0].seq <= seq:
            await self._change()
        self._check(output)

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _changed(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    # The task.

    async def _write(self) -> None:
        """Write what is due, again and again."""
        loop = asyncio.get_running_loop()
        self._of.begin_writing()
        next_at, backoff = 0.0, Backoff(_FIRST_WAIT, _LONGEST_WAIT)
        try:
            while True:
                self._woken.clear()
                if not self._due:
                    await self._woken.wait()
                    continue
                await self._rest(next_at)
                self._urgent = False
                next_at = loop.time() + _EVERY
                taken = self._take()
                try:
                    is_busy = await self._flush(taken)
                except ClewError as error:
                    _LOG.warning("output of jobs not written", code=error.code.value)
                    await backoff.wait()
                    continue
                except Exception:
                    # It goes on whatever happens: other jobs wait for it.
                    _LOG.exception("output of jobs not kept")
                    for output, _, _ in taken:
                        self._drop(output, ClewError("The job's output cannot be kept.", code=Code.INTERNAL))
                    continue
                if is_busy:
                    await asyncio.sleep(_EVERY)
        finally:
            self._of.end_writing()

    async def _rest(self, until: float) -> None:
        """Let chunks gather, unless somebody waits for them or there are many."""
        loop = asyncio.get_running_loop()
        while not (self._urgent or self._waiting > _MOST_WRITTEN // 4):
            left = until - loop.time()
            if left <= 0:
                return
            self._woken.clear()
            try:
                async with asyncio.timeout(left):
                    await self._woken.wait()
            except TimeoutError:
                return

    def _take(self) -> list[tuple[_Output, list[Chunk], int]]:
        """Return what is written next: chunks of all jobs that have some, in turns."""
        taken: list[tuple[_Output, list[Chunk], int]] = []
        share = max(_MOST_WRITTEN // max(1, len(self._due)), self._most_of_chunk)
        total = 0
        for output in list(self._due):
            chunks: list[Chunk] = []
            size = 0
            for chunk, bytes_ in output.chunks:
                if chunks and size + bytes_ > share:
                    break
                chunks.append(chunk)
                size += bytes_
            taken.append((output, chunks, size))
            # It comes last the next time.
            del self._due[output]
            self._due[output] = None
            total += size
            if total > _MOST_WRITTEN:
                break
        return taken

    async def _flush(self, taken: Sequence[tuple[_Output, list[Chunk], int]]) -> bool:
        """Write chunks. Return whether jobs are locked by others.

        Raises:
            ClewError: the database cannot be reached, or is too slow. Nothing is lost by trying again.
        """
        self.flushes += 1
        try:
            rows = await self._pool.fetch(sql.WRITE, _columns(taken))
        except ClewError as error:
            if error.code in _PASSING:
                raise
            if len(taken) == 1:
                self._drop(taken[0][0], ClewError("The job's output cannot be kept.", code=error.code))
                return False
            # One of them must not fail the others.
            middle = len(taken) // 2
            return any([await self._flush(taken[:middle]), await self._flush(taken[middle:])])
        found = {row[0]: row[1] for row in rows}
        is_busy = False
        for output, chunks, _ in taken:
            if output.error is not None:
                continue
            if found.get(output.job):
                self._keep(output, chunks)
            elif output.job in found:
                is_busy = True
            else:
                self._drop(output, LostLeaseError())
        self._changed()
        return is_busy

    def _keep(self, output: _Output, chunks: Sequence[Chunk]) -> None:
        """Take note that chunks are committed."""
        for _ in chunks:
            _, size = output.chunks.popleft()
            output.waiting -= size
            self._waiting -= size
        if not output.chunks:
            del self._due[output]
        self._of.wrote(output.job, chunks)


def _columns(taken: Iterable[tuple[_Output, list[Chunk], int]]) -> list[list[Any]]:
    rows = [
        (output.job, output.attempt, output.number, chunk.seq, chunk.kind, chunk.data, chunk.is_json, chunk.step)
        for output, chunks, _ in taken
        for chunk in chunks
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _text(data: Any) -> tuple[str, bool]:
    """Return data as text, and whether that is JSON.

    Raises:
        ClewError: it is no JSON.
    """
    if isinstance(data, str):
        return data, False
    try:
        return dumps(data, compact=True), True
    except (ValueError, TypeError, RecursionError):
        raise ClewError("The output is neither text nor JSON.") from None


def _size(what: str, text: str, most: int | None = None) -> int:
    """Return how many bytes a text takes.

    Raises:
        ClewError: it cannot be kept.
    """
    if not isinstance(text, str) or (most is not None and not 0 < len(text) <= most):
        raise ClewError(f"{what} must be a text of 1 to {most} characters.")
    if "\0" in text:
        raise ClewError(f"{what} has a NUL character.")
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ClewError(f"{what} has half of a surrogate pair.") from None
