"""One execution of a job: what its handler may do, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from inspect import signature
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.typing import FilteringBoundLogger

from clew.database.alchemy import OperationConnection
from clew.database.errors import takes_no_writes
from clew.database.pool import Pool
from clew.errors import ClewError, Code
from clew.jobs import statements as sql
from clew.jobs.endings import Ending, Endings, Outcome
from clew.jobs.types import Handler, JobDeclaration, LostLeaseError, OutputWriter, RunGraphQL
from clew.observe import get_logger
from clew.stored_json import check_text, stored_text
from clew.viewer import Viewer

T = TypeVar("T")

_LOG = get_logger("clew.jobs")

# In seconds: how long the transaction of a job with a timeout may stay idle after that.
_GRACE = 10.0
# How long chunks of a handler that failed may take to be written.
_KEEPING = 5.0

_LIMITS = """
SELECT set_config('idle_in_transaction_session_timeout', $1, true), set_config('statement_timeout', $1, true)
"""

_LONGEST_ERROR = _LONGEST_MESSAGE = 4000
# In characters of JSON. To store more takes Postgres long, and it takes no text of 256 MiB.
_LONGEST_RESULT = 2**26
_LONGEST_NAME = 200
# Steps of Clew's own begin with this.
_OWN = "clew."


class Stop(StrEnum):
    """Why an execution was told to stop. LOST: its lease is over. AWAY: the same, because the database was away."""

    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    DRAINED = "DRAINED"
    LOST = "LOST"
    AWAY = "AWAY"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that a worker has begun. `late` is how long it had waited, in seconds; `worker` is the lease.

    `continues`: after a sleep, the attempt that began the output.
    """

    job: str
    name: str
    queue: str
    attempt: int
    tries: int
    retries: int
    arguments: str
    caller: str
    late: float
    worker: str
    key: str | None = None
    continues: int | None = None


class _Asleep(BaseException):
    """Ends a handler that sleeps. It passes `except Exception`."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all executions of a worker share."""

    pool: Pool
    alchemy: AsyncEngine
    output: OutputWriter
    run_graphql: RunGraphQL
    endings: Endings
    committed: Callable[[], None]


@lru_cache(maxsize=1000)
def _viewer(caller: str) -> Viewer:
    # Engines keep what they compute for a viewer with it.
    given = json.loads(caller)
    return Viewer(given.get("id"), frozenset(given.get("roles", ())), given.get("claims") or {})


