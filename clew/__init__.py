"""Clew: a GraphQL-first API server on Postgres."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clew.app import Clew
    from clew.errors import ClewError, Code
    from clew.jobs import JobContext
    from clew.model.types import Operation
    from clew.resolvers.batched import batched
    from clew.resolvers.context import Context
    from clew.viewer import Viewer
    from clew.writes.hooks import RowDraft

    CREATE, UPDATE, DELETE = Operation.CREATE, Operation.UPDATE, Operation.DELETE
else:
    _MODULES = {
        "Clew": "clew.app",
        "ClewError": "clew.errors",
        "Code": "clew.errors",
        "Context": "clew.resolvers.context",
        "JobContext": "clew.jobs",
        "Operation": "clew.model.types",
        "RowDraft": "clew.writes.hooks",
        "Viewer": "clew.viewer",
        "batched": "clew.resolvers.batched",
    }
    # The operations of hooks.
    _OPERATIONS = ("CREATE", "UPDATE", "DELETE")

    def __getattr__(name):
        """Import a name when it is first used: short commands load little of Clew."""
        if name in _OPERATIONS:
            value = getattr(__getattr__("Operation"), name)
        elif name in _MODULES:
            from importlib import import_module

            value = getattr(import_module(_MODULES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


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
