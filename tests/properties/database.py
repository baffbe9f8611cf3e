"""A database for a random case: its tables straight from the model, its rows, an engine and the reference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from graphql import GraphQLSchema, print_schema

from clew import Viewer
from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine, Request
from clew.model.types import Model
from clew.schema.build import build_schema
from clew.sql.literals import quote_name
from clew.sql.tables import build_tables
from tests.databases import create_tables, new_database
from tests.properties.models import Case
from tests.reference import Reference, Tables, table_sql

T = TypeVar("T")

# What random operations are made of is bounded by their strategy, not by the limits.
LIMITS = RoleLimits(Limits(tokens=100_000, depth=100, aliases=10_000, root_fields=None, directives=None, cost=None))


@dataclass(frozen=True)
class World:
    """A case in a database. `run` runs a coroutine on the loop that the engine's pool belongs to."""

    case: Case
    url: str
    schema: GraphQLSchema
    engine: Engine
    reference: Reference
    runner: asyncio.Runner

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def execute(self, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Clew's response, the error's request id left out."""
        return self.run(answer(self.engine, document, variables))


async def answer(engine: Engine, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """The engine's response as an admin, without what differs each time."""
    response = await engine.execute(Request(document, variables or {}), Viewer.admin())
    found: dict[str, Any] = json.loads(response.body, parse_float=_number)
    for error in found.get("errors", ()):
        error["extensions"].pop("requestId")
    return found


def _number(text: str) -> float | int:
    """Postgres writes the Float 3.0 as 3, Python as 3.0: here both are 3, up to what a double holds exactly."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def canonical(response: dict[str, Any]) -> str:
    """A response as JSON text: equal texts are equal to the byte, the order of keys included."""
    text = json.dumps(response, ensure_ascii=False)
    return json.dumps(json.loads(text, parse_float=_number), ensure_ascii=False)


def new_engine(model: Model, url: str) -> Engine:
    """An engine with empty caches."""
    # The tests of faults end the connections that are called "clew", on whatever database.
    pool = Pool(url, size=2, application_name="clew-property")
    return Engine(model, build_schema(model), build_tables(model), pool, LIMITS)


async def insert(url: str, case: Case) -> None:
    """The case's rows, in whatever order: nothing is checked but keys."""
    connection = await asyncpg.connect(url)
    try:
        # Foreign keys are triggers: rows may refer to rows that come later.
        await connection.execute("SET session_replication_role = replica")
        for name, rows in case.rows.items():
            for row in rows:
                names = ", ".join(quote_name(column) for column in row)
                marks = ", ".join(f"${index}" for index in range(1, len(row) + 1))
                sql = f"INSERT INTO {table_sql(case.model.entity(name))} ({names}) VALUES ({marks})"
                await connection.execute(sql, *row.values())
    finally:
        await connection.close()


@contextmanager
def make_world(server_url: str, case: Case) -> Iterator[World]:
    """The case in a database of its own, dropped at the end."""
    with new_database(server_url) as url, asyncio.Runner() as runner:

        async def fill() -> Tables:
            await create_tables(url, case.model)
            await insert(url, case)
            return await Tables.load(url, case.model)

        tables = runner.run(fill())
        engine = new_engine(case.model, url)
        reference = Reference(case.model, tables, print_schema(engine.schema))
        try:
            yield World(case, url, engine.schema, engine, reference, runner)
        finally:
            runner.run(engine.pool.close())
