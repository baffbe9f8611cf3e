"""What the change log says: changes, batches of them, and positions to read on from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from clew.errors import ClewError
from clew.json_numbers import Decoder

# A table as its entity names it: the schema, which is None for the connection's default one, and the table.
TableName: TypeAlias = tuple[str | None, str]

_DECODER = Decoder()

_SNAPSHOT = r"(\d{1,20}:\d{1,20}:[\d,]*)"
_POSITION = re.compile(rf"([\w.-]+);{_SNAPSHOT}(?:;{_SNAPSHOT};(\d{{1,18}}))?", re.ASCII)


class ChangeKind(StrEnum):
    """What happened to a row. RESET is about a table: anything in it may have changed.

    A RESET stands for a TRUNCATE, for a statement over more rows than are logged, for partitions that come or go, and
    for changes that were missed.
    """

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    RESET = "RESET"


@dataclass(slots=True)
class Change:
    """One change of a row, or a RESET of its table.

    `schema` and `table` name the table as its entity does. The texts are the row before and after the change, as
    JSON: an object of values by column, as `to_json` makes them. A change that has no such row has None. `at` is when
    its transaction began; None if no transaction is known.
    """

    id: int
    schema: str | None
    table: str
    kind: ChangeKind
    old_text: str | None = None
    new_text: str | None = None
    at: datetime | None = None
    _old: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)
    _new: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def name(self) -> TableName:
        return self.schema, self.table

    @property
    def old(self) -> dict[str, Any] | None:
        """The row before the change. It is decoded once. Numbers keep their digits."""
        if self._old is None and self.old_text is not None:
            self._old = _DECODER.decode(self.old_text)
        return self._old

    @property
    def new(self) -> dict[str, Any] | None:
        """The row after the change. It is decoded once. Numbers keep their digits."""
        if self._new is None and self.new_text is not None:
            self._new = _DECODER.decode(self.new_text)
        return self._new


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log, to read on from.

    All changes that the snapshot sees come before it. A position within a batch has a part: the snapshot at which the
    batch begins, and the id of the last change before the position. `str()` and `parse` are each other's inverse.

    Attributes:
        epoch: which log it is: the database system, its timeline, and the table. No other log has this position.
        snapshot: as Postgres writes a `pg_snapshot`.
        part: None at the end of a batch.
    """

    epoch: str
    snapshot: str
    part: tuple[str, int] | None = None

    def __str__(self) -> str:
        texts = (self.epoch, self.snapshot)
        return ";".join(texts if self.part is None else (*texts, self.part[0], str(self.part[1])))

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read what `str()` wrote. Raise ValueError for anything else."""
        found = _POSITION.fullmatch(text)
        if found is None:
            raise ValueError("not a position")
        epoch, snapshot, start, last = found.groups()
        return cls(epoch, snapshot, None if start is None else (start, int(last)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that became visible together, in the order of their ids. A long batch comes in pieces, in order.

    Attributes:
        start: the snapshot at which the whole batch begins.
        position: where the next batch or piece begins.
    """

    changes: tuple[Change, ...]
    start: str
    position: Position

    def after(self, change: Change) -> Position:
        """Return the position right after one of the changes."""
        if change is self.changes[-1]:
            return self.position
        return Position(self.position.epoch, self.position.snapshot, (self.start, change.id))


class LostPositionError(ClewError):
    """Nothing can be read on from a position: changes after it are not there any more."""


class PastRetentionError(LostPositionError):
    """Changes after a position have been dropped, because they are older than the retention."""

    def __init__(self) -> None:
        super().__init__(
            "The changes after this cursor are no longer kept.", hint="Read the rows again, and subscribe without it."
        )


class OtherEpochError(LostPositionError):
    """A position is of another log: from before a failover or a restore, or of another database."""

    def __init__(self) -> None:
        super().__init__(
            "This cursor is from before the database was restored or failed over.",
            hint="Read the rows again, and subscribe without it.",
        )


Listener: TypeAlias = Callable[[Batch], None]


@dataclass(frozen=True, slots=True)
class Listening:
    """A listener that gets batches. Call this to stop it.

    Attributes:
        position: the listener gets everything after it.
        stop: called once, to stop.
    """

    position: Position
    stop: Callable[[], None]

    def __call__(self) -> None:
        self.stop()


class ChangeSource(Protocol):
    """Where changes come from."""

    async def listen(self, listener: Listener) -> Listening:
        """Call `listener`, on the event loop, with each batch of changes that commit after this returns.

        It must return soon and raise nothing. While the database cannot be reached, nothing comes. If changes may have
        been missed then, a batch comes that has a RESET of every table.

        Raises:
            ClewError: UNAVAILABLE if the database cannot be reached.
        """
        ...

    def wake(self) -> None:
        """Say that a transaction of this process has committed. Its changes are read now, here and elsewhere."""
        ...

    async def unlogged(self) -> set[TableName]:
        """Return the tables whose changes do not come, though they should: a trigger is missing or disabled.

        Raises:
            ClewError: UNAVAILABLE if the database cannot be reached.
        """
        ...

    def since(self, position: Position, tables: Collection[TableName], until: Position) -> AsyncIterator[Batch]:
        """Give the changes of some tables from a position up to `until`, where the caller's own listener began.

        So this and the listener together give each change once.

        Raises:
            LostPositionError: changes after the position are not there any more.
            ClewError: UNAVAILABLE if the database cannot be reached.
        """
        ...
