"""Complete large results in slices, so that the event loop gets a turn between them.

graphql-core completes a list or an object without a pause, however large it is. So it gets a long list as an
asynchronous iterable, which waits between items when the time of a slice is over. Once a slice is over, short lists
are also passed this way, and graphql-core pauses before the next field of an object: a result may be large because it
is deep. Each turn of the loop continues only one list or object, of all those of all operations. The one that has
waited longest comes first.

graphql-core awaits the parts of a value together, however many there are. A cancellation would reach all of them, and
everything below them, in one go. So in a large operation each part has a task of its own, which `Batches` cancels in
its turn.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial
from types import CoroutineType
from typing import Any, TypeGuard

from graphql import GraphQLList, GraphQLObjectType, GraphQLOutputType, GraphQLResolveInfo
from graphql.execution import Executor
from graphql.pyutils import Path, Undefined, is_iterable

# In seconds: the length of a slice.
_SLICE = 0.005
# The number of fields, over all items of a list, that are completed without a pause. They take some milliseconds.
_FEW_FIELDS = 200
# The number of fields of one object that begin without a pause. An object in it may pause before its own.
_FIELDS = 50
# The number of values that are put into their places without a pause.
_FEW_VALUES = 1000
# The number of coroutines that are closed without a pause.
_FEW_MADE = 500


class Slices:
    """The order of turns among all lists that are completed in slices on one event loop."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def is_over(self) -> bool:
        """Return whether the last slice is over."""
        return time.perf_counter() >= self._ends

    async def turn(self) -> None:
        """Return at once while the slice lasts. After it, wait until all earlier waiters have had their turns."""
        if not self.is_over():
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._next)
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        """Let the next waiter go on, and come again after a turn of the loop."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._ends = time.perf_counter() + _SLICE
                turn.set_result(None)
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)


class SlicedList:
    """The items of a list, one after another.

    Args:
        begin: called when the first item is asked for, with a future that is done once no more items will be asked
            for. It may stay pending for ever, if nobody reads the list to its end.
    """

    def __init__(
        self, items: Sequence[Any], slices: Slices, begin: Callable[[asyncio.Future[None]], Any] | None = None
    ) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A copy: the list may be the application's own, which may change it in a pause.
        self.rest = iter(list(items))
        self._slices = slices
        self._begin = begin

    def __aiter__(self) -> SlicedList:
        return self

    async def __anext__(self) -> Any:
        if self._begin is not None:
            self._begin(self.ended)
            self._begin = None
        try:
            await self._slices.turn()
        except BaseException:
            self._end()
            raise
        for item in self.rest:
            return item
        self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Drop the rest of the items."""
        self.rest = iter(())
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Parts:
    """The parts of a list or an object that are completed in tasks of their own.

    Args:
        running: the operation.
        results: the list or dict to put the completed parts into.
    """

    def __init__(self, running: Any, results: Any) -> None:
        self._batches = running.batches
        self._slices: Slices = running.slices
        self._results = results
        self._tasks: dict[Any, asyncio.Future[Any]] = {}
        self._left = 0
        # The first task that failed, or was cancelled.
        self._failed: asyncio.Future[Any] | None = None
        self._settled: asyncio.Future[None] | None = None

    def begin(self, key: Any, work: Awaitable[Any]) -> None:
        """Begin to complete the part at this index or key."""
        self._tasks[key] = task = self._batches.begin(work)
        self._left += 1
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._left -= 1
        if self._failed is None and (task.cancelled() or task.exception() is not None):
            self._failed = task
        if self._settled is not None and not self._settled.done() and (not self._left or self._failed is not None):
            self._settled.set_result(None)

    async def filled(self) -> Any:
        """Return the results when all parts are in their places.

        If one fails, raise its error, and give up the others.
        """
        try:
            if self._left and self._failed is None:
                self._settled = asyncio.get_running_loop().create_future()
                await self._settled
            if self._failed is not None:
                self._failed.result()
            while self._tasks:
                # Together they would take long to free.
                key, task = self._tasks.popitem()
                self._results[key] = task.result()
                if len(self._tasks) % _FEW_VALUES == 0:
                    await self._slices.turn()
        except BaseException:
            self.give_up()
            raise
        return self._results

    def give_up(self) -> None:
        """Cancel all that have begun. Nobody waits for their ends, but the operation does."""
        tasks, self._tasks = self._tasks, {}
        self._batches.give_up(tasks.values())


def look(done: asyncio.Future[Any]) -> None:
    """Retrieve the exception. Otherwise nobody may: the executor gives up a level as a whole."""
    if not done.cancelled():
        done.exception()


