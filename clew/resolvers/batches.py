"""The rows of entities that the user's own code names by key, read together.

graphql-core calls a field's resolver once for each object that the field stands on. Where such a
field is an entity, its calls on one level are a batch, and a batch is one statement: it waits until
every resolver has returned its keys, the quick and the slow, reads all the rows, and answers.

Calls on one level begin together, or nearly so: what an earlier batch has answered, and what async
resolvers above have returned, reaches them over a few turns of the event loop. So a batch runs when
nothing above it is under way, and nothing more has come for as many turns as that can take.
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
from clew.sql.keys import Key, returned_key

Info = GraphQLResolveInfo[Any]
# Where a field stands: response keys and the types they are on, from the root; indexes of lists left out.
Place = tuple[tuple[str | int, str | None], ...]
# Gives the rows of some keys in their order, None for one that the viewer does not see.
ReadRows = Callable[[Entity, Place, Info, Sequence[Key]], Awaitable[Sequence[Row | None]]]
# A key, None, or a list of such, as deep as the field's type.
Keys = Any


def place_of(path: Path) -> Place:
    """The place of the field at `path`."""
    steps: list[tuple[str | int, str | None]] = []
    step: Path | None = path
    while step is not None:
        if step.typename is not None:
            steps.append((step.key, step.typename))
        step = step.prev
    return tuple(reversed(steps))


@dataclass(eq=False, slots=True, kw_only=True)
class _Level:
    """One place. `open` counts the calls there that have not been answered."""

    place: Place
    open: int = 0


@dataclass(eq=False, slots=True, kw_only=True)
class _Batch(_Level):
    """One place whose field is an entity.

    `resolving` counts the resolvers that have not returned; `waiting` are the others' keys and
    answers; `turns` are those of the event loop to let pass, None while nothing is planned.
    """

    entity: Entity
    info: Info
    resolving: int = 0
    waiting: list[tuple[Keys, asyncio.Future[Any]]] = field(default_factory=list)
    turns: int | None = None


class Batches:
    """Those of one operation; `close` it at the end."""

    def __init__(self, read: ReadRows) -> None:
        self._read = read
        self._levels: dict[Place, _Level] = {}
        self._futures: set[asyncio.Future[Any]] = set()
        self._once: dict[Place, asyncio.Future[Any]] = {}

    def resolve(self, entity: Entity, info: Info, outcome: Any) -> Any:
        """The answer to one call of a field that is an entity, or a list of one.

        Args:
            outcome: what the user's resolver returned, or an awaitable of it: keys.

        Raises:
            TypeError: what it returned is no key.
        """
        if not is_awaitable(outcome):
            keys = _keys(outcome, info.return_type, entity, info)
            return self._wait(self._batch(entity, info), keys) if _any(keys) else keys
        batch = self._batch(entity, info)
        batch.resolving += 1
        answer = self._answer(batch)
        resolving = self._own(outcome)
        resolving.add_done_callback(partial(self._returned, batch, answer))
        answer.add_done_callback(lambda _: resolving.cancel())
        return answer

    def track(self, info: Info, outcome: Awaitable[Any]) -> Awaitable[Any]:
        """Let batches below this field wait for it: it runs from now on."""
        place = place_of(info.path)
        level = self._levels.setdefault(place, _Level(place=place))
        level.open += 1
        running = self._own(outcome)
        running.add_done_callback(partial(self._answered, level))
        return running

    async def once(self, info: Info, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do what is the same for all calls of a field on one level; all wait for the first."""
        place = place_of(info.path)
        if place not in self._once:
            self._once[place] = self._own(work())
            self._once[place].add_done_callback(_look)
        # Who is cancelled must not cancel the others.
        await asyncio.shield(self._once[place])

    async def close(self) -> None:
        """Stop what still runs; who still waits, in a part that an error has taken away, is cancelled."""
        futures = tuple(self._futures)
        for future in futures:
            future.cancel()
        if futures:
            await asyncio.wait(futures)

    # --- one batch --------------------------------------------------------------------

    def _batch(self, entity: Entity, info: Info) -> _Batch:
        place = place_of(info.path)
        batch = self._levels.get(place)
        if batch is None:
            batch = self._levels[place] = _Batch(place=place, entity=entity, info=info)
        assert isinstance(batch, _Batch)
        return batch

    def _wait(self, batch: _Batch, keys: Keys) -> asyncio.Future[Any]:
        answer = self._answer(batch)
        batch.waiting.append((keys, answer))
        self._plan(batch)
        return answer

    def _answer(self, batch: _Batch) -> asyncio.Future[Any]:
        """What one call will get."""
        answer = self._own(asyncio.get_running_loop().create_future())
        batch.open += 1
        answer.add_done_callback(partial(self._answered, batch))
        return answer

    def _returned(self, batch: _Batch, answer: asyncio.Future[Any], resolving: asyncio.Future[Any]) -> None:
        """An async resolver has come to its end."""
        batch.resolving -= 1
        if resolving.cancelled():
            answer.cancel()
        elif (fault := resolving.exception()) is not None:
            _fail(answer, fault)
        elif not answer.done():
            try:
                keys = _keys(resolving.result(), batch.info.return_type, batch.entity, batch.info)
            except TypeError as error:
                _fail(answer, error)
            else:
                batch.waiting.append((keys, answer))
        self._plan(batch)

    def _answered(self, level: _Level, _answer: asyncio.Future[Any]) -> None:
        level.open -= 1
        if level.open == 0:
            for below in self._levels.values():
                if isinstance(below, _Batch) and below.waiting and below.place[: len(level.place)] == level.place:
                    self._plan(below)

    def _plan(self, batch: _Batch) -> None:
        """Run the batch after some turns of the event loop, counted from now."""
        if batch.turns is None:
            asyncio.get_running_loop().call_soon(self._turn, batch)
        # Each object and each list on the way may hand on its part in a task of its own.
        batch.turns = len(batch.info.path.as_list()) + 1

    def _turn(self, batch: _Batch) -> None:
        assert batch.turns is not None
        batch.turns -= 1
        if batch.turns:
            asyncio.get_running_loop().call_soon(self._turn, batch)
            return
        batch.turns = None
        # Whatever it waits for plans it again.
        if batch.waiting and not batch.resolving and not self._is_busy_above(batch.place):
            waiting, batch.waiting = batch.waiting, []
            self._own(self._run(batch, waiting))

    def _is_busy_above(self, place: Place) -> bool:
        levels = (self._levels.get(place[:length]) for length in range(1, len(place)))
        return any(level is not None and level.open for level in levels)

    async def _run(self, batch: _Batch, waiting: list[tuple[Keys, asyncio.Future[Any]]]) -> None:
        numbers: dict[Key, int] = {}
        for keys, _ in waiting:
            for key in _flat(keys):
                numbers.setdefault(key, len(numbers))
        try:
            rows = await self._read(batch.entity, batch.place, batch.info, list(numbers)) if numbers else ()
        except Exception as error:
            for _, answer in waiting:
                _fail(answer, error)
            return
        for keys, answer in waiting:
            if not answer.done():
                answer.set_result(_rows(keys, numbers, rows))

    def _own(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        """A future, of a task if need be, that ends with the operation if not before."""
        future = asyncio.ensure_future(work)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future


def _look(done: asyncio.Future[Any]) -> None:
    """Nobody may be there to look at a fault: the executor gives up a level as a whole."""
    if not done.cancelled():
        done.exception()


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
        _look(answer)


def _keys(value: Any, type_: GraphQLOutputType, entity: Entity, info: Info) -> Keys:
    """What a resolver returned, each key in it read."""
    if value is None:
        return None
    while isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if not isinstance(type_, GraphQLList):
        return returned_key(value, entity, info.schema)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"{value!r} is not a list of keys of {entity.name}")
    return [_keys(item, type_.of_type, entity, info) for item in value]


def _flat(keys: Keys) -> Iterable[Key]:
    if isinstance(keys, list):
        for item in keys:
            yield from _flat(item)
    elif keys is not None:
        yield keys


def _any(keys: Keys) -> bool:
    return next(iter(_flat(keys)), None) is not None


def _rows(keys: Keys, numbers: Mapping[Key, int], rows: Sequence[Row | None]) -> Any:
    """The rows in place of their keys."""
    if isinstance(keys, list):
        return [_rows(item, numbers, rows) for item in keys]
    return None if keys is None else rows[numbers[keys]]
