"""What a job's handler gets."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.viewer import Viewer


class JobContext(Protocol):
    """The first argument of a job's handler, for type annotations: `async def summarize(ctx: JobContext, ...)`."""

    @property
    def viewer(self) -> Viewer:
        """Who enqueued the job; its rules bind `graphql`."""

    @property
    def attempt(self) -> int:
        """Which execution this is, from 1."""

    async def graphql(self, document: str, **variables: Any) -> dict[str, Any]:
        """Run an operation under the caller's rules; its data."""

    async def emit(self, data: Any, kind: str = "token") -> None:
        """Append a piece, text or JSON, to the job's durable output."""

    async def progress(self, progress: float, message: str | None = None) -> None:
        """Say how much is done, from 0 to 1."""

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that commits together with the job's completion."""
