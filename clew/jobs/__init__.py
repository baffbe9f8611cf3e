"""Background jobs. Clew registers their handlers and does not run them yet."""

from clew.jobs.context import JobContext

__all__ = ["JobContext"]
