"""Postgres restarts and crashes under load. Every subscriber has what there is, once it is over."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from clew import Clew
from clew.app import development_app
from clew.config import Settings
from clew.live import groups
from tests.databases import url_of
from tests.faults.lab import LAB, ask, client_of, make_project, served
from tests.faults.lab.app import bindables
from tests.live.test_patch import applied
from tests.server import Postgres, stoppable
from tests.sockets.client import socket

pytestmark = pytest.mark.anyio

QUERIES = (
    "{ items(orderBy: [{id: ASC}]) { id name weight } }",
    "{ items(where: {weight: {gt: 500000}}, orderBy: [{weight: ASC}]) { name children { id } parent { name } } }",
    "{ item(id: 2) { name weight } itemsAggregate { count } }",
    "{ parts(orderBy: [{id: ASC}]) { id share } }",
)
IDS = "{ items { id } }"
# Seconds that a busy machine may take.
LONGEST = 60.0


class Follower:
    """A client of a live query on a socket of its own. `ended` are the errors that ended it."""

    def __init__(self, document: str, *, patches: bool) -> None:
        self.document = document
        self.patches = patches
        self.last: Any = None
        self.results = 0
        self.ended: list[Any] = []

    async def follow(self, port: int, _: httpx.AsyncClient) -> None:
        async with socket(port, origin=f"http://localhost:{port}", init=True) as client:
            while True:
                await client.subscribe(f"subscription {self.document}", extensions={"patch": self.patches})
                while (message := await client.receive(None))["type"] == "next":
                    answer = message["payload"]
                    self.last = (
                        answer["data"] if "data" in answer else applied(self.last, answer["extensions"]["patch"])
                    )
                    self.results += 1
                self.ended.append(message)
                await asyncio.sleep(0.1)

    async def is_right(self, http: httpx.AsyncClient) -> bool:
        return bool((await ask(http, self.document)).json() == {"data": self.last})


class Copy:
    """A client that keeps a copy by change events: the keys of all rows."""

    def __init__(self) -> None:
        self.keys: set[int] = set()
        self.results = 0
        self.ended: list[Any] = []

    async def follow(self, port: int, http: httpx.AsyncClient) -> None:
        async with socket(port, origin=f"http://localhost:{port}", init=True) as client:
            await client.subscribe("subscription { itemChanges { kind id } }")
            await client.receive(None)
            # What is told from here on may be in the copy already, and what is in it may be told of later.
            self.keys = await self.read(http)
            while (message := await client.receive(None))["type"] == "next":
                event = message["payload"]["data"]["itemChanges"]
                self.results += 1
                if event["kind"] == "RESET":
                    self.keys = await self.read(http)
                elif event["kind"] == "DELETED":
                    self.keys.discard(event["id"])
                else:
                    self.keys.add(event["id"])
            self.ended.append(message)

    @staticmethod
    async def read(http: httpx.AsyncClient) -> set[int]:
        while "errors" in (answer := (await ask(http, IDS)).json()):
            await asyncio.sleep(0.05)
        return {row["id"] for row in answer["data"]["items"]}

    async def is_right(self, http: httpx.AsyncClient) -> bool:
        return self.keys == await self.read(http)


async def write_by_clew(http: httpx.AsyncClient, rng: random.Random) -> None:
    while True:
        number = rng.randrange(1, 10**6)
        values = f'name: "by Clew {number}", weight: {number}'
        document = rng.choice(
            (
                f"mutation {{ createItem(input: {{{values}, parentId: {rng.randint(1, 3)}}}) {{ id }} }}",
                f"mutation {{ updateItem(id: {rng.randint(1, 3)}, set: {{{values}}}) {{ id }} }}",
                "mutation { deleteItems(where: {id: {gt: 3}, weight: {lt: 200000}}) { count } }",
            )
        )
        for error in (await ask(http, document)).json().get("errors", ()):
            assert error["extensions"]["code"] in ("UNAVAILABLE", "CONFLICT"), error
        await asyncio.sleep(0.01)


async def write_beside(postgres: Postgres, database: str, rng: random.Random) -> None:
    """Write as a program without Clew, which connects again whenever it must."""
    while True:
        connection = await Postgres(url_of(postgres.url, database), postgres.data).connect()
        try:
            while True:
                number = rng.randrange(1, 10**6)
                write = rng.choice(
                    (
                        f"INSERT INTO items (name, weight) VALUES ('beside {number}', {number})",
                        f"UPDATE items SET name = 'beside {number}' WHERE id = {rng.randint(1, 3)}",
                        f"DELETE FROM items WHERE id > 3 AND id % 7 = {rng.randrange(7)}",
                    )
                )
                with suppress(asyncpg.IntegrityConstraintViolationError):
                    await connection.execute(write)
                await asyncio.sleep(0.01)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            pass
        finally:
            connection.terminate()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[tuple[Postgres, str]]:
    """A server that may be stopped, and the lab's database on it. The project is in `tmp_path`."""
    with stoppable() as server, make_project(server.url, tmp_path) as database:
        yield server, database


async def test_every_subscriber_converges(
    postgres: tuple[Postgres, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "_LONGEST_PAUSE", 0.1)
    server, database = postgres
    settings = {"DATABASE_URL": url_of(server.url, database), **LAB}
    app = development_app(Clew(bindables, project=tmp_path), Settings.model_validate(settings))
    rng = random.Random(7)
    followers = [Follower(document, patches=patches) for document in QUERIES for patches in (False, False, True)]
    copies = [Copy() for _ in range(3)]
    clients: list[Follower | Copy] = [*followers, *copies]
    async with served(app) as port, client_of(app) as http:
        following = [asyncio.ensure_future(client.follow(port, http)) for client in clients]
        writing = [asyncio.ensure_future(write_by_clew(http, rng)) for _ in range(2)]
        writing += [asyncio.ensure_future(write_beside(server, database, rng)) for _ in range(2)]
        async with asyncio.timeout(LONGEST):
            while not all(client.results for client in clients):
                await asyncio.sleep(0.01)
        for stop in (signal.SIGINT, signal.SIGQUIT):
            await server.stop(stop)
            before = [client.results for client in clients]
            await server.start()
            # The load goes on until everybody has been told of it.
            async with asyncio.timeout(LONGEST):
                while not all(client.results > had for client, had in zip(clients, before, strict=True)):
                    await asyncio.sleep(0.01)
        for task in writing:
            task.cancel()
        stopped = await asyncio.gather(*writing, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in stopped), stopped
        until = time.monotonic() + LONGEST
        while wrong := [client for client in clients if not await client.is_right(http)]:
            assert time.monotonic() < until, [vars(client) for client in wrong]
            await asyncio.sleep(0.05)
        # Nobody had to subscribe again.
        assert not any(task.done() for task in following)
        assert [client.ended for client in clients] == [[]] * len(clients)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    await app.close()
