"""Run exports: admit them, copy their rows in a transaction of their own, and hand on the bytes as the client reads."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from clew.database.errors import FAULTS, client_error
from clew.database.pool import Connection, Pool
from clew.engine.engine import Engine
from clew.engine.flights import Flight
from clew.engine.types import Request
from clew.errors import ClewError, Code
from clew.sql.copy import CopyStatement, Form
from clew.sql.settings import SET_ALL
from clew.viewer import Viewer

# In bytes: how much of a file is kept until the client takes it, and how much is handed on at once.
_KEPT = 512 * 1024
_FIRST = 64 * 1024
# In seconds. A small file is held back until it is complete, for up to this time, so that an error can still get a
# status of its own.
_PATIENCE = 0.1
# In seconds: for how long the process counts as busy after other work used the database, and the pause between two
# parts of files meanwhile. asyncpg hands over at most 256 KiB at once. So all exports read less than 27 MB a second.
_BUSY = 0.1
_PAUSE = 0.01
_BOM = "\ufeff"


class TooManyExportsError(ClewError):
    """As many exports are running as may run.

    Args:
        most: how many.
        whose: "you" or "all viewers".
    """

    def __init__(self, most: int, whose: str) -> None:
        super().__init__(
            f"Too many exports at once: at most {most} may run for {whose}.",
            code=Code.RATE_LIMITED,
            hint="Try again when one has ended.",
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most exports at once in this process, of one viewer and of all, and the most seconds that one takes."""

    viewer: int
    all: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """An export that may run. `name` is that of its file, without an ending."""

    statement: CopyStatement
    texts: list[str]
    form: Form
    name: str
    bom: bool


@dataclass(slots=True)
class Progress:
    """How far an export is: the bytes and lines that are there, and the rows that Postgres expects; None: not yet."""

    bytes: int = 0
    lines: int = 0
    expected: int | None = None
    is_whole: bool = False


class Turns:
    """Let the exports of one process read one after another, and slowly while other work uses the database.

    Without this, exports keep all processors busy: their sessions, this process and the clients. Each step of a short
    operation would then wait for a processor.

    Args:
        first: the pools of the work that goes first.
    """

    def __init__(self, first: Sequence[Pool]) -> None:
        self._first = first
        self._one = asyncio.Lock()

    async def take(self) -> None:
        """Return when the caller may read one more part."""
        async with self._one:
            busy_since = time.monotonic() - _BUSY
            if any(pool.last_lent > busy_since for pool in self._first):
                await asyncio.sleep(_PAUSE)


