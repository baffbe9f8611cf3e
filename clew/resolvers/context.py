"""The context that resolvers get as `info.context`."""

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

    async def check_row_arguments(self, info: Info, given: GivenKeys) -> None:
        """Raise NOT_FOUND unless the viewer may do the operations on all the rows with these keys."""


@dataclass(frozen=True, slots=True)
class System:
    """`info.context.system`: operations that the application runs in its own name."""

    _running: Running

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation as an admin. Otherwise this is the same as `Context.graphql`."""
        return await self._running.graphql(document, variables, Viewer.admin())


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one operation.

    `connection` belongs to the operation. In a mutation everything on it is part of the one transaction. A query takes
    it at the first use. `state` belongs to the application: it takes attributes of any name, for this operation alone.
    """

    viewer: Viewer
    connection: AsyncConnection
    request_id: str
    running: Running = field(repr=False)
    state: SimpleNamespace = field(default_factory=SimpleNamespace, repr=False)

    async def graphql(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run another operation as the same viewer, in the same transaction if this is a mutation.

        A mutation in it takes effect as a whole or not at all. It becomes final together with the outer operation.

        Args:
            document: one query or mutation.
            variables: by name, as JSON has them.

        Returns:
            Its `data`.

        Raises:
            ClewError: the first of its errors. LIMIT_EXCEEDED if operations are nested too deeply.
        """
        return await self.running.graphql(document, variables, self.viewer)

    @property
    def system(self) -> System:
        """Run operations as an admin instead."""
        return System(self.running)
