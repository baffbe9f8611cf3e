"""Whoever writes and however: when the writers have ended, each client has what its query answers then.

Writers are transactions of `psql`'s kind, with savepoints, rollbacks and commits that cross, and mutations of Clew.
Clients read at their own speed. Some of them get differences, which must add up to the same result.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

import asyncpg
import pytest

from clew import Viewer
from clew.changes.source import LoggedChanges
from clew.engine import Request
from clew.errors import ClewError, Code
from clew.live.tables import table_of
from clew.migrate.triggers import log_changes
from tests.depth import examples, seeds
from tests.live.chat import Chat, chat, user
from tests.live.test_patch import applied

pytestmark = pytest.mark.anyio
ROUNDS = examples(50)
CLIENTS, WRITERS, TRANSACTIONS = 30, 3, 12
# Seconds that a busy machine may take.
LONGEST = 30.0

QUERIES = (
    "($n: Int!) { thread(id: $n) { title team { name } messages(orderBy: [{id: ASC}]) { id text author { name } } } }",
    "($n: Int!) { messages(where: {thread: {id: {eq: $n}}}) { id text thread { title owner { name } } } }",
    "{ threads(orderBy: [{title: DESC}], limit: 5) { id title messagesAggregate { count } } }",
    "{ messages { id text } }",
    "{ threadsAggregate { count } teams { name members { id name } } }",
    "($n: Int!) { users(where: {threads: {some: {messages: {some: {author: {id: {eq: $n}}}}}}}) { id name } }",
    "($n: Int!) { threads(where: {not: {owner: {id: {eq: $n}}}}, orderBy: [{owner: {name: ASC}}]) { id } }",
    "{ secrets { text } users { shout } }",
    "{ threadsConnection(first: 3, orderBy: [{title: ASC}]) { totalCount edges { cursor node { id title } } } }",
    "($n: Int!) { team(id: $n) { name members(orderBy: [{name: ASC}]) { name threads { title } } } }",
)
CHANGES = (
    "UPDATE threads SET title = 'title {r}' WHERE id = {n}",
    "UPDATE threads SET owner_id = {m} WHERE id = {n}",
    "UPDATE threads SET team_id = CASE WHEN {r} % 4 = 0 THEN NULL ELSE 1 + {r} % 3 END WHERE id = {n}",
    "UPDATE threads SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id = {n}",
    "UPDATE threads SET id = {r} + 1000 WHERE id = {n} AND NOT EXISTS (SELECT FROM messages WHERE thread_id = {n})",
    "INSERT INTO messages (thread_id, author_id, text) SELECT {n}, {m}, 'new {r}'"
    " WHERE EXISTS (SELECT FROM threads WHERE id = {n} FOR SHARE)",
    "DELETE FROM messages WHERE id % 40 = {n}",
    "UPDATE messages SET thread_id = {m}, text = text || '.' WHERE id = {n} AND EXISTS"
    " (SELECT FROM threads WHERE id = {m} FOR SHARE)",
    "DELETE FROM members WHERE user_id = {m}",
    "INSERT INTO members (team_id, user_id, admin) VALUES (1 + {r} % 3, {m}, {r} % 2 = 0) ON CONFLICT DO NOTHING",
    "UPDATE members SET admin = NOT admin WHERE user_id = {m}",
    "UPDATE users SET name = 'name {r}' WHERE id = {m}",
    "UPDATE teams SET name = 'team {r}' WHERE id = 1 + {r} % 3",
    "UPDATE messages SET text = 'all {r}' WHERE author_id = {m}",
    "INSERT INTO secrets (text) VALUES ('s{r}')",
    "TRUNCATE secrets",
)


class Client:
    """A live query, and its last result."""

    def __init__(self, rng: random.Random) -> None:
        self.document = rng.choice(QUERIES)
        self.variables = {"n": rng.randint(1, 9)} if "$n" in self.document else {}
        if self.variables and rng.random() < 0.5:
            # A value in the document is another operand of the same statement.
            self.document = self.document.removeprefix("($n: Int!) ").replace("$n", str(self.variables["n"]))
            self.variables = {}
        number = rng.randint(1, 9)
        needs_admin = "secrets" not in self.document and rng.random() < 0.3
        self.viewer = Viewer.admin() if needs_admin else user(number, "user", *rng.choice(((), ("reader",))))
        self.patches = rng.random() < 0.4
        self.pause = rng.choice((0.0, 0.0, 0.02, 0.2))
        self.last: Any = None
        self.results = 0
        self.errors: list[ClewError] = []

    async def follow(self, world: Chat) -> None:
        """Follow the query. Subscribe anew, as clients do, where the database has made a run wait for too long."""
        while True:
            try:
                await self._follow(world)
            except ClewError as error:
                self.errors.append(error)
                if error.code not in (Code.UNAVAILABLE, Code.TIMEOUT):
                    raise
                await asyncio.sleep(0.1)

    async def _follow(self, world: Chat) -> None:
        stream = await world.open(self.document, self.viewer, self.variables, patch=self.patches)
        try:
            async for payload in stream:
                answer = json.loads(payload.body)
                self.last = answer["data"] if "data" in answer else applied(self.last, answer["extensions"]["patch"])
                self.results += 1
                await asyncio.sleep(self.pause)
        finally:
            await stream.aclose()

    async def is_right(self, world: Chat) -> bool:
        fresh = await world.fresh(self.document, self.viewer, self.variables)
        return bool(json.loads(fresh) == {"data": self.last})


def change(rng: random.Random) -> str:
    return rng.choice(CHANGES).format(n=rng.randint(1, 30), m=rng.randint(1, 9), r=rng.randint(1, 10**6))


async def write(url: str, rng: random.Random) -> None:
    """Write in transactions, as a program without Clew does."""
    connection = await asyncpg.connect(url)
    try:
        for _ in range(TRANSACTIONS):
            transaction = connection.transaction()
            await transaction.start()
            try:
                for _ in range(rng.randint(1, 4)):
                    savepoint = connection.transaction()
                    await savepoint.start()
                    await connection.execute(change(rng))
                    await (savepoint.rollback() if rng.random() < 0.2 else savepoint.commit())
                    await asyncio.sleep(rng.choice((0, 0, 0.01)))
            except asyncpg.PostgresError:
                # Two writers are in each other's way, or a row has gone.
                await transaction.rollback()
                continue
            await (transaction.rollback() if rng.random() < 0.15 else transaction.commit())
    finally:
        await connection.close()


async def mutate(world: Chat, rng: random.Random) -> None:
    """Write through Clew."""
    for _ in range(TRANSACTIONS):
        number = rng.randint(1, 27)
        document = rng.choice(
            (
                'mutation($n: Int!) { updateThread(id: $n, set: {title: "by Clew"}) { id } }',
                'mutation($n: Int!) { createMessage(input: {threadId: $n, text: "by Clew"}) { id } }',
                "mutation($n: Int!) { deleteMessages(where: {thread: {id: {eq: $n}}}) { count } }",
            )
        )
        found = await world.engine.execute(Request(document, {"n": number}), Viewer.admin())
        refusals = [error["extensions"] for error in found.errors or ()]
        # The thread has gone, or this transaction and others were in each other's way again and again.
        assert all(one["code"] == "CONFLICT" or one.get("kind") == "REFERENCE" for one in refusals), refusals
        await asyncio.sleep(rng.choice((0, 0.02)))


@pytest.mark.parametrize("seed", seeds(ROUNDS, 1))
async def test_every_client_ends_with_what_its_query_answers(seed: int, prepared_url: str) -> None:
    rng = random.Random(seed)
    async with chat(prepared_url) as world:
        model = world.engine.model
        for entity in model.entities.values():
            await world.sql(log_changes(entity.table))
        changes = LoggedChanges(
            prepared_url, [table_of(entity) for entity in model.entities.values()], world.background, retention=3600
        )
        world.follow(changes)
        clients = [Client(rng) for _ in range(CLIENTS)]
        following = [asyncio.ensure_future(client.follow(world)) for client in clients]
        try:
            await asyncio.gather(*(write(prepared_url, rng) for _ in range(WRITERS)), mutate(world, rng))
            until = time.monotonic() + LONGEST
            while wrong := [client for client in clients if not await client.is_right(world)]:
                assert time.monotonic() < until, [
                    (client.document, client.variables, client.viewer, client.patches, client.errors, client.last)
                    for client in wrong
                ]
                await asyncio.sleep(0.05)
            assert not any(task.done() for task in following)
            assert sum(client.results for client in clients) > CLIENTS
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
