"""What a process does about jobs: it runs them, queues those of `@on`, and tells other processes of new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.background import Background
from clew.database.alchemy import OperationConnection
from clew.engine import Engine
from clew.engine.operation import OwnTransaction
from clew.jobs.notify import Notifier
from clew.jobs.triggers import Triggers
from clew.jobs.types import RunGraphQL
from clew.jobs.worker import Worker
from clew.viewer import Viewer


class JobService:
    """The jobs of one process.

    Args:
        background: owns the tasks.
        notifier: tells workers of queued jobs.
        worker: runs jobs; None: this process runs none.
        triggers: queues those of `@on`; None: there are none, or others do it.
        follows: whether it does so by itself, rather than when `catch_up` is called.
        patience: how long jobs may go on after the process was told to stop, in seconds.
    """

    def __init__(
        self,
        background: Background,
        notifier: Notifier,
        worker: Worker | None,
        triggers: Triggers | None,
        *,
        follows: bool = True,
        patience: float,
    ) -> None:
        self.worker = worker
        self._background = background
        self._notifier = notifier
        self._triggers = triggers
        self._follows = follows
        self._patience = patience
        self._has_begun = False
        self._running: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin, on the running loop. It ends with the background work. Calling it again does nothing."""
        if self._has_begun:
            return
        self._has_begun = True
        if self.worker is not None:
            self._notifier.local = self.worker.wake
            self._running = self._background.start(self.worker.run(), "worker")
        if self._triggers is not None and self._follows:
            self._background.start(self._triggers.run(), "triggers")

    async def catch_up(self, since: str) -> int:
        """As `Triggers.catch_up`. It queues nothing without triggers."""
        return 0 if self._triggers is None else await self._triggers.catch_up(since)

    def drain(self) -> None:
        """Run no further jobs. Those that run may go on for a while; then they are given back."""
        if self.worker is not None and self._running is not None and self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self.worker.drain(self._patience))

    async def close(self) -> None:
        """Drain, and wait for the end of that."""
        self.drain()
        if self._draining is not None:
            await asyncio.wait([self._draining])


def graphql_of(engine: Engine) -> RunGraphQL:
    """Return what runs the operations of handlers, in a transaction of a handler or by themselves."""
    # Operations within one transaction take turns, so they share this. It must not lead back to the connection: nothing
    # would ever be forgotten.
    turns: WeakKeyDictionary[AsyncConnection, asyncio.Lock] = WeakKeyDictionary()

    async def run(
        document: str, variables: Mapping[str, Any], viewer: Viewer, connection: AsyncConnection | None, /
    ) -> dict[str, Any]:
        if connection is None:
            return await engine.graphql(document, variables, viewer)
        assert isinstance(connection, OperationConnection)
        turn = turns.setdefault(connection, asyncio.Lock())
        return await engine.graphql(document, variables, viewer, OwnTransaction(connection, mutating=turn))

    return run


def wake_all(*wakes: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls all of these."""

    def wake() -> None:
        for one in wakes:
            one()

    return wake
