"""Complete large results in slices, so that the event loop gets a turn between them.

graphql-core completes a list without a pause, however long it is. So it gets a long list as an asynchronous
iterable, which waits between items when the time of a slice is over. When that time is over, it gets short lists so
too: a result may be large because it is deep. Each turn of the loop continues only one list, of all lists of all
operations. The list that began to wait first comes first.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from types import CoroutineType
from typing import Any, TypeGuard

from graphql import GraphQLList, GraphQLOutputType, GraphQLResolveInfo
from graphql.execution import Executor
from graphql.pyutils import Path

# In seconds: the length of a slice.
_SLICE = 0.005
# The number of fields, over all items of a list, that are completed without a pause. They take some milliseconds.
_FEW_FIELDS = 200
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
            for. That may never happen.
    """

    def __init__(
        self, items: Sequence[Any], slices: Slices, begin: Callable[[asyncio.Future[None]], Any] | None = None
    ) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._items = iter(items)
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
        for item in self._items:
            return item
        self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Drop the rest of the items."""
        self._items = iter(())
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class SlicingExecutor(Executor[Any]):
    """graphql-core's executor, but it completes large results in slices, and can be given up in the middle."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The coroutines that this executor and the resolvers made.
        self._made: list[Coroutine[Any, Any, Any]] = []
        self.is_awaitable = _noting(self._made)
        # When what is completed without a pause takes too long.
        self._pauses_at = time.perf_counter() + _SLICE

    async def close(self, slices: Slices, *, failed: bool) -> None:
        """Let go of what the operation read and made, in slices.

        The executor refers to itself, so it would keep all that until the next collection, which would walk over it.

        Args:
            failed: whether coroutines may be left that have not begun. Nobody will await them, so they are closed.
        """
        try:
            while len(self._made) > _FEW_MADE:
                self._drop(_FEW_MADE, failed)
                await slices.turn()
        finally:
            self._drop(len(self._made), failed)
            self.root_value = None

    def _drop(self, number: int, failed: bool) -> None:
        for _ in range(number):
            made = self._made.pop()
            if failed and inspect.getcoroutinestate(made) == inspect.CORO_CREATED:
                made.close()

    def complete_list_item_value(self, item: Any, complete_results: list[Any], *args: Any) -> bool:
        """Complete an item as graphql-core does. Note its coroutine, or begin it at once in a large operation.

        Otherwise graphql-core begins those of all items together, when it has come to the end of the list.
        """
        is_awaitable = super().complete_list_item_value(item, complete_results, *args)
        if is_awaitable:
            running = self.context_value.running
            if running.large.is_large:
                complete_results[-1] = running.batches.begin(complete_results[-1])
            else:
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
        if info.parent_type.name.startswith("__") and not isinstance(result, list):
            # Introspection returns views of the schema's dicts, and generators.
            result = list(result)
        if isinstance(result, list) and self._is_much(len(result), field_details_list, info.context.running.slices):
            running = info.context.running
            running.large.begin()
            # The batches below this list wait until all its items have begun.
            result = SlicedList(result, running.slices, partial(running.batches.track, info))
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _is_much(self, length: int, field_details_list: Any, slices: Slices) -> bool:
        if length * _fields_of(field_details_list) > _FEW_FIELDS:
            return True
        return time.perf_counter() > self._pauses_at and slices.is_over()


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
