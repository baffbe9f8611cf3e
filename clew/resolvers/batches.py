"""Batches: calls on one level that Clew answers together. They read entities by key or call `batched` resolvers.

graphql-core calls a field's resolver once for each object that has the field. If the field is an entity, its calls on
one level form a batch. A batch waits until every resolver has returned its keys, quick or slow. Then it reads all the
rows in one statement and answers all the calls. The calls of a `batched` resolver form a batch too: one call of the
user's function answers them.

Calls on one level begin almost together. The answers of earlier batches and of async resolvers above reach them over a
few turns of the event loop. So a batch runs when nothing above it is under way and no call has come for as many turns
as such an answer can take.

A batch may be large. So its keys are read and its calls are answered in slices; see `clew.slices`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from graphql import GraphQLList, GraphQLNonNull, GraphQLOutputType, GraphQLResolveInfo
from graphql.pyutils import Path, is_awaitable

from clew.model.types import Entity
from clew.schema.build import Row
from clew.slices import Slices, look
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

_Result = TypeVar("_Result")

# The number of calls, or of keys, that are handled without a pause.
_FEW = 200
# Of more calls, the number that end in one turn of the event loop. Each wakes a task, and the next turn runs them all.
_PORTION = 50
# Of those that have ended or been cancelled already, the number that are passed over in one turn.
_PASSED_OVER = 2000


def place_of(path: Path | None) -> Place:
    """Return the place of the field at `path`. None: the root."""
    steps: list[tuple[str | int, str | None]] = []
    step = path
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

    def __init__(self, read: ReadRows, slices: Slices) -> None:
        self._read = read
        self._slices = slices
        self._levels: dict[Place, _Level] = {}
        # One place may have both: a `batched` resolver that returns keys, and the rows of these keys.
        self._gathered: dict[Place, _Batch] = {}
        # In the order in which they began.
        self._futures: dict[asyncio.Future[Any], None] = {}
        # Those to cancel, and those that are cancelled but have not ended.
        self._given_up: deque[asyncio.Future[Any]] = deque()
        self._is_cancelling = False
        self._cancelled: set[asyncio.Future[Any]] = set()
        # Set once the operation ends: it is done when none is left.
        self._left: asyncio.Future[None] | None = None
        self._once: dict[Place, asyncio.Future[Any]] = {}

    def resolve(self, entity: Entity, info: Info, outcome: Any) -> Any:
        """Answer one call of a field that is an entity or a list of entities.

        Args:
            outcome: the keys that the user's resolver returned, or an awaitable of them.

        Raises:
            TypeError: the resolver returned a value that is not a key.
        """
        if not is_awaitable(outcome):
            reading = _keys(outcome, entity, info)
            is_read, keys = _advance(reading)
            if not is_read:
                batch = self._batch(entity, info)
                return self._expect(batch, None, self._answer(batch), self._rest(reading))
            if not _any(keys):
                return keys
            batch = self._batch(entity, info)
            return self._wait(batch, keys, self._answer(batch))
        batch = self._batch(entity, info)
        return self._expect(batch, entity, self._answer(batch), outcome)

    def gather(self, info: Info, parent: Any, answer_all: AnswerAll) -> asyncio.Future[Any]:
        """Answer one call of a `batched` resolver, for its parent. The first call's function answers all calls."""
        place = place_of(info.path)
        batch = self._gathered.get(place)
        if batch is None:
            batch = self._gathered[place] = _Batch(place=place, info=info, answer_all=answer_all)
        return self._wait(batch, parent, self._own(asyncio.get_running_loop().create_future()))

    def track(self, path: Path | None, outcome: Awaitable[Any]) -> Awaitable[Any]:
        """Make the batches below this place wait for its outcome. It runs from now on."""
        place = place_of(path)
        level = self._levels.setdefault(place, _Level(place=place))
        level.open += 1
        running = self._own(outcome)
        running.add_done_callback(partial(self._answered, level))
        return running

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """Begin what may be awaited later, or not at all if an error removes it from the response."""
        running = self._own(work)
        running.add_done_callback(look)
        return running

    async def once(self, info: Info, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do once what is the same for all calls of a field on one level. All wait for the first call."""
        place = place_of(info.path)
        if place not in self._once:
            self._once[place] = self._own(work())
            self._once[place].add_done_callback(look)
        # A cancelled call must not cancel the others.
        await asyncio.shield(self._once[place])

    def owns(self, future: asyncio.Future[Any]) -> bool:
        """Return whether a future that has not ended is one of these batches."""
        return future in self._futures

    def give_up(self, futures: Iterable[asyncio.Future[Any]]) -> None:
        """Cancel these, a few in each turn of the event loop.

        This does not wait for the turn of the operation: its own lists, which wait too, would go on before.
        """
        self._given_up.extend(futures)
        if not self._is_cancelling and self._given_up:
            self._is_cancelling = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._cancel_some()
        self._is_cancelling = bool(self._given_up)
        if self._is_cancelling:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _cancel_some(self) -> None:
        number = 0
        for _ in range(min(len(self._given_up), _PASSED_OVER)):
            future = self._given_up.popleft()
            # A second time would disturb what it does at its end.
            if not future.done() and future not in self._cancelled:
                self._cancelled.add(future)
                future.cancel()
                number += 1
                if number == _PORTION:
                    break

    async def close(self) -> None:
        """Stop the running tasks. Cancel the calls that still wait: an error has removed their part of the response."""
        for batch in (*self._levels.values(), *self._gathered.values()):
            if isinstance(batch, _Batch):
                batch.waiting = []
        try:
            if self._futures:
                self._left = asyncio.get_running_loop().create_future()
                self.give_up(self._futures)
                # What has not begun must not begin now.
                self._cancel_some()
                await self._left
        except asyncio.CancelledError:
            # Nobody waits for the end of the rest. But all are cancelled before the operation ends.
            while self._given_up:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
            raise
        finally:
            self._forget()

    def _forget(self) -> None:
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

    def _expect(
        self, batch: _Batch, entity: Entity | None, answer: asyncio.Future[Any], outcome: Awaitable[Any]
    ) -> asyncio.Future[Any]:
        """Make a call wait for its keys. The outcome is a resolver's value; without `entity`, it is keys already."""
        batch.resolving += 1
        resolving = self._own(outcome)
        resolving.add_done_callback(partial(self._returned, batch, entity, answer))
        answer.add_done_callback(lambda _: resolving.cancel())
        return answer

    def _returned(
        self, batch: _Batch, entity: Entity | None, answer: asyncio.Future[Any], resolving: asyncio.Future[Any]
    ) -> None:
        """Note that an async resolver has ended."""
        batch.resolving -= 1
        if resolving.cancelled():
            answer.cancel()
        elif (fault := resolving.exception()) is not None:
            _fail(answer, fault)
        elif not answer.done():
            self._read_keys(batch, entity, answer, resolving.result())
        self._plan(batch)

    def _read_keys(self, batch: _Batch, entity: Entity | None, answer: asyncio.Future[Any], keys: Any) -> None:
        if entity is not None:
            reading = _keys(keys, entity, batch.info)
            try:
                is_read, keys = _advance(reading)
            except TypeError as error:
                _fail(answer, error)
                return
            if not is_read:
                self._expect(batch, None, answer, self._rest(reading))
                return
        batch.waiting.append((keys, answer))

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
        levels = (self._levels.get(place[:length]) for length in range(len(place)))
        return any(level is not None and level.open for level in levels)

    async def _run(self, batch: _Batch, waiting: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        answers: Sequence[Any]
        try:
            answers = list(await batch.answer_all([asked for asked, _ in waiting]))
        except Exception as error:
            answers = [error] * len(waiting)
        for number, ((_, answer), found) in enumerate(zip(waiting, answers, strict=True), 1):
            if isinstance(found, Exception):
                _fail(answer, found)
            elif not answer.done():
                answer.set_result(found)
            if len(waiting) > _FEW and number % _PORTION == 0:
                await self._pause()

    async def _read_rows(self, entity: Entity, place: Place, info: Info, asked: list[Keys]) -> list[Any]:
        numbers: dict[Key, int] = {}
        numbered = await self._whole(_mapped(asked, lambda key: numbers.setdefault(key, len(numbers))))
        rows = await self._read(entity, place, info, list(numbers)) if numbers else ()
        return await self._whole(_mapped(numbered, rows.__getitem__))

    # --- slices -----------------------------------------------------------------------

    async def _pause(self) -> None:
        """Let the tasks run that have just been woken. If they took long, wait for the turn of this operation."""
        await asyncio.sleep(0)
        await self._slices.turn()

    async def _whole(self, work: Generator[None, None, _Result]) -> _Result:
        is_done, found = _advance(work)
        return await self._rest(work) if not is_done else cast("_Result", found)

    async def _rest(self, work: Generator[None, None, _Result]) -> _Result:
        while True:
            await self._slices.turn()
            is_done, found = _advance(work)
            if is_done:
                return cast("_Result", found)

    def _own(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        """Return a future that ends with the operation at the latest. Make a task for it where it needs one."""
        future = asyncio.ensure_future(work)
        self._futures[future] = None
        future.add_done_callback(self._ended)
        if self._left is not None:
            self.give_up((future,))
        return future

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._futures.pop(future, None)
        self._cancelled.discard(future)
        if self._left is not None and not self._futures and not self._left.done():
            self._left.set_result(None)


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
        look(answer)


def _advance(work: Generator[None, None, _Result]) -> tuple[bool, _Result | None]:
    """Do a part of some work. Return whether it is done, and its result."""
    try:
        for _ in range(_FEW):
            next(work)
    except StopIteration as end:
        return True, end.value
    return False, None


def _keys(value: Any, entity: Entity, info: Info) -> Generator[None, None, Keys]:
    """Return the resolver's value with each key in it read. Pause after each key of a list."""
    return _read(value, info.return_type, entity, key_reader(entity, info.schema))


def _read(
    value: Any, type_: GraphQLOutputType, entity: Entity, read: Callable[[Any], Key]
) -> Generator[None, None, Keys]:
    if value is None:
        return None
    while isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if not isinstance(type_, GraphQLList):
        return read(value)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"{value!r} is not a list of keys of {entity.name}")
    keys: list[Keys] = []
    # A copy: the list may be the application's own, which may change it in a pause.
    for item in list(value):
        keys.append((yield from _read(item, type_.of_type, entity, read)))
        yield
    return keys


def _mapped(keys: list[Keys], to: Callable[[Any], Any]) -> Generator[None, None, list[Any]]:
    """Replace each key in a list, at any depth, by what `to` returns for it. Pause after each."""
    found: list[Any] = []
    for item in keys:
        if isinstance(item, list):
            found.append((yield from _mapped(item, to)))
        else:
            found.append(None if item is None else to(item))
        yield
    return found


def _flat(keys: Keys) -> Iterable[Key]:
    if isinstance(keys, list):
        for item in keys:
            yield from _flat(item)
    elif keys is not None:
        yield keys


def _any(keys: Keys) -> bool:
    return next(iter(_flat(keys)), None) is not None