class Exports:
    """Runs the exports of one process.

    Args:
        pool: for exports alone, with a connection for each that may run.
        first: the pools of work that goes first.
    """

    def __init__(self, engine: Engine, pool: Pool, bounds: Bounds, first: Sequence[Pool] = ()) -> None:
        self.engine = engine
        self.bounds = bounds
        self._pool = pool
        self._turns = Turns(first)
        self._running: Counter[Hashable] = Counter()

    async def prepare(
        self,
        request: Request,
        viewer: Viewer,
        form: Form,
        flight: Flight | None = None,
        *,
        bom: bool = False,
        own: bool = False,
    ) -> Prepared:
        """Return an export that may run.

        Args:
            flight: counts it among the viewer's operations until the caller ends the flight.
            bom: begin the file with a byte order mark.
            own: whether the application itself asks. Limits on documents bind clients only.

        Raises:
            InvalidDocument: the document or its variables are not valid.
            ClewError: BAD_USER_INPUT for what is no list, FORBIDDEN without a rule for it, and others.
        """
        prepared, session = await self.engine.admitted(request, viewer, flight, own=own)
        statement, texts = await self.engine.statements.export(prepared, request.variables, session, form)
        name = prepared.name or statement.root
        return Prepared(statement, texts, form, name[:100], bom)

    @asynccontextmanager
    async def running(
        self, prepared: Prepared, who: Hashable, seconds: float | None = None, progress: Progress | None = None
    ) -> AsyncIterator[File]:
        """Run an export while this is entered. Its first bytes are there, or its end.

        Args:
            who: a key for the viewer.
            seconds: how long it may take; None, or more than `bounds` says: as long as that.
            progress: kept up to date.

        Raises:
            TooManyExportsError: on entry.
            ClewError: TIMEOUT, UNAVAILABLE and others, on entry or while the file is read.
        """
        longest = self.bounds.seconds if seconds is None else min(seconds, self.bounds.seconds)
        with self._counted(who):
            file = File(prepared, progress)
            task = asyncio.get_running_loop().create_task(self._copy(prepared, file, longest))
            try:
                await file.begun()
                yield file
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    @contextmanager
    def _counted(self, who: Hashable) -> Iterator[None]:
        if self._running[who] >= self.bounds.viewer:
            raise TooManyExportsError(self.bounds.viewer, "one viewer")
        if self._running.total() >= self.bounds.all:
            raise TooManyExportsError(self.bounds.all, "all viewers")
        self._running[who] += 1
        try:
            yield
        finally:
            self._running[who] -= 1
            if not self._running[who]:
                del self._running[who]

    async def _copy(self, prepared: Prepared, file: File, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._copied(prepared, file, seconds)
        except TimeoutError:
            file.end(ClewError("The export took too long.", code=Code.TIMEOUT, hint="Ask for fewer rows."))
        except ClewError as error:
            file.end(error)
        except BaseException:
            file.end(ClewError("Something went wrong on the server.", code=Code.INTERNAL))
            raise
        else:
            file.end(None)

    async def _copied(self, prepared: Prepared, file: File, seconds: float) -> None:
        connection = await self._pool.acquire()
        try:
            # The pool closes a connection that comes back within its transaction.
            transaction = connection.transaction(isolation="read_committed", readonly=True)
            await transaction.start()
            await connection.fetch(SET_ALL, *_settings(prepared, seconds))
            if file.progress is not None:
                file.progress.expected = await _expected(connection, prepared.statement.sql)
            await self._copy_out(connection, prepared.statement.copy, file)
            await transaction.commit()
        except FAULTS as error:
            raise client_error(error, only_reads=True) from error
        finally:
            self._pool.release(connection)

    async def _copy_out(self, connection: Connection, sql: str, file: File) -> None:
        async def put(part: bytes) -> None:
            await file.put(part)
            if file.read > _FIRST:
                await self._turns.take()

        # `copy_from_query` would put together a statement that is whole already.
        await connection._copy_out(sql, put, None)  # type: ignore[attr-defined]  # asyncpg's own, which its types leave out


async def _expected(connection: Connection, sql: str) -> int:
    """Return how many rows Postgres expects of a SELECT."""
    explained = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}"))
    return int(explained[0]["Plan"]["Plan Rows"])


def _settings(prepared: Prepared, seconds: float) -> tuple[list[str], list[str]]:
    """Return the names and the values of the transaction's settings."""
    # The server ends the statement too, if this process cannot.
    milliseconds = max(1, round(seconds * 1000))
    return (
        # asyncpg loses rows that came before a notice (0.32), such as that of a search for stop words.
        [*prepared.statement.settings, "statement_timeout", "client_min_messages"],
        [*prepared.texts, str(milliseconds), "error"],
    )


class File:
    """The bytes of an export, as they come. The database waits while too many are not taken.

    `read`: how many bytes have come.
    """

    def __init__(self, prepared: Prepared, progress: Progress | None = None) -> None:
        self.progress = progress
        self.read = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._error: ClewError | None = None
        self._has_news = asyncio.Event()
        self._has_room = asyncio.Event()
        if prepared.form.delimiter is not None:
            head = prepared.form.delimiter.join(prepared.statement.columns) + "\n"
            self._keep(((_BOM if prepared.bom else "") + head).encode())

    async def put(self, part: bytes) -> None:
        """Add bytes. Return when there is room for more."""
        self._keep(part)
        self._has_news.set()
        while self._size >= _KEPT:
            self._has_room.clear()
            await self._has_room.wait()

    def end(self, error: ClewError | None) -> None:
        """Note that nothing comes any more, because of an error or because all has come."""
        self._is_over = True
        self._error = error
        if self.progress is not None:
            self.progress.is_whole = error is None
        self._has_news.set()

    async def begun(self) -> None:
        """Wait for the first rows, or the end.

        Raises:
            ClewError: there is an error instead.
        """
        await self._has_news.wait()
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self._is_over and self._size < _FIRST:
                    self._has_news.clear()
                    await self._has_news.wait()
        except TimeoutError:
            pass
        self._has_news.set()
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield all bytes, in parts of any size.

        Raises:
            ClewError: the export failed, after what was yielded.
        """
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            parts, self._parts, self._size = self._parts, [], 0
            is_over = self._is_over
            self._has_room.set()
            if parts:
                yield b"".join(parts)
            if is_over:
                if self._error is not None:
                    raise self._error
                return

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        self.read += len(part)
        if self.progress is not None:
            self.progress.bytes += len(part)
            self.progress.lines += part.count(b"\n")
