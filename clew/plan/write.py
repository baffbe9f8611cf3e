"""The plans of the statements of a mutation's root field, in the order of its three phases.

The first phase finds, locks and judges rows as they are (`Find`, `Lock`, `Judge`, `Leads`, `Reached`). The second
writes them (`Foresee`, `Insert`, `Update`, `Delete`, `Mark`, `Hold`). The third judges them again (`Recall`, `Check`).
A plan holds no values: they come as arrays when the statement runs. So one statement serves any number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.access.permits import Permits
from clew.access.types import TRUE, Predicate, Visible
from clew.model.types import Column, Entity, Relation

# A column, and the SQL of the preset that fills it.
Filled = tuple[Column, str]


@dataclass(frozen=True, slots=True, eq=False)
class Find:
    """Find visible rows by values of some columns, each of which is open on the row.

    The statement returns the position of the values (from 1) and the key.
    """

    visible: Visible
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True, eq=False)
class Lock:
    """Lock the visible rows on which one of the rules and every guard of `permits` holds.

    The statement returns `position` (that of the key among the given ones, else 0), the key, `columns`, whether each
    field of `opened` is open, perhaps the row's image, and whether each of `permits.every` holds.

    Args:
        where: the client's condition.
        by_key: lock only rows with the given keys.
        named: a client gave the keys. It must not find a row by a key that is masked on it.
        still: columns that must still have the given values, one for each key.
        opened: fields of the API.
    """

    visible: Visible
    permits: Permits
    where: Predicate = TRUE
    by_key: bool = False
    named: bool = False
    still: Sequence[Column] = ()
    columns: Sequence[Column] = ()
    opened: Sequence[str] = ()
    image: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Return for each given key, in order, whether the condition is true of its row."""

    entity: Entity
    condition: Predicate


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """Lock the rows whose `relation` leads to rows with the given keys.

    The statement returns the key, whether every guard of `permits` holds, and the row's image.

    Args:
        softly: lock only rows that a deletion marks, which are not deleted yet.
        restores: lock only rows that were deleted at the time `at`.
    """

    entity: Entity
    relation: Relation
    permits: Permits
    softly: bool = False
    restores: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Insert:
    """Create rows with the given values of `columns`. Defaults or presets in SQL fill the other columns.

    The statement returns the keys in order, and whether each preset of a given column agrees with the value.

    Args:
        once: leave existing rows as they are. Then only the keys of the new rows are returned.
    """

    entity: Entity
    columns: Sequence[Column]
    presets: Sequence[Filled] = ()
    once: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """Change rows by given keys, one value a row for each column. Presets are SQL over the changed row's columns."""

    entity: Entity
    sets: Sequence[Column] = ()
    increases: Sequence[Column] = ()
    appends: Sequence[Column] = ()
    presets: Sequence[Filled] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Leads:
    """Return whether a to-one of each row that `write` would write is null, or leads to a visible row with an open key.

    The statement returns one value a row, in order.
    """

    write: Insert | Update
    relation: Relation
    visible: Visible


@dataclass(frozen=True, slots=True, eq=False)
class Foresee:
    """Tell of each row that `write` would write which of `permits.every` could hold after.

    Their conditions name only columns that have their values.
    """

    write: Insert | Update
    permits: Permits


@dataclass(frozen=True, slots=True, eq=False)
class Delete:
    """Delete the rows with the given keys."""

    entity: Entity


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Set or clear the time of deletion of the rows with the given keys, or of the rows whose `relation` leads to them.

    The statement takes the keys and `at`: the time to set, or the time of the deletion to undo. It returns the keys of
    the marked rows.
    """

    entity: Entity
    relation: Relation | None
    restores: bool


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """Return for each row with a given key whether the row at the other end of `relation` is not deleted.

    The statement locks that row against a soft deletion, as a foreign key locks it against a real one. It leaves out
    rows whose to-one is null.
    """

    entity: Entity
    relation: Relation


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Return for each given key, in order, whether its row is readable, and which of `permits.every` hold after.

    Args:
        before: entities that rules read through a relation as they were before the root field. For generated links
            this holds only beyond the row: its own links are part of its new value.
        near: generated links that rules read as they were even for the row's own links.
        ordered: rules read earlier written rows of the same entity as they are now. Each row has its place among those
            of the `Past`.
    """

    visible: Visible
    permits: Permits
    before: Sequence[str] = ()
    near: Sequence[str] = ()
    ordered: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """Give for each given key, in order, which of `permits.every` hold before, of its row as it was.

    The rules read the rows of the entity that were written before the row as they are now, as for `Check`.

    Args:
        past: entities that the rules read, and that have changed: all their other rows are read as they were.
    """

    entity: Entity
    permits: Permits
    past: Sequence[str]


Plan = Find | Lock | Judge | Reached | Insert | Update | Leads | Foresee | Delete | Mark | Hold | Check | Recall
