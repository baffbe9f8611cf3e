"""`batched`: one call of the application's own function for all parents of a level. And `info.context.state`."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from ariadne import MutationType, ObjectType, QueryType
from graphql import GraphQLResolveInfo

from clew import Clew, ClewError, Viewer, batched
from clew.config import Settings
from clew.engine import Engine, Request
from tests.databases import create_tables, new_database

pytestmark = pytest.mark.anyio

Info = GraphQLResolveInfo[Any]

SDL = """
type Person @table(plural: "people") @allow(role: user, where: {hidden: false}) {
  number: Int! @id
  hidden: Boolean!
  rank(from: Int): Int @resolver(requires: [number])
  own: Int @resolver(requires: [number]) @allow(role: user, where: {number: {lte: 3}})
  strict: Int! @resolver(requires: [number])
  wrong(as: String): Int @resolver(requires: [number])
  next: Person @resolver(requires: [number])
  both: [Person] @resolver(requires: [number])
  note: Note @resolver(requires: [number])
  noteOf(person: Int @row(type: Person)): Note @resolver(requires: [number])
}
type Note { text: String! length: Int person: Person notes: [Note!] }
extend type Query {
  notes(of: [Int!]!): [Note!]! @allow(role: user)
  counted: Int @allow(role: user)
  state: [Int!]! @allow(role: user)
}
extend type Mutation { note(of: Int!): Note @allow(role: user) }
"""
PEOPLE, HIDDEN = 300, 7
USER = Viewer("1", frozenset({"user"}))
ADMIN = Viewer.admin()

calls: list[tuple[str, list[Any], dict[str, Any]]] = []
query, mutation, person, note = QueryType(), MutationType(), ObjectType("Person"), ObjectType("Note")


def called(name: str, parents: Sequence[Any], **arguments: Any) -> list[int]:
    numbers = [parent["number"] for parent in parents]
    calls.append((name, numbers, arguments))
    return numbers


@person.field("rank")
@batched
async def resolve_rank(parents: list[Any], _: Info, **arguments: int) -> list[int]:
    numbers = called("rank", parents, **arguments)
    await asyncio.sleep(0.001)
    return [number + arguments.get("from", 0) for number in numbers]


@person.field("own")
@batched
def resolve_own(parents: list[Any], _: Info) -> list[int]:
    return called("own", parents)


@person.field("strict")
@batched
def resolve_strict(parents: list[Any], _: Info) -> list[Any]:
    return [ClewError("Not 2.", code="CONFLICT") if number == 2 else number for number in called("strict", parents)]


@person.field("wrong")
@batched
async def resolve_wrong(parents: list[Any], _: Info, **arguments: str) -> Any:
    numbers = called("wrong", parents)
    match arguments["as"]:
        case "short":
            return numbers[1:]
        case "long":
            return [*numbers, 1]
        case "dict":
            return {number: number for number in numbers}
        case "text":
            return "x" * len(numbers)
        case "clew":
            raise ClewError("Not now.", code="CONFLICT", hint="Later.")
        case _:
            raise RuntimeError("the secret of the resolver")


@person.field("next")
@batched
async def resolve_next(parents: list[Any], _: Info) -> list[int]:
    return [number + 1 for number in called("next", parents)]


@person.field("both")
@batched
def resolve_both(parents: list[Any], _: Info) -> list[list[int]]:
    return [[number, HIDDEN] for number in called("both", parents)]


@person.field("note")
@person.field("noteOf")
@batched
async def resolve_note(parents: list[Any], _: Info, **_arguments: int) -> list[Any]:
    numbers = called("note", parents)
    await asyncio.sleep(0.001)
    return [None if number == 3 else {"text": f"of {number}", "person": number} for number in numbers]


@note.field("length")
@batched
def resolve_length(parents: list[Any], _: Info) -> list[int]:
    calls.append(("length", [parent["text"] for parent in parents], {}))
    return [len(parent["text"]) for parent in parents]


@note.field("notes")
async def resolve_notes(parent: dict[str, Any], _: Info) -> list[dict[str, Any]]:
    # The last one first.
    await asyncio.sleep(0.02 - parent["person"] * 0.005)
    return [{"text": parent["text"] + " below", "person": parent["person"]}] * 2


@query.field("notes")
def resolve_root_notes(*_: Any, of: list[int]) -> list[dict[str, Any]]:
    return [{"text": f"of {number}", "person": number} for number in of]


@mutation.field("note")
@batched
def resolve_one_note(parents: list[Any], _: Info, of: int) -> list[Any]:
    return [{"text": f"of {of}", "person": of}] * len(parents)


@query.field("counted")
def resolve_counted(_: Any, info: Info) -> int:
    state = info.context.state
    state.count = getattr(state, "count", 0) + 1
    return int(state.count)


@query.field("state")
async def resolve_state(_: Any, info: Info) -> list[int]:
    within = [await ask("{ counted }") for ask in (info.context.graphql, info.context.system.graphql)]
    return [info.context.state.count, *(found["counted"] for found in within)]


@dataclass
class House:
    engine: Engine

    async def ask(self, document: str, viewer: Viewer = USER) -> dict[str, Any]:
        calls.clear()
        outcome = await self.engine.execute(Request(document), viewer)
        data = outcome.data if isinstance(outcome.data, bytes) else json.dumps(outcome.data)
        return {"data": data, "errors": [dict(error) for error in outcome.errors]}

    async def data(self, document: str, viewer: Viewer = USER) -> Any:
        found = await self.ask(document, viewer)
        assert not found["errors"], found
        return json.loads(found["data"])


@pytest.fixture(scope="module")
def house_url(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    root = tmp_path_factory.mktemp("house")
    (root / "graphql").mkdir()
    (root / "graphql" / "schema.graphql").write_text(SDL)

    async def fill(url: str) -> None:
        await create_tables(url, Clew([query, mutation, person, note], project=root).build()[0])
        connection = await asyncpg.connect(url)
        sql = "INSERT INTO people (number, hidden) SELECT n, n = $1 FROM generate_series(1, $2::int) AS n"
        await connection.execute(sql, HIDDEN, PEOPLE)
        await connection.close()

    with new_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield url, root


@pytest.fixture
async def house(house_url: tuple[str, Path]) -> AsyncIterator[House]:
    url, root = house_url
    clew = Clew([query, mutation, person, note], project=root)
    engine = clew.asgi(Settings.model_validate({"DATABASE_URL": url})).engine
    yield House(engine)
    await engine.pool.close()


# --- calls ------------------------------------------------------------------------------


async def test_all_parents_of_a_level_come_in_one_call(house: House) -> None:
    found = await house.data("{ people(limit: 5) { number rank } }")
    assert found == {"people": [{"number": number, "rank": number} for number in range(1, 6)]}
    assert calls == [("rank", [1, 2, 3, 4, 5], {})]


async def test_each_alias_and_level_is_a_call_of_its_own(house: House) -> None:
    document = """{
      people(limit: 3) { a: rank(from: 10) b: rank(from: 20) next { rank next { rank } } }
      one: person(number: 9) { rank }
    }"""
    found = await house.data(document)
    assert found["people"][0] == {"a": 11, "b": 21, "next": {"rank": 2, "next": {"rank": 3}}}
    assert found["one"] == {"rank": 9}
    assert sorted(calls, key=repr) == sorted(
        [
            ("rank", [1, 2, 3], {"from": 10}),
            ("rank", [1, 2, 3], {"from": 20}),
            ("next", [1, 2, 3], {}),
            ("rank", [2, 3, 4], {}),
            ("next", [2, 3, 4], {}),
            ("rank", [3, 4, 5], {}),
            ("rank", [9], {}),
        ],
        key=repr,
    )


async def test_a_list_that_is_completed_in_slices_is_one_level(house: House) -> None:
    fields = " ".join(f"a{index}: number" for index in range(20))
    documents = [f"{{ people(limit: 250) {{ {fields} rank note {{ length person {{ rank }} }} }} }}"] * 4
    await asyncio.gather(*(house.engine.execute(Request(document), USER) for document in documents))
    calls.clear()
    answers = await asyncio.gather(*(house.engine.execute(Request(document), USER) for document in documents))
    assert not [answer.errors for answer in answers if answer.errors]
    assert sorted((name, len(parents)) for name, parents, _ in calls) == sorted(
        [("rank", 250), ("note", 250), ("length", 249), ("rank", 249)] * 4
    )


async def test_plain_types_have_them_too_behind_slow_resolvers(house: House) -> None:
    found = await house.data("{ notes(of: [1, 2, 3]) { length notes { length person { rank } } } }")
    assert found["notes"][2] == {"length": 4, "notes": [{"length": 10, "person": {"rank": 3}}] * 2}
    assert sorted((name, len(parents)) for name, parents, _ in calls) == [("length", 3), ("length", 6), ("rank", 6)]


async def test_keys_of_entities_are_read_together(house: House) -> None:
    found = await house.data("{ people(limit: 3) { next { number } both { number } } }")
    assert found["people"][1] == {"next": {"number": 3}, "both": [{"number": 2}, None]}
    assert sorted(calls) == [("both", [1, 2, 3], {}), ("next", [1, 2, 3], {})]


async def test_root_fields_and_mutations_have_one_parent(house: House) -> None:
    found = await house.data(
        "mutation { a: note(of: 1) { length person { rank } } b: note(of: 2) { person { rank } } }"
    )
    assert found == {"a": {"length": 4, "person": {"rank": 1}}, "b": {"person": {"rank": 2}}}


async def test_rows_that_arguments_name_are_judged_before(house: House) -> None:
    found = await house.data("{ people(limit: 3) { noteOf(person: 2) { text } } }")
    assert found["people"] == [{"noteOf": {"text": "of 1"}}, {"noteOf": {"text": "of 2"}}, {"noteOf": None}]
    assert calls == [("note", [1, 2, 3], {})]
    refused = await house.ask(f"{{ people(limit: 3) {{ noteOf(person: {HIDDEN}) {{ text }} }} }}")
    assert {error["extensions"]["code"] for error in refused["errors"]} == {"NOT_FOUND"}
    assert calls == []


# --- rules ------------------------------------------------------------------------------


async def test_parents_are_what_the_viewer_sees(house: House) -> None:
    where = "where: {number: {lte: 9}}"
    found = await house.data(f"{{ people({where}) {{ number own rank }} }}")
    shown = [number for number in range(1, 10) if number != HIDDEN]
    assert [row["own"] for row in found["people"]] == [1, 2, 3, None, None, None, None, None]
    assert sorted(calls) == [("own", [1, 2, 3], {}), ("rank", shown, {})]
    await house.data(f"{{ people({where}) {{ own }} }}", ADMIN)
    assert calls == [("own", list(range(1, 10)), {})]
    await house.data("{ people(where: {number: {gt: 3}}, limit: 2) { own } }")
    assert calls == []


# --- errors -----------------------------------------------------------------------------


async def test_an_exception_in_the_list_is_one_parents_error(house: House) -> None:
    found = await house.ask("{ one: person(number: 1) { strict } two: person(number: 2) { strict } }")
    assert json.loads(found["data"]) == {"one": {"strict": 1}, "two": None}
    (error,) = found["errors"]
    assert (error["message"], error["path"], error["extensions"]["code"]) == ("Not 2.", ["two", "strict"], "CONFLICT")


async def test_an_exception_of_the_function_is_every_parents_error(house: House) -> None:
    found = await house.ask('{ people(limit: 3) { number wrong(as: "clew") } }')
    assert [error["path"] for error in found["errors"]] == [["people", index, "wrong"] for index in range(3)]
    assert {error["extensions"]["hint"] for error in found["errors"]} == {"Later."}
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("short", "resolve_wrong is batched: it returned 2 values for 3 parents, and must return one for each"),
        ("long", "resolve_wrong is batched: it returned 4 values for 3 parents"),
        ("dict", "resolve_wrong is batched: it returned dict, and must return a list"),
        ("text", "resolve_wrong is batched: it returned str, and must return a list"),
        ("other", "the secret of the resolver"),
    ],
)
async def test_what_is_no_list_of_values_is_a_fault_that_the_log_has_once(house: House, fault: str, told: str) -> None:
    with structlog.testing.capture_logs() as logged:
        found = await house.ask(f'{{ people(limit: 3) {{ number wrong(as: "{fault}") }} }}')
    assert {error["message"] for error in found["errors"]} == {"Something went wrong on the server."}
    assert [error["path"] for error in found["errors"]] == [["people", index, "wrong"] for index in range(3)]
    (entry,) = logged
    assert entry["path"] == "people.0.wrong"
    assert told in str(entry["exc_info"])


# --- the end ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        "{ people(limit: 60) { number a1: number a2: number rank note { length notes { text person { rank } } } } }",
        "{ notes(of: [1, 2, 3]) { length notes { length person { rank next { rank } } } } }",
        "{ people(limit: 250) { rank next { number note { length } } both { number } } }",
        # The error of the second person removes the whole list, while the others are under way.
        "{ notes(of: [1, 2]) { notes { length person { rank strict } } } people(limit: 3) { rank strict } }",
    ],
    ids=["sliced", "nested", "large", "failing"],
)
async def test_an_operation_that_is_given_up_leaves_no_coroutine_behind(
    house: House, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda fault: left.append(str(fault.exc_value)))
    for wait in range(40):
        running = asyncio.create_task(house.ask(document))
        await asyncio.sleep(0)
        while not calls and not running.done():
            await asyncio.sleep(0)
        await asyncio.wait([running], timeout=wait / 3000)
        running.cancel()
        await asyncio.wait([running])
    gc.collect()
    assert left == []


async def test_nothing_that_was_read_waits_for_the_garbage_collector(house: House) -> None:
    async def left(limit: int) -> int:
        await house.data(f"{{ people(limit: {limit}) {{ number rank note {{ text }} }} }}")
        return gc.collect()

    await left(9)
    await left(250)
    gc.disable()
    try:
        gc.collect()
        few, many = await left(9), await left(250)
    finally:
        gc.enable()
    # A tenth of the rows, though each of them is several objects.
    assert many - few < 25


# --- state ------------------------------------------------------------------------------


async def test_state_is_the_operations_own(house: House) -> None:
    for _ in range(2):
        assert await house.data("{ a: counted b: counted }") == {"a": 1, "b": 2}
    # What runs within it, as the viewer or as the system, has another one.
    assert await house.data("{ counted state }") == {"counted": 1, "state": [1, 1, 1]}
