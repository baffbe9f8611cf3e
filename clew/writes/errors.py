"""What a root field of a mutation answers for rows and changes that the viewer may not have."""

from __future__ import annotations

from clew.errors import ClewError, Code


def forbidden() -> ClewError:
    """No rule allows the write. Which one would is not told."""
    return ClewError("The access rules do not allow this.", code=Code.FORBIDDEN)


def no_such_row(place: str) -> ClewError:
    """The input names a row that is absent or hidden, or on which no rule allows the operation."""
    return ClewError(f"`{place}` names no row.", hint="The row may be hidden or deleted.")


def not_in_list(place: str, name: str) -> ClewError:
    """The input names a row of another's list, or any row where the list is hidden."""
    return ClewError(f"`{place}` does not belong to `{name}`.")
