"""Background jobs (SPEC 8): their handlers are registered; nothing runs them yet."""

from clew.jobs.context import JobContext

__all__ = ["JobContext"]
