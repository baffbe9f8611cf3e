"""Long lists are completed in slices: others have their turn, and the result is the same."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import OperationDefinitionNode, build_schema, default_type_resolver, parse
from graphql.execution.values import VariableValues
from graphql.pyutils import is_awaitable

from clew.collector import full_collections
from clew.slices import _SLICE, SlicedList, Slices, SlicingExecutor
from tests.unit.running import EndlessTurns, Running

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _no_collection_is_put_off() -> Iterator[None]:
    before = full_collections._works
    yield
    # Otherwise the tests that come later in this process would have none.
    assert full_collections._works == before


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


async def test_a_list_that_changes_in_a_pause_has_the_items_of_its_beginning() -> None:
    own = [1, 2, 3]
    items = SlicedList(own, Slices())
    assert await anext(items) == 1
    own.clear()
    assert [item async for item in items] == [2, 3]


async def test_what_is_closed_ends() -> None:
    items = SlicedList([1, 2, 3], Slices())
    assert await anext(items) == 1
    await items.aclose()
    assert items.ended.done()
    with pytest.raises(StopAsyncIteration):
        await anext(items)


# --- results that are large because they are deep -----------------------------------------

SCHEMA = build_schema("""
  type Query { nodes: [Node!] node: Node missing: Int! }
  type Node { slow: Int strict: Int! node: Node nodes: [Node!]! }
""")
DEPTH = 30


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
        return slow(parent, info) if info.field_name in ("slow", "strict") else parent[info.field_name]

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


# --- objects ------------------------------------------------------------------------------


def aliases(count: int, field: str) -> str:
    return " ".join(f"a{number}: {field}" for number in range(count))


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_fields_of_a_wide_object_begin_over_many_turns(is_async: bool) -> None:
    turns, begun = Turns(), Counter[int]()

    async def later() -> int:
        begun[turns.count] += 1
        await asyncio.sleep(0)
        return 1

    def slow(_parent: Any, _info: Any) -> Any:
        if is_async:
            return later()
        begun[turns.count] += 1
        return 1

    executor = executor_of(f"{{ node {{ {aliases(1000, 'slow')} }} }}", {"node": {}}, slow, EndlessTurns())
    found = executor.execute_operation()
    assert is_awaitable(found)
    result = await found
    turns.end()
    assert result.data == {"node": {f"a{number}": 1 for number in range(1000)}}
    assert list(result.data["node"]) == [f"a{number}" for number in range(1000)]
    assert sum(begun.values()) == 1000
    assert max(begun.values()) <= 10


async def test_an_object_of_many_small_objects_is_completed_over_many_turns() -> None:
    turns, begun = Turns(), Counter[int]()

    def slow(_parent: Any, _info: Any) -> int:
        begun[turns.count] += 1
        return 1

    node: Any = {"node": {"node": {}}}
    document = f"{{ node {{ {aliases(40, 'node { ' + aliases(30, 'slow') + ' }')} }} }}"
    executor = executor_of(document, node, slow, EndlessTurns())
    executor._pauses_at = 0
    result = await run(executor)
    turns.end()
    assert result.data == {"node": {f"a{n}": {f"a{m}": 1 for m in range(30)} for n in range(40)}}
    # The first fields of an operation begin without a pause.
    assert max(begun.values()) <= 200
    assert turns.count >= 30


async def test_a_batch_below_objects_in_slices_waits_for_all_of_them() -> None:
    asked: list[list[Any]] = []

    async def answer(parents: list[Any]) -> list[Any]:
        asked.append(parents)
        return [1] * len(parents)

    slices = EndlessTurns()

    def strict(parent: Any, info: Any) -> Any:
        return 1 if info.path.key != "last" else info.context.batches.gather(info, parent, answer)

    async def take_turns() -> None:
        while True:
            await slices.turn()

    # Between the calls there are more turns than a batch waits for.
    others = [asyncio.create_task(take_turns()) for _ in range(20)]
    root: Any = {"nodes": [{}, {}, {}]}
    executor = executor_of(f"{{ nodes {{ {aliases(70, 'slow')} last: slow }} }}", root, strict, slices)
    result = await run(executor)
    for other in others:
        other.cancel()
    assert not result.errors
    assert [len(parents) for parents in asked] == [3]


# --- what is given up ---------------------------------------------------------------------

# Those of the first fields, which begin without a pause, and those of two turns.
FEW = 300


class Given:
    """Fields that wait, and when they ended."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.waiting = 0
        self.ended = Counter[int]()

    async def wait(self) -> int:
        self.waiting += 1
        try:
            await asyncio.sleep(60)
        finally:
            self.waiting -= 1
            self.ended[self.turns.count] += 1
        return 1

    def field(self, parent: Any, _info: Any) -> Any:
        return fail() if parent.get("fails") else self.wait()


async def fail() -> int:
    await asyncio.sleep(0.3)
    raise ValueError("no")


