"""Clew: a GraphQL-first API server on Postgres."""

from clew.collector import paused

# The imported objects stay. Collecting garbage during the import would take a third of its time.
with paused():
    from clew.app import Clew
    from clew.errors import ClewError, Code
    from clew.jobs import JobContext
    from clew.resolvers.batched import batched
    from clew.viewer import Viewer

__all__ = ["Clew", "ClewError", "Code", "JobContext", "Viewer", "batched"]
