"""The shape of a cursor: `<nulls>.<sealed>`, which keys are null in the open, for the plan depends on it.

A null says nothing that the row, as its viewer sees it, does not say.
"""

from __future__ import annotations

import re
from typing import Any

from clew.errors import ClewError

_CURSOR = re.compile(r"([0-9a-f]+)\.([A-Za-z0-9_-]+)")


def split(cursor: Any, place: str) -> tuple[int, str]:
    """Which keys are null, as bits from the lowest, and the sealed rest in base64url.

    Raises:
        ClewError: BAD_USER_INPUT for what is no cursor.
    """
    match = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if match is None:
        raise bad_cursor(place)
    return int(match[1], 16), match[2]


def bad_cursor(place: str) -> ClewError:
    """The one error for every cursor that is not of this list in this order."""
    return ClewError(
        f"`{place}` is not a cursor of this list in this order.",
        hint="Take cursors from `edges` or `pageInfo` of the same field, with the same orderBy.",
    )
