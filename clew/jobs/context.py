"""The context that a job's handler gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.typing import FilteringBoundLogger

from clew.viewer import Viewer

T = TypeVar("T")


class System(Protocol):
    """Operations that the application runs in its own name."""

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation as an admin. Otherwise this is the same as `JobContext.graphql`."""


class JobContext(Protocol):
    """The first argument of a job's handler, for type annotations: `async def summarize(ctx: JobContext, ...)`."""

    @property
    def id(self) -> str:
        """The job's id."""

    @property
    def viewer(self) -> Viewer:
        """The viewer that enqueued the job. Its rules bind `graphql`."""

    @property
    def attempt(self) -> int:
        """The number of this execution, from 1."""

    @property
    def cancelled(self) -> bool:
        """Whether this execution is to stop: `asyncio.CancelledError` has been raised where the handler waited."""

    @property
    def log(self) -> FilteringBoundLogger:
        """A logger that names the job in each line."""

    @property
    def connection(self) -> AsyncConnection:
        """A connection with the application's rights. Inside `transaction` it is the transaction's.

        Outside it each statement commits by itself.
        """

    @property
    def system(self) -> System:
        """Run operations as an admin instead."""

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation under the rules of the viewer.

        From the first `transaction` on, it is part of that.

        Args:
            document: one query or mutation.
            variables: by name, as JSON has them.

        Returns:
            Its `data`.

        Raises:
            ClewError: the first of its errors.
        """

    async def emit(self, data: Any, kind: str = "token") -> None:
        """Append text or JSON to the job's durable output.

        While a step runs, what is outside of it waits for its end.

        Raises:
            ClewError: LIMIT_EXCEEDED if the chunk or the whole output is too large.
        """

    async def progress(self, share: float, message: str | None = None) -> None:
        """Report the share of the work that is done, from 0 to 1.

        Raises:
            ValueError: the share is not such a number.
        """

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Write what takes effect together with the job's completion, when the handler returns; or not at all.

        All blocks of an execution are one transaction. A block that raises is undone. Within a step it is the step's:
        it commits together with the step's result.
        """

    async def step(self, name: str, fn: Callable[..., Awaitable[T]]) -> T:
        """Return what `fn` gives. Keep it, and the chunks that `fn` emits: another attempt does not call `fn` again.

        Steps run one after another, before any transaction of the handler.

        Args:
            name: once in an execution.
            fn: takes no argument, or this context. Its result must be JSON.

        Raises:
            ValueError: the name was used before.
            TypeError: the result is not JSON.
        """

    async def sleep(self, until: float | datetime) -> None:
        """Go on later. Meanwhile the job is queued, and holds no worker and no connection.

        The handler is ended by an exception that is no `Exception`. Later another execution calls it from its
        beginning: finished steps give their results, what it emits outside of steps is left out because followers have
        it, and then this returns.

        Args:
            until: seconds from now, or a moment with a time zone. One that has passed is none to wait for.

        Raises:
            ValueError: the moment has no time zone, or is not in the years 1 to 9999.
            RuntimeError: it is called within a step, or after a transaction has begun.
        """