async def run(executor: SlicingExecutor) -> Any:
    """As an operation runs it."""
    found: Any = executor.execute_operation()
    try:
        return await found if is_awaitable(found) else found
    finally:
        await executor.context_value.batches.close()
        await executor.close(executor.context_value.slices, failed=True)


MANY: dict[str, tuple[str, dict[str, Any]]] = {
    "a long list": ("{ nodes { slow } }", {"nodes": [{}] * 1500}),
    "lists in a list": ("{ nodes { nodes { slow } } }", {"nodes": [{"nodes": [{}] * 30}] * 50}),
    "objects in a list": (f"{{ nodes {{ {aliases(15, 'slow')} }} }}", {"nodes": [{}] * 100}),
    "a wide object": (f"{{ node {{ {aliases(1500, 'slow')} }} }}", {"node": {}}),
}


@pytest.mark.parametrize("name", MANY)
async def test_a_large_operation_that_is_cancelled_ends_over_many_turns(name: str) -> None:
    before, given = asyncio.all_tasks(), Given()
    document, root = MANY[name]
    task = asyncio.create_task(run(executor_of(document, root, given.field, Slices())))
    while given.waiting < 1500:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert given.waiting == 0
    assert sum(given.ended.values()) == 1500
    assert max(given.ended.values()) <= FEW
    given.turns.end()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    # A coroutine that nothing awaits is an error of the tests.
    del task
    gc.collect()


@pytest.mark.parametrize("name", ["a long list", "lists in a list"])
async def test_what_an_error_removes_from_the_response_ends_over_many_turns(name: str) -> None:
    before, given = asyncio.all_tasks(), Given()
    document, root = MANY[name]
    item = {"fails": True, "nodes": [{"fails": True}]}
    root = {"nodes": [*root["nodes"], item]}
    executor = executor_of(document.replace("slow", "strict"), root, given.field, Slices())
    result = await run(executor)
    assert result.data == {"nodes": None}
    assert [str(error.original_error) for error in result.errors] == ["no"]
    assert sum(given.ended.values()) == 1500
    assert max(given.ended.values()) <= FEW
    given.turns.end()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_awaitables_that_an_error_removes_before_they_begin_are_closed() -> None:
    async def never() -> None:
        raise AssertionError

    root = {"nodes": [*(never() for _ in range(5)), *range(300), *(never() for _ in range(300))]}
    executor = executor_of("{ nodes { nodes { slow } } }", root, slow, Slices())
    result = await run(executor)
    assert result.data == {"nodes": None}
    del root, executor, result
    gc.collect()


@pytest.mark.parametrize("number", [5, 300])
async def test_awaitables_of_a_list_that_an_error_removes_before_its_first_item_are_closed(number: int) -> None:
    async def never() -> None:
        raise AssertionError

    root = {"nodes": [never() for _ in range(number)], "missing": None}
    result = await run(executor_of("{ nodes { slow } missing }", root, slow, Slices()))
    assert result.data is None
    del root, result
    gc.collect()


async def test_awaitables_of_a_generator_that_fails_are_closed() -> None:
    async def never() -> None:
        raise AssertionError

    def generated() -> Iterator[Any]:
        yield never()
        raise ValueError("no")

    result = await run(executor_of("{ nodes { slow } }", {"nodes": generated()}, slow, Slices()))
    assert result.data == {"nodes": None}
    assert [str(error.original_error) for error in result.errors] == ["no"]
    del result
    gc.collect()


# --- futures of the application's own ----------------------------------------------------

SHARED = build_schema("type Query { a: Part b: Part } type Part { now: Int! soon: Int! shared: Int }")


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("part", ["shared now", "now shared", "shared soon", "soon shared"])
@pytest.mark.parametrize("others", ["{ %s b { shared } }", "{ b { shared } %s }"])
async def test_a_future_that_several_fields_wait_for_outlives_an_error(others: str, part: str, is_large: bool) -> None:
    loaded: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.02, loaded.set_result, 1)

    def resolve(_parent: Any, info: Any) -> Any:
        if info.field_name == "shared":
            return loaded
        if info.field_name == "soon":
            return fail()
        if info.field_name == "now":
            raise ValueError("now")
        return {}

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("soon")

    operation = parse(others % f"a {{ {part} }}").definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    running = Running(EndlessTurns())
    if is_large:
        running.large.begin()
    types = default_type_resolver
    values = VariableValues({}, {})
    executor = SlicingExecutor(SHARED, {}, {}, None, running, operation, values, resolve, types, resolve)
    executor._begun = 1000 if is_large else 0
    result: Any = executor.execute_operation()
    result = await result
    await running.batches.close()
    await executor.close(running.slices, failed=True)
    running.large.end()
    assert result.data == {"a": None, "b": {"shared": 1}}
    assert len(result.errors) == 1
