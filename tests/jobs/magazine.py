"""A magazine whose posts are summarised by jobs, as its viewers see it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from graphql import Source

from clew import Viewer
from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine, Request
from clew.jobs.fields import bind_jobs
from clew.model.build import parse_model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from clew.writes.fields import bind_writes
from tests.databases import create_tables

SDL = """
type Post @table
  @allow(role: user, where: {owner: "$auth.sub"})
  @allow(role: user, to: UPDATE, where: {owner: "$auth.sub"})
  @allow(role: editor) {
  id: Int! @id
  title: String!
  owner: String!
}
enum Mood { GOOD BAD }
input Options { deep: Boolean! tags: [String!] }
type Report { title: String! lines: Int! }
type Mutation {
  summarize(
    postId: Int! @row(type: "Post"), mood: Mood, moods: [Mood], options: Options, tags: [String!], at: DateTime
  ): String!
    @job(retries: 2, queue: "ai", priority: 5, runAt: at) @allow(role: user)
  publish(postId: Int!): Post @job(unique: [postId]) @allow(role: [user, editor])
  greet(name: String!): String @job @allow(role: anon)
  report(big: BigInt, exact: Decimal): Report @job @allow(role: user)
  sweep: Int @job
}
extend type SummarizeJob
  @allow(role: editor, where: {mood: GOOD})
  @allow(role: editor, to: UPDATE, where: {mood: GOOD})
"""
ADMIN = Viewer.admin()


def user(name: str, *roles: str) -> Viewer:
    return Viewer(name, frozenset({"anon", *(roles or ("user",))}), {"sub": name, "team": 7})


ANON = Viewer(None, frozenset({"anon"}))


class Magazine:
    """The magazine in a database. `aside` is a connection of the test itself."""

    def __init__(self, engine: Engine, url: str, aside: asyncpg.Connection[Any]) -> None:
        self.engine = engine
        self.url = url
        self.aside = aside

    async def run(
        self, document: str, viewer: Viewer = ADMIN, variables: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The whole response, without the errors' request id."""
        response = await self.engine.execute(Request(document, variables or {}), viewer)
        found: dict[str, Any] = json.loads(response.body)
        for error in found.get("errors", ()):
            error["extensions"].pop("requestId")
        return found

    async def ok(self, document: str, viewer: Viewer = ADMIN, variables: Mapping[str, Any] | None = None) -> Any:
        """`data` of an operation that succeeds."""
        found = await self.run(document, viewer, variables)
        assert "errors" not in found, found["errors"]
        return found["data"]

    async def code(self, document: str, viewer: Viewer = ADMIN, variables: Mapping[str, Any] | None = None) -> str:
        """The code of the first error of an operation that fails."""
        found = await self.run(document, viewer, variables)
        assert "errors" in found, found
        return str(found["errors"][0]["extensions"]["code"])

    async def job(self, name: str, key: str) -> asyncpg.Record:
        """The row of a job."""
        row: asyncpg.Record
        (row,) = await self.aside.fetch("SELECT * FROM clew.jobs WHERE id = $1", uuid.UUID(key))
        assert row["name"] == name
        return row


@asynccontextmanager
async def magazine(url: str, more: str = "") -> AsyncIterator[Magazine]:
    """Make the magazine in an empty database.

    Args:
        more: further SDL.
    """
    model = parse_model(Source(SDL + more, "test.graphql"))
    schema = build_schema(model)
    assert bind(schema, model, []) == []
    bind_writes(schema, model)
    bind_jobs(schema, model)
    aside = await asyncpg.connect(url)
    await create_tables(url, model, logged=True)
    await aside.execute(
        "INSERT INTO posts (id, title, owner) SELECT n, 'post ' || n, 'u' || n FROM generate_series(1, 5) AS n"
    )
    pool = Pool(url, size=4)
    engine = Engine(model, schema, build_tables(model), pool, RoleLimits(Limits(), {}))
    try:
        yield Magazine(engine, url, aside)
    finally:
        await pool.close()
        await aside.close()
