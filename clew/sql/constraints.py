"""Keys, foreign keys, checks and indexes of one entity. Their names follow from their content.

Alembic and `clew.migrate` compare constraints by name. So the names of checks and of conditional or expression indexes
contain a hash of their SQL: another condition gets another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from clew.model.names import cut, short_hash
from clew.model.types import Check, Column, Entity, Model, OnDelete, Relation, RelationKind, UniqueKey
from clew.sql.literals import quote_name, quote_text
from clew.sql.words import identifiers, split_list

SEARCH_COLUMN = "search_vector"


class Kind(StrEnum):
    """What a write broke, as `extensions.kind` of a `CONSTRAINT_VIOLATION` (docs/writes.md)."""

    UNIQUE = "UNIQUE"
    REFERENCE = "REFERENCE"
    CHECK = "CHECK"
    REQUIRED = "REQUIRED"
    EXCLUSION = "EXCLUSION"


@dataclass(frozen=True, slots=True)
class ConstraintInfo:
    """The subject of a constraint: the API names of its fields, and the message that its directive declares."""

    entity: str
    fields: tuple[str, ...]
    message: str | None = None


def _named(*parts: str) -> str:
    return cut("_".join(parts))


def sql_names(entity: Entity, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Return the SQL names of an entity's columns, given by API names."""
    return tuple(entity._column[name].column for name in fields)


def owns_foreign_key(relation: Relation, model: Model) -> bool:
    """Return whether this relation is a FOREIGN KEY of its table: a to-one that leads to a real table."""
    target = model.entities.get(relation.target)
    return relation.kind is RelationKind.TO_ONE and bool(relation.on) and target is not None and target.view_sql is None


def primary_key(entity: Entity) -> tuple[str, sa.PrimaryKeyConstraint]:
    name = _named(entity.table, "pkey")
    return name, sa.PrimaryKeyConstraint(*sql_names(entity, entity.primary_key), name=name)


def _live_rows(entity: Entity, where: str | None) -> str | None:
    """Return the condition of a partial unique. Under `@softDelete` it also requires that the row is not deleted."""
    deleted = entity.soft_delete
    if deleted is None:
        return where
    alive = f"{quote_name(deleted.column)} IS NULL"
    return alive if where is None else f"({where}) AND {alive}"


def _expressions(sql: str) -> list[sa.ColumnElement[object]]:
    return [sa.literal_column(f"({item})") for item in split_list(sql)]


def _unique(entity: Entity, table: sa.Table, key: UniqueKey) -> tuple[str, sa.UniqueConstraint | sa.Index]:
    columns = sql_names(entity, key.columns)
    where = _live_rows(entity, key.where)
    if where is None and key.sql is None:
        return key.name, sa.UniqueConstraint(*columns, name=key.name, deferrable=key.deferrable or None)
    parts = [table.c[column] for column in columns] if key.sql is None else _expressions(key.sql)
    condition: sa.ColumnElement[bool] | None = None if where is None else sa.literal_column(where)
    return key.name, sa.Index(key.name, *parts, unique=True, postgresql_where=condition, _table=table)


def uniques(entity: Entity, table: sa.Table) -> Iterator[tuple[str, ConstraintInfo, sa.UniqueConstraint | sa.Index]]:
    """Yield each `@unique`: a constraint, or a unique index if it is partial or over an expression."""
    for key in entity.uniques:
        name, unique = _unique(entity, table, key)
        fields = key.columns or _fields_in(entity, key.sql or "")
        yield name, ConstraintInfo(entity.name, fields, key.message), unique


def _fields_in(entity: Entity, sql: str) -> tuple[str, ...]:
    words = identifiers(sql)
    return tuple(column.name for column in entity.columns if column.column in words)


_ON_DELETE = {OnDelete.RESTRICT: "RESTRICT", OnDelete.CASCADE: "CASCADE", OnDelete.SET_NULL: "SET NULL"}


