"""Rooms, guests, notes and labels under rules, and a source that reads the change log when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import ObjectType

from clew import Clew, Viewer
from clew.changes.types import Batch, Change, ChangeKind, Listener, Listening, Position, TableName
from clew.config import Settings
from clew.engine import Engine, Outcome, Request
from clew.live.events import ChangeEvents, ChangeStream
from clew.live.tables import table_of
from clew.live.types import Payload
from clew.model.types import Model
from clew.sql.literals import quote_text
from tests.databases import create_tables, new_database
from tests.reference import table_sql

SDL = """
type Person @table(plural: "people") @allow(role: [user, editor]) {
  id: String! @id
  name: String!
}

type Room @table
  @is(name: "joined", where: {guests: {some: {personId: "$auth.sub"}}})
  @allow(role: user, where: {is: "joined"})
  @allow(role: editor) {
  id: Int! @id
  name: String!
  guests: [Guest!]!
  notes: [Note!]!
}

type Guest @table @allow(role: user, where: {personId: "$auth.sub"}) @allow(role: editor) {
  room: Room! @id @relation(onDelete: CASCADE)
  person: Person! @id
}

type Note @table
  @is(name: "own", where: {authorId: "$auth.sub"})
  @allow(role: user, where: {room: {is: "joined"}})
  @allow(role: user, where: {is: "own"})
  @allow(role: user, to: DELETE, where: {is: "own"})
  @allow(role: editor) {
  id: Int! @id
  room: Room! @relation(onDelete: CASCADE)
  author: Person!
  text: String! @default(value: "")
  private: String @allow(role: user, where: {is: "own"}) @allow(role: editor)
  shared: Boolean! @default(value: false) @allow(role: editor)
  draft: String @allow(role: user, where: {shared: true}) @allow(role: editor)
  level: Int! @default(value: 0)
  internal: String @hidden
  half: Float @computed(sql: "level / 2.0")
  heading: String! @resolver(requires: [text, internal])
  deletedAt: DateTime @softDelete
}

type Label @table @allow(role: user, where: {open: true}) @allow(role: editor) {
  code: String! @id
  number: Int! @id
  open: Boolean! @default(value: true)
  size: Int
  note: String @allow(role: user, where: {size: {gt: 5}}) @allow(role: editor)
}

type Ticket @table @allow(role: user, fields: [title]) @allow(role: editor) {
  id: ID! @id
  title: String!
  serial: Int! @default(value: 0)
}

type Shelf @table(plural: "shelves") @allow(role: user, where: {public: true}) {
  id: Int! @id
  public: Boolean!
  books: [Book!]!
  deletedAt: DateTime @softDelete
}

type Book @table @allow(role: user, where: {shelf: {public: true}}) {
  id: Int! @id
  shelf: Shelf! @relation(onDelete: CASCADE)
  deletedAt: DateTime @softDelete
}

type Heap @table(without: LIVE) @allow(role: editor) {
  id: Int! @id
}
"""
# p1 and p2 are in room 1, p2 and p3 in room 2.
DATA = """
TRUNCATE people, rooms, guests, notes, labels, tickets, shelves, books CASCADE;
INSERT INTO people (id, name) SELECT 'p' || n, 'Person ' || n FROM generate_series(0, 5) AS n;
INSERT INTO rooms (id, name) VALUES (1, 'One'), (2, 'Two'), (3, 'Three');
INSERT INTO guests (room_id, person_id) VALUES (1, 'p1'), (1, 'p2'), (2, 'p2'), (2, 'p3');
INSERT INTO notes (id, room_id, author_id, text) VALUES (1, 1, 'p1', 'a'), (2, 1, 'p2', 'b'), (3, 2, 'p3', 'c');
INSERT INTO shelves (id, public) VALUES (1, true), (2, false);
INSERT INTO books (id, shelf_id) VALUES (1, 1), (2, 2);
"""
EDITOR = Viewer("boss", frozenset({"editor"}))

note = ObjectType("Note")
note.set_field("heading", lambda parent, _: f"{parent['text']}/{parent['internal']}")


def person(number: int) -> Viewer:
    return Viewer(f"p{number}", frozenset({"user"}))


_READ = """
SELECT id, relation, kind, old_row, new_row, at
FROM clew.change_log
WHERE NOT pg_visible_in_snapshot(xid, $1) AND pg_visible_in_snapshot(xid, $2) ORDER BY id
"""
_KINDS = {b"I": ChangeKind.INSERT, b"U": ChangeKind.UPDATE, b"D": ChangeKind.DELETE, b"R": ChangeKind.RESET}


class LogSource:
    """Reads the log when `read` is called. `piece` is the most changes of one batch.

    Args:
        names: the tables by their OIDs.
    """

    def __init__(self, connection: asyncpg.Connection, names: Mapping[int, TableName]) -> None:
        self.connection = connection
        self.names = names
        self.listeners: set[Listener] = set()
        self.epoch = "e"
        self.piece = 10_000
        self.snapshot = ""
        self.lock = asyncio.Lock()

    async def now(self) -> str:
        async with self.lock:
            return str(await self.connection.fetchval("SELECT pg_current_snapshot()::text"))

    async def between(self, start: str, end: str) -> list[Change]:
        async with self.lock:
            rows = await self.connection.fetch(
                _READ.replace("$1", f"{quote_text(start)}::pg_snapshot").replace(
                    "$2", f"{quote_text(end)}::pg_snapshot"
                )
            )
        return [
            Change(
                row["id"], *self.names[row["relation"]], _KINDS[row["kind"]], row["old_row"], row["new_row"], row["at"]
            )
            for row in rows
        ]

    async def listen(self, listener: Listener) -> Listening:
        if self.listeners:
            await self.read()
        else:
            self.snapshot = await self.now()
        self.listeners.add(listener)
        return Listening(Position(self.epoch, self.snapshot), lambda: self.listeners.discard(listener))

    def wake(self) -> None:
        raise NotImplementedError

    async def read(self) -> None:
        """Give all listeners what has been committed since."""
        start, self.snapshot = self.snapshot, await self.now()
        for batch in self.batches(await self.between(start, self.snapshot), start, self.snapshot):
            for listener in tuple(self.listeners):
                listener(batch)

    def batches(self, changes: list[Change], start: str, end: str) -> Iterator[Batch]:
        for first in range(0, len(changes), self.piece):
            piece = tuple(changes[first : first + self.piece])
            part = None if first + self.piece >= len(changes) else (start, piece[-1].id)
            yield Batch(piece, start, Position(self.epoch, end, part))

    async def unlogged(self) -> set[TableName]:
        return set()

    async def since(self, position: Position, tables: Collection[TableName], until: Position) -> AsyncIterator[Batch]:
        assert until.part is None
        if position.part is not None:
            start, last = position.part
            rest = [change for change in await self.between(start, position.snapshot) if change.id > last]
            for batch in self.batches([c for c in rest if c.name in tables], start, position.snapshot):
                yield batch
        rest = await self.between(position.snapshot, until.snapshot)
        for batch in self.batches([c for c in rest if c.name in tables], position.snapshot, until.snapshot):
            yield batch


async def log_tables(connection: asyncpg.Connection, model: Model) -> dict[int, TableName]:
    """Log the changes of the model's tables. Return their names by their OIDs."""
    names: dict[int, TableName] = {}
    for entity in model.entities.values():
        if entity.logged:
            name = quote_text(table_sql(entity))
            await connection.execute(f"SELECT clew.log_changes({name})")
            names[await connection.fetchval(f"SELECT {name}::regclass::oid")] = table_of(entity)
    return names


