"""Databases of tests' own on a server that tests share, each dropped at the end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema

from clew.migrate.connect import migration_engine
from clew.migrate.objects import VERSION, statements
from clew.migrate.triggers import log_changes
from clew.model.types import Model
from clew.sql.tables import build_tables
from tests.reference import table_sql

# The C collation orders and folds text as Python's `str` does ASCII.
C = "ENCODING 'UTF8' LOCALE 'C'"

# What makes Clew's own objects. Some statements write rows that tell whose log it is and when it began: each database
# runs them itself, for a copy would be another's.
_ALL = statements(VERSION)
_OWN = [statement for statement in _ALL if statement.startswith("INSERT")]
_IS_PREPARED = "SELECT to_regnamespace('clew') IS NOT NULL"


def url_of(server_url: str, database: str) -> str:
    """The URL of another database of the server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


@contextmanager
def empty_database(server_url: str, name: str = "test") -> Iterator[str]:
    """The URL of a database without tables. `name` begins its name."""
    with _server(server_url).database(name, "template0") as url:
        yield url


@contextmanager
def new_database(server_url: str, name: str = "test", *, locale: str = C) -> Iterator[str]:
    """The URL of a database for `install` or `create_tables`, with most of Clew's own objects."""
    server = _server(server_url)
    with server.database(name, server.template(locale)) as url:
        yield url


async def install(url: str, more: str = "SELECT") -> None:
    """Make Clew's own objects, and run the statements of `more`."""
    connection = await asyncpg.connect(url)
    try:
        for statement in _OWN if await connection.fetchval(_IS_PREPARED) else _ALL:
            await connection.execute(statement)
        await connection.execute(more)
    finally:
        await connection.close()


async def create_tables(url: str, model: Model, *, logged: bool = False) -> None:
    """The model's schemas, tables and views, and Clew's own objects.

    Args:
        logged: with the triggers of the change log.
    """
    tables = build_tables(model)

    def create(connection: sa.Connection) -> None:
        is_prepared = connection.exec_driver_sql(_IS_PREPARED).scalar_one()
        for statement in _OWN if is_prepared else _ALL:
            connection.exec_driver_sql(statement)
        for schema in {table.schema for table in tables.metadata.tables.values() if table.schema}:
            connection.execute(CreateSchema(schema))
        tables.metadata.create_all(connection, checkfirst=False)
        for entity in model.entities.values():
            if entity.view_sql is not None:
                connection.exec_driver_sql(f"CREATE VIEW {table_sql(entity)} AS {entity.view_sql}")
            elif logged and entity.logged:
                connection.exec_driver_sql(log_changes(table_sql(entity)))

    async with migration_engine(url) as engine, engine.begin() as connection:
        await connection.run_sync(create)


def close_servers() -> None:
    """Drop what databases were made from, and close the connections."""
    while _servers:
        _servers.popitem()[1].close()


class _Server:
    """Makes databases over one connection that stays open: to connect takes nearly as long as to make one."""

    def __init__(self, url: str) -> None:
        self._url = url
        # It must not become the current loop of the process: that is for the tests to set.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection: asyncpg.Connection[Any] = self._runner.run(asyncpg.connect(url))
        self._templates: dict[str, str] = {}

    @contextmanager
    def database(self, name: str, template: str) -> Iterator[str]:
        name = f"{name}_{uuid.uuid4().hex}"
        # Nobody connects to a template, so copies do not wait for each other's readers.
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield url_of(self._url, name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def template(self, locale: str) -> str:
        """The name of a database with what is the same in every one: to make it anew takes longer than a copy."""
        if locale not in self._templates:
            name = f"template_{uuid.uuid4().hex}"
            self._run(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy {locale}")
            self._templates[locale] = name
            self._runner.run(self._prepare(url_of(self._url, name)))
        return self._templates[locale]

    async def _prepare(self, url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in _ALL:
                if statement not in _OWN:
                    await connection.execute(statement)
        finally:
            await connection.close()

    def close(self) -> None:
        # A server of a test's own is gone by now, with all that it had.
        with suppress(OSError):
            for name in self._templates.values():
                self._run(f"DROP DATABASE {name} WITH (FORCE)")
        self._connection.terminate()
        self._runner.close()

    def _run(self, statement: str) -> None:
        try:
            self._runner.run(self._connection.execute(statement))
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, ConnectionError):
            # The server has been started again.
            self._connection.terminate()
            self._connection = self._runner.run(asyncpg.connect(self._url))
            self._runner.run(self._connection.execute(statement))


_servers: dict[str, _Server] = {}


def _server(url: str) -> _Server:
    if url not in _servers:
        _servers[url] = _Server(url)
    return _servers[url]
