"""`@renamed`: which old tables and columns the new ones continue, and the old schema under its new names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clew.migrate.snapshot import ForeignKey, Snapshot, Table
from clew.model.types import Entity, Model
from clew.sql.words import replace_identifiers


@dataclass(frozen=True, slots=True)
class Renames:
    """`tables` are old key -> new key; `columns` old SQL name -> new SQL name, by the table's new key."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def table(self, old_key: str) -> str:
        return self.tables.get(old_key, old_key)


def find_renames(model: Model, old: Snapshot, new: Snapshot) -> Renames:
    """The renames that `@renamed(from:)` asks for and that are not done yet.

    `from` is the SDL's old name of the type or field; the SQL name is accepted too. A directive that
    stays in the SDL after its migration does nothing: the old name is gone from `old` then.
    """
    by_entity = {table.entity: key for key, table in old.tables.items()}
    by_name = {table.name: key for key, table in old.tables.items()}
    tables: dict[str, str] = {}
    columns: dict[str, Mapping[str, str]] = {}
    for key, table in new.tables.items():
        entity = model.entities[table.entity]
        source = key
        if key not in old.tables:
            # `@table(name:)` alone may change too: the same type with another table is a rename
            wanted = entity.renamed_from or entity.name
            candidate = by_entity.get(wanted) or by_name.get(wanted)
            if candidate is not None and candidate not in new.tables:
                tables[candidate] = source = key
                source = candidate
        if source in old.tables:
            found = _columns(entity, old.tables[source], table)
            if found:
                columns[key] = found
    return Renames(tables, columns)


def _columns(entity: Entity, old: Table, new: Table) -> dict[str, str]:
    by_field = {column.field: name for name, column in old.columns.items() if column.field is not None}
    by_relation = {column.relation: name for name, column in old.columns.items() if column.relation is not None}
    found: dict[str, str] = {}
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
            if candidate in old.columns and candidate not in new.columns and candidate not in found:
                found[str(candidate)] = name
                break
    return found


def apply_renames(old: Snapshot, renames: Renames, new: Snapshot) -> Snapshot:
    """`old` as it is after the renames: what Postgres does to its own expressions, done to their text."""
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
