"""Each event stream is the history of the rows that its viewer may see, whatever is written and whoever is cut off."""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from clew import Clew, Viewer
from clew.changes.types import Change, ChangeKind
from clew.engine import Request
from clew.live.events import ChangeEvents
from tests.live.newsroom import DATA, EDITOR, LogSource, Newsroom, Reader, engine_of, event, person

pytestmark = pytest.mark.anyio

# CLEW_TEST_ROUNDS=1000 runs all that has been run once.
ROUNDS = int(os.environ.get("CLEW_TEST_ROUNDS", "12"))
WRITERS = 3

Line = tuple[Any, ...]
Image = dict[str, Any]


# --- random writers -------------------------------------------------------------------


def label_sql(rng: random.Random, writer: int) -> str:
    """A statement about labels; each writer has its own, so that none waits for another."""
    mine = f"number % {WRITERS} = {writer}"
    number = f"{rng.randrange(8) * WRITERS + writer}"
    return rng.choice(
        [
            f"INSERT INTO labels (code, number, open, size) VALUES ('{rng.choice('ab')}', {number},"
            f" {rng.choice(('true', 'false'))}, {rng.randrange(10)}) ON CONFLICT DO NOTHING",
            f"UPDATE labels SET open = NOT open WHERE {mine} AND number < {rng.randrange(24)}",
            f"UPDATE labels SET size = {rng.randrange(10)} WHERE {mine} AND number = {number}",
            f"UPDATE labels SET note = '{rng.randrange(3)}' WHERE {mine} AND number >= {rng.randrange(24)}",
            f"UPDATE labels SET code = CASE code WHEN 'a' THEN 'c' ELSE 'd' END WHERE number = {number}"
            " AND code IN ('a', 'b') AND NOT EXISTS"
            f" (SELECT FROM labels WHERE number = {number} AND code IN ('c', 'd'))",
            f"DELETE FROM labels WHERE number = {number}",
            f"DELETE FROM labels WHERE {mine} AND size < 3",
        ]
    )


def note_sql(rng: random.Random) -> str:
    number, room, who = rng.randrange(8), rng.randrange(1, 4), f"p{rng.randrange(4)}"
    return rng.choice(
        [
            f"INSERT INTO notes (id, room_id, author_id, text) SELECT {number}, id, '{who}', '{rng.random():.3}'"
            f" FROM rooms WHERE id = {room} ON CONFLICT DO NOTHING",
            f"UPDATE notes SET text = '{rng.random():.3}' WHERE id = {number}",
            f"UPDATE notes SET private = '{rng.random():.3}' WHERE id < {number}",
            f"UPDATE notes SET shared = NOT shared WHERE id = {number}",
            f"UPDATE notes SET draft = '{rng.random():.3}', internal = 'x' WHERE id >= {number}",
            f"UPDATE notes SET room_id = {room} WHERE id = {number} AND EXISTS (SELECT FROM rooms WHERE id = {room})",
            f"UPDATE notes SET author_id = '{who}' WHERE id = {number}",
            f"UPDATE notes SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id = {number}",
            f"DELETE FROM notes WHERE id = {number}",
            f"INSERT INTO guests SELECT id, '{who}' FROM rooms WHERE id = {room} ON CONFLICT DO NOTHING",
            f"DELETE FROM guests WHERE room_id = {room} AND person_id = '{who}'",
            f"DELETE FROM rooms WHERE id = {room}",
            f"INSERT INTO rooms (id, name) VALUES ({room}, 'again') ON CONFLICT DO NOTHING",
        ]
    )


# --- the naive model ------------------------------------------------------------------


@dataclass
class State:
    """The rooms, and who is in them."""

    rooms: dict[int, Image] = field(default_factory=dict)
    guests: dict[tuple[int, str], Image] = field(default_factory=dict)

    def copy(self) -> State:
        return State(dict(self.rooms), dict(self.guests))

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.table in ("rooms", "guests"):
                kept: dict[Any, Image] = self.rooms if change.table == "rooms" else self.guests
                for image, is_there in ((change.old, False), (change.new, True)):
                    if image is not None:
                        key = image["id"] if change.table == "rooms" else (image["room_id"], image["person_id"])
                        kept.pop(key, None)
                        if is_there:
                            kept[key] = image


def seen_note(viewer: Viewer, row: Image | None, state: State) -> Image | None:
    """A note as the viewer sees it; None if it does not."""
    if row is None or row["deleted_at"] is not None:
        return None
    if "editor" in viewer.roles:
        return {name: value for name, value in row.items() if name != "internal"}
    own = row["author_id"] == viewer.id
    if not own and ((row["room_id"], viewer.id) not in state.guests or row["room_id"] not in state.rooms):
        return None
    return {
        "id": row["id"],
        "room": row["room_id"],
        "author": row["author_id"],
        "text": row["text"],
        "level": row["level"],
        "private": row["private"] if own else None,
        "draft": row["draft"] if row["shared"] else None,
    }


