"""`clew serve` is told to stop: it says so first, ends what it began, and ends in time whoever hangs on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.lab import Lab, request_bytes
from tests.sockets import client as sockets

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "CLEW_SECRET": "7c1f0e5b2a9d4836b7e1c05f9a3d6284",
    "CLEW_ADMIN_SECRET": "f2b90d6e81c74a35902d7be6c4a1f538",
}
ADMIN = f"X-Clew-Admin-Secret: {SECRETS['CLEW_ADMIN_SECRET']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(lab: Lab, *arguments: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """`clew serve` on the lab's project as a process of its own, ready."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": lab.url, **SECRETS, **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clew.cli", "serve", "--port", str(port), *arguments),
        cwd=lab.root,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:

        async def ready() -> bool:
            assert process.returncode is None, (await process.stderr.read() if process.stderr else b"").decode()
            return await get(port, "/readyz") == 200

        await lab.until(ready, 30)
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def get(port: int, path: str) -> int:
    """The status of a path; 0 when nobody listens."""
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}{path}")).status_code
    except httpx.TransportError:
        return 0


def operation(port: int, query: str) -> bytes:
    return request_bytes(json.dumps({"query": query}).encode(), port, ADMIN)


@pytest.mark.anyio
async def test_a_request_in_flight_ends_while_hangers_on_are_cut(lab: Lab) -> None:
    times = {"CLEW_DRAIN_SECONDS": "0.6", "CLEW_SHUTDOWN_SECONDS": "2"}
    async with serving(lab, **times) as (process, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _, idle = await asyncio.open_connection("127.0.0.1", port)
        _, half = await asyncio.open_connection("127.0.0.1", port)
        _, slow_body = await asyncio.open_connection("127.0.0.1", port)
        half.write(b"POST /graphql HT")
        slow_body.write(operation(port, "{ items { id } }")[:-5])
        writer.write(operation(port, '{ act(name: "doze") }'))
        await lab.until_busy("pg_sleep")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        async def draining() -> bool:
            return await get(port, "/readyz") == 503

        await lab.until(draining, 0.5)
        assert await get(port, "/healthz") == 200
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.split()[1] == b"200"
            assert b'{"data":{"act":"dozed"}}' in await reader.read(1000)
        async with asyncio.timeout(8):
            assert await process.wait() == 0
        # Drain, shutdown, and the five seconds after which it ends itself by force.
        assert time.monotonic() - began < 0.6 + 2 + 5
        for open_one in (writer, idle, half, slow_body):
            open_one.close()
    await lab.until_quiet()
    assert await lab.activity() == []


@pytest.mark.anyio
async def test_what_takes_longer_than_the_grace_period_is_cancelled_and_rolled_back(lab: Lab) -> None:
    times = {"CLEW_DRAIN_SECONDS": "0", "CLEW_SHUTDOWN_SECONDS": "1", "CLEW_STATEMENT_TIMEOUT": "60"}
    async with serving(lab, **times) as (process, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(operation(port, 'mutation { rename(id: 1, name: "half") act(name: "sleep") }'))
        await lab.until_busy("pg_sleep")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(8):
            await process.wait()
        await lab.until_quiet()
        assert await lab.names() == ["one", "two", "three"]
        writer.close()


@pytest.mark.anyio
async def test_sockets_and_streams_are_told(lab: Lab) -> None:
    times = {"CLEW_DRAIN_SECONDS": "1", "CLEW_SHUTDOWN_SECONDS": "3", "CLEW_CORS_ORIGINS": "https://app.example"}
    async with serving(lab, **times) as (process, port), AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(sockets.socket(port, init=True)) for _ in range(5)]
        admin = {"x-clew-admin-secret": SECRETS["CLEW_ADMIN_SECRET"]}
        busy = await stack.enter_async_context(sockets.socket(port, init=admin))
        await busy.subscribe('{ act(name: "doze") }')
        await lab.until_busy("pg_sleep")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        closed = await asyncio.gather(*(client.closed() for client in opened))
        assert {code for code, _ in closed} == {1012}
        assert (await busy.receive())["payload"] == {"data": {"act": "dozed"}}
        assert (await busy.closed())[0] == 1012
        async with asyncio.timeout(5):
            assert await process.wait() == 0
        assert time.monotonic() - began < 1 + 3
