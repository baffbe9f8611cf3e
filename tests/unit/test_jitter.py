"""The delays between tries."""

from __future__ import annotations

import asyncio
import time

import pytest

from clew import jitter
from clew.jitter import Backoff


async def test_delays_double_up_to_the_longest_and_begin_anew_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = 1000.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(jitter, "jitter", lambda low, high: (low + high) / 2)
    backoff = Backoff(0.1, 0.5)
    for _ in range(5):
        now += 0.4
        await backoff.wait()
    assert slept == [0.1, 0.2, 0.4, 0.5, 0.5]
    now += 0.6
    assert backoff.next == 0.1
    await backoff.wait()
    assert slept[-1] == 0.1


async def test_after_an_outage_nobody_waits_for_more_than_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(jitter, "jitter", lambda low, high: high)
    backoff = Backoff(0.1, jitter.LONGEST_WAIT)
    for _ in range(10):
        await backoff.wait()
    assert 4 < max(slept) < 5
