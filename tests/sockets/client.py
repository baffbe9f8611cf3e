"""A client of `graphql-transport-ws` that a test can lead through every fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
SECONDS = 10.0


class Client:
    """One socket. `receive` gives messages in their order; a ping of the server is answered only by `receive`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: Any) -> None:
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self, seconds: float | None = SECONDS) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                message = json.loads(await self.connection.recv())
                if message != {"type": "ping"}:
                    return message
                await self.send({"type": "pong"})

    async def init(self, payload: Mapping[str, Any] | None = None) -> None:
        """Open the connection within the socket."""
        await self.send({"type": "connection_init", **({} if payload is None else {"payload": payload})})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, id_: str = "1", **more: Any) -> None:
        await self.send({"id": id_, "type": "subscribe", "payload": {"query": query, **more}})

    async def results(self, query: str, id_: str = "1", **more: Any) -> list[Any]:
        """What comes of an operation up to its end: the payloads of `next`, and a list of errors at the end."""
        await self.subscribe(query, id_, **more)
        found: list[Any] = []
        while True:
            message = await self.receive()
            assert message["id"] == id_
            if message["type"] == "complete":
                return found
            found.append(message["payload"])
            if message["type"] == "error":
                return found

    async def _drain(self) -> None:
        while True:
            await self.connection.recv()

    async def closed(self) -> tuple[int, str]:
        """The code and the reason of the server's close frame."""
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(self._drain(), SECONDS)
        frame = closed.value.rcvd
        assert frame is not None, "the connection broke without a close frame"
        return frame.code, frame.reason


@asynccontextmanager
async def socket(
    port: int,
    *,
    protocol: str | None = PROTOCOL,
    path: str = "/graphql",
    init: Mapping[str, Any] | bool = False,
    **options: Any,
) -> AsyncIterator[Client]:
    """Open a socket.

    Args:
        init: whether to open the connection in it, and with what payload.
        options: those of `websockets`, such as `additional_headers` and `origin`.
    """
    subprotocols = None if protocol is None else [Subprotocol(protocol)]
    async with connect(
        f"ws://localhost:{port}{path}",
        subprotocols=subprotocols,
        ping_interval=None,
        close_timeout=1,
        max_size=None,
        **{"compression": None, **options},
    ) as connection:
        client = Client(connection)
        if init is not False:
            await client.init(None if init is True else init)
        yield client
