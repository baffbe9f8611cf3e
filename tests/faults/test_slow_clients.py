"""Clients that are slow or silent, or many: each is closed in time, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from clew.config import Settings
from clew.deadlines import Deadlines
from clew.server.protocol import MAX_HEAD_BYTES, Patience
from tests.faults.lab import Lab, assert_whole, request_bytes, served, until_whole

pytestmark = pytest.mark.anyio

# Much shorter than the time after which a test fails, and than the kernel takes for anything.
SHORT = Patience(head=0.3, body=0.3, stall=0.3)
NEVER = Patience(head=60, body=60, stall=60)
TIMES = {"drain_seconds": 0, "shutdown_seconds": 1}
SOON = 5.0
QUERY = json.dumps({"query": "{ __typename }"}).encode()
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**TIMES, **changes})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once on /early, never on /never, with 32 MiB on /large; elsewhere when the body is whole."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    if scope["path"] == "/never":
        await asyncio.sleep(60)
    more = scope["path"] != "/early"
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message["more_body"]
    body = b"x" * 2**25 if scope["path"] == "/large" else b"done"
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_opened: list[asyncio.StreamWriter] = []


@pytest.fixture(autouse=True)
async def _closed_in_the_end() -> AsyncIterator[None]:
    yield
    while _opened:
        writer = _opened.pop()
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def connect(port: int) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    _opened.append(writer)
    return reader, writer


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes, which it must soon."""
    async with asyncio.timeout(SOON):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def is_served(port: int) -> bool:
    reader, writer = await connect(port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = await rest(reader)
    return found.startswith(b"HTTP/1.1 200")


async def drip(writer: asyncio.StreamWriter, parts: Callable[[int], bytes]) -> None:
    """Send a little, again and again, until the server has closed."""
    for number in range(10_000):
        try:
            writer.write(parts(number))
            await writer.drain()
        except ConnectionError:
            return
        await asyncio.sleep(0.02)


def error_of(answer: bytes) -> tuple[bytes, str]:
    """The status and the error's code of an answer that is JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"x-content-type-options: nosniff" in head
    (error,) = json.loads(body)["errors"]
    assert error["extensions"]["requestId"]
    return head.split()[1], error["extensions"]["code"]


# --- heads ----------------------------------------------------------------------------


async def test_who_says_nothing_is_closed() -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, _ = await connect(port)
        assert await rest(reader) == b""


@pytest.mark.parametrize("begin", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: "])
async def test_headers_that_do_not_come_are_408(begin: bytes) -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        writer.write(begin)
        assert error_of(await rest(reader)) == (b"408", "TIMEOUT")


async def test_headers_that_drip_are_408_and_others_are_served() -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip(writer, lambda number: b"X-%d: y\r\n" % number))
        assert await is_served(port)
        # The answer may be lost to who goes on sending.
        answer = await rest(reader)
        assert not answer or error_of(answer) == (b"408", "TIMEOUT")
        await dripping


@pytest.mark.parametrize("before", [False, True], ids=["new", "after an answer"])
async def test_empty_lines_are_no_headers(before: bool) -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        if before:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        dripping = asyncio.create_task(drip(writer, lambda _: b"\r\n"))
        answer = await rest(reader)
        assert not answer or error_of(answer) == (b"408", "TIMEOUT")
        await dripping


async def test_the_head_of_a_second_request_has_its_own_time() -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        for _ in range(3):
            # All together take longer than one may.
            writer.write(b"GET / HTTP/1.1\r\n")
            await asyncio.sleep(0.15)
            writer.write(b"Host: x\r\n\r\n")
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(b"TP/1.1\r\n")
        assert b"408" in await rest(reader)


async def test_a_head_without_end_is_431() -> None:
    async with served(echo, settings(), NEVER) as port:
        for part in (b"X-A: y\r\n", b"y"):
            reader, writer = await connect(port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-B: " + part * (MAX_HEAD_BYTES // len(part)))
            assert error_of(await rest(reader)) == (b"431", "LIMIT_EXCEEDED")
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\nX-A: " + b"y" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 200")


def head_of(size: int, *, in_url: bool) -> bytes:
    """A head of so many bytes, most of them in the URL or in a header."""
    first, last = b"GET /?x=", b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    if not in_url:
        first, last = first + last + b"X-A: ", b"\r\n"
    return first + b"y" * (size - len(first + last) - 2) + last + b"\r\n"


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["alone", "behind another"])
@pytest.mark.parametrize("piece", [10**6, 5000, MAX_HEAD_BYTES], ids=["one packet", "many", "two"])
@pytest.mark.parametrize("in_url", [True, False], ids=["URL", "header"])
async def test_a_head_has_at_most_so_many_bytes(in_url: bool, piece: int, before: bytes) -> None:
    async with served(echo, settings(), NEVER) as port:
        for size, status in ((MAX_HEAD_BYTES, b"200"), (MAX_HEAD_BYTES + 1, b"431"), (200_000, b"414")):
            reader, writer = await connect(port)
            request = before + head_of(size, in_url=in_url)
            with suppress(ConnectionError):
                for start in range(0, len(request), piece):
                    writer.write(request[start : start + piece])
                    await writer.drain()
                    await asyncio.sleep(0.001)
            answer = await rest(reader)
            if status == b"200":
                assert answer.count(b"HTTP/1.1 200") == (2 if before else 1)
                continue
            if before:
                # The connection is broken if the answer before is still under way.
                assert answer.count(b"HTTP/1.1 200") <= 1
                answer = answer.partition(b"done")[2]
            if answer or not before:
                assert error_of(answer) == (status if in_url else b"431", "LIMIT_EXCEEDED")


async def test_the_first_line_alone_decides_between_414_and_431() -> None:
    async with served(echo, settings(), NEVER) as port:
        for size, status in ((MAX_HEAD_BYTES, b"431"), (MAX_HEAD_BYTES + 1, b"414")):
            reader, writer = await connect(port)
            line = b"GET /%s HTTP/1.1\r\n"
            writer.write(line % (b"y" * (size - len(line) + 2)) + b"Host: x\r\n\r\n")
            assert error_of(await rest(reader)) == (status, "LIMIT_EXCEEDED")


async def test_the_head_of_a_request_behind_another_is_bounded_too() -> None:
    async with served(echo, settings(), NEVER) as port:
        _, writer = await connect(port)
        writer.write(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        async with asyncio.timeout(SOON):
            await drip(writer, lambda _: b"X-A: " + b"y" * 10_000)


# --- bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", [b"/", b"/early", b"/never"])
async def test_a_body_that_drips_is_closed_whatever_the_route_does(path: bytes) -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        dripping = asyncio.create_task(drip(writer, lambda _: b"x"))
        assert (await rest(reader)).startswith(b"HTTP/1.1 200" if path == b"/early" else b"")
        await dripping


async def test_a_body_that_comes_steadily_may_take_longer() -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        writer.write(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(0.03)
            writer.write(b"x" * 2000)
        assert (await rest(reader)).startswith(b"HTTP/1.1 200")


async def test_a_slow_route_is_no_slow_client() -> None:
    release = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await release.wait()
        await echo(scope, receive, send)

    async with served(slow, settings(), SHORT) as port:
        reader, writer = await connect(port)
        # More than is read ahead of the route.
        writer.write(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000)
        await asyncio.sleep(0.8)
        release.set()
        assert (await rest(reader)).startswith(b"HTTP/1.1 200")


async def test_a_graphql_body_that_drips_takes_no_database_connection(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.wire.body._DEADLINES", Deadlines(seconds=0.3))
    app = lab.app(pool_max=1)
    async with served(app) as port:
        reader, writer = await connect(port)
        writer.write(request_bytes(QUERY, port)[: -len(QUERY)])
        dripping = asyncio.create_task(drip(writer, lambda number: QUERY[number % 4 : number % 4 + 1]))
        assert app.engine.pool._open == 0
        answer = await rest(reader)
        assert (answer.split()[1], b"TIMEOUT" in answer) == (b"408", True)
        await dripping


# --- answers --------------------------------------------------------------------------


def deaf(port: int) -> socket.socket:
    """A client with little room for what it does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    return client


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
async def test_an_answer_that_is_not_read_is_given_up(connection: str) -> None:
    async with served(echo, settings(keep_alive_seconds=0.1), SHORT) as port:
        with deaf(port) as client:
            client.sendall(f"GET /large HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
            await until_closed(client)
        assert await is_served(port)


async def until_closed(client: socket.socket) -> None:
    """Wait until the server has closed a connection, of which the client reads nothing."""
    async with asyncio.timeout(SOON):
        while True:
            await asyncio.sleep(0.05)
            try:
                # Whoever sends to a connection that is gone is told.
                client.sendall(b"\r\n")
            except (ConnectionError, BlockingIOError):
                return


async def test_an_answer_that_is_read_slowly_comes_whole() -> None:
    async with served(echo, settings(), SHORT) as port:
        reader, writer = await connect(port)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size = 0
        async with asyncio.timeout(30):
            while part := await reader.read(2**20):
                size += len(part)
                await asyncio.sleep(0.03)
        assert size > 2**25


async def test_a_large_answer_that_is_not_read_holds_no_database_connection(lab: Lab) -> None:
    app = lab.app(pool_max=1)
    aliases = " ".join(f"a{number}: items(where: {{id: {{eq: 1}}}}) {{ name }}" for number in range(80))
    query = json.dumps({"query": f"{{ {aliases} }}"}).encode()
    await lab.aside.execute("UPDATE items SET name = repeat('x', 100000) WHERE id = 1")
    async with served(app, patience=NEVER) as port:
        with deaf(port) as client:
            client.sendall(request_bytes(query, port))
            await until_whole(lab, app, SOON)
            reader, writer = await connect(port)
            writer.write(request_bytes(query, port, "Connection: close"))
            assert len(await rest(reader)) > 8_000_000
            assert_whole(app)


# --- connections ----------------------------------------------------------------------


async def test_an_idle_connection_is_closed_after_the_setting() -> None:
    async with served(echo, settings(keep_alive_seconds=0.2), NEVER) as port:
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await rest(reader)).endswith(b"done")


async def test_at_the_cap_who_waits_makes_room_and_the_oldest_first() -> None:
    async with served(echo, settings(), Patience(60, 60, 60, connections=3)) as port:
        silent = [await connect(port) for _ in range(2)]
        busy, to_busy = await connect(port)
        to_busy.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n")
        silent[1][1].write(b"GET / HTTP/1.1\r\n")
        await asyncio.sleep(0.1)
        assert await is_served(port)
        # The oldest that waits is gone; the younger one, and who sends a body, are still there.
        assert await rest(silent[0][0]) == b""
        silent[1][1].write(b"Connection: close\r\n\r\n")
        to_busy.write(b"body")
        for reader in (silent[1][0], busy):
            assert (await rest(reader)).endswith(b"done")


async def test_where_all_are_busy_another_is_refused() -> None:
    async with served(echo, settings(), Patience(60, 60, 60, connections=2)) as port:
        busy = [await connect(port) for _ in range(2)]
        for _, writer in busy:
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n")
        await asyncio.sleep(0.1)
        reader, _ = await connect(port)
        answer = await rest(reader)
        assert error_of(answer) == (b"503", "UNAVAILABLE")
        assert b"retry-after: 1\r\n" in answer
        for reader, writer in busy:
            writer.write(b"body")
            assert (await rest(reader)).endswith(b"done")
        assert await is_served(port)


# --- targets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "admin"),
    [
        (b"POST /graphql HTTP/1.1\r\nHost: localhost:%d\r\n", True),
        (b"POST http://localhost:%d/graphql HTTP/1.1\r\nHost: localhost\r\n", False),
        (b"POST http://evil.example/graphql HTTP/1.1\r\nHost: localhost:%d\r\n", False),
        (b"POST HTTP://localhost:%d/graphql HTTP/1.1\r\nHost: localhost\r\n", False),
        (b"POST /graphql HTTP/1.0\r\nHost: localhost:%d\r\n", False),
        (b"POST /graphql HTTP/1.1\r\nHost: localhost:%d\r\nHost: localhost\r\n", False),
        (b"POST /graphql HTTP/1.1\r\nHost: localhost:%d\r\nSec-Fetch-Site: cross-site\r\n", False),
    ],
)
async def test_over_the_wire_only_a_clear_request_of_this_machine_is_admins(lab: Lab, head: bytes, admin: bool) -> None:
    async with served(lab.app()) as port:
        reader, writer = await connect(port)
        body = b'{"query": "{ viewer { roles } }"}'
        fixed = b"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write((head % port if b"%d" in head else head) + fixed + body)
        roles = json.loads((await rest(reader)).partition(b"\r\n\r\n")[2])["data"]["viewer"]["roles"]
        assert roles == (["admin"] if admin else ["anon"])


