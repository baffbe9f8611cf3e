"""Live queries: run a read again whenever data behind it has changed, and send the result if it differs.

A subscription becomes a member of a group: the group is its statement, the member its arguments. Changes of the
database find members (`clew.live.router`). Members of a group run together, in one statement for a chunk of them.
Nothing is sent if the result is the same.

A stream is pulled: it asks for the next result once the client has taken the one before. A member runs only if some
stream waits for a result. So a client that reads slowly costs one payload at most, and no statements.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cachetools import LRUCache

from clew.access.types import Identity
from clew.aside import FEW_BYTES
from clew.background import Background
from clew.changes.tables import logged_tables
from clew.changes.types import Batch, ChangeKind, ChangeSource, Listening, TableName
from clew.database.errors import ContentionError, may_pass
from clew.database.pool import Pool
from clew.engine import Engine
from clew.engine.outcome import INTERNAL, ResponseTooLargeError
from clew.engine.retries import pauses
from clew.engine.types import Begun, Executable, Ready, Request, Session
from clew.errors import ClewError, Code
from clew.jitter import LONGEST_WAIT, Backoff
from clew.live.groups import Group, Member, route_values
from clew.live.patch import patch_response
from clew.live.router import Router
from clew.live.tables import UnloggedError, tables_of
from clew.live.types import SUBSCRIPTIONS, Payload
from clew.metrics import Metrics
from clew.observe import get_logger
from clew.plan.dependencies import Dependency, plan_dependencies
from clew.same import Same
from clew.sql.members import arguments_key
from clew.sql.statement import Statement

_LOG = get_logger("clew.live")

# What a run gives a member: the parts to compare, and a function that makes the payload of them.
_Result = tuple[Sequence[bytes | None], Callable[[], bytes]] | ClewError

# Two for statements that run at once, and one for look-ups of changed rows.
CONNECTIONS = 3
# The most members of one statement, and the seconds that it shall take.
_MOST_MEMBERS = 100
_CHUNK_SECONDS = 0.025
# A member that takes longer does not run beside quick ones.
_QUICK_SECONDS = 0.1
# The most seconds that a first run waits for its turn.
_LONGEST_TURN = 60.0
# The plans whose dependencies are kept.
_PLANS = 500
# About the seconds before the second try while the database is away.
_SHORTEST_RETRY = 0.2


class LiveStream:
    """The results of one live query. See `clew.live.types.Stream`.

    Args:
        throttle: the least seconds between two results.
        patches: whether to send the difference from the last result where it is smaller.
    """

    __slots__ = (
        "_last",
        "_live",
        "_patches",
        "_sent_at",
        "_throttle",
        "_waiter",
        "is_behind",
        "is_closed",
        "member",
        "needed",
        "sent",
    )

    def __init__(self, live: LiveQueries, member: Member, throttle: float, *, patches: bool) -> None:
        self._live = live
        self._patches = patches
        self._last: bytes | None = None
        self._throttle = throttle
        self._sent_at = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self.is_closed = False
        # Whether it has yet to take the member's payload.
        self.is_behind = False
        self.member = member
        # The first result must come from a run that starts after now: it shows all that is committed now.
        self.needed = member.started + 1
        self.sent = -1

    def __aiter__(self) -> LiveStream:
        return self

    async def __anext__(self) -> Payload:
        if self._throttle and self._sent_at and (left := self._sent_at + self._throttle - time.monotonic()) > 0:
            await asyncio.sleep(left)
        member = self.member
        while not self.is_closed:
            if member.error is not None:
                await self.aclose()
                raise member.error
            if member.finished >= self.needed and member.version != self.sent and member.payload is not None:
                payload = member.payload
                self.sent = member.version
                self._live.sent += 1
                self._sent_at = time.monotonic()
                member.taken(self)
                if not self._patches:
                    return Payload(payload)
                before, self._last = self._last, payload
                return Payload(payload if before is None else await self._live.patched(member, before, payload))
            if member.started < self.needed and not member.running:
                try:
                    await self._live.run_first(member)
                except ClewError:
                    await self.aclose()
                    raise
                continue
            self._waiter = asyncio.get_running_loop().create_future()
            self._live.want(member)
            try:
                await self._waiter
            finally:
                self._waiter = None
        raise StopAsyncIteration

    @property
    def is_waiting(self) -> bool:
        return self._waiter is not None

    def wake(self) -> None:
        """Look at the member again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def aclose(self) -> None:
        """End the live query."""
        if not self.is_closed:
            self.is_closed = True
            self.wake()
            self._live.leave(self)


