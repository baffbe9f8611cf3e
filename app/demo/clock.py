"""Times in the demo, and keys that sort by time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

UNTIL = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
"""The latest time in the demo. It is fixed, so that the data is the same every day."""

DAYS = 60
"""How many days before `UNTIL` the first conversation began."""

_HOURS = (1, 1, 0, 0, 0, 1, 3, 8, 14, 18, 17, 14, 10, 14, 17, 16, 13, 8, 4, 3, 3, 3, 2, 1)


def moment(rng: random.Random) -> datetime:
    """Return a random time in the last `DAYS` days, mostly in working hours and mostly recent."""
    while True:
        days_ago = int(DAYS * rng.random() ** 1.3)
        day = (UNTIL - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0)
        if day.weekday() >= 5 and rng.random() < 0.8:
            continue
        hour = rng.choices(range(24), _HOURS)[0]
        at = day + timedelta(hours=hour, seconds=rng.randrange(3600), milliseconds=rng.randrange(1000))
        if at < UNTIL - timedelta(minutes=30):
            return at


def uuid7(rng: random.Random, at: datetime) -> UUID:
    """Return a UUID v7 (RFC 9562): the milliseconds of `at`, then random bits."""
    milliseconds = int(at.timestamp() * 1000)
    value = milliseconds << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    return UUID(int=value)
