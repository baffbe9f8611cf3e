"""The plans of the statements that a mutation's root field takes, in the order of its three phases.

First rows are found, locked and judged as they are (`Find`, `Lock`, `Leads`, `Reached`). Then they are written
(`Insert`, `Update`, `Delete`, `Mark`, `Hold`). Then they are judged again (`Check`). A plan holds no values: those come
in as arrays when the statement runs, so that any number of rows is one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.access.permits import Permits
from clew.access.types import TRUE, Predicate, Visible
from clew.model.types import Column, Entity, Relation

# A column, and the SQL that a preset fills it with.
Filled = tuple[Column, str]


@dataclass(frozen=True, slots=True, eq=False)
class Find:
    """Find visible rows by values of some columns, each of them open on the row.

    Gives the position of the values (from 1) and the key.
    """

    visible: Visible
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True, eq=False)
class Lock:
    """Lock the visible rows on which one of the rules and every guard of `permits` holds.

    Gives `position` (of the key among those given, else 0), the key, `columns`, whether each field of `opened` is
    open, perhaps the row's image, and for each of `permits.every` whether it holds.

    Args:
        where: the client's condition.
        by_key: only rows with the keys that are given.
        named: a client gave the keys: it knows no row by a key that is masked on it.
        still: columns whose values must still be those given, one for each key.
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
    """Give for each given key, in order, whether the condition is true of its row."""

    entity: Entity
    condition: Predicate


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """Lock the rows that `relation` leads from to rows with the given keys.

    Gives the key, whether every guard of `permits` holds, and the row's image.

    Args:
        softly: only rows that a deletion marks: those that are not deleted yet.
        restores: only rows that were deleted at the time `at`.
    """

    entity: Entity
    relation: Relation
    permits: Permits
    softly: bool = False
    restores: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Insert:
    """Create rows with the values of `columns` given, the others by default or by presets in SQL.

    Gives the keys in order, and for each preset of a given column whether it agrees.

    Args:
        once: a row that is there already is left as it is. Then only the keys of the others are given.
    """

    entity: Entity
    columns: Sequence[Column]
    presets: Sequence[Filled] = ()
    once: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """Change rows by given keys, one value a row for each column; presets are SQL over the changed row's columns."""

    entity: Entity
    sets: Sequence[Column] = ()
    increases: Sequence[Column] = ()
    appends: Sequence[Column] = ()
    presets: Sequence[Filled] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Leads:
    """Tell of each row that `write` would write whether a to-one is null or leads to a visible row, known by its key.

    Gives one value a row, in order.
    """

    write: Insert | Update
    relation: Relation
    visible: Visible


@dataclass(frozen=True, slots=True, eq=False)
class Delete:
    """Delete the rows with the given keys."""

    entity: Entity


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Set or clear the time of deletion of the rows with the given keys, or that `relation` leads to such from.

    Takes the keys and `at`: the time to set, or that of the deletion to undo. Gives the keys of the rows.
    """

    entity: Entity
    relation: Relation | None
    restores: bool


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """Tell of each row with a given key that `relation` leads from whether the row there is not deleted.

    That row is locked against a deletion, as a foreign key locks it against one that is not soft. Rows of which
    the to-one is null are left out.
    """

    entity: Entity
    relation: Relation


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Give for each given key, in order, whether its row is readable, and which of `permits.every` hold after.

    Args:
        before: entities that the rules read, where they come to them by a relation, as they were before the
            root field. Generated links are so only beyond the row: its own links are part of its new value.
        near: generated links that rules read as they were where they are the row's own, too.
        ordered: rules read the rows of the entity itself that were written before the row as they are now. Each row
            has its place among those of the `Past`.
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


Plan = Find | Lock | Judge | Reached | Insert | Update | Leads | Delete | Mark | Hold | Check | Recall
