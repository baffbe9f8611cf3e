"""Bound the work of comparing one row with the operands of a statement.

Postgres compares a text with a pattern, or a list or JSON value with another, in one step that nothing interrupts: no
statement timeout, no cancellation and no disconnect. A row's conditions together are such a step too. Its time grows
with the stored value and with the operand. The stored value may be as large as a request's body, so the operands must
be bounded (docs/limits.md, "The work of one row").

One unit is about 2.5 ms of the database's processor for a stored value of 1 MB. The weights below were measured with
Postgres 18.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from clew.access.types import Reach
from clew.errors import ClewError, Code

# The units that the conditions of one statement may have together.
MOST_EFFORT = 400
# The characters of a pattern that may begin with a wildcard.
LONGEST_PATTERN = 2000
# The bytes of a field of the row itself that may be such a pattern, or be looked for in a list or JSON value.
LONGEST_OF_ROW = 200

# Postgres decompresses the stored value anew for each condition. A case-insensitive one also rewrites it.
_WHOLE, _REWRITTEN = 3.0, 6.0
# A value of JSON that is looked for in an array is compared with each of its items.
_SCALAR, _CONTAINER, _NODE = 3.0, 8.0, 0.01
# Values of other lengths are unequal without a look at them.
_BYTES_A_UNIT = 300_000
_PIECE = re.compile(r"\\(.)|([%_])|([^\\%_]+)", re.DOTALL)


def effort(value: Any, reach: Reach) -> float:
    """Return the units of a comparison of a stored value with `value`, which has the coerced form of its scalar."""
    match reach:
        case Reach.NARROW:
            return 0
        case Reach.SAME:
            return _length(value) / _BYTES_A_UNIT
        case Reach.WHOLE:
            return _WHOLE
        case Reach.ITEMS:
            return _WHOLE + len(set(value))
        case Reach.PARTS:
            return _WHOLE + _parts(value)
        case Reach.WITHIN:
            return _WHOLE + _searched([value])
        case Reach.PATTERN:
            return _WHOLE + _searched(_pieces(value))
        case Reach.ANY_CASE:
            return _REWRITTEN + _searched(_pieces(value), any_case=True)


def check_effort(efforts: Iterable[tuple[float, str]]) -> None:
    """Refuse the operands of a statement whose comparisons with one row may take too long.

    Args:
        efforts: of each operand the units and its place.

    Raises:
        ClewError: LIMIT_EXCEEDED, naming the place of the largest.
    """
    total = largest = 0.0
    where = ""
    for units, place in efforts:
        total += units
        if units > largest:
            largest, where = units, place
        if total > MOST_EFFORT:
            raise ClewError(
                f"The conditions compare too much with each row. The largest of them is `{where}`.",
                code=Code.LIMIT_EXCEEDED,
                hint="Search for a shorter text, or for fewer values.",
            )


def _length(value: Any) -> int:
    if isinstance(value, str):
        return 4 * len(value) if not value.isascii() else len(value)
    if isinstance(value, list):
        return sum(map(_length, value))
    return 8


def _parts(value: Any) -> float:
    """Return the units to look for a JSON value within another. Objects look up their keys, arrays try every item."""
    units = 0.0
    pending = [(value, False)]
    while pending and units <= MOST_EFFORT:
        value, in_array = pending.pop()
        units += _NODE
        if isinstance(value, list):
            units += _CONTAINER * in_array
            pending.extend((item, True) for item in value[: 2 * MOST_EFFORT])
        elif isinstance(value, Mapping):
            units += _CONTAINER * in_array
            pending.extend((item, in_array) for item in value.values())
        else:
            units += _SCALAR * in_array
    return units


def _pieces(pattern: str) -> list[str]:
    r"""Return the texts between the `%` of a LIKE pattern that Postgres looks for at every position.

    A text with a `_` is replaced by spaces of the same length, which have the largest repetition, because `_` may match
    anything.
    """
    if len(pattern) > 2 * LONGEST_PATTERN:
        return [pattern]
    pieces = [""]
    for escaped, special, plain in _PIECE.findall(pattern):
        if special == "%":
            pieces.append("")
        elif special:
            pieces[-1] += "\0"
        else:
            pieces[-1] += escaped or plain
    # The first one is only compared with the beginning.
    return [" " * len(piece) if "\0" in piece else piece for piece in pieces[1:]]


def _searched(pieces: list[str], *, any_case: bool = False) -> float:
    """Return the units to look for texts, each behind the one before it."""
    if sum(map(len, pieces)) > LONGEST_PATTERN:
        return MOST_EFFORT + 1
    return max((_repetition(_folded(piece) if any_case else piece) for piece in pieces), default=0)


def _folded(text: str) -> str:
    """Return one letter for each. It is the same for letters that some locale takes for the same without case."""
    letters = (unicodedata.normalize("NFKD", letter.casefold())[0] for letter in text)
    return "".join(letters).replace("\N{LATIN SMALL LETTER DOTLESS I}", "i")


def _repetition(text: str) -> float:
    """Return how many characters of `text` Postgres compares at most, on average, at a position of any other text.

    It compares until the first difference. A beginning of `text` can start only once in each of its periods. So this
    is the sum of 1 / period over all beginnings: few units for a text in a language, all characters for `aaaa`. The
    periods are those of Knuth, Morris and Pratt's failure function.
    """
    borders = [0] * len(text)
    border = 0
    units = 1.0 if text else 0.0
    for index in range(1, len(text)):
        while border and text[index] != text[border]:
            border = borders[border - 1]
        border += text[index] == text[border]
        borders[index] = border
        units += 1 / (index + 1 - border)
    return units
