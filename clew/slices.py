"""Completing what is large in slices, so that the event loop gets its turn between them.

graphql-core completes a list without a pause, however long it is. A list that is long it takes as an asynchronous
iterable instead, which waits between items whenever the time of a slice is over. Of all lists of all operations only
one goes on at a time, in the order in which they began to wait: not every one of them again in each turn of the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from graphql import GraphQLList, GraphQLOutputType, GraphQLResolveInfo
from graphql.execution import Executor
from graphql.pyutils import Path

# In seconds: how long a slice may be.
_SLICE = 0.005
# Fields of the items of a list, together, that are completed at once, in some milliseconds.
_FEW_FIELDS = 200


class Slices:
    """Whose turn it is, among all that are completed in slices on one event loop."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Go on at once while the slice lasts; otherwise when all who came before have had theirs."""
        if time.perf_counter() < self._ends:
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._next)
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        """Let one go on, and come again after a turn of the loop."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._ends = time.perf_counter() + _SLICE
                turn.set_result(None)
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)


class SlicedList:
    """The items of a list, one after the other.

    Args:
        begin: told, when the first item is asked for, of a future that is done when no more will be. That may be never.
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
        """What is left is not wanted."""
        self._items = iter(())
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class SlicingExecutor(Executor[Any]):
    """graphql-core's, but for long lists."""

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """As graphql-core; a long list in slices."""
        if info.parent_type.name.startswith("__") and not isinstance(result, list):
            # Introspection gives views of the schema's dicts, and generators.
            result = list(result)
        if isinstance(result, list) and len(result) * _fields_of(field_details_list) > _FEW_FIELDS:
            running = info.context.running
            # Batches below wait until all of its items have been begun.
            result = SlicedList(result, running.slices, partial(running.batches.track, info))
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)


def _fields_of(field_details_list: Any) -> int:
    """About how many fields an item has: fragments count as few."""
    sets = (details.node.selection_set for details in field_details_list)
    return 1 + sum(2 * len(found.selections) for found in sets if found is not None)
