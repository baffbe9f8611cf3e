"""Errors for rows that the viewer may not see or name, and for changes that the viewer may not make."""

from __future__ import annotations

from clew.database.violations import ViolationError
from clew.errors import ClewError, Code
from clew.sql.constraints import Kind
from clew.writes.witness import Refusal


class ForbiddenError(ClewError):
    """No rule allows the write. The error does not tell a client which rules there are.

    Args:
        refusal: the details, for the log and for explanations to admins.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("The access rules do not allow this.", code=Code.FORBIDDEN)
        self.refusal = refusal


class GuardedError(ViolationError):
    """A guard forbids a change that a deletion would make to another row.

    The error looks like a violated foreign key, so it reveals nothing about that row.

    Args:
        refusal: as for `ForbiddenError`.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(Kind.REFERENCE)
        self.refusal = refusal


class NoSuchRowError(ClewError):
    """The input names a row that is absent or hidden, or on which no rule allows the operation."""

    def __init__(self, place: str) -> None:
        super().__init__(f"`{place}` names no row.", hint="The row may be hidden or deleted.")


def not_in_list(place: str, name: str) -> ClewError:
    """Return the error for an input that names a row outside the list, or any row if the list is hidden."""
    return ClewError(f"`{place}` does not belong to `{name}`.")
