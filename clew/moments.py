"""Days, moments and times of day as the API's texts: all that Postgres has, some of which Python has not.

Python ends at the years 1 and 9999 and at 23:59:59.999999. What lies beyond stays a text, in the one form in which
Postgres writes it into JSON: `infinity`, `0044-03-15 BC`, `12026-01-01T00:00:00+00:00`, `24:00:00`. Imports nothing of
Clew.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

_ENDLESS = frozenset({"infinity", "-infinity"})
_OFFSET = r"(Z|z|[+-]\d{2}(?::?\d{2})?)?"
_FRACTION = r"(?:\.(\d{1,9}))?"
_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PLAIN_MOMENT = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}[Tt ]\d{{2}}:\d{{2}}(?::\d{{2}}{_FRACTION})?{_OFFSET}", re.ASCII)
_DATE = re.compile(r"(\d{4}|[1-9]\d{4,6})-(\d{2})-(\d{2})( BC)?", re.ASCII)
_MOMENT = re.compile(
    rf"(\d{{4}}|[1-9]\d{{4,5}})-(\d{{2}})-(\d{{2}})[Tt ](\d{{2}}):(\d{{2}})(?::(\d{{2}}){_FRACTION})?{_OFFSET}( BC)?",
    re.ASCII,
)
_TIME = re.compile(r"(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|z|[+-]\d{2}(?::\d{2}(?::\d{2})?)?)?", re.ASCII)
_MIDNIGHT = re.compile(r"24:00(?::00(?:\.0{1,9})?)?")
# Years are counted as astronomers do: 1 BC is 0. Postgres begins in 4714 BC, and moments end before dates do.
_FIRST = (-4713, 11, 24)
_LAST_DATE, _LAST_MOMENT = (5874897, 12, 31), (294276, 12, 31)
_LARGEST_OFFSET = timedelta(hours=16)


def read_date(text: str) -> date | str:
    """A day. Raises ValueError for what is none."""
    if _PLAIN_DATE.fullmatch(text):
        return date.fromisoformat(text)
    if text in _ENDLESS:
        return text
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year = _astronomical(int(found[1]), found[4])
    day = date(_like(year), int(found[2]), int(found[3]))
    if not _FIRST <= (year, day.month, day.day) <= _LAST_DATE:
        raise ValueError(text)
    return "".join(_written(year, day))


def read_moment(text: str) -> datetime | str:
    """A moment, in UTC; without an offset it is taken to be in UTC. Raises ValueError for what is none.

    Digits beyond microseconds are cut off.
    """
    if _PLAIN_MOMENT.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text.upper())
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        except OverflowError:
            # In UTC it is in another year, before the first or after the last.
            pass
    if text in _ENDLESS:
        return text
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    given = _astronomical(int(found[1]), found[9])
    like = _like(given)
    micros = int((found[7] or "").ljust(6, "0")[:6])
    month, day, hour, minute, second = (int(found[number] or 0) for number in range(2, 7))
    local = datetime(like, month, day, hour, minute, second, micros, UTC)
    moment = local - _offset(found[8])
    year = moment.year + given - like
    if not _FIRST <= (year, moment.month, moment.day) <= _LAST_MOMENT:
        raise ValueError(text)
    if 1 <= year <= 9999:
        return moment.replace(year=year)
    text, era = _written(year, moment)
    return f"{text}T{_trimmed(moment.time().isoformat())}+00:00{era}"


def read_time(text: str) -> time | str:
    """A time of day, with an offset or without. Raises ValueError for what is none.

    Digits beyond microseconds are cut off.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    if _MIDNIGHT.fullmatch(found[1]):
        return "24:00:00" + _trimmed(_time("00:00" + (found[2] or "")).isoformat())[8:]
    return _time(text)


def written(value: date | datetime | time | str) -> str:
    """The text of a value as the functions above give it: the same for the same value."""
    return value if isinstance(value, str) else _trimmed(value.isoformat())


def _time(text: str) -> time:
    value = time.fromisoformat(text.upper())
    offset = value.utcoffset()
    if offset is not None and abs(offset) >= _LARGEST_OFFSET:
        raise ValueError(text)
    return value


def _astronomical(year: int, era: str | None) -> int:
    if year == 0:
        raise ValueError("there is no year 0")
    return 1 - year if era else year


def _like(year: int) -> int:
    """A year whose days are those of `year`: the calendar comes round in 400 years."""
    return 2000 + year % 400


def _written(year: int, day: date) -> tuple[str, str]:
    """A day of a year that Python has not, and what comes at the end of its text."""
    text = f"{year if year > 0 else 1 - year:04}-{day.month:02}-{day.day:02}"
    return text, "" if year > 0 else " BC"


def _offset(text: str | None) -> timedelta:
    if text is None or text in "Zz":
        return timedelta()
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    if int(digits[2:] or 0) > 59 or offset >= timedelta(days=1):
        raise ValueError(text)
    return -offset if text[0] == "-" else offset


def _trimmed(text: str) -> str:
    """Without zeros at the end of a fraction of a second."""
    before, point, after = text.partition(".")
    return before + (point + after[:6].rstrip("0")).rstrip(".") + after[6:] if point else text