def foreign_keys(entity: Entity, model: Model) -> Iterator[tuple[str, ConstraintInfo, sa.ForeignKeyConstraint]]:
    """Yield the FOREIGN KEY of each to-one that leads to a table."""
    for relation in entity.relations:
        if not owns_foreign_key(relation, model):
            continue
        target = model.entities[relation.target]
        local = tuple(pair[0] for pair in relation.on)
        prefix = f"{target.schema}.{target.table}." if target.schema else f"{target.table}."
        name = _named(entity.table, *local, "fkey")
        yield (
            name,
            ConstraintInfo(entity.name, (relation.name,), relation.message),
            sa.ForeignKeyConstraint(
                local,
                [prefix + pair[1] for pair in relation.on],
                name=name,
                ondelete=_on_delete(entity, relation),
            ),
        )


def _on_delete(entity: Entity, relation: Relation) -> str | None:
    emptied = entity.emptied(relation.name)
    if relation.on_delete is OnDelete.SET_NULL and set(emptied) != set(relation.key):
        return f"SET NULL ({', '.join(quote_name(name) for name in sql_names(entity, emptied))})"
    return _ON_DELETE.get(relation.on_delete)


def _enum_condition(column: Column, values: tuple[str, ...]) -> str:
    name = quote_name(column.column)
    allowed = ", ".join(quote_text(value) for value in values)
    if not column.type.is_list:
        return f"{name} IN ({allowed})"
    held = f"array_remove({name}, NULL)" if column.type.item_nullable else name
    return f"{held} <@ ARRAY[{allowed}]::text[]"


def _column_conditions(model: Model, column: Column) -> Iterator[tuple[str, str | None]]:
    if column.type.is_enum and column.computed is None:
        enum = model.enums[column.type.name]
        if enum.native is None:
            yield _enum_condition(column, tuple(value.name for value in enum.values)), None
    for check in column.checks:
        yield _condition(check, column), check.message


def _condition(check: Check, column: Column | None) -> str:
    if check.pattern is not None and column is not None:
        return f"{quote_name(column.column)} ~ {quote_text(check.pattern)}"
    return check.sql or "true"


def checks(entity: Entity, model: Model) -> Iterator[tuple[str, ConstraintInfo, sa.CheckConstraint]]:
    """Yield the CHECK of each enum column and each `@check`."""
    for column in entity.columns:
        for condition, message in _column_conditions(model, column):
            name = _named(entity.table, column.column, short_hash(condition), "check")
            info = ConstraintInfo(entity.name, (column.name,), message)
            yield name, info, sa.CheckConstraint(sa.literal_column(condition), name=name)
    for check in entity.checks:
        condition = _condition(check, None)
        name = _named(entity.table, short_hash(condition), "check")
        info = ConstraintInfo(entity.name, _fields_in(entity, condition), check.message)
        yield name, info, sa.CheckConstraint(sa.literal_column(condition), name=name)


def indexes(entity: Entity, table: sa.Table, model: Model) -> dict[str, sa.Index]:
    """Yield the declared indexes, that of `@search`, and one for each foreign key that no other index serves.

    Reads of a to-many and deletions of a referenced row look for rows by the foreign key.
    """
    made: dict[str, sa.Index] = {}
    served = [sql_names(entity, entity.primary_key)]
    served += [
        sql_names(entity, k.columns) for k in entity.uniques if k.columns and _live_rows(entity, k.where) is None
    ]
    for index in entity.indexes:
        columns = sql_names(entity, index.columns)
        method = index.using if index.using and index.using != "btree" else None
        if method is None and index.where is None:
            served.append(columns)
        digest = [] if index.where is None else [short_hash(index.where)]
        name = _named(entity.table, *columns, *([method] if method else []), *digest, "idx")
        where: sa.ColumnElement[bool] | None = None if index.where is None else sa.literal_column(index.where)
        made[name] = sa.Index(name, *(table.c[c] for c in columns), postgresql_using=method, postgresql_where=where)
    if entity.search:
        name = _named(entity.table, SEARCH_COLUMN, "idx")
        made[name] = sa.Index(name, table.c[SEARCH_COLUMN], postgresql_using="gin")
    for relation in entity.relations:
        if relation.kind is not RelationKind.TO_ONE or not relation.on:
            continue
        local = tuple(pair[0] for pair in relation.on)
        if not any(set(columns[: len(local)]) == set(local) for columns in served):
            served.append(local)
            name = _named(entity.table, *local, "idx")
            made[name] = sa.Index(name, *(table.c[c] for c in local))
    return made
