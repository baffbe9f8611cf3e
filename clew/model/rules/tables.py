"""Two entities need two tables, two fields need two columns, and no column may have a name reserved by Postgres."""

from __future__ import annotations

from clew.model.rules.places import entity_node, field_node
from clew.model.scope import Scope
from clew.model.types import Entity, Model

SYSTEM_COLUMNS = frozenset(("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"))


def check(scope: Scope, model: Model) -> None:
    tables: dict[tuple[str | None, str], Entity] = {}
    for entity in model.entities.values():
        if entity.is_job:
            # They share a table of Clew's own.
            continue
        # A table without a schema is in the default one: "public", unless the database has another default.
        schema = None if entity.schema == "public" else entity.schema
        first = tables.setdefault((schema, entity.table), entity)
        if first is not entity:
            message = f'the entities "{first.name}" and "{entity.name}" are both the table "{entity.table}"'
            scope.report.error(entity_node(scope, entity), message, '@table(name: "...") names the table')
        _check_columns(scope, entity)


def _check_columns(scope: Scope, entity: Entity) -> None:
    columns: dict[str, str] = {}
    for column in entity.columns:
        first = columns.setdefault(column.column, column.name)
        cure = '@relation(column: "...")' if column.relation else '@column(name: "...")'
        if first != column.name:
            node = field_node(scope, entity, column.name)
            message = f'"{entity.name}.{first}" and "{entity.name}.{column.name}" are both the column "{column.column}"'
            scope.report.error(node, message, f"{cure} names the column")
        if column.column in SYSTEM_COLUMNS and entity.view_sql is None:
            node = field_node(scope, entity, column.name)
            message = f'the column "{column.column}" of "{entity.name}" is Postgres\' own'
            scope.report.error(node, message, f"{cure} names the column")
