"""The client goes away: its statement stops, nothing of it stays, and the next client notices nothing."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct

import anyio
import asyncpg
import httpx
import pytest
from sqlalchemy import text

from clew.engine import Request
from clew.resolvers.context import Context
from clew.viewer import Viewer
from tests.faults.lab import Lab, assert_whole, request_bytes, served, until_whole

SLOW = {
    "a slow generated read": "{ slows { id done } }",
    "a slow resolver of a query": '{ act(name: "sleep") }',
    "a slow resolver of a mutation": 'mutation { rename(id: 1, name: "gone") act(name: "sleep") }',
}


def body_of(query: str) -> bytes:
    return json.dumps({"query": query}).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one response of a connection that stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head.split()[1]), await reader.readexactly(length)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST, as a killed client's kernel does."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.anyio
@pytest.mark.parametrize("query", SLOW.values(), ids=SLOW.keys())
@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
async def test_a_slow_operation_is_stopped_within_two_seconds(lab: Lab, query: str, hard: bool) -> None:
    app = lab.app(pool_max=1, statement_timeout=60)
    async with served(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(body_of(query), port))
        await lab.until_busy()
        reset(writer) if hard else writer.close()
        await lab.until_quiet(2)
        await until_whole(lab, app)
        # The pool has one connection: it must be usable.
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
            found = await client.post("/graphql", json={"query": "{ item(id: 1) { name } }"})
        assert found.json() == {"data": {"item": {"name": "one"}}}


@pytest.mark.anyio
async def test_a_slow_statement_that_waits_for_a_lock_is_stopped_and_its_transaction_with_it(lab: Lab) -> None:
    app = lab.app(pool_max=1, statement_timeout=60)
    locker = await asyncpg.connect(lab.url)
    async with served(app) as port, locker.transaction():
        await locker.execute("UPDATE items SET name = 'locked' WHERE id = 2")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        query = 'mutation { a: rename(id: 1, name: "gone") b: rename(id: 2, name: "gone too") }'
        writer.write(request_bytes(body_of(query), port))
        await lab.until_busy("UPDATE items")
        writer.close()
        await lab.until_quiet(2)
    await locker.close()
    await until_whole(lab, app)
    assert await lab.names() == ["one", "locked", "three"]


@pytest.mark.anyio
async def test_at_many_random_points_of_mutations_nothing_is_half_done(lab: Lab) -> None:
    app = lab.app(pool_max=2)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def one(index: int, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        query = f'mutation {{ a: rename(id: 1, name: "a{index}") b: rename(id: 2, name: "b{index}") }}'
        writer.write(request_bytes(body_of(query), port))
        try:
            async with asyncio.timeout(chance.random() ** 2 * 0.06):
                await answer(reader)
        except TimeoutError:
            pass
        finally:
            reset(writer)

    async with served(app) as port:
        for index in range(0, 100, 4):
            await asyncio.gather(*(one(index + offset, port) for offset in range(4)))
        await lab.until_quiet(2)
        await until_whole(lab, app)
        assert await lab.activity("xact_start IS NOT NULL") == []
        first, second, third = await lab.names()
        assert (first[1:], third) == (second[1:], "three") if first != "one" else (second == "two")


@pytest.mark.anyio
async def test_at_many_random_points_of_reads_the_pool_stays_whole(lab: Lab) -> None:
    app = lab.app(pool_max=2)
    chance = random.Random(7)
    async with served(app) as port:
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes(body_of("{ items { name children { name } } }"), port))
            await asyncio.sleep(chance.random() * 0.004)
            reset(writer)
        await lab.until_quiet(2)
        await until_whole(lab, app)
        assert len(await lab.activity()) <= 2


@pytest.mark.anyio
@pytest.mark.parametrize("level", ["task", "anyio"])
@pytest.mark.parametrize("query", [*SLOW.values(), 'mutation { rename(id: 1, name: "gone") }'])
async def test_a_cancelled_operation_leaves_the_pool_whole_wherever_it_is_cancelled(
    lab: Lab, query: str, level: str
) -> None:
    """Anyio's scopes cancel at every await until they are left; `Task.cancel` once."""
    app = lab.app(pool_max=1, statement_timeout=60)
    await app.engine.execute(Request("{ items { id } }"), Viewer.admin())
    for step in range(12):
        seconds = step * 0.0007
        with anyio.CancelScope() as scope:
            if level == "anyio":
                asyncio.get_running_loop().call_later(seconds, scope.cancel)
                await app.engine.execute(Request(query), Viewer.admin())
            else:
                task = asyncio.create_task(app.engine.execute(Request(query), Viewer.admin()))
                asyncio.get_running_loop().call_later(seconds, task.cancel)
                await asyncio.wait([task])
        await lab.until_quiet(2)
        await until_whole(lab, app)
    found = await app.engine.execute(Request('mutation { rename(id: 1, name: "good") }'), Viewer.admin())
    assert found.body == b'{"data":{"rename":"good"}}'


