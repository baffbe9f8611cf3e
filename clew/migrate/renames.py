"""`@renamed`: find the old names of tables and columns, and give the old schema its new names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clew.migrate.snapshot import ForeignKey, Snapshot, Table
from clew.model.types import Entity, Model
from clew.sql.words import replace_identifiers


@dataclass(frozen=True, slots=True)
class Renames:
    """`tables` maps old keys to new keys. `columns` maps old SQL names to new ones, by the table's new key."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def table(self, old_key: str) -> str:
        return self.tables.get(old_key, old_key)


def find_renames(model: Model, old: Snapshot, new: Snapshot) -> Renames:
    """Return the renames that `@renamed(from:)` asks for and that no migration has made yet.

    `from` is the old name of the type or field in the SDL, or its old SQL name. A directive that stays in
    the SDL after its migration has no effect, because `old` no longer has the old name.
    """
    by_entity = {table.entity: key for key, table in old.tables.items()}
    by_name = {table.name: key for key, table in old.tables.items()}
    tables: dict[str, str] = {}
    columns: dict[str, Mapping[str, str]] = {}
    for key, table in new.tables.items():
        entity = model.entities[table.entity]
        source = key
        if key not in old.tables:
            # `@table(name:)` may change alone. The same type with another table is a rename too.
            wanted = entity.renamed_from or entity.name
            candidate = by_entity.get(wanted) or by_name.get(wanted)
            if candidate is not None and candidate not in new.tables:
                tables[candidate] = source = key
                source = candidate
        if source in old.tables:
            renamed = _columns(entity, old.tables[source], table)
            if renamed:
                columns[key] = renamed
    return Renames(tables, columns)


def _columns(entity: Entity, old: Table, new: Table) -> dict[str, str]:
    by_field = {column.field: name for name, column in old.columns.items() if column.field is not None}
    by_relation = {column.relation: name for name, column in old.columns.items() if column.relation is not None}
    renamed: dict[str, str] = {}
    for name, column in new.columns.items():
        if name in old.columns or column.field is None:
            continue
        source = entity.column(column.field)
        relation = entity.relation(column.relation) if column.relation is not None else None
        candidates = [by_field.get(column.field)]
        if source is not None and source.renamed_from is not None:
            candidates += [by_field.get(source.renamed_from), source.renamed_from]
        if relation is not None and relation.renamed_from is not None:
            candidates.append(by_relation.get(relation.renamed_from))
        for candidate in candidates:
            if candidate in old.columns and candidate not in new.columns and candidate not in renamed:
                renamed[str(candidate)] = name
                break
    return renamed


def apply_renames(old: Snapshot, renames: Renames, new: Snapshot) -> Snapshot:
    """Return `old` after the renames. Also rename within the text of expressions, as Postgres does with its own."""
    tables: dict[str, Table] = {}
    for old_key, table in old.tables.items():
        key = renames.table(old_key)
        names = renames.columns.get(key, {})
        target = new.tables.get(key, table)
        tables[key] = replace(
            table,
            name=target.name,
            schema=target.schema,
            columns={
                names.get(name, name): replace(
                    column,
                    generated=None if column.generated is None else replace_identifiers(column.generated, names),
                )
                for name, column in table.columns.items()
            },
            constraints={name: replace_identifiers(text, names) for name, text in table.constraints.items()},
            indexes={name: replace_identifiers(text, names) for name, text in table.indexes.items()},
            foreign_keys={name: _foreign_key(foreign, names, renames) for name, foreign in table.foreign_keys.items()},
        )
    return replace(old, tables=tables)


def _foreign_key(foreign: ForeignKey, names: Mapping[str, str], renames: Renames) -> ForeignKey:
    target = renames.table(foreign.references)
    target_names = renames.columns.get(target, {})
    return replace(
        foreign,
        columns=tuple(names.get(name, name) for name in foreign.columns),
        references=target,
        target_columns=tuple(target_names.get(name, name) for name in foreign.target_columns),
    )