def seen_label(viewer: Viewer, row: Image | None, most: int) -> Image | None:
    if row is None or row["size"] is None or row["size"] > most:
        return None
    if "editor" in viewer.roles:
        return row
    return {**row, "note": row["note"] if row["size"] > 5 else None} if row["open"] else None


def label_history(viewer: Viewer, changes: Sequence[Change], most: int) -> Iterator[Line]:
    """The events of these changes of labels."""
    for change in changes:
        if change.table != "labels":
            continue
        old, new = seen_label(viewer, change.old, most), seen_label(viewer, change.new, most)
        keys = [None if row is None else (row["code"], row["number"]) for row in (old, new)]
        if old is not None and (new is None or keys[0] != keys[1]):
            yield "DELETED", keys[0]
        if new is not None and (old is None or keys[0] != keys[1]):
            yield "CREATED", keys[1]
        elif new is not None and old != new:
            yield "UPDATED", keys[1]


def note_history(viewer: Viewer, changes: Sequence[Change], before: State, after: State) -> Iterator[Line]:
    """The events of a batch: rows that go are judged as they were before it, unless it told of them."""
    first: dict[int, Image | None] = {}
    told: set[int] = set()
    for change in changes:
        if change.table != "notes":
            continue
        number = (change.old or change.new or {})["id"]
        if change.old is None:
            first[number] = None
            told.discard(number)
        else:
            first.setdefault(number, change.old)
        old, new = seen_note(viewer, change.old, after), seen_note(viewer, change.new, after)
        gone = change.new is None or (
            change.old is not None and change.old["deleted_at"] is None and change.new["deleted_at"] is not None
        )
        if gone and number not in told:
            old = seen_note(viewer, first[number], before)
        if old is None and new is None:
            continue
        kind = "CREATED" if old is None else "DELETED" if new is None else "UPDATED"
        if kind == "UPDATED" and old == new:
            continue
        told.add(number)
        yield kind, number
        if change.new is None:
            del first[number]


# --- labels: anything may happen ------------------------------------------------------


@dataclass
class Client:
    """A client of one subscription, which loses its connection now and then."""

    viewer: Viewer
    most: int
    servers: Sequence[Newsroom]
    events: list[Line] = field(default_factory=list)
    cursor: str | None = None
    reader: Reader | None = None

    async def connect(self, rng: random.Random) -> None:
        document = """subscription ($most: Int!, $after: String) {
          labelChanges(where: {size: {lte: $most}}, after: $after) { kind code number } }"""
        given = {"after": self.cursor} if rng.random() < 0.5 else {"after": None, "last": self.cursor}
        self.reader = await rng.choice(self.servers).subscribe(self.viewer, document, most=self.most, **given)

    async def take(self, most: int) -> None:
        assert self.reader is not None
        for payload in await self.reader.waiting(most):
            found = event(payload)
            self.events.append((found["kind"], (found["code"], found["number"])))
            self.cursor = payload.id

    async def kill(self) -> None:
        assert self.reader is not None
        await self.reader.close()
        self.reader = None


def by_row(lines: Iterable[Line]) -> dict[Any, list[str]]:
    rows: dict[Any, list[str]] = defaultdict(list)
    for kind, key in lines:
        rows[key].append(kind)
    return rows


@pytest.fixture
async def servers(newsroom: Newsroom, newsroom_database: tuple[str, Clew]) -> Any:
    """Two servers on one database, each of which reads the log at times of its own."""
    url, clew = newsroom_database
    reading = await asyncpg.connect(url)
    # They share CLEW_SECRET, so each opens the cursors of the other.
    other = engine_of(url, clew)
    other.statements.cursors = newsroom.engine.statements.cursors
    source = LogSource(reading, newsroom.source.names)
    yield [newsroom, Newsroom(other, ChangeEvents(other, source), source, newsroom.connection)]
    await reading.close()
    await other.pool.close()


@pytest.fixture
async def writers(newsroom_database: tuple[str, Clew]) -> Any:
    found = [await asyncpg.connect(newsroom_database[0]) for _ in range(WRITERS)]
    for connection in found:
        await connection.execute("SET lock_timeout = '30ms'")
    yield found
    for connection in found:
        await connection.close()


