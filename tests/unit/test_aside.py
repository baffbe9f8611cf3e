"""Work beside the event loop: in turn, bounded, once."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable

import pytest

from clew.aside import SHORT, Aside, is_large, release
from clew.errors import ClewError, Code
from clew.json_numbers import Written

pytestmark = pytest.mark.anyio


class Gate:
    """Work that is held until it is let go."""

    def __init__(self) -> None:
        self.began, self.goes = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self.goes.wait(10)
        return threading.current_thread().name


async def begun(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.began.wait, 10)


async def test_work_is_done_in_another_thread_and_its_errors_come_back() -> None:
    aside = Aside()
    assert await aside.run(lambda: threading.current_thread().name) != threading.current_thread().name
    with pytest.raises(ZeroDivisionError):
        await aside.run(lambda: 1 // 0)


async def test_one_piece_of_work_after_the_other_in_the_order_they_came() -> None:
    aside, gate, done = Aside(), Gate(), list[int]()

    def note(number: int) -> Callable[[], None]:
        return lambda: done.append(number)

    first = asyncio.create_task(aside.run(gate))
    await begun(gate)
    others = [asyncio.create_task(aside.run(note(number))) for number in range(5)]
    await asyncio.sleep(0.01)
    assert done == []
    gate.goes.set()
    await asyncio.gather(first, *others)
    assert done == [0, 1, 2, 3, 4]


async def test_what_the_one_before_has_done_is_not_done_again() -> None:
    aside, gate = Aside(), Gate()
    kept: list[str] = []

    def known() -> str | None:
        return kept[0] if kept else None

    async def ask() -> str:
        found = await aside.run(gate, known)
        kept.append(found)
        return found

    first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
    await begun(gate)
    gate.began.clear()
    gate.goes.set()
    assert await first == await second
    assert not gate.began.is_set()


async def test_where_too_many_wait_the_next_is_refused_and_room_comes_back() -> None:
    aside, gate = Aside(most_waiting=2), Gate()
    tasks = [asyncio.create_task(aside.run(gate)) for _ in range(2)]
    await begun(gate)
    with pytest.raises(ClewError) as refused:
        await aside.run(lambda: None)
    assert refused.value.code is Code.UNAVAILABLE
    # What has begun already comes to its end.
    begun_before = asyncio.create_task(aside.run(lambda: 2, begun=True))
    gate.goes.set()
    await asyncio.gather(*tasks)
    assert await begun_before == 2
    assert await aside.run(lambda: 1) == 1


async def test_what_is_cancelled_while_it_waits_is_never_done_and_holds_nobody_up() -> None:
    aside, gate, done = Aside(most_waiting=2), Gate(), list[int]()
    first = asyncio.create_task(aside.run(gate))
    await begun(gate)
    second = asyncio.create_task(aside.run(lambda: done.append(2)))
    await asyncio.sleep(0.01)
    second.cancel()
    first.cancel()
    await asyncio.wait([first, second])
    third = asyncio.create_task(aside.run(lambda: done.append(3)))
    gate.goes.set()
    await third
    assert done == [3]


async def test_what_nobody_waits_for_is_done_after_the_rest() -> None:
    aside, gate, done = Aside(), Gate(), list[str]()
    first = asyncio.create_task(aside.run(gate))
    await begun(gate)
    ended = asyncio.Event()
    aside.later(lambda: done.append("later"), ended.set)
    gate.goes.set()
    await first
    await ended.wait()
    assert done == ["later"]


async def test_deep_recursion_ends_in_an_error_there_too() -> None:
    def down(depth: int) -> int:
        return max([down(depth + 1)], key=lambda _: 0)

    with pytest.raises(RecursionError):
        await Aside().run(lambda: down(0))
    assert sys.getrecursionlimit() == await Aside().run(sys.getrecursionlimit)


def test_variables_are_large_by_all_their_values_together() -> None:
    assert not is_large({"a": list(range(400)), "b": {"c": "x" * 10**5}})
    assert is_large({"a": [{"b": list(range(10))}] * 60})
    assert is_large({"a": [0] * 501})
    assert not is_large({})


@pytest.mark.parametrize("item", ["0", '"x"', "{}", "[]", '""', '{"":0}', "[0]", '["\\u0000"]'])
def test_no_short_text_holds_large_variables(item: str) -> None:
    for opening, closing in (("[", "]"), ('{"a":[', "]}"), ('{"a":', "}")):
        items = [item] if closing == "}" else [item] * ((SHORT - len(opening + closing) + 1) // (len(item) + 1))
        text = opening + ",".join(items) + closing
        assert len(text) <= SHORT
        assert not is_large(json.loads(text))
    few = (SHORT - 1) // 2
    assert not is_large(json.loads("[" * few + "]" * few))
    assert is_large(json.loads("[" + ",".join(["0"] * (SHORT // 2 + 1)) + "]"))


def test_large_values_are_freed_one_by_one_and_what_others_hold_stays() -> None:
    freed: list[str] = []

    class Noted(dict[str, object]):
        def __del__(self) -> None:
            freed.append(str(self["name"]))
            # Each is freed alone: what it holds is still there.
            assert all(name not in freed for name in self.get("below", ()))  # type: ignore[attr-defined]

    kept: dict[str, object] = {"kept": [1, 2]}
    kept["self"] = kept
    inner = [Noted(name=f"inner {number}", kept=kept) for number in range(3)]
    held: list[object] = [Noted(name="outer", below=[item["name"] for item in inner], rows=inner), [kept]]
    del inner
    release(held)
    assert held == []
    assert sorted(freed) == ["inner 0", "inner 1", "inner 2", "outer"]
    assert freed[0] == "outer"
    assert kept["kept"] == [1, 2]
    assert kept["self"] is kept


def test_values_that_share_their_parts_are_gone_through_once() -> None:
    value: dict[str, object] = {}
    for _ in range(100):
        value = {"left": value, "right": value}
    held: list[object] = [value]
    release(held)
    assert held == []


def test_long_texts_are_large_too() -> None:
    text = "x" * 100_000
    assert not is_large({"a": text, "b": [text, 1]})
    for value in (text * 3, [text] * 3, {"a": {"b": [text, text]}, "c": text}, {text * 3: 1}, Written(text * 3)):
        assert is_large(value)
