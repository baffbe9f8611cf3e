"""Compute the difference between two schemas as an ordered list of changes."""

from __future__ import annotations

from collections.abc import Iterator

from clew.migrate import ddl
from clew.migrate.change import Change
from clew.migrate.diff import columns, parts, views
from clew.migrate.diff.context import Context
from clew.migrate.renames import Renames
from clew.migrate.snapshot import Snapshot, Table, qualified
from clew.migrate.triggers import log_changes
from clew.model.names import made_name
from clew.sql.literals import quote_name

__all__ = ["diff"]


def diff(old: Snapshot, new: Snapshot, renames: Renames | None = None) -> tuple[Change, ...]:
    """Return the changes from `old` to `new` in the order to run them. Equal schemas have none.

    Objects that depend on columns (triggers, views, keys, checks, indexes, generated columns) are
    dropped first and made again last. Foreign keys come after every table.

    Args:
        old: the schema that the migrations lead to.
        new: the schema that the SDL asks for.
        renames: tables and columns that continue under another name; see `find_renames`.
    """
    context = Context(old, new, renames or Renames())
    phases = (
        _schemas,
        parts.drop_triggers,
        views.drop_views,
        _renames,
        _made_names,
        parts.drop_foreign_keys,
        parts.drop_indexes,
        parts.drop_constraints,
        columns.drop_generated,
        _functions,
        _drop_tables,
        _create_tables,
        columns.rename_values,
        columns.change_columns,
        _comments,
        columns.add_generated,
        parts.add_constraints,
        parts.add_indexes,
        parts.add_foreign_keys,
        views.create_views,
        parts.add_triggers,
        _drop_functions,
    )
    return tuple(change for phase in phases for change in phase(context))


def _schemas(context: Context) -> Iterator[Change]:
    # Use IF NOT EXISTS, and keep the schema on the way down: it may be older than the project.
    old = {item.schema for items in (context.before.tables, context.before.views) for item in items.values()}
    new = {item.schema for items in (context.new.tables, context.new.views) for item in items.values()}
    for schema in sorted(name for name in new - old if name):
        yield Change((f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)}",), (), f"create schema {schema}")


def _renames(context: Context) -> Iterator[Change]:
    for old_key, new_key in context.renames.tables.items():
        up, down = _moves(old_key, context.before.tables[old_key], new_key, context.new.tables[new_key])
        yield Change(up, down, f"rename table {old_key} to {new_key}")
    for key, names in context.renames.columns.items():
        for old, new in names.items():
            yield Change(
                (f"ALTER TABLE {key} RENAME COLUMN {quote_name(old)} TO {quote_name(new)}",),
                (f"ALTER TABLE {key} RENAME COLUMN {quote_name(new)} TO {quote_name(old)}",),
                f"rename column {ddl.column_key(key, old)} to {quote_name(new)}",
            )


def _made_names(context: Context) -> Iterator[Change]:
    """Rename objects that Postgres has named by itself: sequences of identities, and NOT NULL since Postgres 18."""
    for key, new in context.new.tables.items():
        old_key = next((old for old, now in context.renames.tables.items() if now == key), key)
        before = context.before.tables.get(old_key)
        if before is None:
            continue
        constraints: dict[str, str] = {}
        for name, column in before.columns.items():
            now = context.renames.column(key, name)
            for label, is_there in (("seq", column.identity), ("not_null", not column.nullable)):
                old_name, new_name = made_name(before.name, name, label), made_name(new.name, now, label)
                if not is_there or old_name == new_name:
                    continue
                if label == "not_null":
                    constraints[old_name] = new_name
                else:
                    up = ddl.rename_sequence(new.schema, old_name, new_name)
                    yield Change((up,), (ddl.rename_sequence(new.schema, new_name, old_name),))
        if constraints:
            back = {now: then for then, now in constraints.items()}
            yield Change((ddl.rename_constraints(key, constraints),), (ddl.rename_constraints(key, back),))


def _moves(old_key: str, old: Table, new_key: str, new: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    up, down = [], []
    between = qualified(new.name, old.schema)
    if old.name != new.name:
        up.append(f"ALTER TABLE {old_key} RENAME TO {quote_name(new.name)}")
        down.append(f"ALTER TABLE {between} RENAME TO {quote_name(old.name)}")
    if old.schema != new.schema:
        up.append(f"ALTER TABLE {between} SET SCHEMA {quote_name(new.schema or 'public')}")
        down.insert(0, f"ALTER TABLE {new_key} SET SCHEMA {quote_name(old.schema or 'public')}")
    return tuple(up), tuple(down)


def _functions(context: Context) -> Iterator[Change]:
    for name, text in context.new.functions.items():
        before = context.before.functions.get(name)
        if before != text:
            yield Change((text,), (before if before is not None else ddl.drop_function(name),))


def _drop_functions(context: Context) -> Iterator[Change]:
    for name, text in context.before.functions.items():
        if name not in context.new.functions:
            yield Change((ddl.drop_function(name),), (text,))


def _drop_tables(context: Context) -> Iterator[Change]:
    for key, table in context.dropped.items():
        restore = [*ddl.create_table(key, table)]
        restore += [
            ddl.add_constraint(key, name, ddl.foreign_key_text(foreign))
            for name, foreign in table.foreign_keys.items()
            if not parts.is_dropped_apart(context, key, foreign.references)
        ]
        restore += table.triggers.values()
        if table.logged:
            restore.append(log_changes(key))
        yield Change((ddl.drop_table(key),), tuple(restore), f"drop table {key}", f"table {key} and all its rows")


def _create_tables(context: Context) -> Iterator[Change]:
    for key, table in context.created.items():
        yield Change(ddl.create_table(key, table), (ddl.drop_table(key),), f"create table {key}")


def _comments(context: Context) -> Iterator[Change]:
    for key, old, new in context.kept:
        if old.comment != new.comment:
            yield Change(
                (ddl.comment("TABLE", key, new.comment),),
                (ddl.comment("TABLE", key, old.comment),),
                f"change the comment of {key}",
            )
