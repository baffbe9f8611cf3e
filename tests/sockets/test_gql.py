"""Python's gql over a WebSocket."""

from __future__ import annotations

import asyncio

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.sockets.desk import channel, token

pytestmark = pytest.mark.anyio


def client_of(port: int) -> Client:
    transport = WebsocketsTransport(
        url=f"ws://localhost:{port}/graphql",
        init_payload={"authorization": f"Bearer {token()}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    return Client(transport=transport)


async def test_gql_queries_and_subscribes(port: int) -> None:
    async with client_of(port) as session:
        assert await session.execute(gql("{ viewer { id } }")) == {"viewer": {"id": "m1"}}
        ticks = session.subscribe(gql("subscription { ticks(to: 3) }"))
        assert [tick async for tick in ticks] == [{"ticks": number} for number in range(3)]
        with pytest.raises(TransportQueryError, match="nope"):
            await session.execute(gql("{ nope }"))


async def test_gql_ends_a_subscription(port: int) -> None:
    events = channel("gql")
    async with client_of(port) as session:
        found = session.subscribe(gql('subscription { channel(name: "gql") }'))
        events.events.put_nowait(1)
        assert await anext(found) == {"channel": 1}
        await found.aclose()
        async with asyncio.timeout(5):
            await events.ended.wait()
