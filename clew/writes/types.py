"""Define the rows that a root field writes, and the steps that write them."""

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
    """A row that is being written.

    Drafts share equal parts, because a root field may have ten thousand of them. So replace a part other than `values`,
    and never change it in place.

    Args:
        place: names the row in errors.
        inside: stands between the place and the names of the row's fields, such as `set.`
        values: new values by the API names of their columns. `increases` and `appends` are the same for `inc` and
            `append`.
        fields: the fields that rules must open.
        key: the primary key; empty for a row that is not written yet.
        held_before: for each rule for the operation, whether it held before the write; empty for a new row.
        to_ones: to-ones whose target is safe: this root field creates it, or the viewer may read it.
        sources: rows without a key yet, whose keys will fill columns of this row.
        kept: columns of `values` that keep their old value, because a to-one shares them.
        closed: to-manys that are masked on the row. The viewer may not learn which rows belong to them.
        links: generated links that the row's fields create or remove, each with the name of its entity.
    """

    place: str
    inside: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    increases: Mapping[str, Any] = field(default_factory=_nothing)
    appends: Mapping[str, Any] = field(default_factory=_nothing)
    fields: frozenset[str] = frozenset()
    key: Key = ()
    held_before: tuple[bool, ...] = ()
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
        """Whether the draft writes a column."""
        return bool(self.values or self.increases or self.appends or self.sources)

    @property
    def path(self) -> tuple[str | int, ...]:
        """The path to the row's values within the arguments of the root field."""
        parts = f"{self.place}.{self.inside}".split(".")
        return tuple(int(part) if part.isdecimal() else part for part in parts if part)

    def sets(self, names: Collection[str]) -> bool:
        """Return whether the draft may change the value of one of these columns."""
        return any(name in names and name not in self.kept for name in (*self.values, *self.increases))

    def gives(self, name: str) -> bool:
        """Return whether the draft sets a column, now or once the key of another new row is known."""
        return name in self.values or any(name == column for source in self.sources for column, _ in source.columns)


@dataclass(frozen=True, slots=True)
class Source:
    """A row whose key fills columns of another row.

    Args:
        columns: for each column to fill its API name, and the place of its value in the key.
        to_ones: the to-ones that then lead to `row`.
        field: the input field that names `row`; empty if the whole entry names it; None if the other row is nested in
            `row`.
    """

    row: Draft
    columns: tuple[tuple[str, int], ...]
    to_ones: frozenset[str]
    field: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The values to fill in, by the API names of their columns. The row must have its key."""
        return {name: self.row.key[number] for name, number in self.columns}


@dataclass(frozen=True, slots=True)
class Locked:
    """An existing row that is locked.

    Args:
        position: the place of its key among the keys to lock, from 1; 0 if a filter found the row.
        columns: the values of the plan's `columns`.
        masked: the fields among the plan's `opened` that are masked on the row.
        held_before: for each rule for the operation, whether it holds.
    """

    position: int
    key: Key
    columns: tuple[Any, ...]
    masked: frozenset[str]
    held_before: tuple[bool, ...]


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


# The entries of a to-many's input, by the action: `create`, `connect` and so on.
ToMany = Mapping[str, Sequence[Item]]
# The relations in the inputs of one level. For each field name: the rows that set it, each with the value.
Nested = dict[str, list[tuple[Draft, Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Create:
    """Create rows of one level.

    Args:
        late: drafts whose to-ones are checked just before the write, because their targets are not known earlier.
        once: whether to leave existing rows alone. It is set for generated links.
    """

    entity: Entity
    drafts: Sequence[Draft]
    late: Sequence[Draft] = ()
    once: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Change rows of one level. `late` is the same as in `Create`.

    Args:
        singly: whether to write the rows one by one, because a row may take over a unique value of another.
    """

    entity: Entity
    drafts: Sequence[Draft]
    late: Sequence[Draft] = ()
    singly: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete rows. If the entity is `@softDelete`, only mark them as deleted.

    Args:
        along: the keys of other rows that this deletes or changes, by the names of their entities.
    """

    entity: Entity
    keys: Sequence[Key]
    along: Mapping[str, Sequence[Key]] = field(default_factory=dict)


Step = Create | Change | Remove


@dataclass(frozen=True, slots=True)
class Written:
    """Rows to check after everything is written.

    Args:
        visible: the rows that the viewer may read. The written rows must be among them.
        permits: the rules to check.
        may_be_gone: whether the rows may be gone. The database changed them with a deletion, and another cascade of it
            may have deleted them.
    """

    entity: Entity
    visible: Visible
    permits: Permits
    drafts: Sequence[Draft]
    may_be_gone: bool = False
