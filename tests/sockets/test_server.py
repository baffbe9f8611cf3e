"""Sockets on Clew's own server: what a hostile or dead client costs."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket as sockets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus

import clew.server.websocket
import clew.wire.websocket
from clew.server.protocol import Patience
from tests.faults.lab import served
from tests.sockets.client import socket
from tests.sockets.desk import Desk, channel, token

pytestmark = pytest.mark.anyio

MEGABYTE = "x" * 2**20


def frame(message: Any, first: int = 0x81) -> bytes:
    """A message of a client, masked with zeros, in one frame."""
    text = json.dumps(message).encode()
    length = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2)
    return bytes((first,)) + length + bytes(4) + text


@asynccontextmanager
async def stalled(
    port: int, *names: str, query: str = 'subscription {{ channel(name: "{}") }}', payload: Any = None
) -> AsyncIterator[sockets.socket]:
    """A client that subscribes to channels, and then reads nothing more."""
    loop = asyncio.get_running_loop()
    with sockets.socket() as raw:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", port))
        head = (
            f"GET /graphql HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        await loop.sock_sendall(raw, head.encode())
        await loop.sock_recv(raw, 4096)
        subscribed = ({"type": "subscribe", "id": name, "payload": {"query": query.format(name)}} for name in names)
        for message in ({"type": "connection_init", "payload": payload}, *subscribed):
            await loop.sock_sendall(raw, frame(message))
        yield raw


UPGRADE = b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
KEY = b"Sec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
WHOLE = UPGRADE + KEY + VERSION
GET = b"GET /graphql HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (GET + UPGRADE + VERSION, 400, "BAD_USER_INPUT"),
        (GET + UPGRADE + VERSION + b"Sec-WebSocket-Key: abc\r\n", 400, "BAD_USER_INPUT"),
        (GET + UPGRADE + VERSION + KEY + KEY, 400, "BAD_USER_INPUT"),
        (GET + UPGRADE + KEY + b"Sec-WebSocket-Version: 12\r\n", 400, "BAD_USER_INPUT"),
        (GET + WHOLE + b"Origin: http://a\r\nOrigin: http://b\r\n", 400, "BAD_USER_INPUT"),
        (GET + WHOLE + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400, "BAD_USER_INPUT"),
        (GET + WHOLE + b"Transfer-Encoding: chunked\r\n", 400, "BAD_USER_INPUT"),
        (b"POST /graphql HTTP/1.1\r\n" + WHOLE, 405, "BAD_USER_INPUT"),
        (b"GET /graphql?x=" + b"y" * 9000 + b" HTTP/1.1\r\n" + WHOLE, 414, "LIMIT_EXCEEDED"),
        (GET + WHOLE + b"X-A: " + b"y" * 9000 + b"\r\n", 431, "LIMIT_EXCEEDED"),
        (GET + WHOLE + b"X-A: y\r\n" * 200, 431, "LIMIT_EXCEEDED"),
        (b"GET /nothing HTTP/1.1\r\n" + WHOLE, 403, "FORBIDDEN"),
    ],
    ids=[
        *("no key", "a bad key", "two keys", "an old version", "two origins", "a length", "a body", "POST"),
        *("a long URL", "a long header", "many headers", "another path"),
    ],
)
async def test_a_handshake_that_is_not_valid_is_refused_in_json(port: int, head: bytes, status: int, code: str) -> None:
    answer = await answer_to(port, head + b"\r\n" + (b"0\r\n\r\n" if b"chunked" in head else b""))
    assert_refused(answer, status, code)
    assert b"binascii" not in answer
    assert b"padding" not in answer


async def test_a_socket_whose_application_fails_is_refused_in_json() -> None:
    async def fails(_: WebSocket) -> None:
        raise RuntimeError("a secret of the server")

    async with served(Starlette(routes=[WebSocketRoute("/graphql", fails)])) as port:
        answer = await answer_to(port, GET + WHOLE + b"\r\n")
    assert_refused(answer, 500, "INTERNAL")
    assert b"secret" not in answer


async def answer_to(port: int, request: bytes) -> bytes:
    """What the server sends until it closes the connection, which it must soon."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.transport.abort()


