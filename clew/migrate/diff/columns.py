"""Changes of a table's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clew.migrate import ddl
from clew.migrate.change import Change
from clew.migrate.conversion import keeps_every_value, using
from clew.migrate.diff.context import Context
from clew.migrate.snapshot import Column, Table
from clew.sql.literals import quote_name


def _adding(key: str, name: str, column: Column) -> tuple[str, ...]:
    statements = [f"ALTER TABLE {key} ADD COLUMN {ddl.column_definition(name, column)}"]
    if column.comment is not None:
        statements.append(ddl.comment("COLUMN", ddl.column_key(key, name), column.comment))
    return tuple(statements)


def _dropping(key: str, name: str) -> tuple[str, ...]:
    return (f"ALTER TABLE {key} DROP COLUMN {quote_name(name)}",)


def _required_without_value(column: Column) -> bool:
    return not column.nullable and column.default is None and not column.identity and column.generated is None


def drop_generated(context: Context) -> Iterator[Change]:
    """Drop generated columns that are removed or rebuilt, before the columns that they depend on change."""
    for key, old, new in context.kept:
        rebuilt = context.rebuilt.get(key, frozenset())
        # A dropped generated column may use a plain column that becomes computed. So drop the plain column later.
        for name, column in sorted(old.columns.items(), key=lambda item: item[1].generated is None):
            place = ddl.column_key(key, name)
            if column.generated is not None and (name not in new.columns or name in rebuilt):
                summary = (
                    f"drop computed column {place}" if name not in new.columns else f"rebuild computed column {place}"
                )
                yield Change(_dropping(key, name), _adding(key, name, column), summary)
            elif name in rebuilt:
                loses = f"the values of {place}: the column becomes computed"
                yield Change(_dropping(key, name), _adding(key, name, column), f"replace column {place}", loses)


def add_generated(context: Context) -> Iterator[Change]:
    """Add generated columns that are new or rebuilt."""
    for key, old, new in context.kept:
        rebuilt = context.rebuilt.get(key, frozenset())
        for name, column in new.columns.items():
            if column.generated is not None and (name not in old.columns or name in rebuilt):
                summary = "" if name in rebuilt else f"add computed column {ddl.column_key(key, name)}"
                yield Change(_adding(key, name, column), _dropping(key, name), summary)


def rename_values(context: Context) -> Iterator[Change]:
    """Rename enum values: in the database's own enum types, and in the rows of columns that hold them as text."""
    done: set[tuple[str, str]] = set()
    for key, old, new in context.kept:
        for name, column in old.columns.items():
            values = context.renames.values.get((key, name), {})
            place = ddl.column_key(key, name)
            back = {now: then for then, now in values.items()}
            if values and column.native is None:
                # Disable the triggers that both schemas have: a rename must not count as a change of the row.
                triggers = [trigger for trigger in old.triggers if trigger in new.triggers]
                up = ddl.replace_values(key, name, column, values, triggers)
                yield Change(up, ddl.replace_values(key, name, column, back, triggers))
            type_ = column.type.removesuffix("[]")
            for then, now in values.items():
                if column.native is None or (type_, then) not in done:
                    done.add((type_, then))
                    own = column.native is not None
                    yield Change(
                        (ddl.rename_type_value(type_, then, now),) if own else (),
                        (ddl.rename_type_value(type_, now, then),) if own else (),
                        f"rename value {then} of {place} to {now}",
                    )


def change_columns(context: Context) -> Iterator[Change]:
    """Drop, add and change plain columns."""
    for key, old, new in context.kept:
        yield from _drop_and_add(key, old, new)
        rebuilt = context.rebuilt.get(key, frozenset())
        for name, column in new.columns.items():
            if name in old.columns and name not in rebuilt:
                yield from _change(key, name, old.columns[name], column, context.renames.values.get((key, name), {}))


def _drop_and_add(key: str, old: Table, new: Table) -> Iterator[Change]:
    for name, column in old.columns.items():
        if name not in new.columns and column.generated is None:
            place = ddl.column_key(key, name)
            yield Change(
                _dropping(key, name), _adding(key, name, column), f"drop column {place}", f"the values of {place}"
            )
    for name, column in new.columns.items():
        if name not in old.columns and column.generated is None:
            place = ddl.column_key(key, name)
            reason = None
            if _required_without_value(column):
                reason = f"{place} is required and has no default, and {key} may hold rows"
            yield Change(_adding(key, name, column), _dropping(key, name), f"add column {place}", may_fail=reason)


