"""What resolvers get as `info.context`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.resolvers.batches import Batches, Info
from clew.resolvers.row_arguments import GivenKeys
from clew.viewer import Viewer


class Running(Protocol):
    """The engine's side of one operation."""

    batches: Batches

    async def graphql(self, document: str, variables: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
        """Run another operation within this one."""

    async def admit(self, info: Info, given: GivenKeys) -> None:
        """Raise NOT_FOUND unless the viewer holds the operations on all the rows with these keys."""


@dataclass(frozen=True, slots=True)
class System:
    """`info.context.system`: what the application does in its own name."""

    _running: Running

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation as an admin, otherwise as `Context.graphql` does."""
        return await self._running.graphql(document, variables, Viewer.admin())


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one operation.

    `connection` is the operation's: in a mutation everything on it is part of the one
    transaction; a query takes it when it is first used. `state` is the application's own: attributes of any
    name, for this operation alone.
    """

    viewer: Viewer
    connection: AsyncConnection
    request_id: str
    running: Running = field(repr=False)
    state: SimpleNamespace = field(default_factory=SimpleNamespace, repr=False)

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run another operation as the same viewer, in the same transaction if this is a mutation.

        A mutation in it takes effect as a whole or not at all, and finally with the operation it is within.

        Args:
            document: one query or mutation.
            variables: by name, as JSON has them.

        Returns:
            its `data`.

        Raises:
            ClewError: the first of its errors. LIMIT_EXCEEDED where operations run within one another too deeply.
        """
        return await self.running.graphql(document, variables, self.viewer)

    @property
    def system(self) -> System:
        """The same with an admin's rules."""
        return System(self.running)
