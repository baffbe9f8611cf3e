"""Jobs on a schedule, without a leader: one row a schedule says when its next time is.

Whoever moves the row on enqueues the job, in the same transaction; others find it moved. Times are in UTC, which has no
hour twice and leaves none out. If all workers were down at some times of a schedule, its job runs once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection
from clew.jobs.queue import enqueue
from clew.jobs.types import CronJob
from clew.sdl.cron import Schedule, parse

# In seconds: how long to wait where nothing comes earlier.
_LONGEST = 60.0

# A schedule that nobody has declared for so long is forgotten: during a deployment, old and new workers differ.
_FORGOTTEN = timedelta(days=1)

# How far the clock of the database may be put back without a schedule that was moved on already being moved back.
_BACKWARDS = timedelta(hours=1)

# The 29th of February may be eight years away.
_FURTHEST = timedelta(days=366 * 9)


def next_time(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first time of a schedule after a moment; None if it has none, such as the 30th of February."""
    time = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    end = time + _FURTHEST
    while time < end:
        if time.month not in schedule.months:
            first = time.replace(day=1, hour=0, minute=0)
            time = (first + timedelta(days=32)).replace(day=1)
        elif not schedule.has_day(time):
            time = time.replace(hour=0, minute=0) + timedelta(days=1)
        elif time.hour not in schedule.hours:
            time = time.replace(minute=0) + timedelta(hours=1)
        elif time.minute not in schedule.minutes:
            time += timedelta(minutes=1)
        else:
            return time
    return None


class Clock:
    """The schedules of a worker."""

    def __init__(self, crons: Sequence[CronJob]) -> None:
        self._crons = {(cron.job.name, cron.schedule): cron.job for cron in crons}
        self._schedules = {key: parse(key[1]) for key in self._crons}

    async def tick(self, connection: JobConnection) -> tuple[float, bool]:
        """Enqueue what is due. Return the seconds until there may be more, and whether anything was enqueued."""
        if not self._crons:
            return _LONGEST, False
        (now,) = (await connection.fetch("SELECT clock_timestamp()"))[0]
        known = {(row["name"], row["schedule"]): row["next_at"] for row in await connection.fetch(sql.SCHEDULES)}
        is_new = False
        pauses = [_LONGEST]
        for key, schedule in self._schedules.items():
            following = next_time(schedule, now)
            if following is None:
                continue
            pauses.append((following - now).total_seconds())
            if key not in known:
                await connection.fetch(sql.SCHEDULE, *key, following)
            elif known[key] <= now:
                is_new = await self._enqueue(connection, key, known[key], following) or is_new
            elif known[key] < following:
                pauses.append((known[key] - now).total_seconds())
            elif known[key] > following and known[key] > (next_time(schedule, now + _BACKWARDS) or known[key]):
                # The clock was ahead when the schedule was moved on.
                await connection.fetch(sql.TICK, *key, known[key], following)
        for key, time in known.items():
            if key not in self._crons and time < now - _FORGOTTEN:
                await connection.fetch(sql.UNSCHEDULE, *key, time)
        return max(0.0, min(pauses)), is_new

    async def _enqueue(
        self, connection: JobConnection, key: tuple[str, str], time: datetime, following: datetime
    ) -> bool:
        try:
            async with connection.transaction() as fetch:
                if not await fetch(sql.TICK, *key, time, following):
                    return False
                await enqueue(fetch, [self._crons[key]])
                return True
        except asyncpg.SerializationError:
            return False
