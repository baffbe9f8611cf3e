"""A worker: it claims jobs, runs their handlers, and writes what becomes of them.

It has a connection for claims and one for endings; handlers have a pool of their own. A worker lives as long as it
renews its lease, from the event loop: if handlers block the loop, others take its jobs over.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from clew.database.alchemy import alchemy_engine
from clew.database.errors import UNREACHABLE
from clew.database.pool import Pool
from clew.jitter import LONGEST_WAIT, Backoff, jitter
from clew.jobs import limits
from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection, connected
from clew.jobs.cron import Clock
from clew.jobs.endings import Ending, Endings, Outcome
from clew.jobs.execution import Claimed, Execution, Stop, Tools
from clew.jobs.metrics import JobMetrics
from clew.jobs.places import Places
from clew.jobs.retention import forget_old
from clew.jobs.types import CronJob, Handler, JobDeclaration, OutputWriter, RunGraphQL
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# In seconds. How often a worker looks for jobs that nobody tells of.
_POLL = 1.0
# How soon it looks again, if others were claiming at the same time.
_AGAIN = 0.02
# How often it looks for jobs that were told to stop, at most.
_LOOK = 0.1
# How long a handler may take to end after it was told to.
_PATIENCE = 5.0
# After a lost connection: about the first wait, in seconds.
_FIRST_WAIT = 0.1
# How often it looks at all that is delayed, and not only at what may have been added.
_ANEW = 60.0
# How many jobs are claimed at once.
_BATCH = 200
# How many jobs with limits are taken from the queue at once, at most, to find some that may begin.
_MOST_TAKEN = 1000


class Worker:
    """Runs jobs that it has handlers for.

    Args:
        url: of the database, without a pooler that lends connections for one transaction.
        declarations: the jobs, by name.
        handlers: by name; other jobs are left to other workers.
        run_graphql: runs operations for handlers.
        output: keeps what handlers emit.
        pool: the connections of handlers. It is closed at the end.
        queues: those whose jobs it runs; None: all.
        concurrency: how many jobs run at once.
        lease: how long others wait, in seconds, before they take over the jobs of a worker that is not heard of.
        retention: how long ended jobs are kept, in seconds.
        crons: jobs to enqueue on a schedule.
        committed: called when this worker has changed rows.
    """

    def __init__(
        self,
        url: str,
        pool: Pool,
        *,
        declarations: Mapping[str, JobDeclaration],
        handlers: Mapping[str, Handler],
        run_graphql: RunGraphQL,
        output: OutputWriter,
        queues: Collection[str] | None = None,
        concurrency: int = 10,
        lease: float = 15.0,
        retention: float = 7 * 86400.0,
        crons: Sequence[CronJob] = (),
        committed: Callable[[], None] = lambda: None,
        token: str = "",
    ) -> None:
        self.metrics = JobMetrics()
        self._url = url
        self._handlers = handlers
        self._declarations = {
            name: one
            for name, one in declarations.items()
            if name in handlers and (queues is None or one.queue in queues)
        }
        limited = {name for name, one in self._declarations.items() if limits.is_limited(one)}
        queue_of = {name: one.queue for name, one in self._declarations.items()}
        self._places = Places({name: queue for name, queue in queue_of.items() if name not in limited})
        self._limited_places = Places({name: queue for name, queue in queue_of.items() if name in limited})
        self._concurrency = concurrency
        self._lease = lease
        self._retention = retention
        self._committed = committed
        self._token = token
        self._clock = Clock(crons)
        # By their name others end the transactions of a worker that was lost.
        pool.application_name = self._sessions = f"clew-handlers-{secrets.token_hex(8)}"
        self._pool = pool
        self._endings = Endings(url, committed)
        self._tools = Tools(self._pool, alchemy_engine(self._pool), output, run_graphql, self._endings, committed)
        self._woken = asyncio.Event()
        self._running: dict[tuple[str, int], Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = 0
        self._left: list[tuple[str, str, str, int]] = []
        self._is_draining = False
        self._drained = asyncio.Event()
        # The lease, and until when it lasts, by this process's clock.
        self._id: uuid.UUID | None = None
        self._until = 0.0
        # The lease before it, until that is given up; and since when the database has been away.
        self._former: uuid.UUID | None = None
        self._away_from: float | None = None
        # When things are to be done, by the same clock.
        self._claim_at = self._renew_at = self._due_at = self._look_at = self._sweep_at = self._tick_at = 0.0
        self._anew_at = self._settled_at = 0.0
        # Until which time delayed jobs have been moved, and until when that is not certain yet.
        self._due_from: datetime = _LONG_AGO
        self._due_seen: tuple[datetime, int] | None = None

    # What others call.

    def wake(self) -> None:
        """Say that jobs may have been enqueued or cancelled."""
        self._claim_at = self._due_at = 0.0
        self._look_at = min(self._look_at, time.monotonic() + _LOOK)
        self._woken.set()

    async def run(self) -> None:
        """Run jobs until cancelled or drained. If Postgres is lost, connect again."""
        helpers = [
            asyncio.create_task(work, name=f"clew-jobs-{name}")
            for name, work in (
                ("endings", self._endings.run()),
                ("lease", self._watch()),
                ("retention", forget_old(self._url, self._retention, self._committed)),
            )
        ]
        try:
            await self._serve()
        finally:
            for execution in self._running.values():
                execution.stop(Stop.LOST)
            tasks = [*helpers, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_PATIENCE)
            await self._pool.close()
            self._drained.set()

    async def drain(self, seconds: float) -> None:
        """Begin no more jobs. Wait for those that run; after some seconds give back those that still run."""
        self._is_draining = True
        self._woken.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._drained.wait()
        for execution in list(self._running.values()):
            self._stop(execution, Stop.DRAINED)
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * _PATIENCE):
                await self._drained.wait()

    # The lease.

    async def _renew(self, connection: JobConnection) -> None:
        now = time.monotonic()
        if self._id is not None:
            renewed = await connection.fetch(sql.RENEW, self._id, self._lease)
            if not renewed:
                self._lose()
            elif renewed[0][0]:
                self._sweep_at = 0.0
        if self._id is None:
            new = uuid.uuid4()
            await connection.fetch(sql.JOIN, new, self._lease, self._sessions)
            self._id = new
            if self._former is not None:
                # Whoever finds it over would end the transactions of this worker's new handlers.
                await connection.fetch(sql.DEPART, self._former)
                self._former = None
        self._away_from = None
        self._until = now + self._lease
        self._renew_at = now + self._lease / 3

    def _holds(self, worker: str) -> bool:
        return str(self._id) == worker

    def _lose(self) -> None:
        """Stop what was begun under a lease that is over: by now it may be another worker's."""
        _LOG.warning("lease lost", jobs=len(self._running))
        self._former, self._id = self._id, None
        # That the database was away is no fault of the jobs: they are given back, unless somebody has taken them over.
        # A connection that was lost just now may have been so because a job blocked the event loop.
        now = time.monotonic()
        is_away = self._away_from is not None and now - self._away_from > self._lease / 3
        why = Stop.AWAY if is_away else Stop.LOST
        self._renew_at = 0.0
        for execution in list(self._running.values()):
            self.metrics.lost += 1
            self._stop(execution, why)

    async def _watch(self) -> None:
        """End the lease where it cannot be renewed."""
        while True:
            await asyncio.sleep(self._lease / 15)
            if self._id is not None and time.monotonic() >= self._until:
                self._lose()
                self._woken.set()

    # The loop.

    async def _serve(self) -> None:
        backoff = Backoff(_FIRST_WAIT, LONGEST_WAIT)
        while True:
            try:
                async with connected(self._url) as connection:
                    await self._attend(connection)
                    return
            except UNREACHABLE as error:
                _LOG.warning("jobs unreachable", error=type(error).__name__, detail=str(error))
                if self._away_from is None:
                    self._away_from = time.monotonic()
            except Exception:
                # A worker goes on whatever happens: nobody else would start it again.
                _LOG.exception("worker failed")
            if self._is_draining and not self._running:
                return
            await backoff.wait()

    async def _attend(self, connection: JobConnection) -> None:
        connection.when_closed(self._woken.set)
        await connection.listen(self._heard)
        self._places.forget()
        self._limited_places.forget()
        self._due_from, self._due_seen = _LONG_AGO, None
        self._renew_at = self._claim_at = self._due_at = self._tick_at = 0.0
        now = time.monotonic()
        self._sweep_at, self._settled_at = now + self._lease * jitter(0.3, 1), now + 2 * self._lease
        while True:
            self._woken.clear()
            if connection.is_closed:
                raise ConnectionResetError("the connection was closed")
            if time.monotonic() >= self._renew_at:
                await self._renew(connection)
            if self._left:
                await self._leave(connection)
            if not self._is_draining:
                await self._begin_more(connection)
            elif not self._running:
                if self._id is not None:
                    await connection.fetch(sql.DEPART, self._id)
                return
            if self._running and time.monotonic() >= self._look_at:
                await self._look(connection)
            await self._wait()

    def _heard(self, token: str) -> None:
        if token != self._token or not token:
            self.wake()

    async def _wait(self) -> None:
        times = [self._renew_at]
        if self._running:
            times.append(self._look_at)
        if not self._is_draining:
            times += [self._due_at, self._sweep_at, self._tick_at]
            if len(self._running) < self._concurrency:
                times.append(self._claim_at)
        pause = min(times) - time.monotonic()
        if pause > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def _begin_more(self, connection: JobConnection) -> None:
        now = time.monotonic()
        if now >= self._tick_at:
            pause, is_new = await self._clock.tick(connection)
            self._tick_at = now + pause
            if is_new:
                self._committed()
                self._claim_at = 0.0
        if now >= self._due_at:
            await self._move_due(connection)
        if now >= self._sweep_at:
            self._sweep_at = now + self._lease * jitter(0.8, 1.2)
            if now < self._settled_at and self._endings.is_behind:
                # What this worker gives back by itself is not lost.
                self._sweep_at = now + _AGAIN
            else:
                await self._sweep(connection)
        if now >= self._claim_at and len(self._running) < self._concurrency:
            await self._claim(connection)

    async def _move_due(self, connection: JobConnection) -> None:
        now = time.monotonic()
        if now >= self._anew_at:
            # The clock of the database may have been put back.
            self._anew_at = now + _ANEW
            self._due_from, self._due_seen = _LONG_AGO, None
        (row,) = await connection.fetch(sql.DUE, self._due_from)
        if row["moved"]:
            self._claim_at = 0.0
        first, following, _ = row["snapshot"]
        # What was added by transactions that had not begun then is due later. What they had added is visible now.
        if self._due_seen is not None and first >= self._due_seen[1]:
            self._due_from, self._due_seen = self._due_seen[0], None
        if self._due_seen is None and not row["is_full"]:
            self._due_seen = (row["now"], following)
        if row["is_full"]:
            self._due_at = 0.0
        else:
            self._due_at = now + min(_POLL, row["next"])

    async def _sweep(self, connection: JobConnection) -> None:
        found = await connection.fetch(sql.REAP)
        for row in found:
            _LOG.warning("job taken back", job=row["job"], name=row["name"], attempt=row["attempt"])
        if found:
            self._committed()
        await self._give_back_strays(connection)
        if await limits.sweep(connection, self._declarations):
            self._claim_at = 0.0

    async def _give_back_strays(self, connection: JobConnection) -> None:
        """Give back jobs that were claimed for this worker unheard: while it lives, nobody else takes them over."""
        if self._id is None:
            return
        worker = str(self._id)
        known = [job for job, _ in self._running]
        for job, attempt in await connection.fetch(sql.STRAYS, worker, known):
            if (job, attempt) not in self._running:
                _LOG.warning("job claimed unheard", job=job, attempt=attempt)
                self._endings.end(Ending(job, attempt, worker, Outcome.BACK))

    async def _claim(self, connection: JobConnection) -> None:
        if self._id is None:
            # The lease was lost just now.
            return
        worker = str(self._id)
        limit = min(_BATCH, self._concurrency - len(self._running))
        begun: list[Claimed] = []
        is_crowded = is_full = False
        sets = [self._places, self._limited_places]
        # Neither of the two is always first.
        if jitter(0, 1) < 0.5:
            sets.reverse()
        for places in sets:
            if places.is_empty or limit <= len(begun):
                continue
            most = limit - len(begun)
            if places is self._places:
                rows = await connection.fetch(sql.CLAIM, *places.arguments(), most, worker)
                firsts = [row for row in rows if row["place"]]
                jobs = [row for row in rows if not row["place"]]
            else:
                taken = max(most, self._taken)
                firsts, jobs, is_full = await limits.admit(
                    connection, places.arguments(), taken, most, worker, self._declarations
                )
                # Many jobs of keys that are busy must not keep others waiting.
                self._taken = min(4 * taken, _MOST_TAKEN) if is_full and len(jobs) < most else 0
            if firsts and (snapshot := firsts[0]["snapshot"]):
                places.go_on(snapshot, [(row["place"], row["xid"], row["number"]) for row in firsts], time.monotonic())
            is_crowded = is_crowded or any(row["xid"] is not None for row in firsts)
            begun += [
                Claimed(
                    *(row["job"], row["name"], row["queue"], row["attempt"], row["try"], row["retries"]),
                    *(row["arguments"], row["caller"], row["late"], worker),
                    key=None if places is self._places else row["key"],
                    continues=row["continues"],
                )
                for row in jobs
            ]
        now = time.monotonic()
        if len(begun) >= limit or is_full:
            self._claim_at = now
        elif is_crowded:
            # Others may have been claiming these, and may leave some.
            self._claim_at = now + _AGAIN * jitter(0.5, 1.5)
        else:
            self._claim_at = now + _POLL
        if begun:
            self._committed()
        if not self._holds(worker):
            # The lease was lost meanwhile. If nobody has taken these over yet, nothing is lost.
            for claimed in begun:
                self._endings.end(Ending(claimed.job, claimed.attempt, worker, Outcome.BACK))
            return
        for claimed in begun:
            self._start(claimed)

    async def _look(self, connection: JobConnection) -> None:
        """Stop jobs that were cancelled."""
        self._look_at = time.monotonic() + _POLL
        running = {execution.id: execution for execution in self._running.values()}
        for (job,) in await connection.fetch(sql.CANCELLED, list(running)):
            self._stop(running[job], Stop.CANCELLED)

    async def _leave(self, connection: JobConnection) -> None:
        left, self._left = self._left, []
        try:
            if await limits.leave(connection, left, self._declarations):
                self._claim_at = 0.0
        except UNREACHABLE:
            self._left = left + self._left
            raise

    # Executions.

    def _start(self, claimed: Claimed) -> None:
        declaration = self._declarations[claimed.name]
        execution = Execution(claimed, declaration, self._handlers[claimed.name], self._tools)
        self._running[claimed.job, claimed.attempt] = execution
        is_first = claimed.tries == 1 and claimed.continues is None
        self.metrics.begin(claimed.queue, claimed.name, claimed.late if is_first else None)
        task = asyncio.get_running_loop().create_task(self._perform(execution), name=f"clew-job-{claimed.name}")
        execution.begin(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if declaration.timeout is not None:
            execution.timer = asyncio.get_running_loop().call_later(
                declaration.timeout, self._stop, execution, Stop.TIMEOUT
            )

    def _stop(self, execution: Execution, why: Stop) -> None:
        if execution.stop(why):
            asyncio.get_running_loop().call_later(_PATIENCE, self._abandon, execution)

    def _abandon(self, execution: Execution) -> None:
        """Go on without a handler that does not end."""
        if self._running.get((execution.id, execution.attempt)) is execution and not execution.has_returned:
            ending = execution.abandon()
            task = asyncio.get_running_loop().create_task(self._end_abandoned(execution, ending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end_abandoned(self, execution: Execution, ending: Ending | None) -> None:
        await execution.undo()
        await self._end(execution, ending)

    async def _perform(self, execution: Execution) -> None:
        ending = await execution.perform()
        if not execution.is_abandoned:
            await self._end(execution, ending)

    async def _end(self, execution: Execution, ending: Ending | None) -> None:
        claimed, metrics = execution.claimed, self.metrics
        if execution.timer is not None:
            execution.timer.cancel()
        try:
            status = execution.status if ending is None else await self._endings.end(ending)
        finally:
            self._endings.last_report(claimed)
            self._running.pop((claimed.job, claimed.attempt), None)
            metrics.running = len(self._running)
            if claimed.key is not None:
                self._left.append((claimed.name, claimed.key, claimed.job, claimed.attempt))
            self._woken.set()
        if ending is not None and ending.outcome is Outcome.RETRY:
            metrics.failures[claimed.queue, claimed.name] += 1
        if ending is not None and ending.until is not None:
            # Another worker may come first.
            pause = (ending.until - datetime.now(UTC)).total_seconds()
            self._due_at = min(self._due_at, time.monotonic() + pause)
        if status in ("SUCCEEDED", "FAILED", "CANCELLED"):
            metrics.ended[claimed.queue, claimed.name, status] += 1


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
