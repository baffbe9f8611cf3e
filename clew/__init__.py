"""Clew: a GraphQL-first API server on Postgres."""

from clew.collector import paused

# The imported objects stay. Collecting garbage during the import would take a third of its time.
with paused():
    from clew.app import Clew
    from clew.errors import ClewError, Code
    from clew.jobs import JobContext
    from clew.model.types import Operation
    from clew.resolvers.batched import batched
    from clew.resolvers.context import Context
    from clew.viewer import Viewer
    from clew.writes.hooks import RowDraft

# The operations of hooks.
CREATE, UPDATE, DELETE = Operation.CREATE, Operation.UPDATE, Operation.DELETE

__all__ = [
    "CREATE",
    "DELETE",
    "UPDATE",
    "Clew",
    "ClewError",
    "Code",
    "Context",
    "JobContext",
    "RowDraft",
    "Viewer",
    "batched",
]