class SlicingExecutor(Executor[Any]):
    """graphql-core's executor, but it completes large results in slices, and can be given up in the middle."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The coroutines that this executor and the resolvers made.
        self._made: list[Coroutine[Any, Any, Any]] = []
        self.is_awaitable = _noting(self._made)
        # Long lists whose first items nobody has asked for yet.
        self._untouched: set[Any] = set()
        # Lists that an error has removed from the response. Its frames hold them until they are freed in slices.
        self._removed: list[list[Any]] = []
        # When what is completed without a pause takes too long.
        self._pauses_at = time.perf_counter() + _SLICE
        # The number of fields that have begun, or will without a pause.
        self._begun = 0

    async def close(self, slices: Slices, *, failed: bool) -> None:
        """Let go of what the operation read and made, in slices.

        The executor refers to itself, so it would keep all that until the next collection, which would walk over it.

        Args:
            failed: whether coroutines may be left that have not begun. Nobody will await them, so they are closed.
        """
        if failed:
            for items in self._untouched:
                self._note(items.rest)
        self._untouched.clear()
        try:
            while len(self._made) > _FEW_MADE or self._removed:
                self._drop(_FEW_MADE, failed)
                await slices.turn()
        finally:
            self._drop(len(self._made), failed)
            self.root_value = None

    def _drop(self, number: int, failed: bool) -> None:
        if self._removed:
            del self._removed[-1][-_FEW_MADE:]
            if not self._removed[-1]:
                self._removed.pop()
        for _ in range(min(number, len(self._made))):
            made = self._made.pop()
            if failed and inspect.getcoroutinestate(made) == inspect.CORO_CREATED:
                made.close()

    def settle_in_background(self, awaitables: list[Awaitable[Any]]) -> None:
        """Let what an error has removed from the response run on, but end it with the operation at the latest."""
        batches = self.context_value.running.batches
        for awaitable in awaitables:
            if isinstance(awaitable, CoroutineType):
                batches.begin(awaitable)
            elif asyncio.isfuture(awaitable):
                # The application's own, or one of a batch.
                awaitable.add_done_callback(look)

    def with_abort_signal(self, awaitable: Awaitable[Any]) -> Any:
        """Await what a resolver returned, as graphql-core does, but never cancel a future of the application's own.

        Other fields may wait for it too: so data loaders answer all who ask for one key.
        """
        is_own = asyncio.isfuture(awaitable) and not isinstance(awaitable, asyncio.Task)
        if is_own and not self.context_value.running.batches.owns(awaitable):
            awaitable = asyncio.shield(awaitable)
        return super().with_abort_signal(awaitable)

    # --- objects ----------------------------------------------------------------------

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: dict[str, Any],
        position_context: Any,
    ) -> Any:
        """Execute the fields of an object as graphql-core does. In a large operation, pause when a slice is over."""
        self._begun += len(grouped_field_set)
        if self._begun <= _FEW_FIELDS:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        running = self.context_value.running
        running.large.begin()
        place = (parent_type, source_value, path, position_context)
        results: dict[str, Any] = {}
        awaited: list[str] = []
        if len(grouped_field_set) > _FIELDS or self._is_late(running.slices):
            return self._in_slices(*place, results, awaited, grouped_field_set)
        is_awaitable = self.is_awaitable
        try:
            for name, details in grouped_field_set.items():
                at = Path(path, name, parent_type.name)
                result = self.execute_field(parent_type, source_value, details, at, position_context)
                if result is not Undefined:
                    results[name] = result
                    if is_awaitable(result):
                        awaited.append(name)
        except Exception:
            self.settle_in_background([results[name] for name in awaited])
            raise
        if len(awaited) > 1 and self._is_late(running.slices):
            return self._in_slices(*place, results, awaited, {})
        return self._awaited(results, awaited) if awaited else results

    async def _awaited(self, results: dict[str, Any], awaited: list[str]) -> Any:
        if len(awaited) == 1:
            results[awaited[0]] = await results[awaited[0]]
            return results
        parts = Parts(self.context_value.running, results)
        for name in awaited:
            parts.begin(name, results[name])
        return await parts.filled()

    async def _in_slices(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        position_context: Any,
        results: dict[str, Any],
        awaited: list[str],
        fields: dict[str, Any],
    ) -> Any:
        """Execute these fields of an object in slices, and await those that have begun before."""
        running = self.context_value.running
        parts = Parts(running, results)
        # The batches below this object wait until all its fields have begun.
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running.batches.track(path, begun)
        try:
            for name in awaited:
                await running.slices.turn()
                parts.begin(name, results[name])
            for name, details in fields.items():
                await running.slices.turn()
                at = Path(path, name, parent_type.name)
                result = self.execute_field(parent_type, source_value, details, at, position_context)
                if result is not Undefined:
                    results[name] = result
                    if self.is_awaitable(result):
                        parts.begin(name, result)
        except BaseException:
            parts.give_up()
            raise
        finally:
            if not begun.done():
                begun.set_result(None)
        return await parts.filled()

    # --- lists ------------------------------------------------------------------------

    def complete_list_item_value(self, item: Any, complete_results: list[Any], *args: Any) -> bool:
        """Complete an item as graphql-core does. Note its coroutine."""
        is_awaitable = super().complete_list_item_value(item, complete_results, *args)
        if is_awaitable:
            self._made.append(complete_results[-1])
        return is_awaitable

    def complete_awaitable_list_item_value(self, *args: Any) -> Any:
        """Complete an item as graphql-core does. Note its coroutine."""
        completing = super().complete_awaitable_list_item_value(*args)
        self._made.append(completing)
        return completing

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete a list as graphql-core does, but in slices if it is long, or if it comes late."""
        if not isinstance(result, list) and is_iterable(result):
            # Introspection returns views of the schema's dicts, and generators. So may resolvers.
            items: list[Any] = []
            try:
                items.extend(result)
            except BaseException:
                self._note(items)
                raise
            result = items
        if isinstance(result, list) and self._is_much(len(result), field_details_list, info.context.running.slices):
            running = info.context.running
            running.large.begin()
            # The batches below this list wait until all its items have begun.
            result = SlicedList(result, running.slices, partial(running.batches.track, info.path))
            self._untouched.add(result)
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _is_much(self, length: int, field_details_list: Any, slices: Slices) -> bool:
        if length * _fields_of(field_details_list) > _FEW_FIELDS:
            return True
        return self._is_late(slices)

    def _is_late(self, slices: Slices) -> bool:
        return time.perf_counter() > self._pauses_at and slices.is_over()

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Any,
        position_context: Any,
    ) -> Any:
        """Complete a short list as graphql-core does. In a large operation its items have tasks of their own."""
        rest = (item_type, field_details_list, info)
        running = self.context_value.running
        if not running.large.is_large:
            return super().complete_iterable_value(*rest, path, items, position_context)
        results: list[Any] = []
        parts: Parts | None = None
        is_awaitable = self.is_awaitable
        items = iter(items)
        try:
            for index, item in enumerate(items):
                args = (*rest, path.add_key(index, None), position_context)
                if is_awaitable(item):
                    results.append(self.complete_awaitable_list_item_value(item, *args))
                elif not self.complete_list_item_value(item, results, *args):
                    continue
                parts = parts or Parts(running, results)
                parts.begin(index, results[index])
        except BaseException:
            if parts is not None:
                parts.give_up()
            self._note(items)
            raise
        return results if parts is None else parts.filled()

    async def complete_async_iterator_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        async_iterator: AsyncIterator[Any],
        position_context: Any,
    ) -> Any:
        """Complete a long list, or one of an application's own asynchronous iterable, in slices.

        Each item has a task of its own, which begins at once.
        """
        running = self.context_value.running
        running.large.begin()
        rest = (item_type, field_details_list, info)
        results: list[Any] = []
        parts = Parts(running, results)
        is_awaitable = self.is_awaitable
        is_sliced = isinstance(async_iterator, SlicedList)
        self._untouched.discard(async_iterator)
        try:
            async for item in async_iterator:
                index = len(results)
                args = (*rest, path.add_key(index, None), position_context)
                if is_awaitable(item):
                    results.append(self.complete_awaitable_list_item_value(item, *args))
                    parts.begin(index, results[index])
                elif self.complete_list_item_value(item, results, *args):
                    parts.begin(index, results[index])
                if not is_sliced:
                    await running.slices.turn()
            return await parts.filled()
        except BaseException:
            parts.give_up()
            self._removed.append(results)
            if isinstance(async_iterator, SlicedList):
                self._note(async_iterator.rest)
            if (close := getattr(async_iterator, "aclose", None)) is not None:
                with suppress(Exception):
                    await close()
            raise

    def _note(self, items: Iterable[Any]) -> None:
        """Note the coroutines among items that an error leaves over, to close them."""
        self._made.extend(item for item in items if isinstance(item, CoroutineType))


def _noting(made: list[Coroutine[Any, Any, Any]]) -> Callable[[Any], TypeGuard[Awaitable[Any]]]:
    """Return the test for awaitable values that the executor applies to every value. It adds coroutines to `made`."""

    def is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
        if isinstance(value, CoroutineType):
            made.append(value)
            return True
        return hasattr(value, "__await__")

    return is_awaitable


def _fields_of(field_details_list: Any) -> int:
    """Estimate the number of fields of an item. A fragment counts as few fields."""
    sets = (details.node.selection_set for details in field_details_list)
    return 1 + sum(2 * len(selected.selections) for selected in sets if selected is not None)
