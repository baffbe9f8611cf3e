"""The clients that most applications use for subscriptions, against a server of our own."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.clients.test_clients import CLIENTS
from tests.node import installed, node
from tests.sockets.desk import CHANNELS, channel, token

pytestmark = pytest.mark.anyio


async def play(port: int, client: str, *tokens: str) -> dict[str, Any]:
    """What came of each step that a client took."""
    folder = await installed(CLIENTS)
    output = await node(folder, "live.mjs", f"http://localhost:{port}/graphql", client, *tokens)
    return {line["step"]: line["result"] for line in map(json.loads, output.splitlines())}


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse", "apollo", "urql", "urql by events", "relay"])
async def test_a_client_takes_every_step(client: str, port: int) -> None:
    events = channel("one")
    for number in range(2):
        events.events.put_nowait({"number": number})
    assert await play(port, client, token()) == {
        "query": [{"viewer": {"id": "m1"}}],
        "results": [{"ticks": number} for number in range(3)],
        "entities": [{"noted": note} for note in ({"text": "first"}, None, {"text": "second"})],
        "unknown": {"results": [], "codes": ["GRAPHQL_VALIDATION_FAILED"]},
        "unsubscribed": [{"channel": {"number": number}} for number in range(2)],
    }
    async with asyncio.timeout(5):
        await events.ended.wait()


async def test_a_client_comes_back_with_another_token_when_its_token_has_expired(port: int) -> None:
    first = channel("renewed")
    first.events.put_nowait(1)

    async def again() -> None:
        await first.ended.wait()
        channel("renewed").events.put_nowait(2)

    task = asyncio.create_task(again())
    played = await play(port, "graphql-ws", token(exp=time.time() + 4), token())
    await task
    assert played == {"renewed": [{"channel": 1}, {"channel": 2}]}
    del CHANNELS["renewed"]