async def statement(rng: random.Random, writer: asyncpg.Connection, sql: str) -> None:
    """Run a statement in the writer's transaction, which may be rolled back to before it."""
    await writer.execute("SAVEPOINT s")
    try:
        await writer.execute(sql)
    except (asyncpg.LockNotAvailableError, asyncpg.IntegrityConstraintViolationError):
        await writer.execute("ROLLBACK TO s")
    else:
        await writer.execute(rng.choice(["ROLLBACK TO s", *["RELEASE s"] * 5]))


async def test_a_stream_is_the_history_of_the_rows_over_kills_and_servers(
    newsroom: Newsroom, servers: list[Newsroom], writers: list[asyncpg.Connection]
) -> None:
    for seed in range(ROUNDS):
        await one_round(seed, newsroom, servers, writers)


async def one_round(seed: int, newsroom: Newsroom, servers: list[Newsroom], writers: list[asyncpg.Connection]) -> None:
    rng = random.Random(seed)
    await newsroom.connection.execute(DATA)
    for server in servers:
        server.source.piece = rng.choice([1, 3, 10_000])
    clients = [Client(viewer, most, servers) for viewer in (person(1), EDITOR) for most in (4, 9) for _ in range(2)]
    for client in clients:
        await client.connect(rng)
    begin = await newsroom.source.now()
    open_: set[int] = set()
    for _ in range(rng.randrange(20, 60)):
        number = rng.randrange(WRITERS)
        writer = writers[number]
        if number not in open_:
            await writer.execute("BEGIN")
            open_.add(number)
        await statement(rng, writer, label_sql(rng, number))
        if rng.random() < 0.4:
            await writer.execute(rng.choice(["COMMIT"] * 4 + ["ROLLBACK"]))
            open_.discard(number)
        server = rng.choice(servers)
        if rng.random() < 0.5 and server.source.listeners:
            await server.source.read()
        client = rng.choice(clients)
        await client.take(rng.randrange(6))
        # Without a cursor a client would begin anew, and miss what it was not told.
        if client.cursor is not None and rng.random() < 0.4:
            await client.kill()
            await client.connect(rng)
    for number in open_:
        await writers[number].execute("COMMIT")
    for server in servers:
        if server.source.listeners:
            await server.source.read()
    changes = await newsroom.source.between(begin, await newsroom.source.now())
    for client in clients:
        await client.take(10_000)
        await client.kill()
        expected = list(label_history(client.viewer, changes, client.most))
        assert by_row(client.events) == by_row(expected), (seed, client.viewer.id, client.most)
        # What a client makes of the events is what there is.
        rows: set[Any] = set()
        for kind, key in client.events:
            assert (key in rows) is (kind != "CREATED"), (seed, key)
            (rows.discard if kind == "DELETED" else rows.add)(key)
        document = f"{{ labels(where: {{size: {{lte: {client.most}}}}}) {{ code number }} }}"
        found = json.loads((await newsroom.engine.execute(Request(document), client.viewer)).body)
        assert rows == {(row["code"], row["number"]) for row in found["data"]["labels"]}, seed
    assert not any(server.source.listeners for server in servers)


# --- notes: rules look at rooms and their guests --------------------------------------


async def test_rules_that_look_elsewhere_decide_as_the_naive_model(
    newsroom: Newsroom, writers: list[asyncpg.Connection]
) -> None:
    viewers = [person(0), person(1), person(2), person(3), EDITOR]
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        await newsroom.connection.execute(DATA)
        snapshot = await newsroom.source.now()
        state = State()
        for table in ("rooms", "guests"):
            rows = await newsroom.connection.fetch(f"SELECT to_json(t)::text FROM {table} AS t")
            state.apply(Change(0, None, table, ChangeKind.INSERT, None, row[0]) for row in rows)
        readers = [await newsroom.subscribe(viewer, "subscription { noteChanges { kind id } }") for viewer in viewers]
        for step in range(rng.randrange(4, 12)):
            for _ in range(rng.randrange(1, 3)):
                writer = rng.choice(writers)
                await writer.execute("BEGIN")
                for _ in range(rng.randrange(1, 5)):
                    await statement(rng, writer, note_sql(rng))
                await writer.execute("COMMIT")
            end = await newsroom.source.now()
            changes = await newsroom.source.between(snapshot, end)
            snapshot, before = end, state.copy()
            state.apply(changes)
            await newsroom.source.read()
            for viewer, reader in zip(viewers, readers, strict=True):
                found = [event(payload) for payload in await reader.waiting()]
                told = [(one["kind"], one["id"]) for one in found]
                assert told == list(note_history(viewer, changes, before, state)), (seed, step, viewer.id)
        for reader in readers:
            await reader.close()
