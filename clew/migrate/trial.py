"""Try the SQL in the SDL on a database, before a migration uses it.

Each entity with SQL gets a temporary table with its columns, and each view a temporary view. The transaction is rolled
back.

A computed field must not raise on any row, because one such row would break every list. So each computed field is
evaluated on rows of very simple values that the table's checks allow.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice, product
from typing import Any

import asyncpg
from graphql import Source

from clew.errors import Diagnostic, Location, SchemaError
from clew.migrate.connect import open_connection
from clew.migrate.faults import explained
from clew.model.types import Column, Entity, Model
from clew.sdl.report import Report
from clew.sql.constraints import sql_names
from clew.sql.literals import quote_name, quote_text
from clew.sql.views import read_by
from clew.sql.words import identifiers, split_list

# For each scalar the values to try computed fields with, as Postgres reads them. Nullable columns also get null.
_NUMBERS = ("0", "1", "-1")
_VALUES = {
    **dict.fromkeys(("Int", "BigInt", "Float", "Decimal"), _NUMBERS),
    "String": ("", "x"),
    "Boolean": ("false", "true"),
    "DateTime": ("2026-01-31 00:00:00+00",),
    "Date": ("2026-01-31",),
    "Time": ("00:00:00",),
    "UUID": ("00000000-0000-0000-0000-000000000000",),
    "JSON": ("null", "{}", "[]", '""', "0"),
    "Bytes": ("",),
}
# The most rows to try one computed field with.
_MOST_ROWS = 256
_TIMEOUT = "10s"
_TOTAL = "make it total, such as 10 / nullif(n, 0), or rule such rows out by a @check"


async def try_sql(model: Model, sources: Sequence[Source], url: str) -> None:
    """Try every piece of SQL in the SDL. Nothing of it stays in the database.

    Args:
        sources: the files of the SDL. Errors show their lines.
        url: the URL of a database that the migrations have been run on.

    Raises:
        SchemaError: it lists every fault.
        StartupError: the database cannot be reached, or does not allow temporary tables.
    """
    if not any(_has_sql(entity) for entity in model.entities.values() if not entity.is_job):
        return
    with explained(url):
        connection = await open_connection(url)
        try:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(f"SET LOCAL statement_timeout = '{_TIMEOUT}'")
                found = await _Trial(model, sources, connection).run()
            finally:
                await transaction.rollback()
        finally:
            await connection.close()
    if found:
        raise SchemaError(found)


def _has_sql(entity: Entity) -> bool:
    """Return whether the SDL has SQL for an entity. SQL types of columns do not count."""
    columns = entity.columns
    return (
        entity.view_sql is not None
        or any(column.computed or column.checks for column in columns)
        or any(column.default is not None and column.default.sql for column in columns)
        or any(column.preset is not None and column.preset.sql for column in columns)
        or bool(entity.checks)
        or any(index.where or index.using for index in entity.indexes)
        or any(unique.where or unique.sql for unique in entity.uniques)
    )


class _Trial:
    def __init__(self, model: Model, sources: Sequence[Source], connection: asyncpg.Connection[Any]) -> None:
        self._model = model
        self._texts = {source.name: source for source in sources}
        self._report = Report([source.name for source in sources])
        self._connection = connection

    async def run(self) -> tuple[Diagnostic, ...]:
        views = [entity for entity in self._model.entities.values() if entity.view_sql is not None]
        read = {entity.name for view in views for entity in read_by(view, self._model)}
        made: dict[str, bool] = {}
        for entity in self._model.entities.values():
            if entity.view_sql is None and not entity.is_job and (_has_sql(entity) or entity.name in read):
                made[entity.name] = await self._table(entity)
                if made[entity.name] and entity.name in read:
                    # A view may group by the key, and then select any column.
                    keys = ", ".join(quote_name(column.column) for column in entity.key_columns)
                    await self._runs(f"ALTER TABLE {quote_name(entity.table)} ADD PRIMARY KEY ({keys})")
        for view in views:
            for entity in (*read_by(view, self._model), view):
                if entity.view_sql is not None and entity.name not in made:
                    # Without what it reads it would be told of the same fault again.
                    can_be = all(made.get(other.name, True) for other in read_by(entity, self._model))
                    made[entity.name] = can_be and await self._view(entity)
        return self._report.diagnostics

    async def _table(self, entity: Entity) -> bool:
        """Try an entity's table. Return whether it is there."""
        table = quote_name(entity.table)
        plain = [column for column in entity.columns if column.computed is None]
        columns = ", ".join(f"{quote_name(column.column)} {_type(column)}" for column in plain)
        if not await self._does(f"CREATE TEMPORARY TABLE {table} ({columns})", entity.location, f'"{entity.name}"'):
            return False
        for column in entity.columns:
            name, place = quote_name(column.column), f'"{entity.name}.{column.name}"'
            if column.computed is not None and column.computed.stored:
                added = f"ALTER TABLE {table} ADD COLUMN {name} {_type(column)}"
                sql = f"{added} GENERATED ALWAYS AS ({column.computed.sql}\n) STORED"
                if not await self._does(sql, column.location, f"the computed field {place}"):
                    await self._connection.execute(added)
            if column.default is not None and column.default.sql is not None:
                sql = f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {column.default.sql}"
                await self._does(sql, column.location, f"the default of {place}")
        for column in entity.columns:
            name, place = quote_name(column.column), f'"{entity.name}.{column.name}"'
            for check in column.checks:
                location, condition = check.location or column.location, check.sql
                if check.pattern is not None:
                    # ADD CHECK accepts even an invalid pattern, so try the pattern itself.
                    if not await self._does(
                        f"SELECT '' ~ {quote_text(check.pattern)}", location, f"the check of {place}"
                    ):
                        continue
                    condition = f"{name} ~ {quote_text(check.pattern)}"
                await self._does(f"ALTER TABLE {table} ADD CHECK ({condition}\n)", location, f"the check of {place}")
            if column.preset is not None and column.preset.sql is not None:
                sql = f"SELECT CAST(({column.preset.sql}\n) AS {_type(column)}) FROM {table}"  # noqa: S608 (the SDL's own)
                await self._does(sql, column.location, f"the preset of {place}")
        for check in entity.checks:
            sql = f"ALTER TABLE {table} ADD CHECK ({check.sql}\n)"
            await self._does(sql, check.location or entity.location, f'the check of "{entity.name}"')
        for index in entity.indexes:
            keys = ", ".join(map(quote_name, sql_names(entity, index.columns)))
            using = f" USING {quote_name(index.using)}" if index.using else ""
            where = f" WHERE {index.where}" if index.where else ""
            sql = f"CREATE INDEX ON {table}{using} ({keys}){where}"
            await self._does(sql, index.location or entity.location, f'the index of "{entity.name}"')
        for unique in entity.uniques:
            parts = split_list(unique.sql) if unique.sql else map(quote_name, sql_names(entity, unique.columns))
            where = f" WHERE {unique.where}" if unique.where else ""
            if unique.sql or where:
                keys = ", ".join(f"({part})" for part in parts)
                sql = f"CREATE UNIQUE INDEX ON {table} ({keys}){where}"
                await self._does(sql, unique.location or entity.location, f'the unique key of "{entity.name}"')
        await self._computed(entity)
        return True

    async def _view(self, view: Entity) -> bool:
        """Try a view. Return whether it is there."""
        table, sql = quote_name(view.table), (view.view_sql or "").rstrip("; \n")
        if self._is_beyond(view):
            return False
        if not await self._does(f"CREATE TEMPORARY VIEW {table} AS\n{sql}", view.location, f'the view "{view.name}"'):
            return False
        for column in view.columns:
            if column.computed is None:
                place = f'the view "{view.name}" has no column for its field "{column.name}"'
                name = quote_name(column.column)
                await self._does(f"SELECT {name} FROM {table}", column.location, place)  # noqa: S608 (quoted names)
        await self._computed(view)
        return True

    def _is_beyond(self, view: Entity) -> bool:
        """Return whether a view names a table of the model with its schema.

        Then it would use the database's own table, which the next migration may change, instead of the temporary one.
        """
        for entity in self._model.entities.values():
            name = rf'"?{re.escape(entity.schema or "public")}"?\s*\.\s*"?{re.escape(entity.table)}\b'
            if re.search(name, view.view_sql or "", re.IGNORECASE):
                return True
        return False

    async def _computed(self, entity: Entity) -> None:
        for column in entity.columns:
            if column.computed is None:
                continue
            place = f'the computed field "{entity.name}.{column.name}"'
            if column.computed.stored:
                # A stored field cannot break a list: the database refuses to write a row on which it raises.
                continue
            table = quote_name(entity.table)
            # Select the whole row too. Then Postgres refuses an aggregate, which does not belong to one row.
            sql = f"SELECT {table}.*, ({column.computed.sql}\n) FROM {table}"  # noqa: S608 (the SDL's own)
            if await self._does(sql, column.location, place) and entity.view_sql is None:
                await self._is_total(entity, column, place)

    async def _is_total(self, entity: Entity, column: Column, place: str) -> None:
        """Evaluate a computed field on rows of simple values that the table's checks allow. Report the first error."""
        assert column.computed is not None
        names = identifiers(column.computed.sql)
        checked = frozenset().union(*(identifiers(check.sql or "") for check in (*entity.checks, *_checks(entity))))
        used = [c for c in entity.columns if c.computed is None and c.column in names and c is not column]
        beside = [c for c in entity.columns if c.computed is None and c.column in checked and c not in used]
        keys = ", ".join(quote_name(c.column) for c in (*used, *beside))
        if not used:
            return
        table = quote_name(entity.table)
        worked_out = f"SELECT ({column.computed.sql}\n) FROM {table}"  # noqa: S608 (the SDL's own)
        for values in islice(product(*[await self._values(one) for one in used]), _MOST_ROWS):
            given = ", ".join([*values, *("NULL" for _ in beside)])
            async with _undone(self._connection):
                if not await self._runs(f"INSERT INTO {table} ({keys}) VALUES ({given})"):  # noqa: S608 (quoted names)
                    continue
                try:
                    await self._connection.fetch(worked_out)
                except asyncpg.PostgresError as error:
                    row = ", ".join(f"{c.name} = {value.split('::')[0]}" for c, value in zip(used, values, strict=True))
                    self._fault(column.location, f"{place} raises where {row}: {error.args[0]}", _TOTAL)
                    return

    async def _values(self, column: Column) -> list[str]:
        """Return values to try in a column, as SQL. Leave out values that its type does not accept."""
        type_ = column.type
        if type_.is_list:
            texts: Iterable[str] = ("{}",)
        elif type_.is_enum:
            texts = (value.name for value in self._model.enums[type_.name].values)
        elif type_.name == "ID":
            texts = ("0",) if "int" in type_.sql else _VALUES["UUID"]
        else:
            texts = _VALUES[type_.name]
        values = [f"{quote_text(text)}::{_type(column)}" for text in texts]
        values = [value for value in values if await self._runs(f"SELECT {value}")]
        return [*values, "NULL"] if column.nullable or not values else values

    async def _runs(self, sql: str) -> bool:
        """Run a statement. Return whether it succeeds."""
        try:
            async with self._connection.transaction():
                await self._connection.fetch(sql)
        except asyncpg.PostgresError:
            return False
        return True

    async def _does(self, sql: str, location: Location | None, what: str) -> bool:
        """Run a statement, and report its fault. Return whether it succeeds."""
        try:
            # Use `fetch`: `execute` takes several statements, and one of them could end the transaction.
            async with self._connection.transaction():
                await self._connection.fetch(sql)
        except asyncpg.PostgresError as error:
            self._fault(location, f"{what}: {error.args[0]}", error.hint)
            return False
        return True

    def _fault(self, location: Location | None, message: str, hint: str | None) -> None:
        if location is None:
            self._report.add(Diagnostic(message, hint=hint))
        else:
            self._report.error_at(self._texts[location.file], location.line, location.column, message, hint)


def _checks(entity: Entity) -> Iterator[Any]:
    for column in entity.columns:
        yield from column.checks


def _type(column: Column) -> str:
    return f"{column.type.sql}[]" if column.type.is_list else column.type.sql


@asynccontextmanager
async def _undone(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """Roll back what runs inside, in any case."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()
