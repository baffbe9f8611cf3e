"""The SQLAlchemy AsyncConnection for custom code, on connections of Clew's own pool.

One pool serves everything. SQLAlchemy's engine borrows its connections and returns them, but
never opens or closes one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from weakref import WeakSet

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine
from sqlalchemy.pool import NullPool

from clew.database.errors import FAULTS, ReadOnlyError, client_error
from clew.database.pool import Connection, Pool


def alchemy_engine(pool: Pool) -> AsyncEngine:
    """Return an engine on the pool's connections, in AUTOCOMMIT.

    SQLAlchemy issues no BEGIN, COMMIT or ROLLBACK: the operation's transaction is
    Clew's, and custom statements are part of it. `begin_nested()` makes savepoints.
    """
    # Connections whose JSON codecs are set. They stay set for later borrowers.
    prepared: WeakSet[Connection] = WeakSet()

    async def creator(*_: Any, **__: Any) -> Connection:
        return await pool.acquire()

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=creator,
        poolclass=NullPool,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
    )
    dialect: Any = engine.dialect
    set_json_codec = dialect.setup_asyncpg_json_codec
    set_jsonb_codec = dialect.setup_asyncpg_jsonb_codec

    async def json_codec(adapter: Any) -> None:
        if adapter._connection not in prepared:
            await set_json_codec(adapter)

    async def jsonb_codec(adapter: Any) -> None:
        if adapter._connection not in prepared:
            await set_jsonb_codec(adapter)
            prepared.add(adapter._connection)

    def give_back(adapter: Any) -> None:
        # Terminate a statement left by an abandoned task, so that it does not run on for the next borrower.
        if adapter._execute_mutex.locked():
            adapter._connection.terminate()
        pool.release(adapter._connection)

    dialect.setup_asyncpg_json_codec = json_codec
    dialect.setup_asyncpg_jsonb_codec = jsonb_codec
    dialect.do_close = give_back
    dialect.do_terminate = give_back

    def failed(context: ExceptionContext) -> None:
        error = context.original_exception
        is_cancelled = not isinstance(error, Exception)
        if is_cancelled:
            # The connection survives a cancelled statement. SQLAlchemy would return it in the middle of the operation.
            context.is_disconnect = False
        if context.connection is None or not (is_cancelled or isinstance(error.__cause__, ReadOnlyError)):
            return
        raw: Any = context.connection.connection.driver_connection
        if is_cancelled:
            pool.disturb(raw)
        else:
            pool.suspect(raw, error.__cause__)

    event.listen(engine.sync_engine, "handle_error", failed)
    return engine


class OperationConnection(AsyncConnection):
    """An AsyncConnection that takes its connection on first use.

    So a query whose resolvers wait for a slow service, and never use the database, holds no
    connection.

    Attributes:
        changes_jobs: whether jobs were queued or changed. Workers are told after the commit.
    """

    __slots__ = ("_is_finished", "_pool", "_starting", "changes_jobs")

    def __init__(self, engine: AsyncEngine, pool: Pool) -> None:
        super().__init__(engine)
        self._pool = pool
        self._is_finished = False
        self._starting = asyncio.Lock()
        self.changes_jobs = False

    @property
    def is_taken(self) -> bool:
        """Whether the operation has a connection."""
        return self.sync_connection is not None

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        """Run a statement so that it sees the operation's writes. Before the operation has a connection, use any one.

        An operation that has a connection never waits for a second one. Otherwise operations could hold all of
        the pool's connections while each of them waits for another.

        Raises:
            ClewError: as `Pool.fetch`.
        """
        if self.sync_connection is None:
            async with self._starting:
                if self.sync_connection is None:
                    return await self._pool.fetch(sql, arguments)
        async with self.raw() as raw:
            return await raw.fetch(sql, *arguments)

    @asynccontextmanager
    async def raw(self, *, wait: bool = True) -> AsyncIterator[Connection]:
        """Lend the driver's connection while no other statement of the operation runs on it.

        Args:
            wait: whether to wait for a running statement. Otherwise a running statement is an error.

        Raises:
            ClewError: UNAVAILABLE without a free connection; else as `Pool.fetch`.
        """
        try:
            adapter: Any = (await self.get_raw_connection()).dbapi_connection
            async with adapter._execute_mutex if wait else nullcontext():
                try:
                    yield adapter._connection
                except asyncio.CancelledError:
                    self._pool.disturb(adapter._connection)
                    raise
                except FAULTS as error:
                    self._pool.suspect(adapter._connection, error)
                    raise
        except FAULTS as error:
            raise client_error(error) from error
        except ResourceClosedError as error:
            # The connection broke earlier.
            raise client_error(ConnectionResetError()) from error

    async def ensure(self) -> None:
        """Take a connection if the operation has none.

        Raises:
            ClewError: UNAVAILABLE without a free connection.
        """
        if self.sync_connection is None:
            async with self._starting:
                if self.sync_connection is None:
                    if not self._is_finished:
                        await self.start()
                    if self._is_finished:
                        # A resolver that the executor abandoned would hold the connection forever.
                        await self.finish()
                        raise ResourceClosedError("The operation has ended.")
                    # Do not replace a broken connection: later statements would run outside the transaction.
                    started: Any = self.sync_connection
                    started._Connection__can_reconnect = False

    async def get_raw_connection(self) -> Any:
        await self.ensure()
        return await super().get_raw_connection()

    async def exec_driver_sql(self, *args: Any, **kwargs: Any) -> Any:
        await self.ensure()
        return await super().exec_driver_sql(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        await self.ensure()
        return await super().execute(*args, **kwargs)

    async def scalar(self, *args: Any, **kwargs: Any) -> Any:
        await self.ensure()
        return await super().scalar(*args, **kwargs)

    async def scalars(self, *args: Any, **kwargs: Any) -> Any:
        await self.ensure()
        return await super().scalars(*args, **kwargs)

    async def run_sync(self, *args: Any, **kwargs: Any) -> Any:
        await self.ensure()
        return await super().run_sync(*args, **kwargs)

    async def commit(self) -> None:
        if self.sync_connection is not None:
            await super().commit()

    async def rollback(self) -> None:
        if self.sync_connection is not None:
            await super().rollback()

    def begin(self) -> AsyncTransaction:
        return _Transaction(self)

    def begin_nested(self) -> AsyncTransaction:
        return _Transaction(self, nested=True)

    async def give_back(self) -> None:
        """Return the connection, if one was taken. The next use takes another one."""
        if self.sync_connection is not None:
            await self.close()
            self.sync_connection = None

    async def finish(self) -> None:
        """Return the connection, if one was taken, and take none from now on."""
        self._is_finished = True
        if self.sync_connection is not None:
            await self.close()


class _Transaction(AsyncTransaction):
    """A transaction that takes the connection when it begins."""

    __slots__ = ()
    connection: OperationConnection

    async def start(self, is_ctxmanager: bool = False) -> AsyncTransaction:
        await self.connection.ensure()
        return await super().start(is_ctxmanager)
