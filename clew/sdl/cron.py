"""The five fields of a cron schedule."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Each field's name, its lowest and highest number, and the words for its numbers from the lowest on.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_LEAP_YEAR = 2000
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d{1,3}))?")


def fault(schedule: str) -> str | None:
    """Describe the fault of a schedule such as `*/5 8-18 * * MON-FRI`, or return None if it has none."""
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
    if not parse(schedule).has_date:
        return "the schedule never comes: none of its months has one of its days"
    return None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs. `any_day` says that a day fits if either its date or its weekday does (0 is Sunday).

    As for crontab(5): https://pubs.opengroup.org/onlinepubs/9799919799/utilities/crontab.html
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool

    @property
    def has_date(self) -> bool:
        """Return whether a year comes with one of the days. In some year each date falls on each weekday."""
        first = min(self.days)
        return self.any_day or any(first <= monthrange(_LEAP_YEAR, month)[1] for month in self.months)

    def has_day(self, time: datetime) -> bool:
        """Return whether the day of a time fits."""
        by_date, by_weekday = time.day in self.days, time.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.any_day else by_date and by_weekday


def parse(schedule: str) -> Schedule:
    """Read a schedule that has no fault."""
    parts = schedule.split()
    minutes, hours, days, months, weekdays = (
        _numbers(text, low, high, words) for text, (_, low, high, words) in zip(parts, _FIELDS, strict=True)
    )
    return Schedule(
        *(minutes, hours, days, months, frozenset(day % 7 for day in weekdays)),
        any_day=not (parts[2].startswith("*") or parts[4].startswith("*")),
    )


def _numbers(text: str, low: int, high: int, words: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        match = _PART.fullmatch(item)
        assert match is not None
        first, last, step = match.groups()
        begin = low if first is None else _number(first, low, words)
        end = last if last is None else _number(last, low, words)
        if end is None:
            # `5` is one number; `5/15` goes on to the end.
            end = begin if first is not None and step is None else high
        assert begin is not None
        assert end is not None
        found.update(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _number(word: str, low: int, words: tuple[str, ...]) -> int | None:
    if word.upper() in words:
        return words.index(word.upper()) + low
    return int(word) if word.isascii() and word.isdigit() else None
