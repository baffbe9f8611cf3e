"""Batches: calls on one level that Clew answers together. They read entities by key or call `batched` resolvers.

graphql-core calls a field's resolver once for each object that has the field. If the field is an entity, its calls on
one level form a batch. A batch waits until every resolver has returned its keys, quick or slow. Then it reads all the
rows in one statement and answers all the calls. The calls of a `batched` resolver form a batch too: one call of the
user's function answers them.

Calls on one level begin almost together. The answers of earlier batches and of async resolvers above reach them over a
few turns of the event loop. So a batch runs when nothing above it is under way and no call has come for as many turns
as such an answer can take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLOutputType, GraphQLResolveInfo
from graphql.pyutils import Path, is_awaitable

from clew.model.types import Entity
from clew.schema.build import Row
from clew.sql.keys import Key, key_reader

Info = GraphQLResolveInfo[Any]
# The place of a field: the response keys and their types, from the root. It leaves out the indexes of lists.
Place = tuple[tuple[str | int, str | None], ...]
# Returns the rows of some keys in the order of the keys. A row that the viewer does not see is None.
ReadRows = Callable[[Entity, Place, Info, Sequence[Key]], Awaitable[Sequence[Row | None]]]
# A key, None, or a list of these, as deep as the field's type.
Keys = Any
# Returns the answers to the calls, in their order. An exception among them is the answer to one call.
AnswerAll = Callable[[list[Any]], Awaitable[Sequence[Any]]]


def place_of(path: Path) -> Place:
    """Return the place of the field at `path`."""
    steps: list[tuple[str | int, str | None]] = []
    step: Path | None = path
    while step is not None:
        if step.typename is not None:
            steps.append((step.key, step.typename))
        step = step.prev
    return tuple(reversed(steps))


@dataclass(eq=False, slots=True, kw_only=True)
class _Level:
    """One place. `open` counts its unanswered calls."""

    place: Place
    open: int = 0


@dataclass(eq=False, slots=True, kw_only=True)
class _Batch(_Level):
    """One place whose calls Clew answers together.

    `resolving` counts the resolvers that have not returned. `waiting` holds the requests of the others, with their
    answers. `turns` is the number of turns of the event loop to let pass, or None while no run is planned.
    """

    info: Info
    answer_all: AnswerAll
    resolving: int = 0
    waiting: list[tuple[Any, asyncio.Future[Any]]] = field(default_factory=list)
    turns: int | None = None


class Batches:
    """The batches of one operation. Close them at its end."""

    def __init__(self, read: ReadRows) -> None:
        self._read = read
        self._levels: dict[Place, _Level] = {}
        # One place may have both: a `batched` resolver that returns keys, and the rows of these keys.
        self._gathered: dict[Place, _Batch] = {}
        self._futures: set[asyncio.Future[Any]] = set()
        self._once: dict[Place, asyncio.Future[Any]] = {}

    def resolve(self, entity: Entity, info: Info, outcome: Any) -> Any:
        """Answer one call of a field that is an entity or a list of entities.

        Args:
            outcome: the keys that the user's resolver returned, or an awaitable of them.

        Raises:
            TypeError: the resolver returned a value that is not a key.
        """
        if not is_awaitable(outcome):
            keys = _keys(outcome, info.return_type, entity, info)
            if not _any(keys):
                return keys
            batch = self._batch(entity, info)
            return self._wait(batch, keys, self._answer(batch))
        batch = self._batch(entity, info)
        batch.resolving += 1
        answer = self._answer(batch)
        resolving = self._own(outcome)
        resolving.add_done_callback(partial(self._returned, batch, entity, answer))
        answer.add_done_callback(lambda _: resolving.cancel())
        return answer

    def gather(self, info: Info, parent: Any, answer_all: AnswerAll) -> asyncio.Future[Any]:
        """Answer one call of a `batched` resolver, for its parent. The first call's function answers all calls."""
        place = place_of(info.path)
        batch = self._gathered.get(place)
        if batch is None:
            batch = self._gathered[place] = _Batch(place=place, info=info, answer_all=answer_all)
        return self._wait(batch, parent, self._own(asyncio.get_running_loop().create_future()))

    def track(self, info: Info, outcome: Awaitable[Any]) -> Awaitable[Any]:
        """Make the batches below this field wait for it. It runs from now on."""
        place = place_of(info.path)
        level = self._levels.setdefault(place, _Level(place=place))
        level.open += 1
        running = self._own(outcome)
        running.add_done_callback(partial(self._answered, level))
        return running

    async def once(self, info: Info, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do once what is the same for all calls of a field on one level. All wait for the first call."""
        place = place_of(info.path)
        if place not in self._once:
            self._once[place] = self._own(work())
            self._once[place].add_done_callback(_look)
        # A cancelled call must not cancel the others.
        await asyncio.shield(self._once[place])

    async def close(self) -> None:
        """Stop the running tasks. Cancel the calls that still wait: an error has removed their part of the response."""
        futures = tuple(self._futures)
        for future in futures:
            future.cancel()
        if futures:
            await asyncio.wait(futures)
        # They refer to this and, by their `info`, to all rows, which would stay until the next garbage collection.
        self._levels.clear()
        self._gathered.clear()

    # --- one batch --------------------------------------------------------------------

    def _batch(self, entity: Entity, info: Info) -> _Batch:
        place = place_of(info.path)
        batch = self._levels.get(place)
        if batch is None:
            rows = partial(self._read_rows, entity, place, info)
            batch = self._levels[place] = _Batch(place=place, info=info, answer_all=rows)
        assert isinstance(batch, _Batch)
        return batch

    def _wait(self, batch: _Batch, asked: Any, answer: asyncio.Future[Any]) -> asyncio.Future[Any]:
        batch.waiting.append((asked, answer))
        self._plan(batch)
        return answer

    def _answer(self, batch: _Batch) -> asyncio.Future[Any]:
        """Return the future answer of one call."""
        answer = self._own(asyncio.get_running_loop().create_future())
        batch.open += 1
        answer.add_done_callback(partial(self._answered, batch))
        return answer

    def _returned(
        self, batch: _Batch, entity: Entity, answer: asyncio.Future[Any], resolving: asyncio.Future[Any]
    ) -> None:
        """Note that an async resolver has ended."""
        batch.resolving -= 1
        if resolving.cancelled():
            answer.cancel()
        elif (fault := resolving.exception()) is not None:
            _fail(answer, fault)
        elif not answer.done():
            try:
                keys = _keys(resolving.result(), batch.info.return_type, entity, batch.info)
            except TypeError as error:
                _fail(answer, error)
            else:
                batch.waiting.append((keys, answer))
        self._plan(batch)

    def _answered(self, level: _Level, _answer: asyncio.Future[Any]) -> None:
        level.open -= 1
        if level.open == 0:
            for below in (*self._levels.values(), *self._gathered.values()):
                if isinstance(below, _Batch) and below.waiting and below.place[: len(level.place)] == level.place:
                    self._plan(below)

    def _plan(self, batch: _Batch) -> None:
        """Run the batch after some turns of the event loop, counted from now."""
        if batch.turns is None:
            asyncio.get_running_loop().call_soon(self._turn, batch)
        # Each object and each list on the way may pass on its part in a separate task.
        batch.turns = len(batch.info.path.as_list()) + 1

    def _turn(self, batch: _Batch) -> None:
        assert batch.turns is not None
        batch.turns -= 1
        if batch.turns:
            asyncio.get_running_loop().call_soon(self._turn, batch)
            return
        batch.turns = None
        # Whatever the batch waits for will plan it again.
        if batch.waiting and not batch.resolving and not self._is_busy_above(batch.place):
            waiting, batch.waiting = batch.waiting, []
            self._own(self._run(batch, waiting))

    def _is_busy_above(self, place: Place) -> bool:
        levels = (self._levels.get(place[:length]) for length in range(1, len(place)))
        return any(level is not None and level.open for level in levels)

    async def _run(self, batch: _Batch, waiting: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        try:
            answers = await batch.answer_all([asked for asked, _ in waiting])
        except Exception as error:
            for _, answer in waiting:
                _fail(answer, error)
            return
        for (_, answer), found in zip(waiting, answers, strict=True):
            if isinstance(found, Exception):
                _fail(answer, found)
            elif not answer.done():
                answer.set_result(found)

    async def _read_rows(self, entity: Entity, place: Place, info: Info, asked: list[Keys]) -> list[Any]:
        numbers: dict[Key, int] = {}
        for keys in asked:
            for key in _flat(keys):
                numbers.setdefault(key, len(numbers))
        rows = await self._read(entity, place, info, list(numbers)) if numbers else ()
        return [_rows(keys, numbers, rows) for keys in asked]

    def _own(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        """Return a future that ends with the operation at the latest. Make a task for it where it needs one."""
        future = asyncio.ensure_future(work)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future


def _look(done: asyncio.Future[Any]) -> None:
    """Retrieve the exception. Otherwise nobody may: the executor gives up a level as a whole."""
    if not done.cancelled():
        done.exception()


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
        _look(answer)


def _keys(value: Any, type_: GraphQLOutputType, entity: Entity, info: Info) -> Keys:
    """Return the resolver's value with each key in it read."""
    return _read(value, type_, entity, key_reader(entity, info.schema))


def _read(value: Any, type_: GraphQLOutputType, entity: Entity, read: Callable[[Any], Key]) -> Keys:
    if value is None:
        return None
    while isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if not isinstance(type_, GraphQLList):
        return read(value)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"{value!r} is not a list of keys of {entity.name}")
    return [_read(item, type_.of_type, entity, read) for item in value]


def _flat(keys: Keys) -> Iterable[Key]:
    if isinstance(keys, list):
        for item in keys:
            yield from _flat(item)
    elif keys is not None:
        yield keys


def _any(keys: Keys) -> bool:
    return next(iter(_flat(keys)), None) is not None


def _rows(keys: Keys, numbers: Mapping[Key, int], rows: Sequence[Row | None]) -> Any:
    """Replace the keys by their rows."""
    if isinstance(keys, list):
        return [_rows(item, numbers, rows) for item in keys]
    return None if keys is None else rows[numbers[keys]]
