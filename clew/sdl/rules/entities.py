"""An entity has valid names and at least one column."""

from __future__ import annotations

from clew.sdl.directives import Index, Renamed, Resolver, SoftDelete, Table, Unique, View
from clew.sdl.document import Document, Type
from clew.sdl.report import Report

# The schema of Clew's own tables.
CLEW_SCHEMA = "clew"
# Alembic stores the revision in this table.
ALEMBIC_TABLE = "alembic_version"


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        if all(field.first(Resolver) for field in type_.fields.values()):
            report.error(type_.node.name, f'the entity "{type_.name}" has no columns', "add: id: ID! @id")
        _check_names(type_, report)
        _check_view(type_, report)
        for unique in type_.all(Unique):
            if not unique.fields and unique.sql is None:
                report.error(unique.node, "@unique on a type needs fields or sql", "write @unique(fields: [...])")
        for directive in (*type_.all(Unique), *(u for field in type_.fields.values() for u in field.all(Unique))):
            if directive.fields is not None and directive.sql is not None:
                report.error(directive.given["sql"], "@unique takes fields or sql, not both")
            if directive.deferrable:
                _check_deferrable(type_, directive, report)
        for index in type_.all(Index):
            if not index.fields:
                report.error(index.node, "@index on a type needs fields", "write @index(fields: [...])")


def _check_deferrable(type_: Type, unique: Unique, report: Report) -> None:
    """Only a constraint can be deferred, not the unique index that some keys are."""
    reason = next((f"with {name}" for name in ("where", "sql") if getattr(unique, name) is not None), None)
    if reason is None and any(field.first(SoftDelete) for field in type_.fields.values()):
        reason = "on a type with @softDelete"
    if reason is not None:
        report.error(unique.given["deferrable"], f"@unique {reason} cannot be deferrable", "leave out deferrable")


def _check_names(type_: Type, report: Report) -> None:
    table = type_.first(Table)
    if table is None:
        return
    if table.plural is not None and not _is_name(table.plural):
        report.error(table.given["plural"], f'"{table.plural}" is not a GraphQL name, and the list field needs one')
    if table.schema in (CLEW_SCHEMA, "information_schema") or (table.schema or "").startswith("pg_"):
        report.error(table.given["schema"], f'the database schema "{table.schema}" is reserved')
    if table.name == ALEMBIC_TABLE and table.schema in (None, "public"):
        report.error(table.given["name"], f'the table "{table.name}" is Alembic\'s own')


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier() and not text.startswith("__")


def _check_view(type_: Type, report: Report) -> None:
    view = type_.first(View)
    if view is None:
        return
    if not view.sql.strip():
        report.error(view.given["sql"], "the query of @view is empty")
    for directive in (*type_.all(Unique), *type_.all(Index), *type_.all(Renamed)):
        name = directive.node.name.value
        report.error(directive.node, f'@{name} needs a table, and "{type_.name}" is a view')
