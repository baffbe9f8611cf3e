"""`python -m bench.live`: live queries, with server, Postgres and clients on this machine.

Users own rooms, rooms have messages, and a user sees the messages of their own rooms. A message finds its owner over
its room: two hops from the rule's claim. One subscription of many is touched by each commit. With `--server poll` the
same server runs every live query each second instead.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil

from bench.database import make_project, prepare_database
from bench.http import Client
from bench.paths import DATA
from bench.peers import ADMIN_SECRET, clew_environment, graphql_body
from bench.server import Server
from bench.sockets import Socket, raise_file_limit
from clew.database.embedded import embedded_postgres

SDL = """
type User @table @is(name: "me", where: {id: "$auth.sub"}) @allow(role: user, where: {is: "me"}) {
  id: Int! @id
  name: String!
  rooms: [Room!]! @relation(from: "owner")
}
type Room @table @index(fields: [owner]) @is(name: "mine", where: {owner: {is: "me"}})
  @allow(role: user, where: {is: "mine"}) {
  id: Int! @id
  owner: User!
  title: String!
  messages: [Message!]!
}
type Message @table @index(fields: [room]) @allow(role: user, where: {room: {is: "mine"}}) {
  id: Int! @id
  room: Room!
  text: String!
}
"""
USERS = 10_000
_FILL = (
    f"INSERT INTO users (id, name) SELECT n, 'user ' || n FROM generate_series(1, {USERS}) AS n",
    f"INSERT INTO rooms (id, owner_id, title) SELECT n, n, 'room ' || n FROM generate_series(1, {USERS}) AS n",
    "INSERT INTO messages (room_id, text) SELECT 1 + n % 10000, 'message ' || n FROM generate_series(1, 50000) AS n",
    "SELECT setval(pg_get_serial_sequence('rooms', 'id'), 20000), setval(pg_get_serial_sequence('users', 'id'), 20000)",
)
BY_KEY = "subscription($id: Int!) { room(id: $id) { id title } }"
BY_RULE = "subscription { messages(orderBy: [{id: DESC}], limit: 20) { id text } }"
SAME = "subscription { users(where: {id: {eq: 1}}) { id name } }"
RENAME = "mutation($id: Int!, $title: String!) { updateRoom(id: $id, set: {title: $title}) { id } }"
WRITE = "mutation($room: Int!, $text: String!) { createMessage(input: {roomId: $room, text: $text}) { id } }"
GREET = "mutation($name: String!) { updateUser(id: 1, set: {name: $name}) { id } }"
_ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
_SETTINGS = {
    "CLEW_MAX_SOCKETS": "20000",
    "CLEW_MAX_ALL_SOCKETS": "20000",
    "CLEW_MAX_CONNECTIONS": "20000",
    "CLEW_MAX_OPERATIONS": "20000",
    "CLEW_MAX_LIVE_RATE": "60000",
}
_SOON = 60.0


class Pushes:
    """The results that have come: how many, and when the last ones did."""

    def __init__(self) -> None:
        self.count = 0
        self.at: dict[tuple[int, str], float] = {}
        self.bodies: dict[tuple[int, str], bytes] = {}
        self._wanted = 0
        self._reached: asyncio.Event = asyncio.Event()
        self.last = 0.0

    def on_next(self, socket: Socket, operation: str, now: float, body: bytes) -> None:
        self.count += 1
        self.at[id(socket), operation] = self.last = now
        if self.count >= self._wanted:
            self._reached.set()

    async def reach(self, count: int) -> None:
        """Wait until so many results have come since the start."""
        self._wanted = count
        self._reached.clear()
        if self.count < count:
            await asyncio.wait_for(self._reached.wait(), _SOON)


class Bench:
    """A server with clients."""

    def __init__(self, url: str, database: str, pid: int) -> None:
        self.port = int(urlsplit(url).port or 0)
        self.url = url
        self.database = database
        self.process = psutil.Process(pid)
        self.pushes = Pushes()
        self.sockets: list[Socket] = []

    async def connect(self, count: int, payloads: Sequence[Mapping[str, Any]]) -> list[Socket]:
        """Open sockets, some at once."""
        found: list[Socket] = []
        for start in range(0, count, 50):
            found += await asyncio.gather(
                *(
                    Socket.connect(self.port, payloads[number % len(payloads)], self.pushes.on_next)
                    for number in range(start, min(count, start + 50))
                )
            )
        self.sockets += found
        return found

    def close(self) -> None:
        for socket in self.sockets:
            socket.close()
        self.sockets.clear()

    @property
    def memory(self) -> float:
        """The server's resident memory, in KiB."""
        return float(self.process.memory_info().rss) / 1024

    async def transactions(self) -> int:
        """How many transactions the database has ended. A statement by itself is one."""
        connection = await asyncpg.connect(self.database)
        try:
            # Sessions report what they did once they have been idle for ten seconds.
            await asyncio.sleep(11)
            found: int = await connection.fetchval(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            )
            return found
        finally:
            await connection.close()


