"""What resolvers get as `info.context` (SPEC 11)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from clew.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one operation.

    `connection` is the operation's: in a mutation everything on it is part of the one
    transaction; a query takes it when it is first used.
    """

    viewer: Viewer
    connection: AsyncConnection
    request_id: str