class LiveQueries:
    """All live queries of one process.

    Args:
        engine: prepares them, and runs those with fields that Python resolves.
        changes: the changes of the database.
        pool: `CONNECTIONS` connections for the runs.
        background: owns the tasks that route changes and run members.
    """

    def __init__(self, engine: Engine, changes: ChangeSource, pool: Pool, background: Background) -> None:
        self._engine = engine
        self._changes = changes
        self._pool = pool
        self._background = background
        self._groups: dict[object, Group] = {}
        self._logged: frozenset[TableName] = frozenset()
        self._router: Router[Member] = Router(engine.model, self._look_up)
        self._batches: deque[Batch] = deque()
        self._dependencies: LRUCache[Same, tuple[Dependency, ...]] = LRUCache(_PLANS)
        self._quick: deque[Group] = deque()
        self._slow: deque[Group] = deque()
        self._has_batches = asyncio.Event()
        self._has_groups = asyncio.Event()
        self._listening = asyncio.Lock()
        self._first_runs = asyncio.Semaphore(max(1, engine.pool.size // 2))
        self._stop_listening: Listening | None = None
        self._tasks: list[asyncio.Task[None] | None] = []
        # Of results, runs, statements for them, and runs that made no difference.
        self.sent = self._runs = self._chunks = self._unchanged = 0

    def measure(self, metrics: Metrics) -> None:
        """Show how many live queries there are, and what they cost."""
        metrics.gauge("clew_subscriptions", SUBSCRIPTIONS, lambda: self.subscriptions, kind="live")
        metrics.gauge("clew_live_groups", "Groups of live queries that run together.", lambda: self.groups)
        about = "Live queries whose client has yet to take the newest result."
        metrics.gauge("clew_live_behind", about, lambda: sum(member.behind for member in self._members))
        metrics.counter("clew_live_runs_total", "Runs of live queries. Those alike are one.", lambda: self._runs)
        about = "Batches of runs of live queries. Each is one SQL statement if it can be."
        metrics.counter("clew_live_batches_total", about, lambda: self._chunks)
        metrics.counter("clew_live_results_total", "Results of live queries that were sent.", lambda: self.sent)
        about = "Runs of live queries whose result was the one before, so that nothing was sent."
        metrics.counter("clew_live_suppressed_total", about, lambda: self._unchanged)
        self._pool.measure(metrics, "live")

    @property
    def _members(self) -> Iterator[Member]:
        return (member for group in self._groups.values() for member in group.members.values())

    @property
    def subscriptions(self) -> int:
        return sum(len(member.streams) for member in self._members)

    @property
    def groups(self) -> int:
        return len(self._groups)

    async def open(self, begun: Begun, request: Request) -> LiveStream:
        """Begin a live query.

        Args:
            begun: a subscription of generated reads.

        Raises:
            ClewError: BAD_USER_INPUT for extensions that are wrong, UNAVAILABLE if changes cannot be read.
        """
        patches = _patches(request.extensions)
        prepared, ready, session = begun.prepared, begun.ready, begun.session
        throttle = _throttle(request.extensions, prepared.limits.live_rate)
        assert ready.executable is not None
        dependencies = self._dependencies_of(ready.executable)
        await self._listen()
        group = await self._group(ready.executable, dependencies)
        # The last one to leave may have ended it.
        await self._listen()
        # From here on nothing waits, so the member is noted before any batch is routed.
        group = self._kept(group)
        key = self._member_key(group, ready, session)
        member = group.members.get(key)
        if member is None or member.error is not None:
            values = route_values(dependencies, ready, session.claims, self._engine.statements.cursors)
            member = group.members[key] = Member(group, key, prepared, ready, request, session, values)
            for watch, found in zip(group.watches, values, strict=True):
                watch.add(member, found)
        stream = LiveStream(self, member, throttle, patches=patches)
        member.streams[stream] = None
        member.dirty, member.pauses = True, False
        return stream

    def _dependencies_of(self, executable: Executable) -> tuple[Dependency, ...]:
        key = Same(executable)
        found = self._dependencies.get(key)
        if found is None:
            found = self._dependencies[key] = plan_dependencies(executable.plan, self._engine.model)
        return found

    def leave(self, stream: LiveStream) -> None:
        """Forget a stream, with all that only it needed."""
        member = stream.member
        member.streams.pop(stream, None)
        member.taken(stream)
        if member.streams:
            return
        group = member.group
        group.pending.pop(member, None)
        group.later.pop(member, None)
        for watch, values in zip(group.watches, member.values, strict=True):
            watch.remove(member, values)
        if group.members.get(member.key) is member:
            del group.members[member.key]
        if not group.members and self._groups.pop(group.key, None) is not None:
            for watch in group.watches:
                self._router.unwatch(watch)
            if group.timer is not None:
                group.timer.cancel()
                group.timer = None
        if not self._groups and self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None

    def want(self, member: Member) -> None:
        """Run a member if its result may have changed: a stream waits for it."""
        if member.dirty and member.error is None:
            self._schedule(member)

    async def run_first(self, member: Member) -> None:
        """Run a member for a new stream, as a query runs: under the viewer's limit of operations at once.

        Raises:
            ClewError: it failed.
        """
        member.running = True
        try:
            # Those who subscribe all at once leave connections to others.
            try:
                async with asyncio.timeout(_LONGEST_TURN):
                    await self._first_runs.acquire()
            except TimeoutError:
                raise ClewError(
                    "Too many subscriptions begin at once.", code=Code.UNAVAILABLE, hint="Try again in a moment."
                ) from None
            try:
                await self._run_new(member)
            finally:
                self._first_runs.release()
        except BaseException:
            # Another stream may wait for this run.
            member.dirty = True
            raise
        finally:
            self._ended([member])

    async def _run_new(self, member: Member) -> None:
        tries = pauses()
        while True:
            try:
                await self._run(member.group, [member], self._engine.pool)
            except ContentionError:
                pause = next(tries, None)
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return

    async def patched(self, member: Member, old: bytes, new: bytes) -> bytes:
        """Return the difference of two payloads of a member, or the new one if that is smaller."""
        known = member.patch
        if known is None or known[0] is not old or known[1] is not new:
            work = partial(patch_response, old, new)
            is_small = len(old) + len(new) <= FEW_BYTES
            found = work() if is_small else await self._engine.statements.aside.run(work, begun=True)
            # Streams that were in step before share it.
            known = member.patch = old, new, found or new
        return known[2]

    async def close(self) -> None:
        """End all live queries, and close the pool. The owner of the tasks ends these."""
        try:
            for group in list(self._groups.values()):
                for member in list(group.members.values()):
                    for stream in list(member.streams):
                        await stream.aclose()
        finally:
            await self._pool.close()

    # --- members ----------------------------------------------------------------------

    async def _group(self, executable: Executable, dependencies: Sequence[Dependency]) -> Group:
        statement = executable.statement
        passthrough = bool(executable.pieces)
        # Equal text is not enough: the pieces around the values belong to the result, and all members are found by the
        # same columns.
        shapes = tuple(dependency.shape for dependency in dependencies)
        key = (statement.sql if statement else "", executable.pieces, shapes, None if passthrough else id(executable))
        group = self._groups.get(key)
        if group is None:
            model = self._engine.model
            found = [
                (dependency, await tables_of(model.entity(dependency.entity), self._logged, self._pool.fetch))
                for dependency in dependencies
            ]
            group = Group(key, executable, found, alone=not passthrough)
        return group

    def _kept(self, group: Group) -> Group:
        """Note a group, unless another one with its key was noted meanwhile."""
        kept = self._groups.setdefault(group.key, group)
        if kept is group and not group.members:
            for watch in group.watches:
                self._router.watch(watch)
        return kept

    def _member_key(self, group: Group, ready: Ready, session: Session) -> object:
        if group.alone:
            return object()
        statement = group.executable.statement
        # Cursors are the viewer's own.
        whose = session.claims[Identity()] if statement is not None and statement.orders else None
        return whose, arguments_key(ready.arguments)

    # --- changes ----------------------------------------------------------------------

    async def _listen(self) -> None:
        async with self._listening:
            if not self._tasks:
                # One of the two does not run what takes long, so that no viewer's costly queries keep those of others.
                work = (self._route(), self._work(self._quick), self._work(self._slow, self._quick))
                self._tasks = [self._background.start(part, "live queries") for part in work]
            if self._stop_listening is None:
                await self._look_up_logged()
                self._stop_listening = await self._changes.listen(self._on_batch)

    async def _look_up_logged(self) -> None:
        """Find out which tables are logged. A database may lack the triggers that it should have."""
        tables = frozenset(logged_tables(self._engine.model))
        self._logged = tables - await self._changes.unlogged()

    async def _look_after_tables(self) -> None:
        """End the live queries that would miss changes, because a table is not logged any more."""
        try:
            await self._look_up_logged()
        except ClewError as error:
            _LOG.warning("triggers not looked up", code=error.code.value)
            return
        for group in list(self._groups.values()):
            if not all(table in self._logged for watch in group.watches for table in watch.tables):
                for member in list(group.members.values()):
                    member.fail(UnloggedError())

    def _on_batch(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._has_batches.set()

    async def _route(self) -> None:
        """Find the members that changes concern, batch by batch."""
        while True:
            await self._has_batches.wait()
            self._has_batches.clear()
            changes = [change for batch in self._batches for change in batch.changes]
            self._batches.clear()
            try:
                if any(change.kind is ChangeKind.RESET and not change.id for change in changes):
                    await self._look_after_tables()
                found, by_table = await self._router.route(changes)
            except Exception as error:
                # It is unknown which members the changes concern.
                _LOG.warning("live look-up failed", exc_info=error)
                found = set(self._members)
                by_table = set()
            for member in found:
                self._mark(member)
            for member in by_table:
                self._mark(member, by_table=True)

    async def _look_up(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        return [row[0] for row in await self._pool.fetch(sql, arguments)]

    def _mark(self, member: Member, *, by_table: bool = False) -> None:
        """Note that a member's result may have changed.

        Args:
            by_table: any change of a table concerns it. Such members run together, with pauses.
        """
        member.pauses = by_table and (member.pauses or not member.dirty)
        member.dirty = True
        if member.is_wanted:
            self._schedule(member)

    def _schedule(self, member: Member) -> None:
        """Run a member, now or after its group has paused."""
        group = member.group
        if member.pauses and (left := group.due - time.monotonic()) > 0:
            group.later[member] = None
            if group.timer is None:
                group.timer = asyncio.get_running_loop().call_later(left, self._resume, group)
            return
        self._enqueue(member)

    def _resume(self, group: Group) -> None:
        group.timer = None
        members = list(group.later)
        group.later.clear()
        for member in members:
            if member.dirty:
                self._enqueue(member)

    def _enqueue(self, member: Member) -> None:
        group = member.group
        if member.running:
            # It is looked at again when the run has ended.
            return
        group.pending[member] = None
        if not group.queued:
            self._queue(group)

    def _queue(self, group: Group) -> None:
        group.queued = True
        (self._slow if group.per_member > _QUICK_SECONDS else self._quick).append(group)
        self._has_groups.set()

    # --- runs -------------------------------------------------------------------------

    async def _work(self, *queues: deque[Group]) -> None:
        """Run one chunk of one group after another.

        Args:
            queues: where to look for groups, in this order.
        """
        while True:
            while (queue := next(filter(None, queues), None)) is None:
                self._has_groups.clear()
                await self._has_groups.wait()
            group = queue.popleft()
            group.queued = False
            most = 1 if group.alone else max(1, min(_MOST_MEMBERS, int(_CHUNK_SECONDS / group.per_member)))
            members = [member for member, _ in zip(list(group.pending), range(most), strict=False)]
            for member in members:
                del group.pending[member]
            if group.pending:
                self._queue(group)
            members = [member for member in members if member.streams and not member.running]
            if not members:
                continue
            for member in members:
                member.running = True
            try:
                await self._run_chunk(group, members)
            except Exception as error:
                for member in members:
                    member.fail(_told(error))
            finally:
                self._ended(members)

    def _ended(self, members: Sequence[Member]) -> None:
        """Look at members whose run has ended: something may have changed meanwhile."""
        for member in members:
            member.running = False
            if member.dirty and member.is_wanted:
                self._schedule(member)

    async def _run_chunk(self, group: Group, members: Sequence[Member]) -> None:
        backoff = Backoff(_SHORTEST_RETRY, LONGEST_WAIT)
        while True:
            try:
                await self._run(group, members, self._pool)
            except ClewError as error:
                if not may_pass(error):
                    raise
                # Try until it passes: the members wait for that, not for another change.
                await backoff.wait()
                members = [member for member in members if member.streams]
                if members:
                    continue
            return

    async def _run(self, group: Group, members: Sequence[Member], pool: Pool) -> None:
        """Run members of a group in one statement.

        Args:
            pool: lends the connection.

        Raises:
            ClewError: UNAVAILABLE or CONFLICT. All members are to run again.
        """
        runs = []
        for member in members:
            # What changes from here on makes it run again.
            member.dirty = False
            member.started += 1
            runs.append(member.started)
        self._runs += len(members)
        self._chunks += 1
        began = time.monotonic()
        try:
            results = await self._results(group, members, pool)
        except Exception as error:
            if may_pass(error):
                for member in members:
                    member.dirty = True
                raise
            if len(members) > 1:
                # One bad member must fail alone.
                half = len(members) // 2
                await self._run(group, members[:half], pool)
                await self._run(group, members[half:], pool)
                return
            members[0].fail(_told(error))
            return
        group.ended = time.monotonic()
        group.per_member = max(1e-5, (group.ended - began) / len(members))
        for member, run, result in zip(members, runs, results, strict=True):
            if isinstance(result, ClewError):
                member.fail(result)
                continue
            row, payload = result
            self._unchanged += not member.finish(run, row, payload)

    async def _results(self, group: Group, members: Sequence[Member], pool: Pool) -> list[_Result]:
        engine, statement = self._engine, group.executable.statement
        if group.alone:
            (member,) = members
            return [await self._completed(member)]
        if statement is None:
            rows: list[Any] = [()] * len(members)
        else:
            rows = await self._rows(group, statement, members, pool)
        results: list[_Result] = []
        for member, row in zip(members, rows, strict=True):
            if row is None:
                assert member.prepared.limits.response_bytes is not None
                results.append(ResponseTooLargeError(member.prepared.limits.response_bytes))
            elif engine.must_complete(group.executable, row):
                results.append(await self._completed(member))
            else:
                results.append((row, partial(engine.joined, group.executable, row, member.session)))
        return results

    async def _rows(self, group: Group, statement: Statement, members: Sequence[Member], pool: Pool) -> list[Any]:
        """Return the row of each member; None: it has too many bytes."""
        if len(members) > 1 and group.together is None and statement.operands:
            group.together = await self._engine.statements.members(group.executable, members[0].prepared)
        rows: list[Any] = [None] * len(members)
        if len(members) > 1 and group.together is not None:
            arguments = group.together.bind([member.arguments for member in members])
            for number, *parts in await pool.fetch(group.together.sql, arguments):
                rows[number - 1] = parts
            return rows
        for number, member in enumerate(members):
            for record in await pool.fetch(statement.sql, member.arguments):
                rows[number] = tuple(record)
        return rows

    async def _completed(self, member: Member) -> _Result:
        """Run a member whose result the executor must complete."""
        outcome = await self._engine.query(member.prepared, member.ready, member.request, member.session, None)
        body = await self._engine.encoded(outcome)
        return (body,), lambda: body


def _told(error: Exception) -> ClewError:
    """Return what the client is told of the failure of a run."""
    if isinstance(error, ClewError):
        return error
    _LOG.error("live query failed", exc_info=error)
    return ClewError(INTERNAL, code=Code.INTERNAL)


def _throttle(extensions: Mapping[str, Any], rate: int | None) -> float:
    """Return the least seconds between two results.

    Args:
        rate: the most results in a minute.

    Raises:
        ClewError: BAD_USER_INPUT.
    """
    found = extensions.get("throttle", 0)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= _LONGEST_THROTTLE:
        raise ClewError(
            "`extensions.throttle` must be a number of milliseconds.", hint=f"Write 0 to {_LONGEST_THROTTLE}."
        )
    return max(found / 1000, 0 if rate is None else 60 / rate)


def _patches(extensions: Mapping[str, Any]) -> bool:
    """Return whether the client asks for differences.

    Raises:
        ClewError: BAD_USER_INPUT.
    """
    found = extensions.get("patch", False)
    if not isinstance(found, bool):
        raise ClewError("`extensions.patch` must be true or false.")
    return found


_LONGEST_THROTTLE = 3_600_000
