"""An engine on a database that a test may write to, and the whole of that database to compare."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from graphql import Source

from clew import Viewer
from clew.database.pool import Pool
from clew.engine import Engine, Request
from clew.model.build import parse_model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from clew.writes.fields import bind_writes
from clew.writes.hooks import Hooks, Registered
from tests.databases import create_tables
from tests.properties.database import LIMITS
from tests.reference import table_sql

ADMIN = Viewer.admin()


@dataclass
class Api:
    """Mutations as a viewer sends them. `aside` is a connection of the test itself."""

    engine: Engine
    url: str
    aside: asyncpg.Connection[Any]

    async def run(
        self, document: str, variables: dict[str, Any] | None = None, viewer: Viewer = ADMIN
    ) -> dict[str, Any]:
        """The whole response, without the errors' request id."""
        response = await self.engine.execute(Request(document, variables or {}), viewer)
        found: dict[str, Any] = json.loads(response.body)
        for error in found.get("errors", ()):
            error["extensions"].pop("requestId")
        return found

    async def ok(self, document: str, variables: dict[str, Any] | None = None, viewer: Viewer = ADMIN) -> Any:
        """`data` of an operation that succeeds."""
        found = await self.run(document, variables, viewer)
        assert "errors" not in found, found["errors"]
        return found["data"]

    async def fails(
        self, document: str, variables: dict[str, Any] | None = None, viewer: Viewer = ADMIN
    ) -> dict[str, Any]:
        """The one error of an operation that leaves the database as it was."""
        before = await self.dump()
        found = await self.run(document, variables, viewer)
        assert found.get("data") is None, found
        assert "errors" in found, found
        assert await self.dump() == before
        errors: list[dict[str, Any]] = found["errors"]
        assert len(errors) == 1, errors
        # Where it stood in the document is no part of what happened.
        return {key: value for key, value in errors[0].items() if key not in ("locations", "path")}

    async def sql(self, statement: str, *arguments: Any) -> list[Any]:
        """Rows of a statement: of one column its values, else tuples."""
        rows = await self.aside.fetch(statement, *arguments)
        return [row[0] if len(row) == 1 else tuple(row) for row in rows]

    async def dump(self) -> dict[str, list[str]]:
        """Every row of every table, as Postgres writes it."""
        found: dict[str, list[str]] = {}
        for entity in self.engine.model.entities.values():
            if entity.view_sql is None:
                rows = await self.aside.fetch(f"SELECT t::text FROM {table_sql(entity)} AS t ORDER BY 1")
                found[entity.name] = [row[0] for row in rows]
        return found

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """What runs inside leaves the database as it was."""
        before = await self.dump()
        yield
        assert await self.dump() == before


@asynccontextmanager
async def api_of(url: str, sdl: str, data: str = "SELECT 1", hooks: Iterable[Registered] = ()) -> AsyncIterator[Api]:
    """A schema of a test's own, for writing, on an empty database; `data` are statements that fill it."""
    model = parse_model(Source(sdl, "schema.graphql"))
    await create_tables(url, model)
    schema = build_schema(model)
    assert bind(schema, model, []) == []
    bind_writes(schema, model)
    pool = Pool(url, size=2, application_name="clew-writes")
    aside = await asyncpg.connect(url)
    try:
        await aside.execute(data)
        engine = Engine(model, schema, build_tables(model), pool, LIMITS, hooks=Hooks(schema, hooks))
        yield Api(engine, url, aside)
    finally:
        await aside.close()
        await pool.close()


def code(error: dict[str, Any]) -> str:
    """The code of an error."""
    found: str = error["extensions"]["code"]
    return found
