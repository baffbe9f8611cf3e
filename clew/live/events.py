"""Change events: what happens to the rows of one entity, as a viewer sees it (docs/change-events.md).

Each change of the log is judged by the rules and by `where`, on the row before it and after it. A stream takes the
batches of the log as they come, and hands out one event at a time. A cursor is a position in the log, sealed: with it a
client goes on after an event, on any server.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

import asyncpg
from cachetools import LRUCache
from graphql.execution.values import get_argument_values

from clew.access.types import MOST_BYTES, Identity, Logged, LogPart
from clew.changes.types import (
    Batch,
    ChangeKind,
    ChangeSource,
    Listening,
    OtherEpochError,
    Position,
    TableName,
)
from clew.database.errors import may_pass
from clew.document.inputs import enum_names
from clew.engine import Engine, Request
from clew.engine.outcome import ResponseTooLargeError, failure, new_request_id
from clew.engine.types import Begun
from clew.errors import ClewError, Code
from clew.jitter import Backoff
from clew.json_numbers import exact_float
from clew.live.cuts import Cut, Step
from clew.live.tables import table_of
from clew.live.types import SUBSCRIPTIONS, Payload
from clew.metrics import SLOW_READERS, Metrics
from clew.model.types import Entity
from clew.observe import get_logger
from clew.plan.types import ChangeNode, Changes, ChangeValue, RootChanges, TypeName, Value
from clew.resolvers.batches import Place
from clew.schema.build import Row
from clew.sql.keys import Key, bound_keys
from clew.sql.members import MemberStatement, arguments_key
from clew.sql.statement import Statement

log = get_logger("clew.live")

CREATED, UPDATED, DELETED, RESET = "CREATED", "UPDATED", "DELETED", "RESET"
# About how many bytes of changes may wait for one subscription.
_MOST_WAITING = 4 * 1024 * 1024
# The most changes that one statement judges, and the most nodes that one reads.
_MOST_JUDGED = 500
_MOST_NODES = 100
# How long nodes that were read together count as those of now, in seconds.
_FRESH = 0.2
# A node with more bytes than a response may have.
_TOO_LARGE = object()
# The most subscriptions that one statement judges for, and the most such statements that are kept.
_MOST_MEMBERS = 100
_MOST_MEMBER_STATEMENTS = 256
# The most statements of change events at one time.
_SLOTS = 2
# In seconds: the first and the longest wait while the database is not there.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0


class SlowReaderError(ClewError):
    """The client takes events more slowly than they come. `cursor`: where it may go on."""

    def __init__(self, cursor: str) -> None:
        super().__init__(
            "The client takes events too slowly.",
            code=Code.LIMIT_EXCEEDED,
            hint="Subscribe again: `after` is the cursor in `extensions.cursor`.",
            extensions={"cursor": cursor},
        )


class ChangeEvents:
    """Opens subscriptions of change events.

    Args:
        source: where changes come from. It is read only while there are subscriptions.
    """

    def __init__(self, engine: Engine, source: ChangeSource) -> None:
        self.engine = engine
        self.feed = _Feed(source)
        self.judges = _Judges(engine)
        # Of events that were handed out, and of subscriptions that took them too slowly.
        self.sent = self.lost = 0

    def measure(self, metrics: Metrics) -> None:
        """Show how many subscriptions there are, and what they are sent."""
        metrics.gauge("clew_subscriptions", SUBSCRIPTIONS, lambda: self.feed.subscriptions, kind="changes")
        metrics.counter("clew_change_events_total", "Change events that were sent.", lambda: self.sent)
        metrics.counter("clew_slow_readers_total", SLOW_READERS, lambda: self.lost, what="changes")

    async def open(
        self,
        begun: Begun,
        request: Request,
        after: tuple[Position, int | None] | None = None,
        *,
        follows: bool = True,
    ) -> ChangeStream:
        """Begin a subscription. It gives the changes that commit after this returns, or those after a cursor.

        Args:
            after: an earlier `ChangeStream.place` to go on from, instead of a cursor.
            follows: whether it waits for further changes. Otherwise it ends after those that have committed by now.

        Raises:
            ClewError: BAD_USER_INPUT for a cursor that is not one of this subscription or that nothing is kept for, and
                for operands that do not fit; UNAVAILABLE without the database.
        """
        stream = ChangeStream(self, begun, request, follows=follows)
        try:
            await stream.begin(after)
        except BaseException:
            await stream.aclose()
            raise
        return stream


@dataclass(frozen=True, slots=True)
class _Event:
    """An event that is not yet encoded. `half`: a second event of the same change follows."""

    kind: str
    position: Position
    at: datetime | None
    half: int | None = None
    key: Key | None = None
    values: tuple[str | None, ...] = ()


class ChangeStream:
    """The events of one subscription. It holds no connection, and only changes that it has not handed out yet."""

    def __init__(self, events: ChangeEvents, begun: Begun, request: Request, *, follows: bool = True) -> None:
        assert begun.ready.executable is not None
        root = begun.ready.executable.plan.changes
        assert root is not None
        self._events = events
        self._engine = events.engine
        self._begun = begun
        self._request = request
        self._root: RootChanges = root
        self._changes: Changes = root.read
        self._entity: Entity = root.read.rows.visible.entity
        self._identity: bytes = begun.session.claims[Identity()]
        self._on, self._after, self._order = self._arguments()
        self._waiting = _Waiting(self._entity)
        self._replay: AsyncIterator[Cut] | None = None
        # The change of which an earlier connection has had the first event.
        self._half: int | None = None
        self._position: Position | None = None
        # The batch that is being judged, how far it is, and the rows of it that there were events of.
        self._cut: Cut | None = None
        self._start = 0
        self._told: set[int] = set()
        self._pending: deque[_Event] = deque()
        self._nodes: dict[str, list[Any]] = {}
        self._read_at = 0.0
        self._closed = False
        self._follows = follows
        # Whether all events that there are have been handed out.
        self.is_idle = False
        # Where to go on after the last event: a place in the log, and the change of which the first event of two was
        # handed out.
        self.place: tuple[Position, int | None]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Payload:
        """Return the next event, once there is one.

        Raises:
            ClewError: the subscription ends. LIMIT_EXCEEDED with the cursor to go on from if it took events too slowly.
        """
        while not self._pending:
            if self._cut is None:
                self._cut, self._start, self._told = await self._next(), 0, set()
            elif self._start < len(self._cut.steps(self._entity)):
                stop = self._start + _MOST_JUDGED
                self._pending.extend(await self._judged(self._cut, self._start, stop))
                self._start = stop
            else:
                self._position, self._cut = self._cut.batch.position, None
        return await self._payload()

    async def aclose(self) -> None:
        """End the subscription."""
        self._closed = True
        self._events.feed.leave(self._waiting)
        self._pending.clear()
        self._cut = None

    # --- where it begins --------------------------------------------------------------

    async def begin(self, place: tuple[Position, int | None] | None) -> None:
        """Find out from which change on there are events."""
        # An operand that Postgres cannot take is an error now, not at the first change.
        statement = await self._judging(frozenset())
        await self._bound(statement, {Logged(self._entity.name, part): [] for part in LogPart})
        after = place if self._after is None else self._opened(self._after)
        here = await self._events.feed.join(self._waiting)
        self._position = here
        self.place = after or (here, None)
        if after is None:
            return
        position, self._half = after
        if position.epoch != here.epoch:
            raise OtherEpochError
        # What has been committed since the cursor was made is in the log up to here; the rest will come.
        batches = self._events.feed.source.since(position, [table_of(self._entity)], here)
        self._position = position
        self._replay = (Cut(batch) async for batch in batches)
        # A position that nothing is kept for is an error now.
        try:
            first = await anext(self._replay)
        except StopAsyncIteration:
            self._replay = None
        else:
            self._waiting.first = first

    def _arguments(self) -> tuple[frozenset[str] | None, str | None, str]:
        """Return `on`, the cursor to go on from, and what cursors of this subscription are bound to."""
        prepared, ready = self._begun.prepared, self._begun.ready
        subscription = prepared.schema.subscription_type
        assert subscription is not None
        node = self._root.node
        field = subscription.fields[node.name.value]
        values = get_argument_values(field, node, prepared.with_sources(ready.values, self._request.variables))
        kinds = prepared.schema.type_map["ChangeKind"]
        on = values.get("on")
        # `on` and `where` decide which events there are, so no cursor of others will do.
        wanted = None if on is None else frozenset(enum_names(on, kinds))  # type: ignore[arg-type]  # a type of this name is an enum
        bound = {"where": values.get("where"), "on": None if wanted is None else sorted(wanted)}
        order = f"changes {node.name.value} {json.dumps(bound, default=repr, sort_keys=True)}"
        after = values.get("after") if self._request.last_event_id is None else self._request.last_event_id
        return wanted, after, order

    def _opened(self, cursor: str) -> tuple[Position, int | None]:
        try:
            position, half = self._engine.statements.cursors.open(cursor, self._order, self._identity, "after")
            assert position is not None
            return Position.parse(position), int(half) if half else None
        except (ClewError, ValueError):
            raise ClewError(
                "`after` is not a cursor of this subscription.",
                hint="Take cursors from events of the same field, with the same `where` and `on`.",
            ) from None

    def _sealed(self, position: Position, half: int | None = None) -> str:
        values = [str(position), "" if half is None else str(half)]
        return self._engine.statements.cursors.sealed(values, self._order, self._identity)

    # --- from changes to events -------------------------------------------------------

    async def _next(self) -> Cut:
        """Return the next batch with changes of the entity, once there is one."""
        if self._waiting.first is not None:
            first, self._waiting.first = self._waiting.first, None
            return first
        if self._replay is not None:
            cut = await anext(self._replay, None)
            if cut is not None:
                return cut
            self._replay = None
        while not self._waiting.cuts:
            if self._closed or not self._follows:
                raise StopAsyncIteration
            if self._waiting.lost:
                assert self._position is not None
                self._events.lost += 1
                raise SlowReaderError(self._sealed(self._position))
            self._waiting.woken.clear()
            self.is_idle = True
            try:
                await self._waiting.woken.wait()
            finally:
                self.is_idle = False
        return self._waiting.take()

    async def _judged(self, cut: Cut, start: int, stop: int) -> list[_Event]:
        """Return the events of some steps of a batch."""
        steps = cut.steps(self._entity)[start:stop]
        before: frozenset[str] = frozenset()
        if any(step.gone for step in steps):
            reads = (await self._judging(before)).reads
            before = frozenset(name for name in reads if cut.is_known(self._engine.model.entity(name)))
        records = await self._judge(cut, start, start + len(steps), before)
        events: list[_Event] = []
        for step in steps:
            record = RESET if step.change.kind is ChangeKind.RESET else records.get(step.change.id)
            if record is not None:
                events += self._of_step(cut, step, record, is_past=bool(before))
        return [event for event in events if event.kind == RESET or self._on is None or event.kind in self._on]

    def _of_step(self, cut: Cut, step: Step, record: asyncpg.Record | str, *, is_past: bool) -> Iterator[_Event]:
        """Yield the events of a change: one, or two if the key changes.

        Args:
            record: what the judging statement says; RESET if nothing can be said.
            is_past: whether rows that go were also judged as they were before the batch.
        """
        change = step.change
        event = partial(_Event, position=cut.batch.after(change), at=change.at)
        if isinstance(record, str):
            yield event(RESET)
            return
        known = step.row in self._told
        self._told.add(step.row)
        if step.gone:
            # The client knows of a row by an event of this batch, or from before it.
            side = "old" if known or not is_past else "first"
            if record["was" if side == "old" else "first"]:
                yield event(DELETED, **self._side(record, side))
        elif record["was"] and record["is"] and not record["same"]:
            if self._half != change.id:
                whole = cut.batch.after(change)
                # Right before the change, in the same batch.
                before = Position(whole.epoch, whole.snapshot, (cut.batch.start, change.id - 1))
                yield _Event(DELETED, before, change.at, change.id, **self._side(record, "old"))
            yield event(CREATED, **self._side(record, "new"))
        elif record["was"] and record["is"]:
            yield event(UPDATED, **self._side(record, "new"))
        elif record["is"]:
            yield event(CREATED, **self._side(record, "new"))
        elif record["was"]:
            yield event(DELETED, **self._side(record, "old"))

    def _side(self, record: asyncpg.Record, side: str) -> dict[str, Any]:
        keys = tuple(record[f"{side}_k{number}"] for number in range(len(self._entity.primary_key)))
        count = sum(isinstance(output, Value) for output in self._changes.output)
        return {"key": keys, "values": tuple(record[f"{side}_v{number}"] for number in range(count))}

    async def _judge(self, cut: Cut, start: int, stop: int, before: frozenset[str]) -> dict[int, asyncpg.Record | str]:
        """Return what the judging statement says of the steps whose change the viewer sees, by the ids of changes."""
        entity, model = self._entity, self._engine.model
        steps = cut.steps(entity)[start:stop]
        given: dict[Logged, Any] = {**cut.given(entity, start, stop)}
        for name in before:
            given |= cut.were(model.entity(name))
        statement = await self._judging(before)
        arguments = await self._bound(statement, given)
        try:
            members = partial(self._engine.statements.judging_members, statement, self._begun.ready, before)
            records = await self._events.judges.judge(statement, arguments, members)
        except ClewError as error:
            if error.code is Code.UNAVAILABLE or (error.code is Code.TIMEOUT and len(steps) == 1):
                raise
            if len(steps) > 1:
                middle = start + len(steps) // 2
                found = await self._judge(cut, start, middle, before)
                return found | await self._judge(cut, middle, stop, before)
            # A row from before a migration may not fit its table any more.
            log.warning("a change cannot be judged", entity=entity.name, code=error.code.value)
            return {steps[0].change.id: RESET}
        return {steps[record["position"] - 1].change.id: record for record in records}

    async def _judging(self, before: frozenset[str]) -> Statement:
        begun = self._begun
        return await self._engine.statements.judging(begun.prepared, begun.ready, begun.session.sight, before)

    async def _bound(self, statement: Statement, given: Mapping[Logged, Any]) -> Sequence[Any]:
        bound: dict[Any, Any] = {**self._begun.session.claims, **given}
        return await self._engine.statements.bound(statement, self._begun.ready, bound)

    # --- from events to payloads ------------------------------------------------------

    async def _payload(self) -> Payload:
        """Return the payload of the first event that waits."""
        if any(isinstance(output, ChangeNode) for output in self._changes.output):
            await self._read_nodes()
        event = self._pending.popleft()
        self.place = event.position, event.half
        self._events.sent += 1
        cursor = self._sealed(event.position, event.half)
        outer, row, too_large = Row(), Row(), False
        values = iter(event.values)
        for output in self._changes.output:
            match output:
                case TypeName(name=name):
                    row[output.key] = name
                case Value():
                    text = next(values, None)
                    row[output.key] = None if text is None else json.loads(text, parse_float=exact_float)
                case ChangeValue(name="kind"):
                    row[output.key] = event.kind
                case ChangeValue(name="cursor"):
                    row[output.key] = cursor
                case ChangeValue():
                    row[output.key] = _moment(event.at)
                case ChangeNode():
                    node = row[output.key] = self._nodes[output.key].pop()
                    too_large = too_large or node is _TOO_LARGE
        outer[self._root.key] = row
        most = self._begun.prepared.limits.response_bytes
        if too_large and most is not None:
            outcome = failure(ResponseTooLargeError(most), self._request.id or new_request_id())
        else:
            outcome = await self._engine.event(self._begun, self._request, outer)
        return Payload(await self._engine.encoded(outcome), cursor)

    async def _read_nodes(self) -> None:
        """Read the rows of the events that wait, unless they were read just now."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at < _FRESH and all(self._nodes.values()):
            return
        events = [event for event, _ in zip(self._pending, range(_MOST_NODES), strict=False)]
        keys = list(dict.fromkeys(event.key for event in events if event.key is not None))
        for output in self._changes.output:
            if isinstance(output, ChangeNode):
                found = dict(zip(keys, await self._rows(output, keys), strict=True)) if keys else {}
                # The last one comes first off the list.
                self._nodes[output.key] = [None if e.key is None else found[e.key] for e in reversed(events)]
        self._read_at = now

    async def _rows(self, output: ChangeNode, keys: Sequence[Key]) -> list[Any]:
        """Return the rows with these keys, as the viewer sees them now, or `_TOO_LARGE` for one."""
        begun, statements = self._begun, self._engine.statements
        place: Place = ((output.key, None),)
        session = begun.session
        statement = await statements.rows(begun.prepared, begun.ready, session.sight, self._entity, place, output.nodes)
        most = begun.prepared.limits.response_bytes
        given: dict[Any, Any] = {**session.claims, **bound_keys(self._entity, keys), MOST_BYTES: most}
        found = await self._events.judges.fetch(statement, await statements.bound(statement, begun.ready, given))
        if found:
            ((text,),) = found
            rows: list[Row | None] = await statements.decoded(
                statements.cursors.seal(text, statement.orders, self._identity)
            )
            return rows
        if len(keys) == 1:
            return [_TOO_LARGE]
        middle = len(keys) // 2
        return [*await self._rows(output, keys[:middle]), *await self._rows(output, keys[middle:])]


