"""Which tables the rows of a view come from, however it and the schema name them."""

from __future__ import annotations

import asyncpg
import pytest
from graphql import Source

from clew.changes.tables import logged_tables
from clew.live.tables import UnloggedError, tables_of
from clew.model.build import parse_model

pytestmark = pytest.mark.anyio

MODEL = parse_model(
    Source(
        """
        type Plain @table { id: Int! @id }
        type Named @table(schema: "public") { id: Int! @id }
        type Far @table(schema: "Far Away", plural: "nears") { id: Int! @id }
        type Silent @table(without: LIVE) { id: Int! @id }
        type Over @view(sql: "SELECT id FROM plains") { id: Int! @id }
        type OverNamed @view(sql: "SELECT id FROM nameds") { id: Int! @id }
        type OverFar @view(sql: "SELECT id FROM \\"Far Away\\".nears") { id: Int! @id }
        type OverViews @view(sql: "SELECT id FROM overs UNION SELECT id FROM over_nameds") { id: Int! @id }
        type OverSilent @view(sql: "SELECT id FROM plains UNION SELECT id FROM silents") { id: Int! @id }
        """,
        "schema.graphql",
    )
)
TABLES = """
CREATE SCHEMA "Far Away";
CREATE TABLE plains (id int); CREATE TABLE nameds (id int); CREATE TABLE "Far Away".nears (id int);
CREATE TABLE silents (id int); CREATE TABLE nears (id int);
"""


@pytest.mark.parametrize(
    ("view", "tables"),
    [
        ("Over", {(None, "plains")}),
        ("OverNamed", {("public", "nameds")}),
        ("OverFar", {("Far Away", "nears")}),
        ("OverViews", {(None, "plains"), ("public", "nameds")}),
        ("OverSilent", None),
    ],
)
async def test_a_view_has_the_changes_of_the_tables_behind_it(
    view: str, tables: set[tuple[str | None, str]] | None, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(TABLES)
        for entity in MODEL.entities.values():
            if entity.view_sql is not None:
                await connection.execute(f"CREATE VIEW {entity.table} AS {entity.view_sql}")

        async def fetch(sql: str, arguments: object) -> list[asyncpg.Record]:
            assert isinstance(arguments, list)
            return await connection.fetch(sql, *arguments)

        found = tables_of(MODEL.entity(view), set(logged_tables(MODEL)), fetch)
        if tables is None:
            with pytest.raises(UnloggedError):
                await found
        else:
            assert set(await found) == tables
    finally:
        await connection.close()
