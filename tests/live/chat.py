"""A small chat: people, teams, threads and messages, under rules that lead through relations."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from graphql import Source

from clew import Viewer
from clew.background import Background
from clew.changes.types import Batch, Change, ChangeKind, ChangeSource, Listener, Listening, Position, TableName
from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine, Request
from clew.engine.outcome import Outcome
from clew.live.queries import CONNECTIONS, LiveQueries, LiveStream
from clew.model.build import parse_model
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from clew.writes.fields import bind_writes
from tests.databases import create_tables

SDL = """
type User @table @is(name: "me", where: {id: "$auth.sub"}) @allow(role: user) {
  id: Int! @id
  name: String!
  score: Decimal
  shout: String @computed(sql: "upper(name)")
  tenth: Int @computed(sql: "100 / (length(name) - 3)")
  threads: [Thread!]! @relation(from: "owner")
}
type Team @table @allow(role: user) {
  id: Int! @id
  name: String!
  members: [User!]! @relation(through: "Member")
}
type Member @table @allow(role: user) { team: Team! @id user: User! @id admin: Boolean! @default(value: false) }
type Thread @table @is(name: "mine", where: {owner: {is: "me"}})
  @allow(role: user, where: {is: "mine"})
  @allow(role: reader, where: {or: [{is: "mine"}, {team: {members: {some: {is: "me"}}}}]})
  @allow(role: guest, where: {public: true}) {
  id: Int! @id
  owner: User!
  team: Team
  title: String!
  public: Boolean! @default(value: false)
  deletedAt: DateTime @softDelete
  messages: [Message!]!
}
type Message @table @allow(role: user, where: {thread: {is: "mine"}}) {
  id: Int! @id
  thread: Thread!
  author: User
  text: String!
}
type Secret @table @allow(role: user, where: {exists: {Member: {user: {is: "me"}, admin: true}}}) {
  id: Int! @id
  text: String!
}
type Note @table
  @allow(role: named, where: {place: "$auth.name"})
  @allow(role: desk, where: {place: "$auth.desk"}) {
  id: Int! @id
  place: String!
  text: String!
}
"""
FILL = """
INSERT INTO users (id, name) SELECT n, 'user ' || n FROM generate_series(1, 9) AS n;
INSERT INTO teams (id, name) SELECT n, 'team ' || n FROM generate_series(1, 3) AS n;
INSERT INTO members (team_id, user_id) SELECT 1 + n % 3, n FROM generate_series(1, 9) AS n;
INSERT INTO threads (id, owner_id, team_id, title)
    SELECT n, 1 + n % 9, CASE WHEN n % 2 = 0 THEN 1 + n % 3 END, 'thread ' || n FROM generate_series(1, 27) AS n;
INSERT INTO messages (id, thread_id, author_id, text)
    SELECT n, 1 + n % 27, 1 + n % 9, 'message ' || n FROM generate_series(1, 81) AS n;
INSERT INTO secrets (id, text) VALUES (1, 'a'), (2, 'b');
ALTER TABLE messages ALTER id RESTART WITH 1001;
ALTER TABLE secrets ALTER id RESTART WITH 1001;
"""


def user(number: int, *roles: str) -> Viewer:
    return Viewer(str(number), frozenset({"anon", *(roles or ("user",))}), {})


class Feed:
    """Changes that a test tells by hand."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.missing: set[TableName] = set()
        self._id = 0

    async def listen(self, listener: Listener) -> Listening:
        self.listeners.append(listener)
        return Listening(Position("epoch", "1:1:"), lambda: self.listeners.remove(listener))

    def wake(self) -> None:
        pass

    async def unlogged(self) -> set[TableName]:
        return self.missing

    def since(self, position: Position, tables: Collection[TableName], until: Position) -> AsyncIterator[Batch]:
        raise NotImplementedError

    def tell(
        self, table: str, kind: ChangeKind, old: dict[str, Any] | None = None, new: dict[str, Any] | None = None
    ) -> None:
        """Give the listeners one change."""
        self._id += 1
        old_text, new_text = (None if image is None else json.dumps(image) for image in (old, new))
        change = Change(self._id, None, table, kind, old_text, new_text)
        for listener in list(self.listeners):
            listener(Batch((change,), "1:1:", Position("epoch", f"{self._id}:{self._id}:")))

    def lose(self, table: str) -> None:
        """Say that a table is another one now, so that changes may have been missed."""
        for listener in list(self.listeners):
            listener(Batch((Change(0, None, table, ChangeKind.RESET),), "1:1:", Position("epoch", "1:1:")))


class Chat:
    """The chat in a database, its engine, and its live queries by a feed."""

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.url = url
        model = parse_model(Source(SDL, "schema.graphql"))
        pool = Pool(url, size=4, application_name="clew-live-test")
        limits = limits or Limits(live_rate=None)
        schema = build_schema(model)
        bind_writes(schema, model)
        self.engine = Engine(model, schema, build_tables(model), pool, RoleLimits(limits, {}))
        self.writes = Pool(url, size=1, application_name="clew-live-test")
        self.feed = Feed()
        self.live_pool = Pool(url, size=CONNECTIONS, application_name="clew-live-test")
        self.background = Background()
        self.live = LiveQueries(self.engine, self.feed, self.live_pool, self.background)

    def follow(self, changes: ChangeSource) -> None:
        """Take changes from somewhere else than the feed."""
        self.live = LiveQueries(self.engine, changes, self.live_pool, self.background)

    async def sql(self, text: str) -> None:
        await self.writes.fetch(text, ())

    async def open(
        self, document: str, viewer: Viewer, variables: dict[str, Any] | None = None, **extensions: Any
    ) -> LiveStream:
        """Subscribe to a query."""
        request = Request(f"subscription{document}", variables or {}, extensions=extensions)
        begun = await self.engine.begin(request, viewer, None)
        assert not isinstance(begun, Outcome), begun.body
        return await self.live.open(begun, request)

    async def fresh(self, document: str, viewer: Viewer, variables: dict[str, Any] | None = None) -> bytes:
        """What the query answers now."""
        return (await self.engine.execute(Request(f"query{document}", variables or {}), viewer)).body


@asynccontextmanager
async def chat(url: str, limits: Limits | None = None) -> AsyncIterator[Chat]:
    """Fill an empty database with the chat."""
    await create_tables(url, parse_model(Source(SDL, "schema.graphql")))
    connection = await asyncpg.connect(url)
    await connection.execute(FILL)
    await connection.close()
    made = Chat(url, limits)
    try:
        yield made
    finally:
        await made.live.close()
        await made.background.close()
        await made.engine.pool.close()
        await made.writes.close()
