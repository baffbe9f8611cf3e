"""Migrations: Alembic revisions made from the difference between the SDL and the migration history.

Revision files import `install` from here, so this module must load fast.
"""

from __future__ import annotations

from clew.migrate import objects
from clew.migrate.objects import Operations
from clew.migrate.text import escape

__all__ = ["install"]


def install(op: Operations, version: int, *, since: int = 0) -> None:
    """Bring Clew's own database objects (schema `clew`) from step `since` to step `version`. Revisions call this.

    Args:
        op: `alembic.op`.
        version: the step to end at. A step lower than `since` undoes steps.
        since: the step that the database is at.

    Raises:
        ValueError: this Clew is older than the one that made the revision, and lacks some of the steps.
    """
    if max(version, since) > objects.VERSION:
        raise ValueError(
            f"This revision needs step {max(version, since)} of Clew's database objects, and this Clew knows "
            f"{objects.VERSION}: upgrade the package clew."
        )
    for sql in objects.statements(version, since):
        op.execute(escape(sql))
