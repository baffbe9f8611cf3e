"""Long lists are completed in slices: others have their turn, and the result is the same."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import OperationDefinitionNode, build_schema, default_type_resolver, parse
from graphql.execution.values import VariableValues
from graphql.pyutils import is_awaitable

from clew.collector import LargeWork
from clew.slices import _SLICE, SlicedList, Slices, SlicingExecutor

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


class Turns:
    """Counts the turns of the event loop from now on."""

    def __init__(self) -> None:
        self.count = 0
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)

    def end(self) -> None:
        self._task.cancel()


async def test_others_have_their_turn_between_slices() -> None:
    turns = Turns()
    items = SlicedList(list(range(30)), Slices())
    assert await taken(items, 0.002, [], "a") == list(range(30))
    turns.end()
    assert items.ended.done()
    # A slice has three items or so.
    assert turns.count >= 8


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


# --- results that are large because they are deep -----------------------------------------

SCHEMA = build_schema("type Query { nodes: [Node!]! } type Node { slow: Int nodes: [Node!]! }")
DEPTH = 30


class Running:
    """What an executor needs of a running operation."""

    def __init__(self, slices: Slices) -> None:
        self.slices = slices
        self.large = LargeWork()
        self.batches = SimpleNamespace(track=lambda _info, ended: ended, begin=asyncio.ensure_future)
        self.running = self


def slow(_parent: Any, _info: Any) -> int:
    ends = time.perf_counter() + _SLICE / 2
    while time.perf_counter() < ends:
        pass
    return 1


def executor_of(document: str, root: Any, slow: Any = slow, slices: Slices | None = None) -> SlicingExecutor:
    parsed = parse(document)
    operation = parsed.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)

    def resolve(parent: Any, info: Any) -> Any:
        return slow(parent, info) if info.field_name == "slow" else parent[info.field_name]

    return SlicingExecutor(
        SCHEMA,
        {},
        {},
        root,
        Running(slices or Slices()),
        operation,
        VariableValues({}, {}),
        resolve,
        default_type_resolver,
        resolve,
    )


async def test_a_deep_result_of_short_lists_is_completed_in_slices() -> None:
    root: dict[str, Any] = {"nodes": []}
    selection = "nodes { slow }"
    for _ in range(DEPTH):
        root = {"nodes": [root]}
        selection = f"nodes {{ slow {selection} }}"
    turns = Turns()
    found = executor_of(f"{{ {selection} }}", root).execute_operation()
    assert is_awaitable(found)
    result = await found
    turns.end()
    assert not result.errors
    depth, data = 0, result.data
    while data["nodes"]:
        depth, data = depth + 1, data["nodes"][0]
    assert depth == DEPTH
    # A slice has two levels or so.
    assert turns.count >= DEPTH / 4


async def test_a_small_result_is_completed_without_a_pause() -> None:
    found = executor_of("{ nodes { nodes { nodes { __typename } } } }", {"nodes": [{"nodes": [{"nodes": []}]}]})
    assert not is_awaitable(found.execute_operation())


async def test_awaited_items_of_a_long_list_begin_as_they_come_and_not_all_in_one_turn() -> None:
    class EndlessTurns(Slices):
        def is_over(self) -> bool:
            return True

    turns, begun = Turns(), Counter[int]()

    async def slow(parent: Any, _info: Any) -> int:
        begun[turns.count] += 1
        await asyncio.sleep(0)
        return int(parent["number"])

    root = {"nodes": [{"nodes": [{"number": number}] * 2} for number in range(300)]}
    executor = executor_of("{ nodes { nodes { slow } } }", root, slow, EndlessTurns())
    found = executor.execute_operation()
    assert is_awaitable(found)
    result = await found
    turns.end()
    assert result.data == {"nodes": [{"nodes": [{"slow": number}] * 2} for number in range(300)]}
    assert sum(begun.values()) == 600
    assert max(begun.values()) <= 10
