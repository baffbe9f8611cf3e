"""`@renamed`: find the old names of tables, columns and enum values, and give the old schema its new names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from clew.migrate.snapshot import Column, ForeignKey, Snapshot, Table, qualified
from clew.model.names import capitalised, single_field
from clew.model.types import Entity, Model, Relation
from clew.sql.words import replace_identifiers


@dataclass(frozen=True, slots=True)
class Renames:
    """The renamed parts of a schema. Each mapping leads from old names to new names.

    `tables` maps table keys. `columns` has, by the new key of the table, a mapping of SQL names. `values` has, by the
    new table key and the new column name, a mapping of enum values.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    def table(self, old_key: str) -> str:
        return self.tables.get(old_key, old_key)

    def column(self, new_key: str, old: str) -> str:
        return self.columns.get(new_key, {}).get(old, old)


def find_renames(model: Model, old: Snapshot, new: Snapshot) -> Renames:
    """Return the renames that `@renamed(from:)` asks for and that no migration has made yet. Include what follows.

    `from` is the old name of the type, field or enum value in the SDL, or its old SQL name. A directive that stays in
    the SDL after its migration has no effect, because `old` no longer has the old name.

    Two renames follow from others: the columns of to-ones that lead to a renamed key, and the generated links between
    renamed types.
    """
    renames = Renames(_tables(model, old, new))
    sources = {new_key: old_key for old_key, new_key in renames.tables.items()}
    # A key may contain the key of another table, so repeat until nothing changes.
    for _ in new.tables:
        columns: dict[str, Mapping[str, str]] = {}
        for key, table in new.tables.items():
            source = sources.get(key, key)
            if source in old.tables and (renamed := _columns(model, old, source, table, renames)):
                columns[key] = renamed
        if columns == renames.columns:
            break
        renames = replace(renames, columns=columns)
    return replace(renames, values=_values(model, old, new, renames))


def _tables(model: Model, old: Snapshot, new: Snapshot) -> dict[str, str]:
    by_entity = {table.entity: key for key, table in old.tables.items()}
    by_name = {table.name: key for key, table in old.tables.items()}
    tables: dict[str, str] = {}
    added = {key: table for key, table in new.tables.items() if key not in old.tables}
    for key, table in added.items():
        entity = model.entities[table.entity]
        # `@table(name:)` may change alone. The same type with another table is a rename too.
        wanted = entity.renamed_from or entity.name
        candidate = by_entity.get(wanted) or by_name.get(wanted)
        if candidate is not None and candidate not in new.tables:
            tables[candidate] = key
    links = {key: table for key, table in added.items() if model.entities[table.entity].generated_link}
    for key, table in links.items():
        ends = _ends(table, {})
        # The generated link of a renamed type may have another name, too. Rename it only if one candidate fits.
        alike = [other for other in links.values() if _ends(other, {}) == ends]
        found = [
            old_key
            for old_key, item in old.tables.items()
            if old_key not in new.tables and old_key not in tables and _is_link(item) and _ends(item, tables) == ends
        ]
        if key not in tables.values() and len(alike) == len(found) == 1 and not set(ends).isdisjoint(tables.values()):
            tables[found[0]] = key
    return tables


def _ends(table: Table, tables: Mapping[str, str]) -> list[str]:
    return sorted(tables.get(foreign.references, foreign.references) for foreign in table.foreign_keys.values())


def _is_link(table: Table) -> bool:
    """Return whether a table consists of two foreign keys and nothing else."""
    columns = [column for foreign in table.foreign_keys.values() for column in foreign.columns]
    return len(table.foreign_keys) == 2 and sorted(columns) == sorted(table.columns)


