"""The five fields of a cron schedule."""

from __future__ import annotations

import re

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, lowest, highest, and the words that stand for numbers from the lowest on.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d{1,3}))?")


def fault(schedule: str) -> str | None:
    """What is wrong with a schedule such as `*/5 8-18 * * MON-FRI`; None when nothing is."""
    parts = schedule.split()
    if len(parts) != 5:
        return f"a schedule has five fields (minute hour day month weekday), not {len(parts)}"
    for text, (name, low, high, words) in zip(parts, _FIELDS, strict=True):
        for item in text.split(","):
            match = _PART.fullmatch(item)
            if match is None:
                return f'"{item}" is not a valid {name}'
            first, last, step = match.groups()
            numbers = [_number(word, low, words) for word in (first, last) if word is not None]
            if any(number is None or not low <= number <= high for number in numbers):
                return f'"{item}" is not a valid {name}: it goes from {low} to {high}'
            if len(numbers) == 2 and (numbers[0] or 0) > (numbers[1] or 0):
                return f'"{item}" runs backwards'
            if step is not None and not 1 <= int(step) <= high:
                return f'"{item}" has no step from 1 to {high}'
    return None


def _number(word: str, low: int, words: tuple[str, ...]) -> int | None:
    if word.upper() in words:
        return words.index(word.upper()) + low
    return int(word) if word.isascii() and word.isdigit() else None
