"""Find the common parts of two snapshots, and the objects that a change of a column affects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from clew.migrate.renames import Renames, apply_renames
from clew.migrate.snapshot import Column, ForeignKey, Snapshot, Table
from clew.sql.words import identifiers


@dataclass(frozen=True)
class Context:
    """Three schemas: the old schema (`before`), the old schema under its new names (`old`), and the new schema (`new`).

    All tables are named by their keys. The mappings below have sets of column names, by table.
    """

    before: Snapshot
    new: Snapshot
    renames: Renames

    @cached_property
    def old(self) -> Snapshot:
        return apply_renames(self.before, self.renames, self.new)

    @cached_property
    def kept(self) -> tuple[tuple[str, Table, Table], ...]:
        """Tables in both schemas: key, old, new."""
        return tuple((key, self.old.tables[key], new) for key, new in self.new.tables.items() if key in self.old.tables)

    @cached_property
    def created(self) -> dict[str, Table]:
        return {key: table for key, table in self.new.tables.items() if key not in self.old.tables}

    @cached_property
    def dropped(self) -> dict[str, Table]:
        return {key: table for key, table in self.old.tables.items() if key not in self.new.tables}

    @cached_property
    def rebuilt(self) -> Mapping[str, frozenset[str]]:
        """Generated columns that are dropped and added again, because their expression or operands change."""
        rebuilt = {}
        for key, old, new in self.kept:
            retyped = self.retyped.get(key, frozenset())
            names = frozenset(
                name
                for name, column in new.columns.items()
                if name in old.columns and _is_rebuilt(old.columns[name], column, retyped)
            )
            if names:
                rebuilt[key] = names
        return rebuilt

    @cached_property
    def retyped(self) -> Mapping[str, frozenset[str]]:
        """Columns whose type changes in place."""
        retyped = {}
        for key, old, new in self.kept:
            names = frozenset(
                name
                for name, column in new.columns.items()
                if name in old.columns and column.generated is None and old.columns[name].type != column.type
            )
            if names:
                retyped[key] = names
        return retyped

    @cached_property
    def released(self) -> Mapping[str, frozenset[str]]:
        """Computed columns that become plain. The `down` of this change drops them and adds them again."""
        released = {}
        for key, old, new in self.kept:
            names = frozenset(
                name
                for name, column in old.columns.items()
                if column.generated is not None and name in new.columns and new.columns[name].generated is None
            )
            if names:
                released[key] = names
        return released

    def remade(self, key: str) -> frozenset[str]:
        """Return the columns that are dropped and added again, on the way up or down."""
        return self.rebuilt.get(key, frozenset()) | self.released.get(key, frozenset())

    def touched(self, key: str) -> frozenset[str]:
        """Return the columns that no other object may depend on while they change."""
        return self.retyped.get(key, frozenset()) | self.remade(key)

    def constraint_is_forced(self, key: str, text: str) -> bool:
        """Return whether an unchanged constraint must be dropped while the columns that it names change."""
        columns = self.touched(key) if text.startswith("CHECK") else self.remade(key)
        return bool(columns) and not columns.isdisjoint(identifiers(text))

    def index_is_forced(self, key: str, text: str) -> bool:
        columns = self.touched(key)
        return bool(columns) and not columns.isdisjoint(identifiers(text))

    @cached_property
    def rekeyed(self) -> frozenset[str]:
        """Tables that lose a primary key or unique constraint. Foreign keys may depend on it."""
        rekeyed = set()
        for key, old, new in self.kept:
            kept = set(new.constraints.values())
            for text in old.constraints.values():
                if not text.startswith("CHECK") and (text not in kept or self.constraint_is_forced(key, text)):
                    rekeyed.add(key)
        return frozenset(rekeyed)

    def foreign_key_is_forced(self, key: str, foreign: ForeignKey) -> bool:
        return (
            foreign.references in self.rekeyed
            or not self.touched(key).isdisjoint(foreign.columns)
            or not self.touched(foreign.references).isdisjoint(foreign.target_columns)
        )


def _is_rebuilt(old: Column, new: Column, retyped: frozenset[str]) -> bool:
    if new.generated is None:
        return False
    if old.generated != new.generated or old.type != new.type:
        return True
    return not retyped.isdisjoint(identifiers(new.generated))
