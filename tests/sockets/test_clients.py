"""The clients that most applications use for subscriptions, against a server of our own."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from gql import gql
from gql.transport.exceptions import TransportQueryError

from tests.clients.test_clients import CLIENTS
from tests.node import installed, node
from tests.sockets.desk import CHANNELS, channel, token

pytestmark = pytest.mark.anyio


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "clients.md").read_text("utf-8")
SETUPS = dict(re.findall(r"^```js (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
(PYTHON,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def at(port: int, program: str) -> str:
    """A program of the page, for a server of the test's own."""
    return program.replace("s://api.example.com/", f"://localhost:{port}/")


async def play(port: int, client: str, *tokens: str) -> dict[str, Any]:
    """What came of each step that a client took."""
    folder = await installed(CLIENTS)
    setup = folder / f"{uuid.uuid4().hex}.mjs"
    setup.write_text(at(port, SETUPS[client]) + "\nexport { client };\n")
    try:
        output = await node(folder, "live.mjs", str(setup), client, *tokens)
    finally:
        setup.unlink()
    return {line["step"]: line["result"] for line in map(json.loads, output.splitlines())}


@pytest.mark.parametrize("client", ["apollo", "urql", "urql-events", "relay", "graphql-ws", "graphql-sse"])
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


async def test_gql_queries_and_subscribes(port: int) -> None:
    program: dict[str, Any] = {"access_token": token}
    exec(at(port, PYTHON), program)
    events = channel("gql")
    async with program["client"] as session:
        assert await session.execute(gql("{ viewer { id } }")) == {"viewer": {"id": "m1"}}
        ticks = session.subscribe(gql("subscription { ticks(to: 3) }"))
        assert [tick async for tick in ticks] == [{"ticks": number} for number in range(3)]
        with pytest.raises(TransportQueryError, match="nope"):
            await session.execute(gql("{ nope }"))
        found = session.subscribe(gql('subscription { channel(name: "gql") }'))
        events.events.put_nowait(1)
        assert await anext(found) == {"channel": 1}
        await found.aclose()
        async with asyncio.timeout(5):
            await events.ended.wait()