def _columns(model: Model, schema: Snapshot, source: str, new: Table, renames: Renames) -> dict[str, str]:
    entity, old = model.entities[new.entity], schema.tables[source]
    by_field = {column.field: name for name, column in old.columns.items() if column.field is not None}
    by_relation: dict[str, list[str]] = {}
    for name, column in old.columns.items():
        if column.relation is not None:
            by_relation.setdefault(column.relation, []).append(name)
    renamed: dict[str, str] = {}
    for name, column in new.columns.items():
        if name in old.columns or column.field is None:
            continue
        field_ = entity.column(column.field)
        relation = entity.relation(column.relation) if column.relation is not None else None
        candidates = [by_field.get(column.field)]
        if field_ is not None and field_.renamed_from is not None:
            candidates += [by_field.get(field_.renamed_from), field_.renamed_from]
        if relation is not None:
            targets = _targets(new, name)
            earlier = [relation.renamed_from, *_earlier_sides(model, schema, entity, relation, renames), relation.name]
            for side in earlier:
                of_side = by_relation.get(side or "", [])
                # In a composite key, choose the column that leads to the same target column.
                same = [c for c in of_side if not targets.isdisjoint(_targets(old, c, renames))]
                candidates += same or (of_side if len(of_side) == 1 and not targets else [])
        for candidate in candidates:
            if candidate in old.columns and candidate not in new.columns and candidate not in renamed:
                renamed[str(candidate)] = name
                break
    return renamed


def _targets(table: Table, column: str, renames: Renames | None = None) -> set[tuple[str, str]]:
    """Return the columns that a column's foreign keys lead to. Tables and columns have their new names."""
    renames = renames or Renames()
    return {
        (key := renames.table(foreign.references), renames.column(key, target))
        for foreign in table.foreign_keys.values()
        for local, target in zip(foreign.columns, foreign.target_columns, strict=True)
        if local == column
    }


def _earlier_sides(model: Model, old: Snapshot, link: Entity, relation: Relation, renames: Renames) -> Iterator[str]:
    """Yield the earlier name of a generated link's to-one. It is made from the name of the type that it leads to."""
    target = model.entities[relation.target]
    key = qualified(target.table, target.schema)
    source = next((old_key for old_key, new_key in renames.tables.items() if new_key == key), None)
    if link.generated_link and source is not None:
        now, before = single_field(target.name), single_field(old.tables[source].entity)
        yield {now: before, f"other{capitalised(now)}": f"other{capitalised(before)}"}.get(relation.name, "")


def _values(model: Model, old: Snapshot, new: Snapshot, renames: Renames) -> dict[tuple[str, str], Mapping[str, str]]:
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for old_key, old_table in old.tables.items():
        key = renames.table(old_key)
        for old_name, before in old_table.columns.items():
            name = renames.column(key, old_name)
            after = new.tables[key].columns.get(name) if key in new.tables else None
            of = model.entities[new.tables[key].entity].column(after.field or "") if after is not None else None
            if of is None or not of.type.is_enum:
                continue
            had = before.enum or before.native or ()
            values = {
                value.renamed_from: value.name
                for value in model.enums[of.type.name].values
                if value.renamed_from in had and value.name not in had
            }
            if values:
                found[key, name] = {str(earlier): value for earlier, value in values.items()}
    return found


def apply_renames(old: Snapshot, renames: Renames, new: Snapshot) -> Snapshot:
    """Return `old` after the renames. Also rename inside expressions, as Postgres does in its catalog."""
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
                    default=_default(column, renames.values.get((key, names.get(name, name)), {})),
                )
                for name, column in table.columns.items()
            },
            constraints={name: replace_identifiers(text, names) for name, text in table.constraints.items()},
            indexes={name: replace_identifiers(text, names) for name, text in table.indexes.items()},
            foreign_keys={name: _foreign_key(foreign, names, renames) for name, foreign in table.foreign_keys.items()},
        )
    return replace(old, tables=tables)


def _default(column: Column, values: Mapping[str, str]) -> str | None:
    """Return a default after enum values are renamed. Postgres renames values of its own enum types in defaults."""
    default = column.default
    if default is not None and column.native is not None and values:
        words = "|".join(re.escape(value) for value in values)
        default = re.sub(rf"\b({words})\b", lambda found: values[found[1]], default)
    return default


def _foreign_key(foreign: ForeignKey, names: Mapping[str, str], renames: Renames) -> ForeignKey:
    target = renames.table(foreign.references)
    target_names = renames.columns.get(target, {})
    return replace(
        foreign,
        columns=tuple(names.get(name, name) for name in foreign.columns),
        references=target,
        target_columns=tuple(target_names.get(name, name) for name in foreign.target_columns),
    )