class _Scope:
    """The transaction of an execution, or of one of its steps."""

    def __init__(self, tools: Tools, timeout: float | None) -> None:
        self.connection = OperationConnection(tools.alchemy, tools.pool)
        self._timeout = timeout
        self._blocks = asyncio.Lock()
        self._transaction: Any = None

    @property
    def is_begun(self) -> bool:
        return self._transaction is not None

    @asynccontextmanager
    async def block(self, *, is_nested: bool) -> AsyncIterator[AsyncConnection]:
        """Run a block in the transaction. Undo the block if it raises."""
        if is_nested:
            async with self._savepoint() as connection:
                yield connection
            return
        # Savepoints nest, so blocks must not overlap.
        async with self._blocks:
            if self._transaction is None:
                await self._begin()
            async with self._savepoint() as connection:
                yield connection

    async def _begin(self) -> None:
        async with self.connection.raw() as raw:
            transaction = raw.transaction(isolation="read_committed")
            await transaction.start()
            self._transaction = transaction
            if self._timeout is not None:
                # A process that hangs must not hold locks for longer than the job may take.
                limit = str(round((self._timeout + _GRACE) * 1000))
                await raw.fetch(_LIMITS, limit)

    @asynccontextmanager
    async def _savepoint(self) -> AsyncIterator[AsyncConnection]:
        async with self.connection.raw() as raw:
            savepoint = raw.transaction()
            await savepoint.start()
        try:
            yield self.connection
        except BaseException:
            # A broken connection cannot roll back, and need not.
            with suppress(ClewError):
                async with self.connection.raw():
                    await savepoint.rollback()
            raise
        async with self.connection.raw():
            await savepoint.commit()

    async def commit(self, statement: str, *arguments: Any) -> bool:
        """Run a last statement in the transaction, and commit. If it returns no row, roll back and return False."""
        async with self.connection.raw() as raw:
            found = await raw.fetch(statement, *arguments)
            if found:
                await self._transaction.commit()
                self._transaction = None
                return True
        return False

    async def abandon(self) -> None:
        """Undo what has not been committed, whatever runs on the connection. Nothing more runs on it."""
        self._transaction = None
        # The pool closes a connection that comes back within its transaction.
        await self.connection.finish()

    async def close(self) -> None:
        """Undo what has not been committed, and give the connection back."""
        transaction, self._transaction = self._transaction, None
        try:
            if transaction is not None:
                with suppress(ClewError):
                    async with self.connection.raw():
                        await transaction.rollback()
        finally:
            await self.connection.finish()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in an execution something runs: in a step, in a block of a transaction."""

    execution: Execution
    scope: _Scope
    step: str | None = None
    in_block: bool = False


_PLACE: ContextVar[_Place | None] = ContextVar("clew_job_place", default=None)


class _System:
    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        return await self._execution.run_graphql(document, variables, Viewer.admin())


class Execution:
    """A `JobContext`.

    Attributes:
        stopped: why it was told to stop, if it was.
        is_abandoned: whether nobody waits for its handler any more.
        timer: ends it when it takes too long.
        status: the job's, where it ended in the handler's own transaction.
    """

    def __init__(self, claimed: Claimed, declaration: JobDeclaration, handler: Handler, tools: Tools) -> None:
        self.claimed = claimed
        self.id = claimed.job
        self.attempt = claimed.attempt
        self.viewer = _viewer(claimed.caller)
        self.stopped: Stop | None = None
        self.is_abandoned = False
        self.timer: asyncio.TimerHandle | None = None
        self.status: str | None = None
        self._declaration = declaration
        self._handler = handler
        self._tools = tools
        self._task: asyncio.Task[Any] | None = None
        self._returned = False
        self._closed = False
        self._root: _Scope | None = None
        self._step: _Scope | None = None
        self._steps = asyncio.Lock()
        self._named: set[str] = set()
        self._kept: dict[str, asyncpg.Record] | None = None
        self._emitted = False
        # After a sleep the handler repeats what it did before. Its output so far is there already.
        self._repeats = claimed.continues is not None
        self._sleeps = 0
        self._until: datetime | None = None
        self._log: FilteringBoundLogger | None = None

    # What the handler sees.

    @property
    def cancelled(self) -> bool:
        return self.stopped is not None

    @property
    def log(self) -> FilteringBoundLogger:
        if self._log is None:
            self._log = _LOG.bind(job=self.id, name=self.claimed.name, attempt=self.attempt)
        return self._log

    @property
    def connection(self) -> AsyncConnection:
        self._check_open()
        return self._place().scope.connection

    @property
    def system(self) -> _System:
        return _System(self)

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        return await self.run_graphql(document, variables, self.viewer)

    async def run_graphql(self, document: str, variables: dict[str, Any], viewer: Viewer) -> dict[str, Any]:
        """Run an operation, in the transaction if there is one."""
        self._check_open()
        scope = self._place().scope
        return await self._tools.run_graphql(document, variables, viewer, scope.connection if scope.is_begun else None)

    async def emit(self, data: Any, kind: str = "token") -> None:
        self._check_open()
        place = self._place()
        if place.step is None and self._repeats:
            return
        self._emitted = True
        if place.step is None and self._steps.locked():
            # A step's chunks are kept as one piece.
            async with self._steps:
                self._check_open()
                await self._tools.output.emit(self.id, self.attempt, data, kind, None)
        else:
            await self._tools.output.emit(self.id, self.attempt, data, kind, place.step)

    async def progress(self, share: float, message: str | None = None) -> None:
        self._check_open()
        share = float(share)
        if not (math.isfinite(share) and 0 <= share <= 1):
            raise ValueError("the share of the work that is done goes from 0 to 1")
        if message is not None:
            check_text(message)
            message = message[:_LONGEST_MESSAGE]
        self._tools.endings.report(self.claimed, share, message)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        self._check_open()
        place = self._place()
        if place.step is None and self._steps.locked():
            raise RuntimeError("a transaction cannot begin while a step runs")
        mark = _PLACE.set(_Place(self, place.scope, place.step, in_block=True))
        try:
            async with place.scope.block(is_nested=place.in_block) as connection:
                yield connection
        finally:
            with suppress(ValueError):
                # An abandoned generator is closed in another context.
                _PLACE.reset(mark)

    async def step(self, name: str, fn: Callable[..., Awaitable[T]]) -> T:
        self._check_open()
        if not name or len(name) > _LONGEST_NAME:
            raise ValueError(f"a step's name has 1 to {_LONGEST_NAME} characters")
        if name.startswith(_OWN):
            raise ValueError(f'a step\'s name does not begin with "{_OWN}"')
        check_text(name)
        if self._place().step is not None:
            raise RuntimeError("a step cannot contain another one")
        async with self._steps:
            self._check_open()
            if self._root is not None and self._root.is_begun:
                raise RuntimeError("steps come before the transaction, whose effects may be undone")
            if name in self._named:
                raise ValueError(f'the step "{name}" is named twice in one execution')
            kept = await self._kept_steps()
            result: T = await (self._repeat(name, kept[name]) if name in kept else self._run_step(name, fn))
            self._named.add(name)
            return result

    async def sleep(self, until: float | datetime) -> None:
        self._check_open()
        moment = _moment(until)
        if self._place().step is not None:
            raise RuntimeError("a step cannot sleep")
        async with self._steps:
            self._check_open()
            if self._root is not None and self._root.is_begun:
                raise RuntimeError("sleeps come before the transaction, whose effects would be undone")
            self._sleeps += 1
            name = _sleep(self._sleeps)
            kept = await self._kept_steps()
            if name in kept:
                moment = datetime.fromisoformat(await self._repeat(name, kept[name]))
                if self._repeats:
                    # The database has ended this one, whatever this clock says. After the last one the output goes on.
                    following = kept.get(_sleep(self._sleeps + 1))
                    self._repeats = following is not None and following["attempt"] == self._output
                    return
            if moment <= datetime.now(UTC):
                return
            if name not in kept:
                await self._run_step(name, _giving(moment.isoformat()))
            self._until = moment
            self._closed = True
            raise _Asleep

    # Steps.

    async def _kept_steps(self) -> dict[str, asyncpg.Record]:
        if self._kept is None:
            rows = [] if self.attempt == 1 else await self._tools.pool.fetch(sql.STEPS, [self.id])
            self._kept = {row["name"]: row for row in rows}
        return self._kept

    async def _repeat(self, name: str, kept: asyncpg.Record) -> Any:
        """Append the chunks of a finished step to this attempt's, and return its result."""
        claimed, output = self.claimed, self._tools.output
        if kept["attempt"] == self._output:
            return json.loads(kept["result"])
        await output.flush(self.id)
        async with self._tools.pool.connection() as connection, connection.transaction(isolation="read_committed"):
            if not await connection.fetch(sql.HOLD, self.id, self.attempt, claimed.worker):
                raise LostLeaseError
            first = output.position(self.id) + 1
            if kept["first"] <= kept["last"]:
                await output.copy(connection.fetch, self.id, self.attempt, kept["attempt"], kept["first"], kept["last"])
            last = first + kept["last"] - kept["first"]
            await connection.fetch(sql.MOVE_STEP, self.id, name, self._output, first, last)
        return json.loads(kept["result"])

    async def _run_step(self, name: str, fn: Callable[..., Awaitable[Any]]) -> Any:
        claimed, output, tools = self.claimed, self._tools.output, self._tools
        first = output.position(self.id) + 1
        scope = self._step = _Scope(tools, self._declaration.timeout)
        mark = _PLACE.set(_Place(self, scope, name))
        try:
            result = await (fn(self) if signature(fn).parameters else fn())
            text = stored_text(result)
            self._check_open()
            await output.flush(self.id)
            arguments = (
                *(self.id, self.attempt, claimed.worker, name, text),
                *(first, output.position(self.id)),
            )
            if scope.is_begun:
                is_kept = await scope.commit(sql.KEEP_STEP, *arguments)
                tools.committed()
            else:
                is_kept = bool(await tools.pool.fetch(sql.KEEP_STEP, arguments))
            if not is_kept:
                raise LostLeaseError
        finally:
            _PLACE.reset(mark)
            self._step = None
            await scope.close()
        # As another attempt would get it.
        return json.loads(text)

    # What the worker does.

    @property
    def has_returned(self) -> bool:
        """Whether the handler has ended: what is left to do takes no long time."""
        return self._returned

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Note the task that performs this."""
        self._task = task

    def stop(self, why: Stop) -> bool:
        """Cancel the handler. Return whether it still runs."""
        if self._returned or self.stopped is not None:
            if why is Stop.LOST and self.stopped is not None:
                self.stopped = why
            return False
        self.stopped = why
        assert self._task is not None
        self._task.cancel()
        return True

    def abandon(self) -> Ending | None:
        """Let the handler do nothing more, and say what becomes of the job."""
        self.is_abandoned = self._closed = True
        self.log.error("a handler ignores that it was cancelled", reason=str(self.stopped))
        return self._stopped_ending()

    async def undo(self) -> None:
        """Undo the transactions of an abandoned handler.

        Their locks would hold up the next execution for as long as the handler goes on.
        """
        for scope in (self._step, self._root):
            if scope is not None:
                with suppress(Exception):
                    await scope.abandon()

    async def perform(self) -> Ending | None:
        """Run the handler. Return what becomes of the job; None if that is written already, or is another's to say."""
        mark = _PLACE.set(None)
        try:
            return await self._perform()
        except KeyboardInterrupt:
            raise
        except LostLeaseError:
            if self._until is not None:
                return self._asleep()
            self.log.warning("lease lost")
            return None
        except BaseException as error:
            self._returned = True
            if self._until is not None:
                return self._asleep()
            await self._keep_output()
            if self.stopped is not None:
                return self._stopped_ending()
            if takes_no_writes(error):
                self.log.warning("job runs again later: the database takes no writes")
                return Ending(self.id, self.attempt, self.claimed.worker, Outcome.LATER)
            told = error.told if isinstance(error, ClewError) else None
            if isinstance(error, ClewError) and told is error:
                self.log.info("job refused", code=error.code, error=error.message)
                return self._failed(error.message)
            self.log.error("job failed", exc_info=error)
            if told is not None and told.code is not Code.INTERNAL:
                return self._failed(told.message)
            return self._failed("The job failed.")
        finally:
            self._closed = True
            self._tools.output.end(self.id, self.attempt)
            _PLACE.reset(mark)
            if self._root is not None:
                with suppress(Exception):
                    await self._root.close()

    async def _keep_output(self) -> None:
        """Write what the handler emitted before it failed or was stopped. Followers get it before the end."""
        if self._emitted and self.stopped is not Stop.LOST:
            with suppress(Exception):
                async with asyncio.timeout(_KEEPING):
                    await self._tools.output.flush(self.id)

    async def _perform(self) -> Ending | None:
        claimed, declaration, tools = self.claimed, self._declaration, self._tools
        try:
            arguments = declaration.decode(json.loads(claimed.arguments))
        except ValueError as error:
            self.log.error("arguments do not fit", detail=str(error))
            return self._failed("The job's arguments do not fit its declaration.")
        await tools.output.begin(self.id, self.attempt, claimed.continues)
        value = await self._handler(self, **arguments)
        self._returned = True
        if self._until is not None:
            return self._asleep()
        if self._task is not None and self._task.cancelling():
            # It was told to stop as it returned.
            while self._task.cancelling():
                self._task.uncancel()
            return self._stopped_ending()
        if self.is_abandoned:
            return None
        if self.stopped is not None:
            return self._stopped_ending()
        self._closed = True
        try:
            text = stored_text(declaration.encode(value))
        except (ValueError, TypeError) as error:
            self.log.error("the result is not of the declared type", detail=str(error))
            return self._failed("The job failed.")
        if len(text) > _LONGEST_RESULT:
            return self._failed("The job's result is too large.")
        if self._emitted:
            await tools.output.flush(self.id)
        if self._root is None or not self._root.is_begun:
            return Ending(self.id, self.attempt, claimed.worker, Outcome.SUCCEEDED, result=text)
        share, message = tools.endings.last_report(claimed)
        done = await self._root.commit(sql.COMPLETE, self.id, self.attempt, claimed.worker, text, share, message)
        if done:
            self.status = "SUCCEEDED"
            tools.committed()
            return None
        # Somebody else has ended it, or has asked for that.
        return Ending(self.id, self.attempt, claimed.worker, Outcome.CANCELLED)

    def _asleep(self) -> Ending | None:
        """Return the end of an execution whose handler sleeps, whatever the handler has done since it was told."""
        if self.stopped is not None:
            return self._stopped_ending()
        return Ending(self.id, self.attempt, self.claimed.worker, Outcome.ASLEEP, until=self._until)

    @property
    def _output(self) -> int:
        """The attempt that began the output."""
        return self.claimed.continues or self.attempt

    def _failed(self, error: str) -> Ending:
        text = error.replace("\x00", "").encode("utf-8", "replace").decode()[:_LONGEST_ERROR]
        return Ending(self.id, self.attempt, self.claimed.worker, Outcome.RETRY, error=text)

    def _stopped_ending(self) -> Ending | None:
        claimed = self.claimed
        if self.stopped is Stop.CANCELLED:
            return Ending(self.id, self.attempt, claimed.worker, Outcome.CANCELLED)
        if self.stopped in (Stop.DRAINED, Stop.AWAY):
            return Ending(self.id, self.attempt, claimed.worker, Outcome.BACK)
        if self.stopped is Stop.TIMEOUT:
            return self._failed(f"The job took longer than {self._declaration.timeout:g} s.")
        return None

    def _place(self) -> _Place:
        place = _PLACE.get()
        if place is not None and place.execution is self:
            return place
        if self._root is None:
            self._root = _Scope(self._tools, self._declaration.timeout)
        return _Place(self, self._root)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the job has ended")


def _moment(until: float | datetime) -> datetime:
    """Return the moment, in UTC, that a handler sleeps until.

    Raises:
        ValueError: it has no time zone, or it is too far away.
    """
    if isinstance(until, datetime) and until.tzinfo is None:
        raise ValueError("the moment has no time zone")
    try:
        return (until if isinstance(until, datetime) else datetime.now(UTC) + timedelta(seconds=until)).astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("the moment is not in the years 1 to 9999") from None


def _sleep(number: int) -> str:
    """Return the name of the step that a sleep of an execution is."""
    return f"{_OWN}sleep.{number}"


def _giving(value: str) -> Callable[[], Awaitable[str]]:
    async def give() -> str:
        return value

    return give
