"""The output of jobs, for all who follow it in this process.

What this process writes goes to the followers at once. What other processes write is read by one task: when they tell
of it, when the change log tells that a job has begun or ended, and else once a second. One statement reads for all jobs
that are followed. Whoever is behind reads pages from the database.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg

from clew.background import Background
from clew.changes.connection import LogConnection, connected
from clew.changes.types import Batch, ChangeKind, ChangeSource, Listening
from clew.database.errors import UNREACHABLE, client_error
from clew.database.pool import Pool
from clew.errors import ClewError, Code
from clew.jitter import LONGEST_WAIT, Backoff, jitter
from clew.jobs.output import statements as sql
from clew.jobs.output.follow import Follower
from clew.jobs.output.ring import Ring, State, Stream
from clew.jobs.output.types import Chunk, Position
from clew.jobs.types import Status
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# What is read at once for one follower or job, and for all jobs together.
_ROWS, _PAGE_BYTES, _READ_BYTES = 1000, 64 * 2**10, 4 * 2**20

# The connections for pages, and for chunks that are written.
_READERS, _WRITERS = 2, 1

# In seconds. How long the database may take to connect.
_PATIENCE = 10.0
# How often all jobs that are followed are read.
_POLL = 1.0
# The same where no notifications come.
_DEAF_POLL = 0.25
# The least time from one read to the next one.
_REST = 0.005
# How long a process is believed to follow after it has said so, and how often it says so.
_BELIEF, _SAYING = 90.0, 30.0
# How long the connection is kept without followers.
_LINGERING = 10.0
# After a lost connection: about the first wait, in seconds.
_FIRST_WAIT = 0.1
# How often old chunks are dropped, at most and as a share of the time that they are kept.
_DROPPING, _DROPPING_SHARE = 60.0, 0.125
# Whoever drops chunks has locked out all who read and write. A process that hangs then is cut off after that long.
_HELD = "5s"

# What processes say to each other. After WROTE come the jobs; without any it is about all.
_WROTE, _FOLLOWING, _WHO = "wrote", "following", "who"
# In jobs. Postgres takes 8,000 bytes.
_MOST_TOLD = 200

_JOBS = ("clew", "jobs")
_ID = re.compile(r'"id":"([0-9a-f-]{36})"')

# Planned once, while the tables may be empty, a statement must not scan them when they have grown.
PLANNER = "enable_seqscan=off,plan_cache_mode=force_generic_plan,jit=off"


@dataclass(slots=True)
class _State:
    """What belongs to one loop, and ends with it."""

    loop: asyncio.AbstractEventLoop
    pool: Pool
    # Which database system, and which timeline of it, the streams are of.
    epoch: str | None = None
    ring: Ring = field(default_factory=Ring)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    dropping: asyncio.Task[None] | None = None
    listening: Listening | None = None
    # Jobs that may have something new, and those that were written here and are to be told of.
    due: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    # Streams whose followers wait for the next read.
    joining: dict[Stream, list[asyncio.Future[None]]] = field(default_factory=dict)
    writers: int = 0
    pages: dict[tuple[str, Position], asyncio.Task[list[Chunk]]] = field(default_factory=dict)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READERS))


class JobOutputs:
    """Follows the output of jobs.

    Args:
        url: of the database, for a connection of its own.
        new_pool: makes a pool of that many connections.
        background: owns the tasks.
        changes: tells of jobs that begin and end.
        retention: seconds that chunks are kept at least.
        most: bytes that all chunks together may take before that.
    """

    def __init__(
        self,
        url: str,
        new_pool: Callable[[int], Pool],
        background: Background,
        changes: ChangeSource,
        *,
        retention: float,
        most: int,
    ) -> None:
        self._url = url
        self._new_pool = new_pool
        self.background = background
        self._changes = changes
        self._retention = retention
        self._most = most
        self._state: _State | None = None
        # Until then it is believed that other processes follow jobs.
        self.others_until = 0.0
        # How many statements have been run for all followers, and for single ones.
        self.reads = self.page_reads = 0

    # For followers.

    def follow(
        self, job: str, after: str | None = None, is_visible: Callable[[], Awaitable[bool]] | None = None
    ) -> Follower:
        """Follow the output of a job: from its beginning, or after a cursor. It can begin before the job does.

        Args:
            job: its id.
            after: a cursor.
            is_visible: tells whether the viewer may see the job. It is asked at the start, and then again and again.

        Returns:
            an async iterator of events. Close it with `aclose`. It raises `UnknownJobError`, `GoneError`, and
            UNAVAILABLE if the database cannot be reached at the start.

        Raises:
            ClewError: BAD_USER_INPUT if `after` is no cursor.
        """
        return Follower(self, job, None if after is None else Position.parse(after), is_visible)

    async def join(self, job: str, follower: object, wake: Callable[[], None]) -> Stream:
        """Give a follower the stream of a job as it is now. Call `wake` whenever something is new, until it leaves.

        Raises:
            ClewError: UNAVAILABLE if the database cannot be reached.
        """
        state = self._here()
        stream = state.ring.join(job, follower, wake)
        read: asyncio.Future[None] = state.loop.create_future()
        state.joining.setdefault(stream, []).append(read)
        self._ensure(state)
        state.woken.set()
        try:
            await read
        except BaseException:
            self.leave(stream, follower)
            raise
        return stream

    def leave(self, stream: Stream, follower: object) -> None:
        """Let a follower go."""
        state = self._here()
        state.ring.leave(stream, follower)
        if not state.ring.streams:
            state.woken.set()

    async def page(self, job: str, after: Position) -> list[Chunk]:
        """Return the next chunks of an attempt from the database. Followers who ask for the same ones share them.

        While the database cannot be reached, wait for it.

        Raises:
            ClewError: TIMEOUT, or UNAVAILABLE if the process stops.
        """
        state = self._here()
        key = job, after
        task = state.pages.get(key)
        if task is None:
            task = state.pages[key] = state.loop.create_task(self._page(state, job, after))
            task.add_done_callback(lambda _: state.pages.pop(key, None))
            task.add_done_callback(_noticed)
        return await asyncio.shield(task)

    # For writers.

    @property
    def pool(self) -> Pool:
        """The connections for chunks that are written."""
        return self._here().pool

    def begin_writing(self) -> None:
        """Tell other processes of what is written here, until `end_writing` is called as often."""
        state = self._here()
        state.writers += 1
        self._ensure(state)

    def end_writing(self) -> None:
        """See `begin_writing`."""
        state = self._here()
        state.writers -= 1
        state.woken.set()

    def wrote(self, job: str, chunks: Sequence[Chunk]) -> None:
        """Give followers what this process has committed. Without chunks, something else is new about the job."""
        state = self._here()
        stream = state.ring.streams.get(job)
        if stream is not None:
            with state.ring.changing(stream):
                is_whole = stream.feed(chunks)
            if not (is_whole and chunks):
                state.due.add(job)
                state.woken.set()
        if time.monotonic() < self.others_until:
            state.told.add(job)
            state.woken.set()

    def keep_short(self) -> None:
        """Drop old chunks from now on. Other processes may do so too; one at a time does."""
        state = self._here()
        if state.dropping is None:
            state.dropping = self.background.start(self._drop_old(), "output-retention")

    async def close(self) -> None:
        """Close the connections."""
        if self._state is not None:
            await self._state.pool.close()

    # The task.

    def _here(self) -> _State:
        loop = asyncio.get_running_loop()
        if self._state is None or self._state.loop is not loop:
            self._state = _State(loop, self._new_pool(_READERS + _WRITERS))
        return self._state

    def _ensure(self, state: _State) -> None:
        if state.task is None or state.task.done():
            state.task = self.background.start(self._run(state), "output")
            if state.task is None:
                _refuse(state, ClewError("The server is shutting down.", code=Code.UNAVAILABLE))

    async def _page(self, state: _State, job: str, after: Position) -> list[Chunk]:
        backoff = Backoff(_FIRST_WAIT, LONGEST_WAIT)
        while True:
            try:
                async with state.slots:
                    self.page_reads += 1
                    rows = await state.pool.fetch(sql.PAGE, (job, after.attempt, after.seq, _ROWS, _PAGE_BYTES))
                return [Chunk(after.attempt, *row) for row in rows]
            except ClewError as error:
                if error.code is not Code.UNAVAILABLE or state.pool.is_closed:
                    raise
            await backoff.wait()

    async def _run(self, state: _State) -> None:
        backoff = Backoff(_FIRST_WAIT, LONGEST_WAIT)
        try:
            while True:
                try:
                    async with connected(self._url) as connection:
                        await _Reading(self, state, connection).run()
                    if not (state.ring.streams or state.writers):
                        return
                    continue
                except UNREACHABLE as error:
                    _LOG.warning("output of jobs unreachable", error=type(error).__name__, detail=str(error))
                    if state.joining:
                        _refuse(state, client_error(error))
                except Exception:
                    # It goes on whatever happens: followers cannot know that nothing comes any more.
                    _LOG.exception("output of jobs not read")
                    _refuse(state, ClewError("The output of jobs cannot be read.", code=Code.UNAVAILABLE))
                await backoff.wait()
        finally:
            state.task = None
            _refuse(state, ClewError("The server is shutting down.", code=Code.UNAVAILABLE))
            if state.listening is not None:
                state.listening.stop()
                state.listening = None

    async def listen(self, state: _State) -> None:
        """Hear of jobs that begin and end, as long as there are followers."""
        if not state.ring.streams and state.listening is not None:
            state.listening.stop()
            state.listening = None
        elif state.ring.streams and state.listening is None:
            # Else there is the poll.
            with suppress(ClewError):
                state.listening = await self._changes.listen(self._changed)

    def _changed(self, batch: Batch) -> None:
        state = self._here()
        streams = state.ring.streams
        for change in batch.changes:
            if change.name != _JOBS:
                continue
            if change.kind is ChangeKind.RESET:
                state.due.update(streams)
                continue
            # Most changes are of jobs that nobody follows. The id is the first column.
            found = _ID.search(change.new_text or change.old_text or "")
            if found is None or (job := found[1]) not in streams:
                continue
            row, before = change.new or {}, change.old or {}
            if not row or any(row[name] != before.get(name) for name in ("status", "attempt")):
                state.due.add(job)
        if state.due:
            state.woken.set()

    async def _drop_old(self) -> None:
        every = min(_DROPPING, self._retention * _DROPPING_SHARE)
        while True:
            # Not all processes at once; and soon after the start, for a process that does not live long.
            await asyncio.sleep(every * jitter(0.1, 1))
            try:
                await self.drop_old()
            except ClewError as error:
                _LOG.warning("old output not dropped", code=error.code.value)

    async def drop_old(self) -> bool:
        """Drop the oldest chunks if it is time to. Return whether any went.

        Raises:
            ClewError: the database cannot be reached, or refuses.
        """
        try:
            connection = await asyncpg.connect(self._url, timeout=_PATIENCE)
            try:
                async with connection.transaction():
                    # To find out what goes takes as long as it takes.
                    await connection.execute(
                        f"SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '{_HELD}'"
                    )
                    # What is dropped is twice as old as a turn, and there are no more than three turns.
                    return bool(await connection.fetchval(sql.ROTATE, self._retention / 2, max(1, self._most // 3)))
            finally:
                await connection.close(timeout=1)
        except UNREACHABLE as error:
            raise client_error(error) from error


class _Reading:
    """One connection's life: what is read, what is heard from other processes, and what is said to them."""

    def __init__(self, outputs: JobOutputs, state: _State, connection: LogConnection) -> None:
        self._outputs = outputs
        self._state = state
        self._connection = connection
        self._poll_at = self._say_at = self._read_at = 0.0
        self._until = 0.0
        self._knows_epoch = False

    async def run(self) -> None:
        """Go on until the connection is lost, or nobody needs it.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: the connection is lost.
        """
        state, connection = self._state, self._connection
        await connection.hear(_WHO, self._hear, state.woken.set, channel=sql.CHANNEL)
        while True:
            now = time.monotonic()
            if state.ring.streams or state.writers:
                self._until = now + _LINGERING
            elif now >= self._until:
                return
            state.woken.clear()
            await self._outputs.listen(state)
            if state.ring.streams:
                if time.monotonic() >= self._say_at:
                    # Before reading, so that nothing is written unheard in between.
                    await self._say(_FOLLOWING)
                    self._say_at = time.monotonic() + _SAYING
                await self._read()
            else:
                self._say_at = 0.0
            await self._tell()
            await self._wait()

    async def _wait(self) -> None:
        """Wait until there is something to do."""
        state = self._state
        until = min(self._poll_at, self._say_at) if state.ring.streams else None if state.writers else self._until
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
                await state.woken.wait()
        # Many writes are one read.
        rest = self._read_at + _REST - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        if self._connection.is_closed:
            raise ConnectionResetError("the connection was closed")

    def _hear(self, process: int, text: str) -> None:
        if process == self._connection.process:
            return
        state = self._state
        said, _, jobs = text.partition(" ")
        if said == _WROTE:
            concerned = state.ring.streams.keys() & jobs.split(",") if jobs else set(state.ring.streams)
            state.due |= concerned
            if concerned:
                state.woken.set()
        elif said == _FOLLOWING:
            self._outputs.others_until = time.monotonic() + _BELIEF
        elif state.ring.streams:
            self._say_at = 0.0
            state.woken.set()

    async def _say(self, text: str) -> None:
        if self._connection.is_whole:
            await self._connection.tell(text)

    async def _tell(self) -> None:
        told, self._state.told = self._state.told, set()
        if told:
            await self._say(f"{_WROTE} {','.join(told)}" if len(told) <= _MOST_TOLD else _WROTE)

    async def _read(self) -> None:
        """Read what is due, and let followers in."""
        state, outputs = self._state, self._outputs
        if not self._knows_epoch:
            await self._learn_epoch()
        streams = state.ring.streams
        joining, state.joining = state.joining, {}
        due, state.due = state.due, set()
        try:
            if (now := time.monotonic()) >= self._poll_at:
                every = _POLL if self._connection.is_whole else _DEAF_POLL
                # What was read just now needs no second look.
                due.update(job for job, stream in streams.items() if stream.read_at < now - every / 2)
                self._poll_at = now + every
            known = {stream.job: stream for stream in joining if streams.get(stream.job) is stream}
            wanted = [stream for job in due if (stream := streams.get(job)) is not None and stream.is_open]
            wanted += [stream for stream in known.values() if stream.is_open and stream.job not in due]
            new = [stream for stream in known.values() if not stream.is_open]
            if new:
                outputs.reads += 1
                await self._open(new)
            if wanted:
                outputs.reads += 1
                await self._update(wanted)
        except BaseException:
            # The next connection goes on from here.
            state.due |= due
            for stream, waiting in joining.items():
                state.joining.setdefault(stream, []).extend(waiting)
            raise
        for waiting in joining.values():
            _let(waiting)
        self._read_at = time.monotonic()

    async def _learn_epoch(self) -> None:
        """Find out whether the database is the one of before. Else all streams begin anew."""
        state = self._state
        ((epoch,),) = await self._connection.fetch(sql.EPOCH)
        if epoch is None:
            return
        if state.epoch not in (None, epoch):
            _LOG.warning("output of jobs is read anew: the database is another one", streams=len(state.ring.streams))
            for stream in state.ring.streams.values():
                with state.ring.changing(stream):
                    stream.restart()
                state.joining.setdefault(stream, [])
        state.epoch = epoch
        self._knows_epoch = True

    async def _open(self, streams: Iterable[Stream]) -> None:
        """Find out how far the output of jobs is."""
        by_job = {stream.job: stream for stream in streams}
        _asked(by_job.values())
        rows = await self._connection.fetch(sql.OPEN, list(by_job))
        for job, attempt, status, last, step, dropped in rows:
            stream = by_job.pop(job)
            with self._state.ring.changing(stream):
                stream.open(State(attempt, Status(status), dropped), last, step)
        for stream in by_job.values():
            with self._state.ring.changing(stream):
                stream.open(None, None, None)

    async def _update(self, streams: Sequence[Stream]) -> None:
        """Read the next chunks of jobs."""
        most = max(_PAGE_BYTES // 8, min(_PAGE_BYTES, _READ_BYTES // len(streams)))
        known = [stream.job for stream in streams], [s.attempt for s in streams], [s.head for s in streams]
        found: dict[str, list[asyncpg.Record]] = {}
        _asked(streams)
        for row in await self._connection.fetch(sql.READ, *known, _ROWS, most):
            found.setdefault(row[0], []).append(row)
        ring = self._state.ring
        for stream in streams:
            rows = found[stream.job]
            _, attempt, status, dropped = rows[0][:4]
            state = None if attempt is None else State(attempt, Status(status), dropped)
            chunks = [Chunk(attempt, *row[4:]) for row in rows if row[4] is not None]
            # One that is over the bytes was left out.
            is_all = len(chunks) < _ROWS and sum(len(chunk.data.encode()) for chunk in chunks) < most
            if ring.streams.get(stream.job) is stream:
                with ring.changing(stream):
                    stream.update(state, chunks, is_all=is_all)
            if not is_all:
                self._state.due.add(stream.job)
                self._state.woken.set()


def _asked(streams: Iterable[Stream]) -> None:
    now = time.monotonic()
    for stream in streams:
        stream.read_at = now


def _refuse(state: _State, error: ClewError) -> None:
    joining, state.joining = state.joining, {}
    for waiting in joining.values():
        for read in waiting:
            if not read.done():
                read.set_exception(error)


def _let(waiting: Iterable[asyncio.Future[None]]) -> None:
    for read in waiting:
        if not read.done():
            read.set_result(None)


def _noticed(task: asyncio.Task[list[Chunk]]) -> None:
    """Perhaps nobody waits for an error any more."""
    if not task.cancelled():
        task.exception()
