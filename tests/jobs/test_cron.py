"""Schedules: their times, and that each time counts once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clew import JobContext
from clew.jobs.connection import JobConnection, connected
from clew.jobs.cron import Clock, next_time
from clew.jobs.types import CronJob
from clew.sdl.cron import parse
from tests.jobs.shop import Jobs


def _next(schedule: str, after: str) -> str | None:
    found = next_time(parse(schedule), datetime.fromisoformat(after).replace(tzinfo=UTC))
    return None if found is None else found.strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2026-03-01 10:00:00", "2026-03-01 10:01"),
        ("* * * * *", "2026-03-01 10:00:59", "2026-03-01 10:01"),
        ("*/15 * * * *", "2026-03-01 10:50", "2026-03-01 11:00"),
        ("5/20 * * * *", "2026-03-01 10:26", "2026-03-01 10:45"),
        ("0 8-18/5 * * MON-FRI", "2026-03-06 18:00", "2026-03-09 08:00"),
        ("30 23 31 * *", "2026-03-31 23:30", "2026-05-31 23:30"),
        ("0 0 1 JAN *", "2026-01-01", "2027-01-01 00:00"),
        ("0 0 29 2 *", "2096-03-01", "2104-02-29 00:00"),
        ("0 0 30 2 *", "2026-01-01", None),
        ("0 0 * * 7", "2026-03-02", "2026-03-08 00:00"),
        # Either the date or the weekday.
        ("0 0 13 * FRI", "2026-03-01", "2026-03-06 00:00"),
        ("0 0 13 * FRI", "2026-04-12", "2026-04-13 00:00"),
        ("0 0 */10 * FRI", "2026-03-01", "2026-05-01 00:00"),
    ],
)
def test_the_next_time_of_a_schedule(schedule: str, after: str, expected: str | None) -> None:
    assert _next(schedule, after) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_summer_time_neither_leaves_out_nor_repeats_a_time(zone: str) -> None:
    schedule = parse("30 2 * * *")
    time = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))
    found = []
    while time.year == 2026:
        following = next_time(schedule, time)
        assert following is not None
        time = following.astimezone(ZoneInfo(zone))
        found.append(following)
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(days=1)}
    assert all((one.tzinfo, one.hour, one.minute) == (UTC, 2, 30) for one in found)


async def _crons(jobs: Jobs) -> list[CronJob]:
    @jobs.job("tidy")
    async def tidy(ctx: JobContext) -> bool:
        return ctx.viewer.is_admin

    caller: dict[str, Any] = {"id": None, "roles": ["admin"], "claims": {}}
    return [CronJob(schedule="0 3 * * *", job=jobs.new("tidy", caller=caller))]


async def test_two_schedulers_enqueue_each_time_once_and_missed_times_once(jobs: Jobs) -> None:
    crons = await _crons(jobs)
    # All workers were down for five days.
    await jobs.connection.execute(
        "INSERT INTO clew.job_crons VALUES ('tidy', '0 3 * * *', now() - interval '5 days'),"
        " ('old', '* * * * *', now() - interval '2 days'), ('new', '* * * * *', now() - interval '1 hour')"
    )
    for _ in range(4):
        jobs.worker(crons=crons)

    async def has_ended() -> bool:
        return bool(await jobs.connection.fetchval("SELECT count(*) FROM clew.jobs WHERE status = 'SUCCEEDED'"))

    await jobs.until_true(has_ended)
    await asyncio.sleep(0.5)
    rows = await jobs.connection.fetch("SELECT name, result FROM clew.jobs")
    assert [tuple(row) for row in rows] == [("tidy", "true")]
    times = {row["name"]: row["next_at"] for row in await jobs.connection.fetch("SELECT * FROM clew.job_crons")}
    assert times.keys() == {"tidy", "new"}
    assert times["tidy"] > datetime.now(UTC)
    assert (times["tidy"].hour, times["tidy"].minute) == (3, 0)


async def test_a_new_schedule_waits_for_its_next_time(jobs: Jobs) -> None:
    jobs.worker(crons=await _crons(jobs))

    async def is_known() -> bool:
        return bool(await jobs.connection.fetchval("SELECT count(*) = 1 FROM clew.job_crons"))

    await jobs.until_true(is_known)
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.jobs") == 0


async def test_a_schedule_that_was_moved_on_by_a_clock_far_ahead_comes_back(jobs: Jobs) -> None:
    clock = Clock(await _crons(jobs))
    execute = jobs.connection.execute
    async with connected(jobs.url) as connection:
        await clock.tick(connection)
        due = await jobs.connection.fetchval("SELECT next_at FROM clew.job_crons")
        await execute("UPDATE clew.job_crons SET next_at = next_at + interval '300 days'")
        await clock.tick(connection)
        assert await jobs.connection.fetchval("SELECT next_at FROM clew.job_crons") == due
    assert await jobs.connection.fetchval("SELECT count(*) FROM clew.jobs") == 0


async def test_a_clock_that_is_put_back_a_little_repeats_no_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job of three o'clock is queued, and then it is a minute before three again."""
    clock = Clock(await _crons(jobs))
    three = datetime(2030, 1, 2, 3, tzinfo=UTC)
    before = three - timedelta(minutes=1)
    tomorrow = three + timedelta(days=1)
    fetch = JobConnection.fetch

    async def fetch_then(self: JobConnection, statement: str, *arguments: Any) -> Any:
        return [(before,)] if statement == "SELECT clock_timestamp()" else await fetch(self, statement, *arguments)

    monkeypatch.setattr(JobConnection, "fetch", fetch_then)
    await jobs.connection.execute("INSERT INTO clew.job_crons VALUES ('tidy', '0 3 * * *', $1)", tomorrow)
    async with connected(jobs.url) as connection:
        await clock.tick(connection)
    assert await jobs.connection.fetchval("SELECT next_at FROM clew.job_crons") == tomorrow