async def latencies(bench: Bench, document: str, variables: Sequence[Mapping[str, Any]]) -> list[float]:
    """The milliseconds from sending a mutation to the push that follows, one mutation after another."""
    found = []
    async with Client(bench.url, {**_ADMIN, "Content-Type": "application/json"}) as client:
        for values in variables:
            before = bench.pushes.count
            sent = time.perf_counter()
            status, answer = await client.post("/graphql", graphql_body(document, values))
            if status != 200 or b'"errors"' in answer:
                raise RuntimeError(answer[:500].decode())
            await bench.pushes.reach(before + 1)
            found.append((bench.pushes.last - sent) * 1000)
    return found


def told(name: str, values: Sequence[float], unit: str = "ms") -> None:
    """Print the median and the 99th percentile."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(f"{name:<58} p50 {statistics.median(ordered):7.1f}   p99 {p99:7.1f} {unit}", flush=True)


def viewer(number: int) -> dict[str, Any]:
    """What a socket sends to be a user."""
    return {**_ADMIN, "x-clew-role": "user", "x-clew-claims": f'{{"sub": "{number}"}}'}


async def touched_by_key(bench: Bench, count: int, rounds: int) -> None:
    """Many subscriptions by key on a hundred sockets, of which each commit touches one."""
    sockets = await bench.connect(100, [_ADMIN])
    began = time.perf_counter()
    for number in range(count):
        sockets[number % 100].subscribe(str(number), BY_KEY, {"id": 1 + number})
    await bench.pushes.reach(bench.pushes.count + count)
    print(f"{count:,} subscriptions by key have their first result after {time.perf_counter() - began:.1f} s")
    await asyncio.sleep(1)
    values = [{"id": 1 + (n * 37) % count, "title": f"renamed {n} {time.time()}"} for n in range(rounds)]
    told("one touched by key: mutation sent to push", await latencies(bench, RENAME, values))


async def touched_by_rule(bench: Bench, count: int, rounds: int) -> None:
    """Many users who each follow their messages, on sockets of their own."""
    await bench.connect(count, [viewer(number) for number in range(1, count + 1)])
    sockets = bench.sockets[-count:]
    before = bench.memory
    began = time.perf_counter()
    for start in range(0, count, 500):
        for socket in sockets[start : start + 500]:
            socket.subscribe("1", BY_RULE, {})
        await asyncio.sleep(0)
    await bench.pushes.reach(bench.pushes.count + count)
    print(f"{count:,} users follow their messages after {time.perf_counter() - began:.1f} s;", end=" ")
    print(f"{(bench.memory - before) / count:.1f} KiB a subscription")
    await asyncio.sleep(1)
    before_all = await bench.transactions()
    values = [{"room": 1 + (n * 41) % count, "text": f"hello {n}"} for n in range(rounds)]
    told("one touched by a rule of two hops: mutation sent to push", await latencies(bench, WRITE, values))
    ended = await bench.transactions() - before_all
    print(f"transactions a commit, that of the mutation too: {ended / rounds:.1f}")


async def all_alike(bench: Bench, count: int, rounds: int) -> None:
    """One live query on many sockets, all touched by each commit."""
    before = bench.memory
    sockets = await bench.connect(count, [_ADMIN])
    for socket in sockets:
        socket.subscribe("1", SAME, {})
    await bench.pushes.reach(bench.pushes.count + count)
    await asyncio.sleep(1)
    print(f"a socket with one live query: {(bench.memory - before) / count:.1f} KiB")
    found = []
    async with Client(bench.url, {**_ADMIN, "Content-Type": "application/json"}) as client:
        for number in range(rounds):
            target = bench.pushes.count + count
            sent = time.perf_counter()
            await client.post("/graphql", graphql_body(GREET, {"name": f"hello {number} {time.time()}"}))
            await bench.pushes.reach(target)
            found.append((bench.pushes.last - sent) * 1000)
            await asyncio.sleep(0.2)
    told(f"{count:,} alike: mutation sent to the last push", found)


async def idle(bench: Bench, seconds: float) -> None:
    """What the server and the database do while nothing changes."""
    ended, times = await bench.transactions(), bench.process.cpu_times()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    now, took = bench.process.cpu_times(), time.perf_counter() - began
    busy = (now.user + now.system - times.user - times.system) / took * 100
    ended = await bench.transactions() - ended
    print(f"idle: {ended / (time.perf_counter() - began):.1f} transactions/s, server {busy:.1f} % of a core")


@asynccontextmanager
async def snapshot(database: str, *, is_held: bool) -> AsyncIterator[None]:
    """Hold a snapshot open, as an export or pg_dump does, while this is entered. Otherwise do nothing."""
    if not is_held:
        yield
        return
    connection = await asyncpg.connect(database)
    async with connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM rooms")
        yield
    await connection.close()


CASES = {"key": touched_by_key, "rule": touched_by_rule, "alike": all_alike}
# What serves. The second one is the peer.
SERVERS = {"log": "bench.served:make_app", "poll": "bench.polled:make_app"}


async def run(server: Server, database: str, name: str, count: int, rounds: int, *, is_held: bool) -> None:
    """Measure a case on a server of its own, and what the server does afterwards, while nothing changes.

    Args:
        is_held: hold a snapshot open meanwhile.
    """
    print(f"{name}, with a snapshot held open:" if is_held else f"{name}:", flush=True)
    try:
        bench = Bench(server.start(), database, server.pid)
        async with snapshot(database, is_held=is_held):
            await CASES[name](bench, count, rounds if name != "alike" else 40)
            await idle(bench, 10)
        bench.close()
    finally:
        server.stop()


async def prepare(server_url: str) -> str:
    """The URL of a filled database."""

    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        for statement in _FILL:
            await connection.execute(statement)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()

    project = make_project(SDL, "live")
    return await prepare_database(server_url, "bench_live", project, [SDL.encode(), *(s.encode() for s in _FILL)], fill)


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="subscriptions (default: 10000)")
    parser.add_argument("--rounds", type=int, default=300, help="commits (default: 300)")
    parser.add_argument("--only", choices=CASES, help="one case")
    parser.add_argument("--server", choices=SERVERS, default="log", help="poll: every live query runs each second")
    parsed = parser.parse_args()
    raise_file_limit(parsed.count + 500)
    with embedded_postgres(DATA / "postgres") as url:
        database = asyncio.run(prepare(url))
        environment = {**clew_environment(database, DATA / "projects" / "live"), **_SETTINGS}
        for name in [parsed.only] if parsed.only else CASES:
            for is_held in (False, True):
                server = Server("live", SERVERS[parsed.server], environment)
                asyncio.run(run(server, database, name, parsed.count, parsed.rounds, is_held=is_held))
    return 0


if __name__ == "__main__":
    sys.exit(main())
