"""The changes of this database as they commit, for all who listen in this process.

One task has one connection. It reads the log when a transaction of this process has committed, when another process
tells of one, and, in one process of all, every 100 ms for writers that are not Clew. While nobody listens it reads
nothing: it only tells processes with listeners of this one's commits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
from prometheus_client import Histogram

from clew.background import Background
from clew.changes import statements as sql
from clew.changes.connection import LogConnection, Snapshot, connected, open_log, read_snapshot, snapshot_text
from clew.changes.tables import Relations
from clew.changes.types import (
    Batch,
    Change,
    ChangeKind,
    Listener,
    Listening,
    OtherEpochError,
    PastRetentionError,
    Position,
    TableName,
)
from clew.database.errors import UNREACHABLE, client_error
from clew.errors import ClewError, Code
from clew.jitter import LONGEST_WAIT, Backoff, jitter
from clew.metrics import Metrics
from clew.observe import get_logger

_LOG = get_logger("clew.changes")

# The changes that are read at once, and the bytes of their rows. To read them takes the loop two milliseconds.
PAGE, PAGE_BYTES = 1000, 4 * 2**20

# In seconds. How often the look-out reads.
_LOOK = 0.1
# How often the look-out mends triggers, and others try to become the look-out.
_MEND = 1.0
# The least time from one read to the next one, under many commits.
_REST = 0.005
# How long a process is believed to have listeners after it has said so, and how often it says so.
_BELIEF = 90.0
_SAYING = 30.0
# After a lost connection: about the first wait, in seconds.
_FIRST_WAIT = 0.1
# After so many time-outs in a row the changes are too many to be read: as after an hour without the database.
_MOST_TIMEOUTS = 3
# How often old changes are dropped, at most and as a share of the retention.
_DROPPING, _DROPPING_SHARE = 300.0, 0.125

# What processes say to each other.
_CHANGED, _LISTENING, _LEFT, _WHO = "changed", "listening", "left", "who"


@dataclass(slots=True)
class _State:
    """What belongs to one loop, and ends with it."""

    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    listeners: dict[object, Listener] = field(default_factory=dict)
    dropping: asyncio.Task[None] | None = None
    joining: list[tuple[Listener, asyncio.Future[Listening]]] = field(default_factory=list)
    # Whether a transaction of this process has committed.
    committed: bool = False
    # When the first of them did whose changes are not read yet.
    committed_at: float | None = None
    # When the log was read last.
    read_at: float = 0.0
    replay: LogConnection | None = None
    replaying: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def needs_reading(self) -> bool:
        return bool(self.listeners or self.joining)

    def give(self, batch: Batch) -> None:
        """Call all listeners."""
        for key, listener in list(self.listeners.items()):
            if key in self.listeners:
                try:
                    listener(batch)
                except Exception:
                    _LOG.exception("a listener failed")

    def join(self, joining: Sequence[tuple[Listener, asyncio.Future[Listening]]], position: Position) -> None:
        """Let listeners begin. They get what comes after the position."""
        for entry in joining:
            self.joining.remove(entry)
            listener, joined = entry
            if not joined.done():
                key = object()
                self.listeners[key] = listener
                joined.set_result(Listening(position, partial(self._leave, key)))

    def _leave(self, key: object) -> None:
        self.listeners.pop(key, None)
        if not self.listeners:
            self.woken.set()

    async def end_replay(self) -> None:
        replay, self.replay = self.replay, None
        if replay is not None:
            await replay.close()


class LoggedChanges:
    """A `ChangeSource` that reads the log.

    Args:
        url: of the database, for connections of its own.
        tables: those of the model whose changes are logged.
        background: owns the task.
        retention: seconds that changes are kept at least.
    """

    def __init__(self, url: str, tables: Sequence[TableName], background: Background, *, retention: float) -> None:
        self._url = url
        self.tables = tuple(tables)
        self._background = background
        self._retention = retention
        self._state: _State | None = None
        # What has been read. It outlives a connection. Within a long batch `rest` is the snapshot at its end, and the
        # last id that was read.
        self.epoch = ""
        self.snapshot: Snapshot | None = None
        self.rest: tuple[Snapshot, int] | None = None
        self.relations: Relations | None = None
        # Whether reading failed for no fault of the database, or takes too long: what was not read may never be.
        self.is_broken = False
        self.timeouts = 0
        # Until then it is believed that other processes have listeners.
        self.others_until = 0.0
        self._retry_at = 0.0
        # Whether the last connection could neither hear nor tell anybody.
        self.is_deaf = False
        self.rows = 0
        self.lag: Histogram | None = None

    def measure(self, metrics: Metrics) -> None:
        """Show what is read, and how long after its commit."""
        metrics.counter("clew_change_log_rows_total", "Rows read from the change log.", lambda: self.rows)
        about = "Seconds since the change log was read. 0 while nobody listens."
        metrics.gauge("clew_change_log_unread_seconds", about, lambda: self._unread)
        about = "Seconds from a commit of this process until its changes were read."
        self.lag = metrics.histogram("clew_change_log_lag_seconds", about)

    @property
    def _unread(self) -> float:
        state = self._state
        return 0.0 if state is None or not state.needs_reading else time.monotonic() - state.read_at

    # What others call.

    async def listen(self, listener: Listener) -> Listening:
        """As `ChangeSource.listen`."""
        state = self._here()
        joined: asyncio.Future[Listening] = state.loop.create_future()
        state.joining.append((listener, joined))
        self._ensure(state)
        state.woken.set()
        try:
            return await joined
        except asyncio.CancelledError:
            if joined.done() and not joined.cancelled() and joined.exception() is None:
                joined.result().stop()
            raise

    def wake(self) -> None:
        """As `ChangeSource.wake`. Where nobody serves and nobody listens, nobody is told."""
        state = self._state
        if state is None or state.loop is not asyncio.get_running_loop() or not self.tables:
            return
        state.committed = True
        if state.listeners and state.committed_at is None:
            state.committed_at = time.monotonic()
        if state.task is None and (self._background.is_closed or self.is_deaf or time.monotonic() < self._retry_at):
            return
        self._ensure(state)
        state.woken.set()

    async def since(self, position: Position, tables: Collection[TableName], until: Position) -> AsyncIterator[Batch]:
        """As `ChangeSource.since`."""
        if position.epoch != until.epoch:
            raise OtherEpochError
        ranges = [(position.snapshot, until.snapshot, 0)]
        if position.part is not None:
            ranges.insert(0, (position.part[0], position.snapshot, position.part[1]))
        try:
            async with self._replaying() as connection:
                relations = await connection.relations(self.tables)
            for start, end, after in ranges:
                statement = sql.BETWEEN
                while True:
                    async with self._replaying() as connection:
                        bounds = (read_snapshot(start), read_snapshot(end), after, PAGE, PAGE_BYTES)
                        rows = await connection.fetch(statement, *bounds)
                        # Ask afterwards: what has been dropped meanwhile is missing in the rows.
                        is_dropped = await connection.value(sql.IS_DROPPED, read_snapshot(start))
                    if is_dropped:
                        raise PastRetentionError
                    changes, is_last = _page(rows)
                    if changes:
                        after = changes[-1][0]
                    place = Position(until.epoch, end, None if is_last else (start, after))
                    if found := tuple(relations.changes(changes, tables)):
                        yield Batch(found, start, place)
                    if is_last:
                        break
                    statement = sql.FURTHER
        except UNREACHABLE as error:
            raise client_error(error) from error

    async def unlogged(self) -> set[TableName]:
        """As `ChangeSource.unlogged`."""
        try:
            async with connected(self._url) as connection:
                return await connection.unlogged(await connection.relations(self.tables), self.tables)
        except UNREACHABLE as error:
            raise client_error(error) from error

    def keep_short(self) -> None:
        """Drop old changes from now on, beside requests. Other processes may do so too; one at a time does."""
        state = self._here()
        if self.tables and state.dropping is None:
            state.dropping = self._background.start(self._drop_old(), "retention")

    # The task.

    def _here(self) -> _State:
        loop = asyncio.get_running_loop()
        if self._state is None or self._state.loop is not loop:
            self._state = _State(loop)
            self.snapshot = self.rest = None
        return self._state

    def _ensure(self, state: _State) -> None:
        if state.task is None or state.task.done():
            state.task = self._background.start(self._run(state), "changes")
            if state.task is None:
                self._refuse(state, ClewError("The server is shutting down.", code=Code.UNAVAILABLE))

    @asynccontextmanager
    async def _replaying(self) -> AsyncIterator[LogConnection]:
        """Lend the one connection for replays, in turn. It stays open while anybody listens."""
        state = self._here()
        async with state.replaying:
            if state.replay is None or state.replay.is_closed:
                state.replay = await open_log(self._url)
            try:
                yield state.replay
            except BaseException:
                await state.end_replay()
                raise
            if not state.listeners:
                await state.end_replay()

    async def _run(self, state: _State) -> None:
        backoff = Backoff(_FIRST_WAIT, LONGEST_WAIT)
        try:
            while True:
                try:
                    async with connected(self._url) as connection:
                        await _Following(self, state, connection).run()
                    if not state.needs_reading:
                        return
                    continue
                except UNREACHABLE as error:
                    tell = _LOG.warning if state.needs_reading else _LOG.info
                    tell("change log unreachable", error=type(error).__name__, detail=str(error))
                    if state.joining:
                        self._refuse(state, client_error(error))
                except Exception:
                    # It goes on whatever happens: those who listen cannot know that nothing comes any more.
                    _LOG.exception("change log not read")
                    self.is_broken = True
                    self._refuse(state, ClewError("Changes cannot be read.", code=Code.UNAVAILABLE))
                self._retry_at = time.monotonic() + backoff.next
                if not state.listeners:
                    return
                await backoff.wait()
        finally:
            self.snapshot = self.rest = None
            state.task = None
            self._refuse(state, ClewError("The server is shutting down.", code=Code.UNAVAILABLE))
            await state.end_replay()

    def _refuse(self, state: _State, error: ClewError) -> None:
        joining, state.joining = state.joining, []
        for _, joined in joining:
            if not joined.done():
                joined.set_exception(error)

    async def _drop_old(self) -> None:
        every = min(_DROPPING, self._retention * _DROPPING_SHARE)
        while True:
            # Not all processes at once; and soon after the start, for a process that does not live long.
            await asyncio.sleep(every * jitter(0.1, 1))
            try:
                async with connected(self._url) as connection:
                    await connection.fetch(sql.ROTATE, self._retention)
            except UNREACHABLE as error:
                _LOG.warning("old changes not dropped", error=type(error).__name__, detail=str(error))


class _Following:
    """One connection's life: what is said to other processes, what is heard from them, and what is read."""

    def __init__(self, source: LoggedChanges, state: _State, connection: LogConnection) -> None:
        self._source = source
        self._state = state
        self._connection = connection
        self._is_active = False
        self._is_look_out = False
        self._is_told = False
        self._ignored: set[int] = set()
        self._read_at = self._look_at = self._mend_at = self._say_at = 0.0

    async def run(self) -> None:
        """Go on until the connection is lost, or nobody needs it.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: the connection is lost.
        """
        connection, state = self._connection, self._state
        await connection.hear(_WHO, self._hear, state.woken.set)
        self._source.is_deaf = not connection.is_whole
        state.woken.clear()
        while True:
            tells = state.committed
            state.committed = False
            if state.needs_reading:
                if not self._is_active:
                    await self._activate()
                if time.monotonic() >= self._mend_at:
                    await self._look_after()
                is_told, self._is_told = self._is_told, False
                found = await self._measured_read()
                tells = tells or (found and not is_told)
                if time.monotonic() >= self._say_at:
                    await self._say(_LISTENING)
                    self._say_at = time.monotonic() + _SAYING
            elif self._is_active:
                await self._rest()
            if tells and time.monotonic() < self._source.others_until:
                await self._say(_CHANGED)
            if not (connection.is_whole or state.needs_reading):
                return
            await self._wait()

    async def _wait(self) -> None:
        """Wait until there is something to do."""
        woken = self._state.woken
        until = None
        if self._is_active:
            is_alone = self._is_look_out or not self._connection.is_whole
            until = min(self._look_at, self._mend_at) if is_alone else self._mend_at
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
                await woken.wait()
        # Many commits are one read.
        rest = self._read_at + _REST - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        woken.clear()
        if self._connection.is_closed:
            raise ConnectionResetError("the connection was closed")

    def _hear(self, process: int, text: str) -> None:
        if process == self._connection.process:
            return
        if text == _LISTENING:
            self._source.others_until = time.monotonic() + _BELIEF
        elif text == _LEFT:
            self._source.others_until = 0.0
        if self._is_active:
            # Whoever asks, and whoever may have forgotten this process, is told again.
            self._is_told = self._is_told or text == _CHANGED
            if text in (_WHO, _LEFT):
                self._say_at = 0.0
            if text != _LISTENING:
                self._state.woken.set()

    async def _say(self, text: str) -> None:
        if self._connection.is_whole:
            await self._connection.tell(text)

    async def _activate(self) -> None:
        """Begin to read where reading ended before, or now. If changes may have been missed, say so."""
        source, connection = self._source, self._connection
        epoch = await connection.value(sql.EPOCH)
        await self._mend()
        before = source.snapshot
        is_lost = before is not None and (
            source.is_broken or epoch != source.epoch or bool(await connection.value(sql.IS_DROPPED, before))
        )
        source.epoch = epoch
        source.relations = await connection.relations(source.tables)
        if before is None or is_lost:
            source.rest, source.is_broken, source.timeouts = None, False, 0
            source.snapshot = now = await connection.value(sql.NOW)
            if is_lost:
                _LOG.warning("changes may have been missed: every table is read again")
                changes = tuple(Change(0, schema, table, ChangeKind.RESET) for schema, table in source.tables)
                self._state.give(Batch(changes, snapshot_text(now), Position(epoch, snapshot_text(now))))
        self._is_active = True

    async def _rest(self) -> None:
        """Stop reading, because nobody listens any more."""
        self._source.snapshot = self._source.rest = None
        self._is_active = self._is_look_out = False
        if self._connection.is_whole:
            await self._connection.fetch(sql.UNLOCK)
        await self._say(_LEFT)
        await self._state.end_replay()

    async def _look_after(self) -> None:
        """Be the look-out if no other process is. Mend triggers."""
        if self._connection.is_whole and not self._is_look_out:
            self._is_look_out = await self._connection.value(sql.LOOK_OUT)
        if self._is_look_out or not self._connection.is_whole:
            await self._mend()
        await self._compare()
        self._mend_at = time.monotonic() + _MEND

    async def _compare(self) -> None:
        """Tell of tables that have been dropped, or made again, behind the back of migrations."""
        source, connection = self._source, self._connection
        roots = await connection.roots(source.tables)
        assert source.relations is not None
        others = [name for name in source.tables if roots.get(name) != source.relations.roots.get(name)]
        if others:
            _LOG.warning("tables are other ones now", tables=[table for _, table in others])
            source.relations = await connection.relations(source.tables)
            assert source.snapshot is not None
            now = snapshot_text(source.snapshot)
            changes = tuple(Change(0, schema, table, ChangeKind.RESET) for schema, table in others)
            self._state.give(Batch(changes, now, Position(source.epoch, now)))

    async def _mend(self) -> None:
        try:
            await self._connection.fetch(sql.MEND)
        except asyncpg.PostgresError as error:
            # Such as a lock that somebody holds. It is tried again.
            if self._connection.is_closed:
                raise
            _LOG.warning("triggers of the change log not mended", error=type(error).__name__, detail=str(error))

    async def _measured_read(self) -> bool:
        """As `_read`. Observe how long after the first commit it ends."""
        source, state = self._source, self._state
        since, state.committed_at = state.committed_at, None
        try:
            found = await self._read()
        except BaseException:
            # It is still to be read, by the next connection.
            state.committed_at = state.committed_at if since is None else since
            raise
        if since is not None and source.lag is not None:
            source.lag.observe(self._read_at - since)
        return found

    async def _read(self) -> bool:
        """Read what is new, and give it to the listeners. Return whether there was anything."""
        source, state, connection = self._source, self._state, self._connection
        joining = state.joining[:]
        assert source.snapshot is not None
        start = snapshot_text(source.snapshot)
        found = False
        while True:
            if source.rest is None:
                rows = await self._first_rows(source.snapshot)
                end: Snapshot = rows[0][0]
                changes, is_last = _page([tuple(row)[1:] for row in rows if row[1] is not None])
            else:
                end, after = source.rest
                bounds = (source.snapshot, end, after, PAGE, PAGE_BYTES)
                changes, is_last = _page(await connection.fetch(sql.FURTHER, *bounds))
            found = found or bool(changes)
            source.rows += len(changes)
            # If the connection is lost, the next one goes on from here.
            source.rest = None if is_last else (end, changes[-1][0])
            place = Position(source.epoch, snapshot_text(end), None if source.rest is None else (start, changes[-1][0]))
            if given := tuple((await self._relations(changes)).changes(changes)):
                state.give(Batch(given, start, place))
            if source.rest is None:
                break
        source.snapshot = end
        self._read_at = state.read_at = time.monotonic()
        self._look_at = self._read_at + _LOOK
        state.join(joining, place)
        return found

    async def _first_rows(self, snapshot: Snapshot) -> list[asyncpg.Record]:
        """Return the first rows since a snapshot. If there are too many to be read in time, give them up."""
        source = self._source
        try:
            rows = await self._connection.fetch(sql.READ, snapshot, PAGE, PAGE_BYTES)
        except TimeoutError:
            source.timeouts += 1
            source.is_broken = source.timeouts >= _MOST_TIMEOUTS
            raise
        source.timeouts = 0
        return rows

    async def _relations(self, changes: Sequence[Sequence[Any]]) -> Relations:
        """Return the relations of the tables. They are looked up again if they may be other ones now."""
        source = self._source
        assert source.relations is not None
        unknown = {change[1] for change in changes if not source.relations.knows(change[1])} - self._ignored
        if unknown or any(change[2] == b"R" for change in changes):
            source.relations = await self._connection.relations(source.tables)
            self._ignored = {relation for relation in unknown if not source.relations.knows(relation)}
        return source.relations


def _page(rows: Sequence[Any]) -> tuple[list[Sequence[Any]], bool]:
    """Return the changes of rows that end with `many`, and whether they are the last ones."""
    return [tuple(row)[:-1] for row in rows], not rows or len(rows) == rows[-1][-1] < PAGE