@pytest.mark.anyio
async def test_a_cancellation_while_the_transaction_begins_leaves_none_open(lab: Lab) -> None:
    app = lab.app(pool_max=1)
    pool = app.engine.pool
    for turns in range(1, 8):
        task = asyncio.create_task(app.engine.execute(Request('mutation { rename(id: 1, name: "x") }'), Viewer.admin()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await until_whole(lab, app)
        connection = await pool.acquire()
        assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
        async with connection.transaction():
            assert await connection.fetchval("SELECT 1") == 1
        pool.release(connection)
    assert await lab.activity("state LIKE 'idle in%'") == []


@pytest.mark.anyio
async def test_a_connection_is_kept_alive_through_long_operations(lab: Lab) -> None:
    app = lab.app()
    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def nap(context: Context) -> int:
            await context.connection.execute(text("SELECT pg_sleep(0.1)"))
            return 1

        for query in (f'{{ act(name: "{lab.act(nap)}") }}', "{ item(id: 2) { name } }") * 3:
            writer.write(request_bytes(body_of(query), port))
            status, body = await answer(reader)
            assert status == 200
            assert "errors" not in json.loads(body)
        writer.close()
        await writer.wait_closed()
    assert_whole(app)


@pytest.mark.anyio
async def test_requests_sent_ahead_on_one_connection_are_answered_in_order(lab: Lab) -> None:
    async with served(lab.app()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def nap(context: Context) -> int:
            await context.connection.execute(text("SELECT pg_sleep(0.1)"))
            return 1

        first = request_bytes(body_of(f'{{ act(name: "{lab.act(nap)}") }}'), port)
        writer.write(first + request_bytes(body_of("{ item(id: 2) { name } }"), port))
        assert json.loads((await answer(reader))[1]) == {"data": {"act": 1}}
        assert json.loads((await answer(reader))[1]) == {"data": {"item": {"name": "two"}}}
        writer.close()
        await writer.wait_closed()


@pytest.mark.anyio
async def test_a_client_that_closes_its_half_is_gone_and_holds_nothing(lab: Lab) -> None:
    app = lab.app(pool_max=1, statement_timeout=60)
    async with served(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(body_of('{ act(name: "sleep") }'), port))
        await lab.until_busy()
        writer.write_eof()
        await lab.until_quiet(2)
        await until_whole(lab, app)
        writer.close()


@pytest.mark.anyio
async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    app = lab.app()
    async with served(app) as port:
        for sent in (b"", b"{", b'{"query": "{ __type'):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes(body_of("{ __typename }"), port)[: -len(body_of("{ __typename }"))] + sent)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
            assert (await client.get("/healthz")).status_code == 200
    assert "Traceback" not in capfd.readouterr().err
    assert_whole(app)


@pytest.mark.anyio
async def test_a_resolver_that_swallows_its_cancellation_stops_nobody_else(lab: Lab) -> None:
    app = lab.app(pool_max=1)
    began, ended = asyncio.Event(), asyncio.Event()

    async def stubborn(_: Context) -> str:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.set()
        return "stubborn"

    async with served(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(body_of(f'{{ act(name: "{lab.act(stubborn)}") }}'), port))
        await began.wait()
        writer.close()
        async with asyncio.timeout(2):
            await ended.wait()
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
            found = await client.post("/graphql", json={"query": "{ item(id: 1) { name } }"})
        assert found.status_code == 200
    assert_whole(app)
