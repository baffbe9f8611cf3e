"""`SlicingExecutor` answers random operations as graphql-core's own executor does, and leaves nothing behind.

Random schemas, values and thresholds: fields that are ready, awaited or batched; lists of each kind; nulls, wrong
values and errors at any place, which non-null types pass on.

A longer run: CLEW_TEST_EXAMPLES=20000 pytest tests/unit/test_slices_equal_graphql_core.py
"""

from __future__ import annotations

import asyncio
import gc
import random
import re
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLField,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    default_type_resolver,
    execute,
    parse,
    validate,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from graphql.language import FragmentDefinitionNode
from graphql.pyutils import is_awaitable
from graphql.type import is_list_type, is_non_null_type

from clew import slices as slicing
from clew.resolvers import batches as batching
from clew.slices import Slices, SlicingExecutor
from tests.depth import examples, seeds
from tests.unit.running import EndlessTurns, Running

pytestmark = pytest.mark.anyio

EACH = 20


@dataclass(eq=False)
class Case:
    """A schema, an operation, and the seed of all its values."""

    seed: int
    schema: GraphQLSchema
    text: str
    # How often of a hundred a value is an error, or null where that is one.
    faults: int
    most: int
    open: int = 0

    def rng(self, *place: Any) -> random.Random:
        return random.Random(f"{self.seed} {place}")

    # --- values -----------------------------------------------------------------------

    def value(self, type_: Any, place: list[str | int], rng: random.Random, info: Any) -> Any:
        """Return the value of a field or an item, ready."""
        is_required = is_non_null_type(type_)
        if is_required:
            type_ = type_.of_type
        chance = rng.random() * 100
        if chance < self.faults / 2:
            return ValueError(f"bad {place}")
        if chance < self.faults or (not is_required and chance < 15):
            return None
        if is_list_type(type_):
            if chance > 100 - self.faults / 4:
                return 7
            return self.items(type_.of_type, place, rng, info)
        if type_ is GraphQLInt:
            return "x" if chance > 100 - self.faults / 2 else rng.randrange(100)
        if type_ is GraphQLString:
            return f"s{rng.randrange(100)}"
        if isinstance(type_, GraphQLInterfaceType):
            names = [type_.name for type_ in self.schema.get_possible_types(type_)]
            name = rng.choice(names) if chance < 100 - self.faults / 4 else "Nothing"
        else:
            name = type_.name
        return {"__typename": name}

    def items(self, type_: Any, place: list[str | int], rng: random.Random, info: Any) -> Any:
        number = rng.choice((0, 1, 2, 3, rng.randrange(1 + self.most // len(place))))
        fails = rng.random() * 100 < self.faults / 2
        kind = rng.choice(("list", "list", "tuple", "view", "generator", "async generator"))

        def item(index: int) -> Any:
            at = [*place, index]
            is_later = rng.random() < 0.3
            # graphql-core itself drops coroutines in what an error keeps it from reaching.
            is_reached = "generator" in kind or (isinstance(place[-1], str) and not self.is_batched(info))
            return self.later(type_, at, self.rng(at), info, is_later and is_reached)

        if kind == "async generator":
            return self.asynchronous(number, item, fails, place, rng.random() < 0.5)
        if kind == "generator":
            return self.generated(number, item, fails, place)
        found = [item(index) for index in range(number)]
        return found if kind == "list" else tuple(found) if kind == "tuple" else dict(enumerate(found)).values()

    def generated(self, number: int, item: Any, fails: bool, place: Any) -> Iterator[Any]:
        for index in range(number):
            yield item(index)
        if fails:
            raise ValueError(f"ended {place}")

    async def asynchronous(self, number: int, item: Any, fails: bool, place: Any, waits: bool) -> AsyncIterator[Any]:
        self.open += 1
        try:
            for index in range(number):
                if waits:
                    await asyncio.sleep(0)
                yield item(index)
            if fails:
                raise ValueError(f"ended {place}")
        finally:
            self.open -= 1

    def later(self, type_: Any, place: list[str | int], rng: random.Random, info: Any, is_later: bool) -> Any:
        """Return a value, or what it can be awaited from."""
        if not is_later:
            return self.value(type_, place, rng, info)
        return self.awaited(type_, place, rng, info)

    async def awaited(self, type_: Any, place: list[str | int], rng: random.Random, info: Any) -> Any:
        self.open += 1
        try:
            for _ in range(rng.choice((0, 1, 1, 2, 5))):
                await asyncio.sleep(0)
            if rng.random() * 100 < self.faults / 2:
                raise ValueError(f"late {place}")
            return self.value(type_, place, rng, info)
        finally:
            self.open -= 1

    def is_batched(self, info: Any) -> bool:
        return self.rng(info.parent_type.name, info.field_name).random() < 0.2

    # --- resolvers --------------------------------------------------------------------

    def resolve(self, _parent: Any, info: Any) -> Any:
        place = info.path.as_list()
        rng = self.rng(place)
        # Whether a field is batched is the same at all its places.
        if self.is_batched(info):
            if info.context is not None:
                return info.context.batches.gather(info, (info.return_type, place, info), self.answers)
            return self.answer(info.return_type, place, info)
        if rng.random() * 100 < self.faults / 2:
            raise ValueError(f"no {place}")
        return self.later(info.return_type, place, rng, info, rng.random() < 0.4)

    async def answers(self, asked: list[Any]) -> list[Any]:
        await asyncio.sleep(0)
        return [self.value(type_, place, self.rng(place), info) for type_, place, info in asked]

    async def answer(self, type_: Any, place: Any, info: Any) -> Any:
        return self.value(type_, place, self.rng(place), info)

    def runtime_type(self, value: Any, info: Any, abstract: Any) -> Any:
        if self.rng(info.path.as_list(), "type").random() < 0.3:
            return self.type_later(value["__typename"])
        return default_type_resolver(value, info, abstract)

    async def type_later(self, name: str) -> str:
        await asyncio.sleep(0)
        return name


# --- random schemas and operations --------------------------------------------------------


def random_schema(rng: random.Random) -> GraphQLSchema:
    types: list[Any] = []

    def wrapped(inner: Any) -> Any:
        if rng.random() < 0.35:
            inner = GraphQLNonNull(inner)
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            inner = GraphQLList(inner)
            if rng.random() < 0.35:
                inner = GraphQLNonNull(inner)
        return inner

    number = rng.randrange(1, 4)
    shared = {f"f{i}": wrapped(rng.choice((GraphQLInt, GraphQLString))) for i in range(2)}
    node = GraphQLInterfaceType("Node", lambda: {name: GraphQLField(type_) for name, type_ in shared.items()})

    def fields_of(own: int) -> Any:
        def fields() -> dict[str, GraphQLField]:
            found = dict(shared)
            local = random.Random(own)
            for i in range(2, 2 + local.randrange(2, 7)):
                found[f"g{own}_{i}"] = wrapped(rng.choice((GraphQLInt, node, *types, *types)))
            return {name: GraphQLField(type_) for name, type_ in found.items()}

        return fields

    types += [GraphQLObjectType(f"T{index}", fields_of(index), interfaces=[node]) for index in range(number)]
    query = GraphQLObjectType(
        "Query", lambda: {f"q{i}": GraphQLField(wrapped(rng.choice((GraphQLInt, node, *types)))) for i in range(5)}
    )
    mutation = GraphQLObjectType(
        "Mutation", lambda: {f"q{i}": GraphQLField(wrapped(rng.choice((GraphQLInt, node, *types)))) for i in range(3)}
    )
    return GraphQLSchema(query, mutation, types=types)


def inner_type(type_: Any) -> Any:
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    return type_


def random_document(schema: GraphQLSchema, rng: random.Random) -> str:
    fragments: list[str] = []
    names = iter(range(100_000))
    left = rng.choice((20, 60, 200))

    def selection(type_: Any, depth: int) -> str:
        nonlocal left
        parts = ["__typename"] if rng.random() < 0.3 else []
        wide = rng.choice((1, 2, 4, 4, 12))
        fields = list(type_.fields.items())
        for _ in range(wide):
            left -= 1
            name, given = rng.choice(fields)
            inner = inner_type(given.type)
            below = ""
            if hasattr(inner, "fields"):
                if depth <= 0 or left <= 0:
                    continue
                below = selection(inner, depth - 1)
            parts.append(f"a{next(names)}_{name}: {name} {below}")
            if rng.random() < 0.1 and below:
                # The same field once more, to be merged.
                parts.append(f"{parts[-1].split(':')[0]}: {name} {selection(inner, depth - 1)}")
            if rng.random() < 0.1:
                parts.append(f"... {{ a{next(names)}_{name}: {name} {below} }}")
        if isinstance(type_, GraphQLInterfaceType):
            chosen = [possible for possible in schema.get_possible_types(type_) if rng.random() < 0.5]
            parts += [f"... on {possible.name} {selection(possible, depth - 1)}" for possible in chosen]
        if rng.random() < 0.15:
            fragment = f"F{next(names)}"
            fragments.append(f"fragment {fragment} on {type_.name} {selection(type_, depth - 1)}")
            parts.append(f"...{fragment}")
        return "{ " + (" ".join(parts) or "__typename") + " }"

    is_mutation = rng.random() < 0.15
    root = schema.mutation_type if is_mutation else schema.query_type
    body = selection(root, rng.choice((1, 2, 3, 5)))
    return ("mutation M " if is_mutation else "query Q ") + body + " " + " ".join(fragments)


def random_cases(seed: int) -> list[Case]:
    schema = random_schema(random.Random(f"schema {seed}"))
    return [random_case(schema, seed * EACH + number) for number in range(EACH)]


def random_case(schema: GraphQLSchema, seed: int) -> Case:
    rng = random.Random(f"case {seed}")
    for _ in range(50):
        text = random_document(schema, rng)
        if not validate(schema, parse(text)):
            break
    return Case(seed, schema, text, rng.choice((0, 0, 1, 3, 10, 40)), rng.choice((3, 5, 8, 30)))


# --- both executors -----------------------------------------------------------------------


async def expected(case: Case, text: str) -> ExecutionResult:
    found: Any = execute(
        case.schema, parse(text), field_resolver=case.resolve, type_resolver=case.runtime_type, context_value=None
    )
    result: ExecutionResult = await found if is_awaitable(found) else found
    return result


def every(case: Case) -> str:
    """Return the operation with errors that stay where they are, so that all of them are found."""
    return re.sub(" (Q|M) ", r" \1 @experimental_disableErrorPropagation ", case.text, count=1)


async def in_slices(case: Case, slices: Slices) -> ExecutionResult:
    document = parse(case.text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    running = Running(slices)
    executor = SlicingExecutor(
        case.schema,
        fragments,
        {name: FragmentDetails(node) for name, node in fragments.items()},
        None,
        running,
        operation,
        VariableValues({}, {}),
        case.resolve,
        case.runtime_type,
        case.resolve,
    )
    result: Any = None
    try:
        result = executor.execute_operation()
        if is_awaitable(result):
            result = await result
    finally:
        # As `RunningOperation` does it.
        is_failed = not isinstance(result, ExecutionResult) or bool(result.errors)
        try:
            await running.batches.close()
        finally:
            await executor.close(slices, failed=is_failed)
            running.large.end()
    assert isinstance(result, ExecutionResult)
    return result


def patched(monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> Slices:
    """Make limits small, so that all paths are used. Return the slices."""
    for module, name, few in (
        (slicing, "_FEW_FIELDS", (0, 1, 5, 20)),
        (slicing, "_FIELDS", (1, 3, 10)),
        (slicing, "_FEW_VALUES", (1, 3)),
        (slicing, "_FEW_MADE", (1, 5)),
        (slicing, "_SLICE", (0.0, 0.00005)),
        (batching, "_FEW", (1, 4)),
        (batching, "_PORTION", (1, 3)),
        (batching, "_PASSED_OVER", (1, 3)),
    ):
        monkeypatch.setattr(module, name, rng.choice((*few, getattr(module, name))))
    return rng.choice((Slices, EndlessTurns))()


class Faults:
    """What goes wrong where nobody sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.found.append(repr(context)))
        monkeypatch.setattr(sys, "unraisablehook", lambda told: self.found.append(repr(told)))
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: self.found.append(str(message)))

    def check(self) -> None:
        gc.collect()
        assert not self.found, self.found


def plain(result: ExecutionResult) -> tuple[Any, list[tuple[tuple[str | int, ...], str]]]:
    """Return the data and errors without what they hold."""
    return result.data, [(tuple(error.path or ()), error.message) for error in result.errors or ()]


def null_at(data: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the place of the null that an error left."""
    for index, key in enumerate(path):
        if data is None:
            return path[:index]
        data = data[key]
    assert data is None
    return path


def keys(data: Any) -> Any:
    if isinstance(data, dict):
        return [(key, keys(value)) for key, value in data.items()]
    return [keys(item) for item in data] if isinstance(data, list) else data


async def settled(before: set[Any]) -> None:
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    assert not left, left


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("seed", seeds(examples(60), EACH))
async def test_answers_are_those_of_graphql_core(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, faults, before = random_cases(seed), Faults(monkeypatch), asyncio.all_tasks()
    answers = [(plain(await expected(case, case.text)), plain(await expected(case, every(case)))) for case in cases]
    while asyncio.all_tasks() != before:
        await asyncio.sleep(0)
    # graphql-core leaves coroutines behind that nobody awaits.
    gc.collect()
    faults.found.clear()
    for case, ((data, errors), (_, possible)) in zip(cases, answers, strict=True):
        case.open = 0
        with monkeypatch.context() as patch:
            slices = patched(patch, random.Random(case.seed))
            found, told = plain(await asyncio.wait_for(in_slices(case, slices), 20))
        assert found == data, case
        assert keys(found) == keys(data), case
        assert len(set(told)) == len(told), case
        # What stands below a list that fails itself may be tried or not.
        failing = {path for path, _ in possible}
        for path, message in told:
            assert (path, message) in possible or any(path[:length] in failing for length in range(len(path))), case
        assert {null_at(data, path) for path, _ in told} == {null_at(data, path) for path, _ in errors}, case
        await settled(before)
        assert case.open == 0, case
    faults.check()


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("seed", seeds(examples(60), EACH))
async def test_an_operation_that_is_cancelled_leaves_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, before = Faults(monkeypatch), asyncio.all_tasks()
    for case in random_cases(seed):
        rng = random.Random(case.seed)
        with monkeypatch.context() as patch:
            slices = patched(patch, rng)
            task = asyncio.create_task(in_slices(case, slices))
            for _ in range(rng.choice((0, 1, 2, 3, 5, 8, 13, rng.randrange(100)))):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=20)
            assert task.cancelled() or not task.exception(), case
        await settled(before)
        assert case.open == 0, case
        del task
    faults.check()
