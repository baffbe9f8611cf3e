"""The connections of one process: a bounded pool of raw asyncpg connections.

asyncpg's own pool does more work for each borrowing. Even with an empty reset it gives 20,800
fetches a second, and this pool gives 43,700. Here nothing needs a reset: settings last for one
transaction only, and a connection that is returned within a transaction is closed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg

from clew.config import PLANNER, planner_settings
from clew.database.errors import FAULTS, ReadOnlyError, client_error
from clew.deadlines import Deadlines
from clew.errors import ClewError, Code
from clew.metrics import Metrics
from clew.observe import get_logger

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

_LOG = get_logger("clew.database")

# In bytes of SQL. Longer statements are prepared anew on each run. A nested operation with hundreds of fields
# exceeds asyncpg's default of 15 KiB.
_LARGEST_PREPARED = 64 * 1024

# In seconds: the time that a cancelled statement may take to end before its connection is closed.
_SETTLED = 1.0

# In seconds: how often connections to a server that takes no writes are given up, at most. Reads use them meanwhile.
_LEAVING = 1.0

# The cancelled statements of the operation in this context, which the server may still run. A list of tasks, done when
# the server has ended the statement.
UNSETTLED: ContextVar[list[asyncio.Task[None]] | None] = ContextVar("clew_unsettled", default=None)


# With the number of the process, it tells the prepared statements of this one from those of others.
_TOKEN = secrets.token_hex(6)
_NUMBERS = count()


# The array types that Clew's statements bind, by OID: the OID and the name of their elements' type. All versions of
# Postgres have the same OIDs.
_ARRAYS = {
    1000: (16, "bool"),
    1001: (17, "bytea"),
    1005: (21, "int2"),
    1007: (23, "int4"),
    1014: (1042, "bpchar"),
    1015: (1043, "varchar"),
    1016: (20, "int8"),
    1021: (700, "float4"),
    1022: (701, "float8"),
    1115: (1114, "timestamp"),
    1182: (1082, "date"),
    1183: (1083, "time"),
    1185: (1184, "timestamptz"),
    1187: (1186, "interval"),
    1231: (1700, "numeric"),
    1270: (1266, "timetz"),
    199: (114, "json"),
    271: (5069, "xid8"),
    2951: (2950, "uuid"),
    3807: (3802, "jsonb"),
}


class _Named:
    """Stands for the statement that asked for types. asyncpg prepares its own again if that one had no name."""

    name = "none"


class Session(Connection):
    """A connection that asyncpg opens, with two of its habits changed."""

    def _get_unique_id(self, prefix: str) -> str:
        """Give prepared statements names that no other process gives away.

        asyncpg's are numbers. Behind a pooler that lends the server's sessions for one transaction, a statement of
        another process could run in place of this one's.
        """
        return f"__clew_{prefix}_{_TOKEN}_{os.getpid():x}_{next(_NUMBERS):x}__"

    async def _introspect_types(self, typeoids: Collection[int], *rest: Any) -> tuple[Any, Any]:
        """Describe array types without a question to the server.

        asyncpg knows no arrays but of text. At the first array of another type, each connection would ask for it: a
        recursive query over the catalogue, 3 to 8 ms long, and two statements that turn JIT off and on.
        """
        if not _ARRAYS.keys() >= set(typeoids):
            return await super()._introspect_types(typeoids, *rest)  # type: ignore[misc, no-any-return]  # asyncpg's own
        return [_described(oid, *_ARRAYS[oid]) for oid in typeoids], _Named


def _described(oid: int, element: int, name: str) -> dict[str, Any]:
    """Return a row as asyncpg's query for types has it."""
    absent = ("basetype", "basetype_name", "range_subtype", "range_subtype_name", "attrtypoids", "attrnames")
    return {
        **dict.fromkeys(absent),
        "oid": oid,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "elemtype": element,
        "elemtype_name": name,
        "elemdelim": b",",
    }


