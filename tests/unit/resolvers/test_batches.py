"""Batches over a reader that answers at once: nothing but the event loop's order keeps a level together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLObjectType, Source, build_schema, execute, parse
from graphql.pyutils import Path, is_awaitable

from clew.model.build import parse_model
from clew.model.types import Entity
from clew.resolvers.batches import Batches, Info, Place
from clew.resolvers.bind import _by_key
from clew.slices import Slices
from clew.sql.keys import Key

pytestmark = pytest.mark.anyio

MODEL = parse_model(Source("type Item @table { id: Int! @id }", "items.graphql"))
SCHEMA = build_schema("""
  type Query { items: [Item] }
  type Part { one: Item many: [[Item]] }
  type Item { id: Int! next: Item lots: [Part!]! part: Part slow: Item odd: Item strict: Item! }
""")
for _name in ("Query", "Part", "Item"):
    _type = SCHEMA.type_map[_name]
    assert isinstance(_type, GraphQLObjectType)
    for _field in ("items", "one", "many", "next", "slow", "odd", "strict"):
        if _field in _type.fields:
            _type.fields[_field].resolve = _by_key(
                lambda source, info: getattr(source, info.field_name), MODEL.entity("Item")
            )


class Given:
    """What the resolvers of one item return; its lists have as many parts as its number says."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.items = list(range(6))
        self.one = self.next = self.strict = number + 1
        self.many = [[number, None], [], [number + 1]]

    @property
    def lots(self) -> list[Given]:
        return [Given(self.id)] * (self.id % 4)

    @property
    def part(self) -> Given:
        return self

    @property
    async def slow(self) -> int:
        await asyncio.sleep((6 - self.id) / 1000)
        return self.id

    @property
    async def odd(self) -> int:
        if self.id % 2:
            raise ValueError("odd")
        return self.id


@dataclass
class Running:
    batches: Batches


@dataclass
class Context:
    running: Running


async def run(document: str) -> tuple[ExecutionResult, list[list[int]]]:
    """The result and the keys of each read."""
    reads: list[list[int]] = []

    async def read(_entity: Entity, _place: Place, _info: Info, keys: Sequence[Key]) -> list[Any]:
        reads.append([number for (number,) in keys])
        return [None if number == 5 else Given(number) for (number,) in keys]

    batches = Batches(read, Slices())
    result = execute(SCHEMA, parse(document), Given(0), Context(Running(batches)))
    async with asyncio.timeout(5):
        if is_awaitable(result):
            result = await result
    assert isinstance(result, ExecutionResult)
    await batches.close()
    return result, reads


@pytest.mark.parametrize(
    ("document", "statements"),
    [
        ("{ items { next { id } } }", 2),
        ("{ items { lots { one { id } } } }", 2),
        ("{ items { next { lots { one { lots { one { id } } part { one { id } } } } } } }", 5),
        ("{ items { lots { many { next { part { one { id } } } } } part { one { lots { many { id } } } } } }", 6),
        ("{ items { slow { next { id } slow { slow { lots { one { id } } } } } } }", 6),
        ("{ items { next { next { next { next { id } } } } } }", 5),
    ],
)
async def test_a_level_is_read_at_once(document: str, statements: int) -> None:
    result, reads = await run(document)
    assert result.errors is None
    assert result.data is not None
    assert len(reads) == statements, reads
    assert all(len(set(keys)) == len(keys) for keys in reads)


async def test_every_call_gets_its_own_row() -> None:
    result, reads = await run("{ items { id slow { id } next { id } part { many { id } } } }")
    assert result.data is not None
    for number, row in enumerate(result.data["items"][:5]):
        after = None if number == 4 else {"id": number + 1}
        many = [[{"id": number}, None], [], [after]]
        assert row == {"id": number, "slow": {"id": number}, "next": after, "part": {"many": many}}
    assert len(reads) == 4


async def test_a_resolver_that_fails_fails_alone() -> None:
    result, reads = await run("{ items { odd { id next { id } } } }")
    assert result.data is not None
    odd = [row and row["odd"] and row["odd"]["next"] for row in result.data["items"]]
    assert odd == [{"id": 1}, None, {"id": 3}, None, None, None]
    assert len(reads) == 3
    assert [str(error.original_error) for error in result.errors or ()] == ["odd"] * 2


async def test_an_error_that_takes_a_level_away_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    result, _ = await run("{ items { slow { id } strict { id strict { id } slow { id } } } }")
    assert result.errors
    for _ in range(10):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


