"""Find the members of live queries whose results may have changed."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cachetools import LRUCache

from clew.changes.types import Change, ChangeKind, TableName
from clew.model.types import Model
from clew.plan.dependencies import Dependency, Hop, Route
from clew.sql.lookups import lookup_statement

# With more values than these at the end of a look-up, all members run again.
_MOST_VALUES = 1000
# The plans that a change is compared with before others have a turn: a batch may have thousands of changes.
_A_TURN = 1000
# How many texts of look-ups are kept.
_LOOKUPS = 1000

Member = TypeVar("Member")
# Runs SQL with arguments, and returns the first column of the result.
Fetch = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]


class Watch(Generic[Member]):
    """The members of one plan, by one of its dependencies. Members without routes are found by any change."""

    def __init__(self, dependency: Dependency, tables: Sequence[TableName], everybody: Collection[Member]) -> None:
        self.dependency = dependency
        # The table of its entity, or those behind it if it is a view.
        self.tables = tables
        # All members of the plan: a view that changes with them.
        self.everybody = everybody
        self.by_value: tuple[defaultdict[str, set[Member]], ...] = tuple(defaultdict(set) for _ in dependency.routes)

    def add(self, member: Member, values: Sequence[Iterable[str]]) -> None:
        """Note a member.

        Args:
            values: for each route, the values of the member's operand.
        """
        for known, found in zip(self.by_value, values, strict=True):
            for value in found:
                known[value].add(member)

    def remove(self, member: Member, values: Sequence[Iterable[str]]) -> None:
        """Forget a member. Args as `add`."""
        for known, found in zip(self.by_value, values, strict=True):
            for value in found:
                members = known.get(value)
                if members is not None:
                    members.discard(member)
                    if not members:
                        del known[value]

    def concerns(self, change: Change) -> bool:
        """Return whether a change may matter, by the columns that it changes."""
        columns = self.dependency.columns
        if change.kind is not ChangeKind.UPDATE or columns is None:
            return True
        old, new = change.old, change.new
        if old is None or new is None:
            return True
        return any(_differ(old.get(column), new.get(column)) for column in columns)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A look-up that watches share: the table of the changed rows, and where it leads."""

    table: TableName
    hops: tuple[Hop, ...]
    column: str


class Router(Generic[Member]):
    """Finds members by changes.

    Args:
        fetch: runs the look-ups.
    """

    def __init__(self, model: Model, fetch: Fetch) -> None:
        self._model = model
        self._fetch = fetch
        self._watches: dict[TableName, list[Watch[Member]]] = defaultdict(list)
        self._statements: LRUCache[_Lookup, str] = LRUCache(_LOOKUPS)

    def watch(self, watch: Watch[Member]) -> None:
        """Find the members of a watch from now on."""
        for table in watch.tables:
            self._watches[table].append(watch)

    def unwatch(self, watch: Watch[Member]) -> None:
        """Undo `watch`."""
        for table in watch.tables:
            self._watches[table].remove(watch)
            if not self._watches[table]:
                del self._watches[table]

    async def route(self, changes: Iterable[Change]) -> tuple[set[Member], set[Member]]:
        """Return the members that changes may matter to: those found by a value, and those found by their table.

        Raises:
            ClewError: a look-up failed. Nothing is known then.
        """
        found: set[Member] = set()
        by_table: set[Member] = set()
        lookups: defaultdict[_Lookup, tuple[dict[tuple[Watch[Member], int], None], dict[tuple[str, ...], None]]] = (
            defaultdict(lambda: ({}, {}))
        )
        seen = 0
        for change in changes:
            for watch in tuple(self._watches.get(change.name, ())):
                seen += 1
                if seen % _A_TURN == 0:
                    await asyncio.sleep(0)
                if change.kind is ChangeKind.RESET or not watch.dependency.routes:
                    if change.kind is ChangeKind.RESET or watch.concerns(change):
                        by_table.update(watch.everybody)
                    continue
                if not watch.concerns(change):
                    continue
                for number, route in enumerate(watch.dependency.routes):
                    if not route.hops:
                        for value in _values(change, (route.column,)):
                            found.update(watch.by_value[number].get(value[0], ()))
                        continue
                    here = tuple(column for column, _ in route.hops[0].on)
                    values = _values(change, here)
                    if values:
                        lookup = _Lookup(change.name, route.hops, route.column)
                        watches, keys = lookups[lookup]
                        watches[watch, number] = None
                        keys.update(dict.fromkeys(values))
        for lookup, (watches, keys) in lookups.items():
            watch, number = next(iter(watches))
            ends = await self._ends(lookup, list(keys), watch.dependency.routes[number])
            for watch, number in watches:
                if ends is None:
                    by_table.update(watch.everybody)
                    continue
                known = watch.by_value[number]
                for end in ends:
                    found.update(known.get(end, ()))
        return found, by_table - found

    async def _ends(self, lookup: _Lookup, keys: Sequence[tuple[str, ...]], route: Route) -> Sequence[str] | None:
        """Return the values that changed rows lead to. None: there are too many."""
        sql = self._statements.get(lookup)
        if sql is None:
            sql = self._statements[lookup] = lookup_statement(route, self._model, _MOST_VALUES)
        ends = await self._fetch(sql, [list(column) for column in zip(*keys, strict=True)])
        return None if len(ends) > _MOST_VALUES else ends


def _differ(old: Any, new: Any) -> bool:
    # Two numbers may be equal as floats, and have other digits.
    return bool(old != new) or (not isinstance(old, str) and repr(old) != repr(new))


def _values(change: Change, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the values of the columns in both images of a row, without those that hold a null."""
    found: list[tuple[str, ...]] = []
    for image in (change.old, change.new):
        if image is None:
            continue
        values = _image_values(image, columns)
        if values is not None and values not in found:
            found.append(values)
    return found


def _image_values(image: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...] | None:
    values = []
    for column in columns:
        value = image.get(column)
        if value is None:
            return None
        values.append(value if isinstance(value, str) else json.dumps(value))
    return tuple(values)


def texts(value: Any) -> tuple[str, ...]:
    """Return the texts of an operand's value, or of the items of its list, as images of rows have them."""
    if value is None:
        return ()
    return tuple(str(item) for item in (value if isinstance(value, list | tuple) else (value,)) if item is not None)
