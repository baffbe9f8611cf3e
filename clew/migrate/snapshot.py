"""Represent a schema as plain data: the schema that the SDL asks for, or the schema that the migrations have made.

`take_snapshot` makes a snapshot from a model. `clew.migrate.store` keeps the snapshot of the last migration in
`migrations/schema.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from clew.migrate.triggers import table_triggers, trigger_functions
from clew.model.types import Column as ModelColumn
from clew.model.types import Entity, Model
from clew.sql.literals import quote_name
from clew.sql.tables import build_tables

_types = asyncpg_dialect().type_compiler_instance  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. `field` is its name in the SDL. `relation` is the to-one whose key it belongs to.

    `default` and `generated` are SQL expressions. `enum` has the values that its CHECK allows. `native` has the values
    of its type, if that is an enum type of the database.
    """

    type: str
    nullable: bool = True
    default: str | None = None
    identity: bool = False
    generated: str | None = None
    comment: str | None = None
    field: str | None = None
    relation: str | None = None
    enum: tuple[str, ...] | None = None
    native: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key. `references` is the key of the other table in `Snapshot.tables`."""

    columns: tuple[str, ...]
    references: str
    target_columns: tuple[str, ...]
    on_delete: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table. All its parts are by SQL name.

    `constraints` are `PRIMARY KEY (...)`, `UNIQUE (...)[ DEFERRABLE]` and `CHECK (...)`. `indexes` are
    `[UNIQUE ]USING method (...)[ WHERE ...]`. `triggers` are whole CREATE statements, without those of the change log,
    which the table has if it is `logged`.
    """

    name: str
    schema: str | None
    entity: str
    comment: str | None
    columns: Mapping[str, Column]
    constraints: Mapping[str, str] = field(default_factory=dict)
    foreign_keys: Mapping[str, ForeignKey] = field(default_factory=dict)
    indexes: Mapping[str, str] = field(default_factory=dict)
    triggers: Mapping[str, str] = field(default_factory=dict)
    logged: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A view and its query."""

    name: str
    schema: str | None
    entity: str
    comment: str | None
    sql: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole schema. Tables and views are by their name as SQL writes it (`posts`, `billing."Order"`).

    `functions` are whole CREATE OR REPLACE statements by name, for triggers.
    `objects` is the number of Clew's own steps (`clew.migrate.objects`) in the database.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    objects: int = 0


def qualified(name: str, schema: str | None) -> str:
    """Return a table's or view's name as SQL writes it."""
    return f"{quote_name(schema)}.{quote_name(name)}" if schema else quote_name(name)


def column_list(names: tuple[str, ...] | list[str]) -> str:
    """Return quoted names in parentheses."""
    return f"({', '.join(quote_name(name) for name in names)})"


def _literal(element: object) -> str:
    # Every expression in the Tables is a literal_column, so its text is the SQL.
    assert isinstance(element, sa.ColumnClause)
    return str(element.name)


def _column(column: sa.Column[object], model: Model) -> Column:
    source: ModelColumn | None = column.info.get("column")
    default = column.server_default
    enum = model.enums.get(source.type.name) if source is not None and source.type.is_enum else None
    values = tuple(value.name for value in enum.values) if enum else None
    return Column(
        type=_types.process(column.type),
        nullable=bool(column.nullable),
        default=_literal(default.arg) if isinstance(default, sa.DefaultClause) else None,
        identity=column.identity is not None,
        generated=_literal(column.computed.sqltext) if column.computed is not None else None,
        comment=column.comment,
        field=source.name if source else None,
        relation=source.relation if source else None,
        enum=values if enum and enum.native is None else None,
        native=values if enum and enum.native is not None else None,
    )


def _constraint(constraint: sa.Constraint) -> str:
    if isinstance(constraint, sa.CheckConstraint):
        return f"CHECK ({_literal(constraint.sqltext)})"
    assert isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    kind = "PRIMARY KEY" if isinstance(constraint, sa.PrimaryKeyConstraint) else "UNIQUE"
    deferrable = " DEFERRABLE" if constraint.deferrable else ""
    return f"{kind} {column_list([column.name for column in constraint.columns])}{deferrable}"


def _foreign_key(constraint: sa.ForeignKeyConstraint) -> ForeignKey:
    targets = [element.target_fullname.rsplit(".", 2) for element in constraint.elements]
    *schema, table, _ = targets[0]
    return ForeignKey(
        tuple(constraint.column_keys),
        qualified(table, schema[0] if schema else None),
        tuple(parts[-1] for parts in targets),
        constraint.ondelete,
    )


def _index(index: sa.Index) -> str:
    options = index.dialect_options["postgresql"]
    parts = [quote_name(part.name) if isinstance(part, sa.Column) else _literal(part) for part in index.expressions]
    unique = "UNIQUE " if index.unique else ""
    where = options.get("where")
    condition = "" if where is None else f" WHERE {_literal(where)}"
    return f"{unique}USING {options.get('using') or 'btree'} ({', '.join(parts)}){condition}"


def _table(table: sa.Table, model: Model) -> Table:
    entity: Entity = table.info["entity"]
    own = sorted((c for c in table.constraints if c.name), key=lambda constraint: str(constraint.name))
    return Table(
        name=table.name,
        schema=table.schema,
        entity=entity.name,
        comment=table.comment,
        columns={column.name: _column(column, model) for column in table.columns},
        constraints={str(c.name): _constraint(c) for c in own if not isinstance(c, sa.ForeignKeyConstraint)},
        foreign_keys={str(c.name): _foreign_key(c) for c in own if isinstance(c, sa.ForeignKeyConstraint)},
        indexes={str(index.name): _index(index) for index in sorted(table.indexes, key=lambda index: str(index.name))},
        triggers=table_triggers(entity, qualified(table.name, table.schema)),
        logged=entity.logged,
    )


def take_snapshot(model: Model, objects: int) -> Snapshot:
    """Return the schema that the model asks for.

    Args:
        model: the SDL's model.
        objects: the version of Clew's own database objects that it needs (`clew.migrate.objects.VERSION`).
    """
    tables = build_tables(model)
    views = [entity for entity in model.entities.values() if entity.view_sql is not None]
    by_key = {qualified(table.name, table.schema): _table(table, model) for table in tables.metadata.tables.values()}
    return Snapshot(
        tables=dict(sorted(by_key.items())),
        views={
            qualified(view.table, view.schema): View(
                view.table, view.schema, view.name, view.description, (view.view_sql or "").strip().rstrip(";").rstrip()
            )
            for view in sorted(views, key=lambda entity: qualified(entity.table, entity.schema))
        },
        functions=trigger_functions(model),
        objects=objects,
    )