@pytest.mark.parametrize("target", [b"http://localhost", b"http://", b"*", b"localhost:80", b"//", b"http://[", b"%"])
async def test_a_strange_target_is_refused_and_the_server_lives(target: bytes) -> None:
    app: ASGIApp = echo
    async with served(app, settings(), SHORT) as port:
        for method in (b"GET", b"OPTIONS", b"CONNECT"):
            reader, writer = await connect(port)
            writer.write(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await rest(reader)
        assert await is_served(port)


# --- other protocols ------------------------------------------------------------------


@pytest.mark.parametrize("offer", [b"h2c", b"TLS/1.0", b"websocket, h2c"])
@pytest.mark.parametrize("piece", [10**6, 100, 1], ids=["one packet", "some", "bytes"])
async def test_a_client_that_offers_another_protocol_is_answered_over_http_1(
    lab: Lab, piece: int, offer: bytes
) -> None:
    # As Java's own client sends it, unless it is told otherwise.
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: Upgrade, HTTP2-Settings"
    head += b"%b\r\nUpgrade: " + offer + b"\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(QUERY) + QUERY
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(QUERY), QUERY)
    requests = whole % b"" + chunked % b"" + whole % b", close"
    async with served(lab.app()) as port:
        reader, writer = await connect(port)
        for start in range(0, len(requests), piece):
            writer.write(requests[start : start + piece])
            await asyncio.sleep(0)
        answer = await rest(reader)
    assert answer.count(b"HTTP/1.1 200") == answer.count(b'{"data":{"__typename":"Query"}}') == 3
