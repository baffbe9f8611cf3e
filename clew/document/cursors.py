"""The shape of a cursor: `<nulls>.<sealed>`.

`nulls` tells in plain text which keys are null, because the plan depends on it. It reveals no more than
the row as the viewer sees it.
"""

from __future__ import annotations

import re
from typing import Any

from clew.errors import ClewError

_CURSOR = re.compile(r"([0-9a-f]+)\.([A-Za-z0-9_-]+)")


def split(cursor: Any, place: str) -> tuple[int, str]:
    """Return the null keys as bits, the first key lowest, and the sealed rest in base64url.

    Raises:
        ClewError: BAD_USER_INPUT if the value does not have the shape of a cursor.
    """
    match = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if match is None:
        raise bad_cursor(place)
    return int(match[1], 16), match[2]


def null_keys(value: Any) -> int | None:
    """Return the null keys of a cursor as `split` does, or None if the value does not have the shape of one."""
    match = _CURSOR.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else int(match[1], 16)


def bad_cursor(place: str) -> ClewError:
    """Return the one error for any cursor that does not belong to this list in this order."""
    return ClewError(
        f"`{place}` is not a cursor of this list in this order.",
        hint="Take cursors from `edges` or `pageInfo` of the same field, with the same orderBy.",
    )
