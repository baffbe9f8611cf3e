"""Rates of operations, with a clock of the test's own."""

from __future__ import annotations

import pytest

from clew.engine.rates import MemoryRateLimiter, network


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("rate", [1, 7, 60, 6000])
def test_a_minutes_operations_may_come_at_once_and_then_one_at_a_time(rate: int) -> None:
    clock = Clock()
    limiter = MemoryRateLimiter(clock)
    assert [limiter.wait("a", rate) for _ in range(rate)] == [0.0] * rate
    assert limiter.wait("a", rate) == pytest.approx(60 / rate)
    clock.now += 60 / rate
    assert limiter.wait("a", rate) == 0
    assert limiter.wait("a", rate) == pytest.approx(60 / rate)


def test_who_is_refused_is_not_counted() -> None:
    clock = Clock()
    limiter = MemoryRateLimiter(clock)
    assert limiter.wait("a", 1) == 0
    for _ in range(100):
        assert limiter.wait("a", 1) == pytest.approx(60)
    clock.now += 60
    assert limiter.wait("a", 1) == 0


def test_quiet_time_saves_up_no_more_than_a_minutes_operations() -> None:
    clock = Clock()
    limiter = MemoryRateLimiter(clock)
    limiter.wait("a", 3)
    clock.now += 10_000
    assert [limiter.wait("a", 3) > 0 for _ in range(4)] == [False, False, False, True]


def test_viewers_do_not_share_a_rate() -> None:
    limiter = MemoryRateLimiter(Clock())
    assert limiter.wait("a", 1) == 0
    assert limiter.wait("b", 1) == 0
    assert limiter.wait("a", 1) > 0


def test_the_viewer_that_was_quiet_for_longest_is_forgotten() -> None:
    limiter = MemoryRateLimiter(Clock(), viewers=2)
    for viewer in ("a", "b", "a", "c"):
        assert limiter.wait(viewer, 2) == 0
    assert limiter.wait("a", 2) > 0
    assert len(limiter._full_at) == 2
    assert limiter.wait("b", 1) == 0, "forgotten: it begins anew"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("testclient", "testclient"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_addresses_are_told_apart_by_what_their_owner_cannot_change(address: str, found: str) -> None:
    assert network(address) == found
