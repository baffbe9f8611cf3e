"""The context that a job's handler gets."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.viewer import Viewer


class JobContext(Protocol):
    """The first argument of a job's handler, for type annotations: `async def summarize(ctx: JobContext, ...)`."""

    @property
    def viewer(self) -> Viewer:
        """The viewer that enqueued the job. Its rules bind `graphql`."""

    @property
    def attempt(self) -> int:
        """The number of this execution, from 1."""

    async def graphql(self, document: str, **variables: Any) -> dict[str, Any]:
        """Run an operation under the rules of the viewer. Return its data."""

    async def emit(self, data: Any, kind: str = "token") -> None:
        """Append text or JSON to the job's durable output."""

    async def progress(self, progress: float, message: str | None = None) -> None:
        """Report the share of the work that is done, from 0 to 1."""

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that commits together with the job's completion."""
