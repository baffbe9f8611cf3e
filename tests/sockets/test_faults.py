"""Clients that go at any moment, and that come all at once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from typing import Any

import pytest

from tests.faults.lab import assert_whole, served
from tests.sockets.client import Client, socket
from tests.sockets.desk import CHANNELS, Desk, channel, token

pytestmark = pytest.mark.anyio

# CLEW_TEST_STORM=1000 runs what has been run once.
STORM = int(os.environ.get("CLEW_TEST_STORM", "100"))

DOCUMENTS = (
    "{ notes { text shout } }",
    "{ wait(seconds: 0.05) }",
    'mutation { updateNotes(where: {text: {eq: "none"}}, set: {text: "x"}) { count } }',
    "subscription { noted { text } }",
    "subscription { mine }",
    'subscription { channel(name: "forever") }',
    "{ nope }",
)


def _of_clients() -> int:
    """How many tasks there are, beside those that go on beside requests."""
    return sum(not task.get_name().startswith("clew-") for task in asyncio.all_tasks())


async def test_clients_that_go_at_any_moment_leave_nothing_behind(desk: Desk) -> None:
    channel("forever")
    app = desk.app(pool_max=4)
    choose = random.Random(8)

    async def come_and_go(port: int) -> None:
        credentials = choose.choice((True, {"authorization": f"Bearer {token()}"}))
        async with socket(port, init=credentials) as client:
            for number in range(choose.randrange(6)):
                await client.subscribe(choose.choice(DOCUMENTS), str(number))
                if choose.random() < 0.3:
                    await client.send({"type": "complete", "id": str(choose.randrange(6))})
            await asyncio.sleep(choose.random() * 0.1)
            if choose.random() < 0.7:
                client.connection.transport.abort()

    async with served(app) as port:
        before = _of_clients()
        for _ in range(20):
            await asyncio.gather(*(come_and_go(port) for _ in range(10)))
        async with asyncio.timeout(5):
            while app.sockets._open or app.engine.pool._settling or _of_clients() > before:
                await asyncio.sleep(0.02)
        assert not app.sockets._viewers
        assert not app.engine.flights._viewers
        assert_whole(app)
    del CHANNELS["forever"]


async def test_many_clients_that_come_at_once_are_all_served(desk: Desk) -> None:
    app = desk.app(pool_max=4)

    async def come(port: int) -> object:
        async with socket(port, init={"authorization": f"Bearer {token()}"}, open_timeout=60) as client:
            return await client.results("subscription { mine }")

    async with served(app) as port:
        found = await asyncio.gather(*(come(port) for _ in range(200)))
    assert found == [[{"data": {"mine": ["first", "second"]}}]] * 200


async def test_a_storm_of_live_queries_is_served_to_the_last(desk: Desk) -> None:
    """All sockets break at one moment, as when a load balancer restarts, and all clients subscribe again."""
    app = desk.app(pool_max=4, max_sockets=2 * STORM)
    took: list[float] = []

    async def follow(port: int, again: asyncio.Event, sockets: list[Client]) -> list[Any]:
        results = []
        for attempt in range(2):
            began = time.perf_counter()
            async with socket(port, init={"authorization": f"Bearer {token()}"}, open_timeout=120) as client:
                await client.subscribe("subscription { notes(orderBy: [{text: ASC}]) { text } }")
                async with asyncio.timeout(120):
                    message = json.loads(await client.connection.recv())
                    while message == {"type": "ping"}:
                        await client.send({"type": "pong"})
                        message = json.loads(await client.connection.recv())
                results.append(message["payload"])
                if attempt == 0:
                    sockets.append(client)
                    await again.wait()
                    client.connection.transport.abort()
                else:
                    took.append(time.perf_counter() - began)
        return results

    again, sockets = asyncio.Event(), list[Client]()
    async with served(app) as port:
        clients = [asyncio.ensure_future(follow(port, again, sockets)) for _ in range(STORM)]
        # One that is done by now has failed, and is told of below.
        while len(sockets) < STORM and not any(client.done() for client in clients):
            await asyncio.sleep(0.05)
        again.set()
        found = await asyncio.gather(*clients)
    assert found == [[{"data": {"notes": [{"text": "first"}, {"text": "second"}]}}] * 2] * STORM
    took.sort()
    print(f"{STORM} at once: p50 {took[STORM // 2]:.2f} s, p99 {took[STORM * 99 // 100]:.2f} s")
    assert_whole(app)
