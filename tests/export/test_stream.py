"""Exports over real sockets: clients that leave or do not read, and failures midway. Nothing of them stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from clew.export.exports import File, Prepared
from clew.sql.copy import CopyStatement, Form
from clew.wire.application import Application
from tests.export.conftest import MakeApp
from tests.export.depot import ADMIN, ROWS, bearer
from tests.faults.lab import served
from tests.faults.test_disconnect import reset

pytestmark = pytest.mark.anyio

ITEMS = "{ items { id text } }"
BROKEN_LATE = "{ items { id share } }"
SLOW = "{ slows { id done } }"
# In seconds: how long the database may work on for a client that is gone. The machine of a test may be busy.
GONE = 1.0


def head(port: int, query: str, kind: str = "csv", version: str = "1.1", **headers: str) -> bytes:
    """The request for an export as it goes over the wire."""
    lines = [f"GET /export.{kind}?{urlencode({'query': query})} HTTP/{version}", f"Host: localhost:{port}"]
    lines += [f"{name}: {value}" for name, value in {**ADMIN, **headers}.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def activity(aside: asyncpg.Connection[Any], condition: str = "true") -> list[str]:
    rows = await aside.fetch(
        "SELECT coalesce(state, '') || ' ' || query AS line FROM pg_stat_activity"
        f" WHERE application_name = 'clew-export' AND datname = current_database() AND ({condition})"
    )
    return [row["line"] for row in rows]


async def until_busy(aside: asyncpg.Connection[Any], condition: str = "state = 'active'") -> None:
    async with asyncio.timeout(10):
        while not await activity(aside, f"{condition} AND query LIKE 'COPY%'"):
            await asyncio.sleep(0.005)


async def until_gone(aside: asyncpg.Connection[Any]) -> float:
    """Wait until no export is at work, and return the seconds that it took."""
    began = time.perf_counter()
    async with asyncio.timeout(10):
        while await activity(aside, "state <> 'idle'"):
            await asyncio.sleep(0.002)
    return time.perf_counter() - began


async def until_whole(app: Application) -> None:
    """Wait until the pool has every connection back that it lent."""
    pool = app.exports._pool
    async with asyncio.timeout(5):
        while pool._settling or pool._open != len(pool._idle):
            await asyncio.sleep(0.005)
    assert not app.exports._running


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("query", [SLOW, ITEMS], ids=["before the first byte, while the database blocks", "midway"])
async def test_when_the_client_leaves_the_statement_ends(
    make_app: MakeApp, aside: asyncpg.Connection[Any], caplog: pytest.LogCaptureFixture, query: str, hard: bool
) -> None:
    app = make_app()
    async with served(app) as port, connected(port) as (reader, writer):
        writer.write(head(port, query))
        if query == ITEMS:
            await reader.readexactly(100_000)
        await until_busy(aside)
        with capture_logs() as logs:
            reset(writer) if hard else writer.close()
            assert await until_gone(aside) < GONE
            await until_whole(app)
        assert [(line["event"], line["error"]) for line in logs] == [("export broken off", "The client has gone.")]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_client_that_does_not_read_is_broken_off(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app(export_stall_seconds=0.5)
    async with served(app) as port, connected(port) as (reader, writer):
        writer.write(head(port, ITEMS))
        await until_busy(aside, "wait_event = 'ClientWrite'")
        assert await until_gone(aside) < 0.5 + GONE
        await until_whole(app)
        assert not (await reader.read()).endswith(b"0\r\n\r\n")


async def test_notices_between_rows_lose_none(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    await aside.execute(
        "CREATE OR REPLACE FUNCTION public.told(n int) RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE WARNING 'a row'; RETURN n; END $$"
    )
    exports = make_app().exports
    sql = "SELECT public.told(n) AS c0 FROM generate_series(1, 1000) AS n"
    try:
        prepared = Prepared(CopyStatement(sql, (), (), options="FORMAT csv"), [], Form(), "x", bom=False)
        async with exports.running(prepared, "anybody") as file:
            rows = b"".join([part async for part in file]).splitlines()
    finally:
        await aside.execute("DROP FUNCTION public.told(int)")
    assert [row for row in rows if row] == [str(number).encode() for number in range(1, 1001)]


async def test_the_database_waits_for_a_client_that_does_not_read() -> None:
    file = File(Prepared(CopyStatement("", (), ()), [], Form(), "x", bom=False))
    part, kept = b"x" * 100_000, 0
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            while kept < 1_000_000:
                kept += len(part)
                await file.put(part)
    assert kept < 1_000_000
    reading = aiter(file)
    assert len(await anext(reading)) == kept
    async with asyncio.timeout(1):
        await file.put(part)
    assert await anext(reading) == part


async def test_an_export_breaks_off_when_the_server_stops(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app()
    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(port, ITEMS))
        await reader.readexactly(100_000)
    assert await until_gone(aside) < GONE
    received = b""
    with suppress(ConnectionError):
        received = await reader.read()
    assert not received.endswith(b"0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_error_at_row_900000_breaks_the_connection(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, compressed: bool
) -> None:
    app = make_app()
    headers = {"X-Request-Id": "the-export"} | ({"Accept-Encoding": "gzip"} if compressed else {})
    async with served(app) as port, connected(port) as (reader, writer):
        with capture_logs() as logs:
            writer.write(head(port, BROKEN_LATE, **headers))
            async with asyncio.timeout(60):
                received = await reader.read()
        assert [line for line in logs if line["event"] == "export broken off"] == [
            {
                "event": "export broken off",
                "log_level": "warning",
                "request_id": "the-export",
                "error": "Something went wrong on the server. (DivisionByZeroError)",
            }
        ]
        # The server has nothing to add, and no traceback.
        assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert not received.endswith(b"0\r\n\r\n")
        assert b"division" not in received
        await until_whole(app)
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}", headers=ADMIN) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/export.csv", params={"query": BROKEN_LATE})


async def test_curl_tells_that_an_export_broke_off(make_app: MakeApp) -> None:
    app = make_app()
    async with served(app) as port:
        url = f"http://localhost:{port}/export.csv?{urlencode({'query': BROKEN_LATE})}"
        secret = f"x-clew-admin-secret: {ADMIN['x-clew-admin-secret']}"
        curl = await asyncio.create_subprocess_exec(
            "curl", "-s", "-o", "/dev/null", "-H", secret, url, stdout=asyncio.subprocess.DEVNULL
        )
        # "transfer closed with outstanding read data remaining"
        assert await curl.wait() == 18


async def test_when_postgres_dies_the_connection_breaks(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app()
    async with served(app) as port, connected(port) as (reader, writer):
        writer.write(head(port, ITEMS))
        await reader.readexactly(100_000)
        await aside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clew-export'"
            " AND datname = current_database()"
        )
        async with asyncio.timeout(20):
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        await until_whole(app)


async def test_an_export_ends_with_the_time_that_it_may_take(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app(export_seconds=1)
    async with served(app) as port, connected(port) as (reader, writer):
        writer.write(head(port, ITEMS))
        await reader.readexactly(100_000)
        await asyncio.sleep(1)
        async with asyncio.timeout(20):
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        await until_whole(app)
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}", headers=ADMIN) as client:
            slow = await client.get("/export.csv", params={"query": SLOW})
        assert (slow.status_code, slow.json()["errors"][0]["extensions"]["code"]) == (504, "TIMEOUT")


async def test_an_export_ends_with_the_viewer_s_token(make_app: MakeApp, aside: asyncpg.Connection[Any]) -> None:
    app = make_app()
    soon = int(time.time()) + 2
    async with served(app) as port, connected(port) as (reader, writer):
        request = head(port, ITEMS).replace(f"x-clew-admin-secret: {ADMIN['x-clew-admin-secret']}\r\n".encode(), b"")
        token = bearer("ada", exp=soon)["authorization"]
        writer.write(request[:-2] + f"Authorization: {token}\r\n\r\n".encode())
        await reader.readexactly(100_000)
        await asyncio.sleep(soon - time.time())
        assert await until_gone(aside) < GONE
        assert not (await reader.read()).endswith(b"0\r\n\r\n")


async def test_a_whole_export_has_all_rows_and_its_end(make_app: MakeApp) -> None:
    app = make_app()
    async with served(app) as port, connected(port) as (_, _writer):
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}", headers=ADMIN) as client:
            found = await client.get("/export.csv", params={"query": ITEMS}, timeout=60)
        assert found.status_code == 200
        assert found.text.count("\n") == ROWS + 1
        assert found.text.endswith(f"\n{ROWS},text of the item {ROWS}\n")
    await until_whole(app)


async def test_http_1_0_cannot_tell_a_broken_file_from_a_whole_one(make_app: MakeApp) -> None:
    app = make_app()
    async with served(app) as port, connected(port) as (reader, writer):
        writer.write(head(port, ITEMS, version="1.0"))
        assert (await reader.read()).startswith(b"HTTP/1.1 505 ")