class Pool:
    """At most `size` connections, opened on demand.

    Args:
        url: `postgresql://...`.
        size: the largest number of open connections.
        wait: seconds to wait for a connection before UNAVAILABLE.
        statement_timeout: seconds that a statement may take before TIMEOUT; None: any time.
        idle_timeout: seconds that a transaction may stay idle before it is ended; None: any time.
        application_name: the name in `pg_stat_activity`.
        planner: the planner's settings, as `CLEW_PLANNER` has them.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 10,
        wait: float = 5.0,
        statement_timeout: float | None = 10.0,
        idle_timeout: float | None = 60.0,
        application_name: str = "clew",
        planner: str = PLANNER,
    ) -> None:
        self._url = url
        self._size = size
        self._wait = wait
        self._patience = Deadlines(wait)
        self._planner = planner_settings(planner)
        self._settings = {
            "application_name": application_name,
            "timezone": "UTC",
            # Postgres must read the values that it writes as the same values, whatever the database's default.
            "datestyle": "ISO, MDY",
            "extra_float_digits": "1",
            "statement_timeout": _milliseconds(statement_timeout),
            # A transaction that Clew lost track of must not hold its locks forever.
            "idle_in_transaction_session_timeout": _milliseconds(idle_timeout),
            # A cancellation that arrives before its statement is lost. Then closing the socket must stop the statement.
            "client_connection_check_interval": "500",
        }
        self._idle: list[Connection] = []
        self._open = 0
        # On the clock of `time.monotonic`.
        self.last_lent = 0.0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False
        self._settling: dict[asyncio.Task[None], Connection] = {}
        self._disturbed: set[Connection] = set()
        # Lent connections to a server that takes no writes, and when the next ones may be given up.
        self._left: set[Connection] = set()
        self._leave_at = 0.0

    @property
    def settings(self) -> dict[str, str]:
        """What its sessions are started with."""
        return {**self._settings, **self._planner}

    @property
    def application_name(self) -> str:
        """The name of sessions in `pg_stat_activity`. A new one is for those that are opened from now on."""
        return self._settings["application_name"]

    @application_name.setter
    def application_name(self, name: str) -> None:
        self._settings["application_name"] = name

    @property
    def size(self) -> int:
        """The most connections that may be open."""
        return self._size

    @property
    def wait(self) -> float:
        """The seconds that a caller may wait for a connection."""
        return self._wait

    @property
    def is_closed(self) -> bool:
        """Whether the pool lends no more connections."""
        return self._closed

    def measure(self, metrics: Metrics, name: str) -> None:
        """Show how many connections are in use, idle and waited for.

        Args:
            name: tells the pools of an app apart.
        """
        about = "Open connections to the database."
        metrics.gauge("clew_pool_connections", about, lambda: self._open - len(self._idle), pool=name, state="in_use")
        metrics.gauge("clew_pool_connections", about, lambda: len(self._idle), pool=name, state="idle")
        about = "The most connections that may be open."
        metrics.gauge("clew_pool_connections_max", about, lambda: self._size, pool=name)
        about = "Callers that wait for a connection."
        metrics.gauge("clew_pool_waiting", about, lambda: sum(not w.done() for w in self._waiters), pool=name)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        """Run one statement outside a transaction.

        Cancelling the caller cancels the statement on the server.

        Raises:
            ClewError: TIMEOUT, UNAVAILABLE, BAD_USER_INPUT and others, by the fault.
        """
        connection = await self.acquire()
        try:
            return await connection.fetch(sql, *arguments)
        except FAULTS as error:
            self.suspect(connection, error)
            raise client_error(error) from error
        finally:
            self.release(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for a few statements.

        Raises:
            ClewError: UNAVAILABLE without a free connection; else as `fetch`.
        """
        connection = await self.acquire()
        try:
            yield connection
        except FAULTS as error:
            self.suspect(connection, error)
            raise client_error(error) from error
        finally:
            self.release(connection)

    async def acquire(self) -> Connection:
        """Take a connection. Return it with `release`.

        Raises:
            ClewError: UNAVAILABLE if none becomes free in time or the server does not answer.
        """
        self.last_lent = time.monotonic()
        while self._idle:
            # The last connection returned most likely has the statement prepared.
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        if self._closed:
            raise ClewError("The server is shutting down.", code=Code.UNAVAILABLE)
        if self._open < self._size:
            self._open += 1
            return await self._connect()
        return await self._queue()

    def release(self, connection: Connection) -> None:
        """Take back a connection from its borrower."""
        if connection.is_closed():
            self._disturbed.discard(connection)
            self._left.discard(connection)
            self._free_slot()
        elif connection in self._disturbed or _is_cancelled(connection):
            # Closing it now would not stop its statement. A cancellation between the preparation of a statement and
            # its execution leaves the server waiting for the execution while it holds locks on the tables.
            self._disturbed.discard(connection)
            task = asyncio.get_running_loop().create_task(self._settle(connection))
            self._settling[task] = connection
            task.add_done_callback(self._settling.pop)
            if (unsettled := UNSETTLED.get()) is not None:
                unsettled.append(task)
        elif self._closed or _is_used(connection) or connection in self._left:
            self._left.discard(connection)
            connection.terminate()
            self._free_slot()
        else:
            self._give(connection)

    def disturb(self, connection: Connection) -> None:
        """Note that a statement on a lent connection was cancelled. `release` then waits for the statement to end."""
        self._disturbed.add(connection)

    def suspect(self, connection: Connection, error: BaseException | None) -> None:
        """Take note of an error on a lent connection. If its server takes no writes, connect anew.

        After a failover the URL may lead to another server.
        """
        now = time.monotonic()
        if not isinstance(error, ReadOnlyError) or now < self._leave_at:
            return
        self._leave_at = now + _LEAVING
        self._left.add(connection)
        idle, self._idle = self._idle, []
        self._open -= len(idle)
        for other in idle:
            other.terminate()

    def _give(self, connection: Connection) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    async def close(self) -> None:
        """Close every idle connection now, and the others when they are returned."""
        self._closed = True
        await self.renew()

    async def renew(self) -> None:
        """Close every idle connection. Later borrowers get new ones."""
        if self._settling:
            _, working = await asyncio.wait(self._settling, timeout=_SETTLED)
            for task in working:
                self._settling[task].terminate()
            if working:
                await asyncio.wait(working)
        idle, self._idle = self._idle, []
        self._open -= len(idle)
        for connection in idle:
            try:
                await connection.close(timeout=2)
            except (*FAULTS, TimeoutError):
                connection.terminate()

    async def _settle(self, connection: Connection) -> None:
        """Wait for the end of a cancelled statement. Then lend the connection again.

        If the statement does not end soon, close the connection. Its slot is free when the server has ended it too:
        some comparisons cannot be interrupted, and the server works on them whether anybody waits or not.
        """
        try:
            try:
                async with asyncio.timeout(_SETTLED):
                    await connection.execute("SELECT 1")
            except (*FAULTS, TimeoutError):
                await _ended(connection)
        except BaseException:
            connection.terminate()
            self._free_slot()
            raise
        self.release(connection)

    async def _connect(self) -> Connection:
        """Open a connection in a slot that is already counted."""
        planner = self._planner
        try:
            try:
                return await self._open_session(planner)
            except asyncpg.PostgresError as error:
                # A proxy may let through only settings that it knows.
                if not any(name in str(error) for name in planner):
                    raise
                if self._planner:
                    _LOG.warning("planner refused", settings=planner, reason=str(error))
                    self._planner = {}
                return await self._open_session({})
        except BaseException as error:
            self._free_slot()
            if isinstance(error, (*FAULTS, TimeoutError)):
                raise client_error(error) from error
            raise

    async def _open_session(self, planner: Mapping[str, str]) -> Connection:
        return await asyncpg.connect(
            self._url,
            connection_class=Session,
            timeout=self._wait,
            server_settings={**self._settings, **planner},
            max_cacheable_statement_size=_LARGEST_PREPARED,
        )

    async def _queue(self) -> Connection:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            with self._patience.limit():
                connection = await waiter
        except BaseException as error:
            # A connection may arrive at the very moment of giving up. It must not be lost.
            if waiter.done() and not waiter.cancelled():
                late = waiter.result()
                if late is None:
                    self._free_slot()
                else:
                    self.release(late)
            if isinstance(error, TimeoutError):
                raise ClewError(
                    "All database connections are busy.", code=Code.UNAVAILABLE, hint="Try again in a moment."
                ) from None
            raise
        return connection if connection is not None else await self._connect()

    def _free_slot(self) -> None:
        """Pass the slot of a closed connection to the next waiter, or free it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._open -= 1


def _milliseconds(seconds: float | None) -> str:
    # 0 turns a timeout off.
    return "0" if seconds is None else str(max(1, round(seconds * 1000)))


async def _ended(connection: Connection) -> None:
    """Close our half of a connection, and wait until the server closes its own when it ends the session."""
    if connection.is_closed():
        return
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    with suppress(OSError):
        # Transports cannot do this. uvloop does not even give access to its socket.
        number = os.dup(connection._transport.get_extra_info("socket").fileno())  # type: ignore[attr-defined]  # asyncpg's own, which its types leave out
        with socket.socket(fileno=number) as half:
            half.shutdown(socket.SHUT_WR)
    await ended.wait()


def _is_cancelled(connection: Connection) -> bool:
    """Return whether a statement is being cancelled, or the task that used the connection is."""
    task = asyncio.current_task()
    return (task is not None and task.cancelling() > 0) or connection._protocol._is_cancelling()  # type: ignore[attr-defined]  # asyncpg's own, which its types leave out


def _is_used(connection: Connection) -> bool:
    """Return whether the connection is in a transaction, or in one that failed to begin and would contain the next."""
    return connection.is_in_transaction() or connection._top_xact is not None  # type: ignore[attr-defined]  # asyncpg's own, which its types leave out
