"""Deadlines of one length share a timer, and each is reached at its own time or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context

import pytest

from clew.deadlines import Deadline, Deadlines, _Queue

pytestmark = pytest.mark.anyio


class Noted(Deadline):
    __slots__ = ("at", "then")

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.at: float | None = None
        self.then = then

    def late(self) -> None:
        self.at = asyncio.get_running_loop().time()
        self.then()


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times at which a timer ran."""
    found: list[float] = []
    look = _Queue.look

    def noted(queue: _Queue, loop: asyncio.AbstractEventLoop) -> None:
        found.append(loop.time())
        look(queue, loop)

    monkeypatch.setattr(_Queue, "look", noted)
    return found


async def test_what_ends_in_time_is_never_late_and_a_thousand_share_a_timer(timers: list[float]) -> None:
    deadlines, all_ = Deadlines(0.02), [Noted() for _ in range(1000)]
    for each in all_:
        deadlines.begin(each)
        each.end()
    await asyncio.sleep(0.1)
    assert not any(each.at for each in all_)
    assert len(timers) == 1


async def test_each_is_late_at_its_own_time(timers: list[float]) -> None:
    deadlines, loop = Deadlines(0.2), asyncio.get_running_loop()
    first, ended, second = Noted(), Noted(), Noted()
    began = loop.time()
    deadlines.begin(first)
    deadlines.begin(ended)
    await asyncio.sleep(0.1)
    between = loop.time()
    deadlines.begin(second)
    ended.end()
    await asyncio.sleep(0.3)
    assert first.at is not None
    assert first.at - began >= 0.198
    assert second.at is not None
    assert second.at - between >= 0.198
    assert ended.at is None
    assert len(timers) == 2
    # No timer runs while there is nothing to wait for. The next deadline sets it again.
    third = Noted()
    deadlines.begin(third)
    await asyncio.sleep(0.3)
    assert third.at is not None
    assert len(timers) == 3


async def test_one_that_is_late_may_end_or_begin_others() -> None:
    deadlines = Deadlines(0.02)
    ended, begun = Noted(), Noted()

    def meet() -> None:
        ended.end()
        deadlines.begin(begun)

    first = Noted(meet)
    deadlines.begin(first)
    deadlines.begin(ended)
    await asyncio.sleep(0.1)
    assert first.at is not None
    assert ended.at is None
    assert begun.at is not None


async def test_nobody_gets_the_context_of_the_first() -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody")
    seen: list[str] = []
    deadlines = Deadlines(0.01)
    first = copy_context()
    first.run(name.set, "first")
    first.run(deadlines.begin, Noted())
    deadlines.begin(Noted(lambda: seen.append(name.get())))
    await asyncio.sleep(0.05)
    assert seen == ["nobody"]


def test_each_loop_has_its_own() -> None:
    deadlines = Deadlines(0.05)
    late: list[Noted] = []

    async def one() -> None:
        each = Noted()
        deadlines.begin(each)
        for _ in range(10):
            deadlines.begin(Noted())
            await asyncio.sleep(0.01)
        assert each.at is not None
        late.append(each)

    threads = [threading.Thread(target=lambda: [asyncio.run(one()) for _ in range(2)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(late) == 6


async def test_a_limit_cuts_its_block() -> None:
    deadlines = Deadlines(0.05)

    async def many_short_waits() -> None:
        while True:
            await asyncio.sleep(0.01)

    with pytest.raises(TimeoutError), deadlines.limit():
        await many_short_waits()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.01)


async def test_a_limit_lets_others_errors_and_results_pass() -> None:
    deadlines = Deadlines(0.02)
    with deadlines.limit():
        await asyncio.sleep(0)
    with pytest.raises(KeyError), deadlines.limit():
        raise KeyError
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("first", [0.0, 0.05, 0.2])
async def test_whoever_else_cancels_a_limited_block_is_heard(first: float) -> None:
    deadlines = Deadlines(0.05)

    async def limited() -> None:
        with deadlines.limit():
            await asyncio.sleep(5)

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(first, task.cancel)
    with pytest.raises((asyncio.CancelledError, TimeoutError)) as caught:
        await task
    if first < 0.05:
        assert task.cancelled()
    if first > 0.05:
        assert caught.type is TimeoutError


async def test_limits_nest() -> None:
    longer, shorter = Deadlines(0.1), Deadlines(0.02)
    with longer.limit(), pytest.raises(TimeoutError), shorter.limit():
        await asyncio.sleep(5)
    with pytest.raises(TimeoutError), shorter.limit(), longer.limit():
        await asyncio.sleep(5)