def assert_refused(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/json" in head.lower()
    assert b"x-content-type-options: nosniff" in head.lower()
    (error,) = json.loads(body)["errors"]
    assert error["extensions"]["code"] == code
    assert error["extensions"]["requestId"]


async def test_a_message_is_not_compressed_though_the_client_would_take_it(port: int) -> None:
    async with socket(port, compression="deflate", init=True) as client:
        assert client.connection.protocol.extensions == []


async def test_a_compressed_message_is_refused_and_not_unpacked(port: int) -> None:
    async with stalled(port) as raw:
        loop = asyncio.get_running_loop()
        assert b"connection_ack" in await loop.sock_recv(raw, 4096)
        await loop.sock_sendall(raw, frame({"type": "ping"}, first=0xC1))
        # 1002: a fault of the protocol.
        answer = await asyncio.wait_for(loop.sock_recv(raw, 4096), 5)
        assert answer[:1] == b"\x88"
        assert answer[2:4] == (1002).to_bytes(2)


async def test_sockets_are_no_connections_of_http(desk: Desk) -> None:
    async with (
        served(desk.app(), patience=Patience(connections=1)) as port,
        socket(port, init=True),
        socket(port, init=True),
        httpx.AsyncClient() as client,
    ):
        response = await client.get(f"http://localhost:{port}/healthz")
        assert response.status_code == 200


async def test_a_message_of_endless_empty_frames_is_refused(port: int) -> None:
    async with socket(port, init=True) as client:
        await client.connection.send([""] * 5000)
        assert (await client.closed())[0] == 1009


async def test_a_message_in_some_frames_is_whole(port: int) -> None:
    async with socket(port, init=True) as client:
        await client.connection.send(list('{"type": "ping"}'))
        assert await client.receive() == {"type": "pong"}


async def test_a_client_that_does_not_read_holds_little_and_delays_nobody(desk: Desk) -> None:
    slow, fast = channel("slow"), channel("fast")
    async with served(desk.app(), patience=Patience(stall=1.0)) as port, stalled(port, "slow"):
        await slow.started.wait()
        for _ in range(100):
            slow.events.put_nowait(MEGABYTE)
        async with socket(port, init=True) as client:
            await client.subscribe('subscription { channel(name: "fast") }')
            for number in range(20):
                began = time.monotonic()
                fast.events.put_nowait(number)
                assert (await client.receive())["payload"] == {"data": {"channel": number}}
                assert time.monotonic() - began < 0.5
        # Some are in the buffers of the kernel, one is in that of the connection, and one waits for it.
        assert slow.taken < 10
        async with asyncio.timeout(5):
            await slow.ended.wait()


async def test_a_live_query_whose_client_does_not_read_holds_one_result(desk: Desk) -> None:
    """Another client of the same live query gets them all."""
    results, first, size = 14, 4, 2 * 2**20
    member = {"authorization": f"Bearer {token('stalled')}"}
    write = await asyncpg.connect(desk.url)
    await write.execute("INSERT INTO notes (author, text) VALUES ('stalled', 'begin')")
    app, query = desk.app(), "subscription {{ notes {{ text }} }}"
    async with (
        served(app) as port,
        stalled(port, "live", query=query, payload=member),
        socket(port, init=member) as client,
    ):
        await client.subscribe(query.format())
        assert await client.receive()
        while app.live.subscriptions < 2:
            await asyncio.sleep(0.01)
        before = app.live.sent
        for number in range(results):
            if number == first:
                memory = psutil.Process().memory_info().rss
            await write.execute(f"UPDATE notes SET text = repeat('{number % 10}', {size}) WHERE author = 'stalled'")
            (row,) = (await client.receive())["payload"]["data"]["notes"]
            assert row["text"][0] == str(number % 10)
        # Some are in the buffers of the kernel.
        assert results <= app.live.sent - before < results + 8
        assert psutil.Process().memory_info().rss - memory < (results - first) * size / 2
    await write.execute("DELETE FROM notes WHERE author = 'stalled'")
    await write.close()


async def test_results_that_wait_for_a_slow_client_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clew.wire.websocket, "_MOST_UNSENT", 3 * 2**20)
    names = [f"bounded {number}" for number in range(8)]
    channels = [channel(name) for name in names]
    app = desk.app()
    async with served(app) as port, stalled(port, *names):
        for one in channels:
            await one.started.wait()
            one.events.put_nowait(MEGABYTE * 2)
        async with asyncio.timeout(5):
            for one in channels:
                await one.ended.wait()
    # `clew_slow_readers_total`
    assert app.sockets.slow == 1


async def test_a_client_that_does_not_read_is_left_under_any_server(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clew.wire.websocket, "_STALL", 0.5)
    monkeypatch.setattr(clew.wire.websocket, "_SLOWEST", 2**30)
    slow = channel("left")
    app = desk.app(heartbeat_seconds=0.2)
    async with served(app, patience=Patience(stall=600.0)) as port, stalled(port, "left"):
        await slow.started.wait()
        for _ in range(2):
            slow.events.put_nowait(MEGABYTE * 8)
        async with asyncio.timeout(5):
            await slow.ended.wait()


async def test_the_server_stops_though_a_client_does_not_read(desk: Desk) -> None:
    slow = channel("stuck")
    app = desk.app()
    async with served(app) as port, stalled(port, "stuck"), socket(port, init=True) as client:
        await slow.started.wait()
        slow.events.put_nowait(MEGABYTE * 4)
        slow.events.put_nowait(MEGABYTE)
        await asyncio.sleep(0.5)
        assert slow.taken == 2
        began = time.monotonic()
        app.drain()
        assert (await client.closed())[0] == 1012
    assert slow.ended.is_set()
    assert time.monotonic() - began < 4


async def test_a_closed_socket_whose_last_bytes_nobody_reads_is_broken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clew.server.websocket, "_LAST_READ", 0.2)
    monkeypatch.setattr(clew.wire.websocket, "_CLOSING", 0.2)
    last = channel("last")
    async with served(desk.app(session_seconds=1)) as port, stalled(port, "last") as raw:
        await last.started.wait()
        last.events.put_nowait(MEGABYTE * 8)
        await last.ended.wait()
        await asyncio.sleep(1)
        read = 0
        with suppress(ConnectionResetError):
            while part := await asyncio.get_running_loop().sock_recv(raw, 2**20):
                read += len(part)
        assert read < 8 * 2**20


async def test_no_log_has_a_ticket_or_a_message(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
    try:
        async with served(desk.app()) as port:
            secret = {"authorization": "Bearer very-secret"}
            async with socket(port, path="/graphql?ticket=very-secret") as client:
                await client.send({"type": "connection_init", "payload": secret})
                await client.closed()
            with pytest.raises(InvalidStatus):
                async with socket(port, path="/graphql?ticket=very-secret", origin="http://evil.example"):
                    pass
    finally:
        logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)
    told = [record for record in caplog.records if not record.name.startswith("websockets.client")]
    assert "very-secret" not in " ".join(record.getMessage() for record in told)
    assert "very-secret" not in "".join(capfd.readouterr())
