"""The model's tables and views as SQLAlchemy Tables. Statements select from them, and migrations create them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from clew.collector import paused
from clew.model.types import Column, Entity, Model, SearchField, ValueType
from clew.sql import constraints
from clew.sql.constraints import SEARCH_COLUMN, ConstraintInfo
from clew.sql.literals import constant_sql, quote_name, quote_text
from clew.sql.types import sql_type

_TSVECTOR = ValueType("String", "tsvector")
_TEXT_TYPES = ("text", "varchar", "character varying", "char", "citext")


@dataclass(frozen=True)
class Tables:
    """The SQLAlchemy side of a model. `build_tables` makes it once, and every statement reads it.

    Attributes:
        metadata: every real table, with constraints and indexes. Migrations come from it.
        views: the Tables of views. They are separate so that nothing creates them as tables.
        constraints: the subject of each constraint, by (schema, table, constraint name). The schema is "public" if the
            entity names none.
    """

    metadata: sa.MetaData
    views: sa.MetaData
    by_entity: Mapping[str, sa.Table]
    constraints: Mapping[tuple[str, str, str], ConstraintInfo]

    def of(self, entity_name: str) -> sa.Table:
        """Return the Table of an entity or view by type name. Its columns are keyed by SQL name. May raise KeyError."""
        return self.by_entity[entity_name]


def default_sql(column: Column) -> str | None:
    """Return a column's DEFAULT as SQL, or None. Raise ValueError if a constant does not fit its type."""
    if column.default is not None:
        if column.default.sql is not None:
            return column.default.sql
        if column.default.value is not None:
            return constant_sql(column.default.value, column.type)
    if column.uuid_key:
        return "clew.uuid_v7()"
    if column.created_at or column.updated_at:
        return "now()"
    return "1" if column.version else None


def search_sql(entity: Entity) -> str:
    """Return the expression of the generated tsvector: each `@search` field with its weight and language."""
    return " || ".join(search_part(entity, field) for field in entity.search)


def search_part(entity: Entity, field: SearchField) -> str:
    """Return the part of the generated tsvector for one field."""
    column = entity._column[field.column]
    # A generated column cannot name another one.
    name = quote_name(column.column) if column.computed is None else f"({column.computed.sql})::{column.type.sql}"
    kind = column.type.sql.lower()
    if column.type.is_list:
        text = f"clew.search_text({name}::text[])" if kind not in _TEXT_TYPES else f"clew.search_text({name})"
    elif kind.startswith(_TEXT_TYPES) or kind in ("json", "jsonb"):
        text = name
    else:
        text = f"{name}::text"
    empty = "'{}'" if kind in ("json", "jsonb") else "''"
    language = quote_text(field.language)
    return f"setweight(to_tsvector({language}::regconfig, coalesce({text}, {empty})), {quote_text(field.weight)})"


def _column(column: Column, key: bool) -> sa.Column[object]:
    computed = column.computed
    extra: sa.Computed | sa.Identity | None = None
    default: sa.ColumnElement[object] | None = None
    if computed is not None:
        extra = sa.Computed(sa.literal_column(computed.sql), persisted=True)
    elif column.identity:
        extra = sa.Identity(always=False)
    elif (text := default_sql(column)) is not None:
        default = sa.literal_column(text)
    arguments = () if extra is None else (extra,)
    return sa.Column(
        column.column,
        sql_type(column.type),
        *arguments,
        nullable=column.nullable and not key,
        server_default=default,
        comment=column.description,
        autoincrement=column.identity,
        info={"column": column},
    )


def _table(
    entity: Entity, model: Model, metadata: sa.MetaData, known: dict[tuple[str, str, str], ConstraintInfo]
) -> sa.Table:
    keys = frozenset(entity.primary_key)
    columns = [
        _column(column, column.name in keys)
        for column in entity.columns
        if column.computed is None or column.computed.stored
    ]
    if entity.search:
        expression = sa.Computed(sa.literal_column(search_sql(entity)), persisted=True)
        columns.append(sa.Column(SEARCH_COLUMN, sql_type(_TSVECTOR), expression))
    parts: list[sa.Constraint] = []
    place = (entity.schema or "public", entity.table)
    if keys:
        name, primary = constraints.primary_key(entity)
        parts.append(primary)
        known[*place, name] = ConstraintInfo(entity.name, entity.primary_key)
    for name, info, check in constraints.checks(entity, model):
        if (*place, name) not in known:
            parts.append(check)
            known[*place, name] = info
    for name, info, foreign in constraints.foreign_keys(entity, model):
        parts.append(foreign)
        known[*place, name] = info
    table = sa.Table(
        entity.table,
        metadata,
        *columns,
        *parts,
        schema=entity.schema,
        comment=entity.description,
        info={"entity": entity},
    )
    for name, info, unique in constraints.uniques(entity, table):
        known[*place, name] = info
        if isinstance(unique, sa.UniqueConstraint):
            table.append_constraint(unique)
    constraints.indexes(entity, table, model)
    return table


def _view(entity: Entity, metadata: sa.MetaData) -> sa.Table:
    keys = frozenset(entity.primary_key)
    return sa.Table(
        entity.table,
        metadata,
        *(
            sa.Column(
                column.column,
                sql_type(column.type),
                primary_key=column.name in keys,
                nullable=column.nullable,
                autoincrement=False,
                info={"column": column},
            )
            for column in entity.columns
            if column.computed is None
        ),
        schema=entity.schema,
        info={"entity": entity},
    )


@paused()
def build_tables(model: Model) -> Tables:
    """Build the Tables of every entity of the model.

    A `@computed` field that is not stored has no column: statements inline its expression. Raise ValueError if a
    default does not fit its column. (The model's builder reports that first, with its place.)
    """
    metadata, views = sa.MetaData(), sa.MetaData()
    known: dict[tuple[str, str, str], ConstraintInfo] = {}
    by_entity: dict[str, sa.Table] = {}
    for entity in model.entities.values():
        if entity.is_job:
            # Clew's own steps make the table. Several entities are of it.
            by_entity[entity.name] = _view(entity, sa.MetaData())
        elif entity.view_sql is not None:
            by_entity[entity.name] = _view(entity, views)
        else:
            by_entity[entity.name] = _table(entity, model, metadata, known)
    return Tables(metadata, views, by_entity, known)
