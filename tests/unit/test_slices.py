"""Long lists are completed in slices: others have their turn, and the result is the same."""

from __future__ import annotations

import asyncio
import time

import pytest

from clew.slices import SlicedList, Slices

pytestmark = pytest.mark.anyio


async def taken(items: SlicedList, busy: float, note: list[str], name: str) -> list[int]:
    found = []
    async for item in items:
        note.append(name)
        # Work, by the clock that slices go by.
        ends = time.perf_counter() + busy
        while time.perf_counter() < ends:
            pass
        found.append(item)
    return found


async def test_others_have_their_turn_between_slices() -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    items = SlicedList(list(range(30)), Slices())
    assert await taken(items, 0.002, [], "a") == list(range(30))
    ticking.cancel()
    assert items.ended.done()
    # A slice has three items or so.
    assert turns >= 8


async def test_short_work_is_not_cut() -> None:
    slices = Slices()
    await taken(SlicedList([0], slices), 0, [], "a")
    began = slices._ends
    await taken(SlicedList(list(range(100)), slices), 0, [], "a")
    assert slices._ends - began < 0.1


async def test_only_one_goes_on_at_a_time_and_all_come_to_their_turn() -> None:
    slices, note = Slices(), list[str]()
    lists = {name: SlicedList(list(range(6)), slices) for name in "abcd"}
    found = await asyncio.gather(*(taken(items, 0.006, note, name) for name, items in lists.items()))
    assert found == [list(range(6))] * 4
    # Each item is a whole slice: they take turns, none comes twice before all have come.
    for start in range(0, 24, 4):
        assert sorted(note[start : start + 4]) == ["a", "b", "c", "d"]


async def test_who_is_cancelled_holds_nobody_up() -> None:
    slices, note = Slices(), list[str]()
    tasks = [asyncio.create_task(taken(SlicedList([1, 2, 3], slices), 0.006, note, name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert await tasks[0] == await tasks[2] == [1, 2, 3]
    assert "b" not in note


async def test_who_waits_for_its_end_is_told_when_it_begins_and_not_before() -> None:
    told: list[asyncio.Future[None]] = []
    slices = Slices()
    never = SlicedList([1], slices, told.append)
    assert not told
    items = SlicedList([1], slices, told.append)
    assert await anext(items) == 1
    assert told == [items.ended] != [never.ended]
    cancelled = SlicedList([1], Slices(), told.append)
    task = asyncio.ensure_future(anext(cancelled))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert cancelled.ended.done()


async def test_what_is_closed_ends() -> None:
    items = SlicedList([1, 2, 3], Slices())
    assert await anext(items) == 1
    await items.aclose()
    assert items.ended.done()
    with pytest.raises(StopAsyncIteration):
        await anext(items)