@dataclass
class Newsroom:
    """The application with its rows."""

    engine: Engine
    events: ChangeEvents
    source: LogSource
    connection: asyncpg.Connection

    async def subscribe(self, viewer: Viewer, document: str, last: str | None = None, **variables: Any) -> Reader:
        request = Request(document, variables, last_event_id=last)
        begun = await self.engine.begin(request, viewer, None)
        assert not isinstance(begun, Outcome), begun.errors
        return Reader(self, await self.events.open(begun, request))

    async def write(self, *statements: str) -> None:
        """Run the statements in one transaction."""
        async with self.connection.transaction():
            for statement in statements:
                await self.connection.execute(statement)


@dataclass
class Reader:
    """A client of one subscription."""

    newsroom: Newsroom
    stream: ChangeStream

    async def next(self) -> Payload:
        return await asyncio.wait_for(anext(self.stream), 20)

    async def rest(self, most: int = 10_000) -> list[Payload]:
        """Read the log, and return all events that there are."""
        await self.newsroom.source.read()
        return await self.waiting(most)

    async def waiting(self, most: int = 10_000) -> list[Payload]:
        found: list[Payload] = []
        while len(found) < most:
            task = asyncio.create_task(anext(self.stream))
            while not task.done() and not self.stream.is_idle:
                await asyncio.wait([task], timeout=0.001)
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                break
            found.append(task.result())
        return found

    async def events(self, most: int = 10_000) -> list[dict[str, Any]]:
        return [event(payload) for payload in await self.rest(most)]

    async def close(self) -> None:
        await self.stream.aclose()


def event(payload: Payload) -> dict[str, Any]:
    """The one field of a payload."""
    body = json.loads(payload.body)
    assert "errors" not in body, body
    (found,) = body["data"].values()
    return dict(found)


@contextmanager
def make_database(server_url: str, root: Path) -> Iterator[tuple[str, Clew]]:
    """The application, its project made in the empty folder `root`, and a database of its own."""
    (root / "graphql").mkdir()
    (root / "graphql" / "newsroom.graphql").write_text(SDL)
    clew = Clew([note], project=root)
    model, _ = clew.build()

    with new_database(server_url, "newsroom", locale="") as url:
        asyncio.run(create_tables(url, model))
        yield url, clew


@asynccontextmanager
async def opened(url: str, clew: Clew) -> AsyncIterator[Newsroom]:
    """The application with its rows anew, and a source that reads the log when it is told to."""
    engine = engine_of(url, clew)
    writing, reading = await asyncpg.connect(url), await asyncpg.connect(url)
    source = LogSource(reading, await log_tables(writing, engine.model))
    await writing.execute(DATA)
    try:
        yield Newsroom(engine, ChangeEvents(engine, source), source, writing)
    finally:
        await writing.close()
        await reading.close()
        await engine.pool.close()


def engine_of(url: str, clew: Clew) -> Engine:
    return clew.asgi(Settings.model_validate({"DATABASE_URL": url})).engine