class _Waiting:
    """The batches that wait for one subscription. They are shared with the others: this keeps no copy."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.table = table_of(entity)
        self.cuts: deque[Cut] = deque()
        self.first: Cut | None = None
        self.size = 0
        self.lost = False
        self.woken = asyncio.Event()

    def put(self, cut: Cut) -> None:
        """Add a batch; if too much waits, forget all that waits."""
        if not self.lost and self.table in cut.tables:
            self.cuts.append(cut)
            self.size += cut.size(self.entity)
            if self.size > _MOST_WAITING and len(self.cuts) > 1:
                self.lost = True
                self.cuts.clear()
        self.woken.set()

    def take(self) -> Cut:
        """Return the batch that has waited longest."""
        cut = self.cuts.popleft()
        self.size -= cut.size(self.entity)
        return cut


class _Feed:
    """Hands the batches of the log to the subscriptions whose table has changed."""

    def __init__(self, source: ChangeSource) -> None:
        self.source = source
        self._listening: Listening | None = None
        self._starting = asyncio.Lock()
        self._joining = 0
        self._by_table: dict[TableName, set[_Waiting]] = {}

    @property
    def subscriptions(self) -> int:
        return sum(map(len, self._by_table.values()))

    async def join(self, waiting: _Waiting) -> Position:
        """Hand batches to a subscription. Return the position after which they begin: it is of now."""
        self._joining += 1
        try:
            async with self._starting:
                if self._listening is None:
                    self._listening = await self.source.listen(self._on_batch)
            # One listener serves all, so this one says only where the log is now.
            missed: list[Batch] = []
            probe = await self.source.listen(missed.append)
            probe.stop()
            for batch in missed:
                waiting.put(Cut(batch))
            self._by_table.setdefault(waiting.table, set()).add(waiting)
            return probe.position
        finally:
            self._joining -= 1

    def leave(self, waiting: _Waiting) -> None:
        """Hand nothing more to a subscription. Without any, the log is not read."""
        waiting.woken.set()
        others = self._by_table.get(waiting.table, set())
        others.discard(waiting)
        if not others:
            self._by_table.pop(waiting.table, None)
        if not self._by_table and self._listening is not None and not self._joining:
            self._listening.stop()
            self._listening = None

    def _on_batch(self, batch: Batch) -> None:
        cut = Cut(batch)
        for table in cut.tables & self._by_table.keys():
            for waiting in self._by_table[table]:
                waiting.put(cut)


@dataclass(eq=False, slots=True)
class _Asked:
    """Who asks for the same rows to be judged: arguments with the future of the answer, by what tells them apart."""

    statement: Statement
    members: Callable[[], Awaitable[MemberStatement | None]]
    waiting: dict[Any, tuple[Sequence[Any], asyncio.Future[list[asyncpg.Record]]]]


class _Judges:
    """Runs the statements of change events: a few at one time, one for all who ask for the same rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(_SLOTS)
        self._asked: dict[Any, _Asked] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._members: LRUCache[str, MemberStatement | None] = LRUCache(_MOST_MEMBER_STATEMENTS)

    async def judge(
        self,
        statement: Statement,
        arguments: Sequence[Any],
        members: Callable[[], Awaitable[MemberStatement | None]],
    ) -> list[asyncpg.Record]:
        """Return the rows of a statement that judges changes. While the database cannot be reached, wait for it.

        Args:
            members: makes the statement that judges for many.

        Raises:
            ClewError: as `Pool.fetch`.
        """
        rows: list[int] = []
        own: list[Any] = []
        for operand, argument in zip(statement.operands, arguments, strict=True):
            if isinstance(operand.source, Logged):
                # These lists are made once for all who ask.
                rows.append(id(argument))
            else:
                own.append(arguments_key(argument))
        key = (statement.sql, *rows)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = _Asked(statement, members, {})
            task = asyncio.create_task(self._answer(key, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if tuple(own) not in asked.waiting:
            answer: asyncio.Future[list[asyncpg.Record]] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_noticed)
            asked.waiting[tuple(own)] = arguments, answer
        return await asyncio.shield(asked.waiting[tuple(own)][1])

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        """Return the rows of a statement, as `judge`."""
        async with self._slots:
            return await self._fetch(statement.sql, arguments)

    async def _answer(self, key: Any, asked: _Asked) -> None:
        while asked.waiting:
            # While this waits for its turn, others may ask.
            async with self._slots:
                taken = [asked.waiting.pop(own) for own in list(asked.waiting)[:_MOST_MEMBERS]]
                try:
                    await self._run(asked, taken)
                except BaseException as error:
                    for _, answer in (*taken, *asked.waiting.values()):
                        if not answer.done():
                            answer.set_exception(error if isinstance(error, Exception) else ConnectionError())
                    self._asked.pop(key, None)
                    raise
        del self._asked[key]

    async def _run(
        self, asked: _Asked, taken: Sequence[tuple[Sequence[Any], asyncio.Future[list[asyncpg.Record]]]]
    ) -> None:
        sql = asked.statement.sql
        try:
            if len(taken) == 1:
                ((arguments, answer),) = taken
                answer.set_result(await self._fetch(sql, arguments))
                return
            if sql not in self._members:
                self._members[sql] = await asked.members()
            members = self._members[sql]
            assert members is not None, "they differ"
            found: list[list[asyncpg.Record]] = [[] for _ in taken]
            for record in await self._fetch(members.sql, members.bind([arguments for arguments, _ in taken])):
                found[record["i"] - 1].append(record)
            for (_, answer), records in zip(taken, found, strict=True):
                answer.set_result(records)
        except ClewError as error:
            if len(taken) == 1:
                taken[0][1].set_exception(error)
                return
            # One of them must not fail the others.
            middle = len(taken) // 2
            await self._run(asked, taken[:middle])
            await self._run(asked, taken[middle:])

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
        while True:
            try:
                return await self._engine.pool.fetch(sql, arguments)
            except ClewError as error:
                if not may_pass(error) or self._engine.pool.is_closed:
                    raise
            await backoff.wait()


def _noticed(answer: asyncio.Future[Any]) -> None:
    """Perhaps nobody waits for an error any more."""
    if not answer.cancelled():
        answer.exception()


def _moment(at: datetime | None) -> str:
    """Return a time as the API has it, as Postgres writes it."""
    text = (at or datetime.now(UTC)).astimezone(UTC).isoformat()
    head, dot, tail = text.partition(".")
    fraction = tail.removesuffix("+00:00").rstrip("0")
    return f"{head}.{fraction}+00:00" if dot and fraction else text if not dot else f"{head}+00:00"
