"""The rows that a root field writes, and the steps that write them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from clew.access.permits import Permits
from clew.access.types import Visible
from clew.model.types import Entity
from clew.sql.keys import Key

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


@dataclass(slots=True)
class Draft:
    """A row that is being written. Ten thousand of them share what most have in common, so no part is changed in place.

    Args:
        place: names the row in errors.
        inside: stands between the place and the names of the row's fields: `set.`
        values: new values by the API names of the columns; `increases` and `appends` likewise.
        fields: the fields that a rule must hold.
        key: the primary key; empty while the row is new.
        held: of the rules for the operation, which held before; empty for a new row.
        to_ones: those that lead to a row which this root field makes, or which the viewer may read.
        sources: new rows whose keys this row waits for.
        kept: the columns among `values` that stay as they are, because a to-one shares them.
        closed: to-manys that are masked on the row. No row is known to belong to them.
        links: generated ones that its fields make or remove, each with the name of its entity.
    """

    place: str
    inside: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    increases: Mapping[str, Any] = field(default_factory=_nothing)
    appends: Mapping[str, Any] = field(default_factory=_nothing)
    fields: frozenset[str] = frozenset()
    key: Key = ()
    held: tuple[bool, ...] = ()
    to_ones: frozenset[str] = frozenset()
    sources: tuple[Source, ...] = ()
    kept: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    links: tuple[tuple[str, Draft], ...] = ()

    def at(self, name: str) -> str:
        """Return the place of a field, for errors."""
        return f"{self.place}.{self.inside}{name}" if self.place else self.inside + name

    @property
    def writes(self) -> bool:
        """Whether some column of a row that is there is written."""
        return bool(self.values or self.increases or self.appends or self.sources)

    @property
    def path(self) -> tuple[str | int, ...]:
        """The path to the row's values within the arguments of the root field."""
        parts = f"{self.place}.{self.inside}".split(".")
        return tuple(int(part) if part.isdecimal() else part for part in parts if part)

    def sets(self, names: Collection[str]) -> bool:
        """Whether some of these columns are written with a value that may be another one."""
        return any(name in names and name not in self.kept for name in (*self.values, *self.increases))

    def gives(self, name: str) -> bool:
        """Whether a column gets its value here, now or when the key of another new row is known."""
        return name in self.values or any(name == column for source in self.sources for column, _ in source.columns)


@dataclass(frozen=True, slots=True)
class Source:
    """A row whose key fills columns of another one.

    Args:
        columns: pairs of the column to fill, by its API name, and the place of the value in the key.
        to_ones: the to-ones that lead to `row` thereby.
        field: the field of the input that says so; empty where it is the entry as a whole, and None where the other
            row is nested in `row`.
    """

    row: Draft
    columns: tuple[tuple[str, int], ...]
    to_ones: frozenset[str]
    field: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The values by the names of the columns; of a row that has its key."""
        return {name: self.row.key[number] for name, number in self.columns}


@dataclass(frozen=True, slots=True)
class Locked:
    """A row that is there, locked.

    Args:
        position: of its key among those that were asked for, from 1; 0 where a filter found it.
        columns: values that were asked for.
        masked: those of the fields asked about that are masked on the row.
        held: of the rules for the operation, which hold.
    """

    position: int
    key: Key
    columns: tuple[Any, ...]
    masked: frozenset[str]
    held: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a to-many's input: one row to create, connect, disconnect, update or delete.

    Args:
        draft: the row that has the to-many.
        place: names the entry in errors.
    """

    draft: Draft
    given: Mapping[str, Any]
    place: str


# The entries of a to-many's input, by what is to be done with them.
ToMany = Mapping[str, Sequence[Item]]
# What is nested in the inputs of one level: by the field's name the rows, each with its value.
Nested = dict[str, list[tuple[Draft, Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Create:
    """Create rows of one level.

    Args:
        late: those of which it is not known yet where their to-ones lead.
        once: links under the rules of their ends, which are left as they are where they are there already.
    """

    entity: Entity
    drafts: Sequence[Draft]
    late: Sequence[Draft] = ()
    once: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Change rows of one level. `late` are as in `Create`.

    Args:
        singly: write one row after the other, for one may take a unique value from another.
    """

    entity: Entity
    drafts: Sequence[Draft]
    late: Sequence[Draft] = ()
    singly: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete rows; mark them as deleted where the entity is `@softDelete`.

    Args:
        along: the keys of other rows that go or change with them, by the names of their entities.
    """

    entity: Entity
    keys: Sequence[Key]
    along: Mapping[str, Sequence[Key]] = field(default_factory=dict)


Step = Create | Change | Remove


@dataclass(frozen=True, slots=True)
class Written:
    """Rows to judge when all is written.

    Args:
        visible: the rows that they must be among.
        permits: the rules that must hold.
        may_be_gone: rows that the database has changed along, and may have removed by another way.
    """

    entity: Entity
    visible: Visible
    permits: Permits
    drafts: Sequence[Draft]
    may_be_gone: bool = False
