"""Clients that go at any moment, and that come all at once."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.faults.lab import assert_whole, served
from tests.sockets.client import socket
from tests.sockets.desk import CHANNELS, Desk, channel, token

pytestmark = pytest.mark.anyio

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