# --- large batches ----------------------------------------------------------------------

MANY = 3000


class EndlessTurns(Slices):
    """Every slice is over at once."""

    def is_over(self) -> bool:
        return True


class Turns:
    number = 0


@asynccontextmanager
async def counted() -> AsyncIterator[Turns]:
    """Count the turns of the event loop."""
    turns = Turns()

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)
            turns.number += 1

    ticking = asyncio.create_task(tick())
    yield turns
    ticking.cancel()


def info_of(name: str) -> Any:
    item = SCHEMA.type_map["Part"]
    assert isinstance(item, GraphQLObjectType)
    return SimpleNamespace(path=Path(None, name, "Part"), return_type=item.fields[name].type, schema=SCHEMA)


async def unread(*_: Any) -> list[Any]:
    raise AssertionError


async def doubled(asked: list[Any]) -> list[Any]:
    return [ValueError(number) if number % 1000 == 7 else 2 * number for number in asked]


async def test_the_answers_of_a_large_batch_come_over_many_turns() -> None:
    batches, woken = Batches(unread, Slices()), Counter[int]()
    async with counted() as turns:

        async def call(number: int) -> Any:
            try:
                return await batches.gather(info_of("one"), number, doubled)
            finally:
                woken[turns.number] += 1

        found = await asyncio.gather(*map(call, range(MANY)), return_exceptions=True)
    assert max(woken.values()) <= 50
    assert [number for number, value in enumerate(found) if isinstance(value, ValueError)] == [7, 1007, 2007]
    assert all(value == 2 * number for number, value in enumerate(found) if not isinstance(value, ValueError))
    await batches.close()


async def test_an_error_of_a_large_batch_comes_over_many_turns_too() -> None:
    batches, woken = Batches(unread, Slices()), Counter[int]()
    async with counted() as turns:

        async def call(number: int) -> None:
            with pytest.raises(AssertionError):
                await batches.gather(info_of("one"), number, unread)
            woken[turns.number] += 1

        await asyncio.gather(*map(call, range(MANY)))
    assert sum(woken.values()) == MANY
    assert max(woken.values()) <= 50
    await batches.close()


async def test_some_calls_take_no_more_turns_than_one() -> None:
    taken = []
    for number in (1, 200):
        batches = Batches(unread, EndlessTurns())
        async with counted() as turns:
            await asyncio.gather(*(batches.gather(info_of("one"), 2, doubled) for _ in range(number)))
        taken.append(turns.number)
        await batches.close()
    assert taken[0] == taken[1]


@pytest.mark.parametrize("is_late", [False, True])
async def test_many_keys_of_one_call_are_read_over_many_turns(is_late: bool) -> None:
    async def read(_entity: Entity, _place: Place, _info: Info, keys: Sequence[Key]) -> list[Any]:
        return [number for (number,) in keys]

    async def later(value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    batches = Batches(read, EndlessTurns())
    keys = [[number % 1000 for number in range(MANY)], None, [], [None, 5]]
    async with counted() as turns:
        outcome = batches.resolve(MODEL.entity("Item"), info_of("many"), later(keys) if is_late else keys)
        assert await outcome == keys
    # They are read, numbered and replaced by rows.
    assert turns.number >= 3 * MANY // 200
    with pytest.raises(TypeError, match="not a list of keys"):
        await batches.resolve(MODEL.entity("Item"), info_of("many"), [*[[1]] * MANY, 5])
    await batches.close()


@pytest.mark.parametrize("turns_before", [3, 20, 40])
async def test_a_large_batch_that_is_given_up_leaves_nothing_behind(turns_before: int) -> None:
    before = asyncio.all_tasks()
    batches = Batches(unread, EndlessTurns())
    answers = [batches.gather(info_of("one"), 2, doubled) for _ in range(MANY)]
    for _ in range(turns_before):
        await asyncio.sleep(0)
    async with counted() as turns:
        await batches.close()
    assert all(answer.done() for answer in answers)
    assert any(answer.cancelled() for answer in answers)
    assert turns.number >= sum(answer.cancelled() for answer in answers) // 50 - 1
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_large_batch_ends_even_if_its_end_is_cancelled() -> None:
    before = asyncio.all_tasks()
    batches = Batches(unread, EndlessTurns())
    answers = [batches.gather(info_of("one"), 2, doubled) for _ in range(MANY)]
    closing = asyncio.create_task(batches.close())
    for _ in range(5):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert all(answer.cancelled() for answer in answers)
    assert asyncio.all_tasks() == before
