"""What a root field of a mutation answers for rows and changes that the viewer may not have."""

from __future__ import annotations

from clew.database.violations import ViolationError
from clew.errors import ClewError, Code
from clew.sql.constraints import Kind
from clew.writes.witness import Refusal


class ForbiddenError(ClewError):
    """No rule allows the write. A client is not told which one would.

    Args:
        refusal: for the log, and for people who may know.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("The access rules do not allow this.", code=Code.FORBIDDEN)
        self.refusal = refusal


class GuardedError(ViolationError):
    """A guard forbids what a deletion does elsewhere. As for a foreign key that does, nothing tells of the rows.

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
    """The input names a row of another's list, or any row where the list is hidden."""
    return ClewError(f"`{place}` does not belong to `{name}`.")