def _change(key: str, name: str, old: Column, new: Column, values: Mapping[str, str]) -> Iterator[Change]:
    place = ddl.column_key(key, name)
    alter = f"ALTER TABLE {key} ALTER COLUMN {quote_name(name)}"
    yield from _enum_values(place, old, new, values)
    if old.generated is not None and new.generated is None:
        restore = (*_dropping(key, name), *_adding(key, name, old))
        yield Change((f"{alter} DROP EXPRESSION",), restore, f"make {place} a plain column")
    if old.identity and not new.identity:
        again = (f"{alter} ADD GENERATED BY DEFAULT AS IDENTITY", ddl.restart_identity(key, name))
        yield Change((f"{alter} DROP IDENTITY",), again, f"drop the identity of {place}")
    if old.type != new.type:
        yield _retype(key, name, old, new)
    elif old.default != new.default:
        yield Change((_default(alter, new),), (_default(alter, old),), f"change the default of {place}")
    if old.nullable != new.nullable:
        yield _nullability(key, name, new)
    if new.identity and not old.identity:
        made = (f"{alter} ADD GENERATED BY DEFAULT AS IDENTITY", ddl.restart_identity(key, name))
        yield Change(made, (f"{alter} DROP IDENTITY",), f"make {place} an identity")
    if old.comment != new.comment:
        yield Change(
            (ddl.comment("COLUMN", place, new.comment),),
            (ddl.comment("COLUMN", place, old.comment),),
            f"change the comment of {place}",
        )


def _default(alter: str, column: Column) -> str:
    return f"{alter} DROP DEFAULT" if column.default is None else f"{alter} SET DEFAULT {column.default}"


def _retype(key: str, name: str, old: Column, new: Column) -> Change:
    alter = f"ALTER TABLE {key} ALTER COLUMN {quote_name(name)}"
    place = ddl.column_key(key, name)

    def statements(source: Column, target: Column) -> tuple[str, ...]:
        lines = []
        if source.default is not None:  # Postgres would have to cast the default as well
            lines.append(f"{alter} DROP DEFAULT")
        lines.append(f"{alter} TYPE {target.type} USING {using(quote_name(name), source.type, target.type)}")
        if target.default is not None:
            lines.append(f"{alter} SET DEFAULT {target.default}")
        return tuple(lines)

    loses = None
    if not keeps_every_value(old.type, new.type):
        loses = f"values of {place} that do not fit {new.type.lower()}: they are cut or rounded, or the migration fails"
    summary = f"change the type of {place} from {old.type.lower()} to {new.type.lower()}"
    plain_old = old if old.generated is None else Column(type=old.type)
    return Change(statements(plain_old, new), statements(new, plain_old), summary, loses)


def _nullability(key: str, name: str, new: Column) -> Change:
    column = quote_name(name)
    place = ddl.column_key(key, name)
    required, optional = (f"ALTER TABLE {key} ALTER COLUMN {column} {verb} NOT NULL" for verb in ("SET", "DROP"))
    if new.nullable:
        return Change((optional,), (required,), f"make {place} nullable")
    if new.default is None:
        reason = f"{place} becomes required and has no default, and a row may hold NULL there"
        return Change((required,), (optional,), f"make {place} required", may_fail=reason)
    fill = f"UPDATE {key} SET {column} = DEFAULT WHERE {column} IS NULL"  # noqa: S608 (quoted names)
    return Change((fill, required), (optional,), f"make {place} required, with its default where it is NULL")


def _enum_values(place: str, old: Column, new: Column, renamed: Mapping[str, str]) -> Iterator[Change]:
    # The CHECK over the values is changed elsewhere. This only names the change for the summary.
    if old.enum is None or new.enum is None:
        return
    for value in old.enum:
        if value not in new.enum and value not in renamed:
            reason = f"a row may hold the value {value} of {place}"
            yield Change((), (), f"remove value {value} of {place}", may_fail=reason)
    for value in new.enum:
        if value not in old.enum and value not in renamed.values():
            yield Change((), (), f"add value {value} of {place}")
