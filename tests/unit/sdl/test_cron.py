"""Schedules of five fields."""

from __future__ import annotations

import pytest

from clew.sdl.cron import fault


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 0-23/2 1,15 JAN-DEC mon",
        "0 3 * * 7",
        "59 23 31 12 SUN-SAT",
        "1-5,7 * * * *",
        "0 0 29 2 *",
        # The date or the weekday: February has Sundays.
        "0 0 30 2 SUN",
    ],
)
def test_a_schedule_is_valid(schedule: str) -> None:
    assert fault(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("* * * *", "a schedule has five fields (minute hour day month weekday), not 4"),
        ("60 * * * *", '"60" is not a valid minute: it goes from 0 to 59'),
        ("* 24 * * *", '"24" is not a valid hour: it goes from 0 to 23'),
        ("* * 0 * *", '"0" is not a valid day of the month: it goes from 1 to 31'),
        ("* * * FOO *", '"FOO" is not a valid month: it goes from 1 to 12'),
        ("* * * * 8", '"8" is not a valid day of the week: it goes from 0 to 7'),
        ("5-1 * * * *", '"5-1" runs backwards'),
        ("*/0 * * * *", '"*/0" has no step from 1 to 59'),
        ("1, * * * *", '"" is not a valid minute'),
        ("0 0 30 2 *", "the schedule never comes: none of its months has one of its days"),
        ("0 0 31 4,6,9,11 */2", "the schedule never comes: none of its months has one of its days"),
    ],
)
def test_a_schedule_is_refused(schedule: str, message: str) -> None:
    assert fault(schedule) == message
