"""The pool keeps count: whoever waits, gives up, breaks or dies."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from clew.database import cluster
from clew.database.embedded import embedded_postgres, ensure_running
from clew.database.pool import Connection, Pool
from clew.errors import ClewError, Code
from tests.faults.lab import STUBBORN, Lab, ask, assert_whole, client_of, until_whole

MakePool = Callable[..., Pool]
_SSL_REQUEST = (80877103).to_bytes(4, "big")


@pytest.fixture
async def make_pool(lab: Lab) -> AsyncIterator[MakePool]:
    """make_pool(size=1): a pool on the lab's database."""
    made: list[Pool] = []

    def make(size: int = 1, wait: float = 5.0, statement_timeout: float = 10.0) -> Pool:
        made.append(Pool(lab.url, size=size, wait=wait, statement_timeout=statement_timeout))
        return made[-1]

    yield make
    for pool in made:
        await pool.close()
        assert pool._open == 0


@pytest.mark.anyio
async def test_who_finds_no_connection_in_time_is_told_to_come_back(lab: Lab) -> None:
    app = lab.app(pool_max=2, pool_timeout=0.3)
    async with client_of(app) as client:
        slow = [asyncio.create_task(ask(client, '{ act(name: "sleep") }')) for _ in range(2)]
        await lab.until_busy(count=2)
        for query in ("{ items { id } }", 'mutation { rename(id: 1, name: "x") }'):
            began = time.monotonic()
            refused = await ask(client, query)
            assert 0.25 < time.monotonic() - began < 2
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert (await client.get("/healthz")).status_code == 200
        # A custom field of a query fails by itself, beside what needs no connection.
        partly = (await ask(client, '{ __typename act(name: "sleep") }')).json()
        assert partly["data"] == {"__typename": "Query", "act": None}
        assert partly["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        # What needs no database is served.
        assert (await ask(client, "{ __typename }")).json() == {"data": {"__typename": "Query"}}
        for task in slow:
            task.cancel()
        await asyncio.wait(slow)
        await until_whole(lab, app)
        assert (await ask(client, "{ item(id: 1) { name } }")).json() == {"data": {"item": {"name": "one"}}}


@pytest.mark.anyio
async def test_waiters_are_served_in_the_order_in_which_they_came(make_pool: MakePool) -> None:
    pool = make_pool()
    held = await pool.acquire()
    served: list[int] = []

    async def one(index: int) -> None:
        connection = await pool.acquire()
        served.append(index)
        await asyncio.sleep(0)
        pool.release(connection)

    tasks = [asyncio.create_task(one(index)) for index in range(20)]
    await asyncio.sleep(0)
    pool.release(held)
    # Who comes later cannot jump the queue.
    late = asyncio.create_task(one(20))
    await asyncio.gather(*tasks, late)
    assert served == list(range(21))


@pytest.mark.anyio
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_waiter_that_is_cancelled_as_it_is_served_loses_nothing(make_pool: MakePool, moment: str) -> None:
    pool = make_pool()
    held = await pool.acquire()
    first, second = (asyncio.create_task(pool.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    if moment == "before":
        first.cancel()
        pool.release(held)
    else:
        pool.release(held)
        first.cancel()
    async with asyncio.timeout(2):
        got = await second
    assert first.cancelled()
    assert got is held
    pool.release(got)
    assert (pool._open, pool._idle) == (1, [held])


@pytest.mark.anyio
async def test_a_place_that_becomes_free_goes_to_who_waits(make_pool: MakePool) -> None:
    pool = make_pool()
    held = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    held.terminate()
    pool.release(held)
    async with asyncio.timeout(2):
        got = await waiting
    assert got is not held
    assert await got.fetchval("SELECT 1") == 1
    pool.release(got)


@pytest.mark.anyio
async def test_a_connection_killed_while_idle_is_replaced_without_an_error(lab: Lab) -> None:
    app = lab.app(pool_max=3)
    async with client_of(app) as client:
        await asyncio.gather(*(ask(client, "{ items { id } }") for _ in range(3)))
        await lab.aside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'clew' AND datname = current_database()"
        )
        await lab.until(lambda: _all_closed(app.engine.pool))
        answers = await asyncio.gather(*(ask(client, "{ items { id } }") for _ in range(6)))
        assert [answer.status_code for answer in answers] == [200] * 6
    await until_whole(lab, app)


async def _all_closed(pool: Pool) -> bool:
    return all(connection.is_closed() for connection in pool._idle)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "query",
    ["{ slows { id done } }", '{ act(name: "sleep") }', 'mutation { rename(id: 1, name: "x") act(name: "sleep") }'],
)
async def test_a_connection_killed_while_busy_is_one_error_and_no_more(lab: Lab, query: str) -> None:
    app = lab.app(pool_max=1)
    async with client_of(app) as client:
        running = asyncio.create_task(ask(client, query))
        await lab.until_busy()
        await lab.aside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'clew' AND datname = current_database()"
        )
        async with asyncio.timeout(2):
            failed = await running
        assert failed.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        if "act" not in query or "mutation" in query:
            # Beside a query's failed field there may be other data.
            assert failed.status_code == 503
            assert failed.headers["retry-after"] == "1"
        assert (await ask(client, "{ item(id: 1) { name } }")).json() == {"data": {"item": {"name": "one"}}}
    await until_whole(lab, app)


@pytest.mark.anyio
async def test_a_server_that_stops_and_starts_is_found_again_unaided(tmp_path: Path, lab: Lab) -> None:
    with embedded_postgres(tmp_path, durable=False) as url:
        pool = Pool(url, size=3, wait=1)
        down, codes = asyncio.Event(), set[Code]()

        async def user() -> None:
            while not down.is_set() or pool._open == 0:
                try:
                    await pool.fetch("SELECT pg_sleep(0.002)", ())
                except ClewError as error:
                    codes.add(error.code)
                    await asyncio.sleep(0.02)

        users = [asyncio.create_task(user()) for _ in range(8)]
        await asyncio.sleep(0.1)
        assert codes == set()
        await asyncio.to_thread(cluster.stop, tmp_path.resolve() / "data")
        began = time.monotonic()
        with pytest.raises(ClewError) as refused:
            await pool.fetch("SELECT 1", ())
        assert refused.value.code is Code.UNAVAILABLE
        assert time.monotonic() - began < 1.5
        assert await asyncio.to_thread(ensure_running, tmp_path, durable=False)
        async with asyncio.timeout(5):
            while True:
                with suppress(ClewError):
                    assert (await pool.fetch("SELECT 7", ()))[0][0] == 7
                    break
                await asyncio.sleep(0.01)
            down.set()
            await asyncio.gather(*users)
        assert codes == {Code.UNAVAILABLE}
        assert pool._open == len(pool._idle) <= 3
        await pool.close()


@pytest.mark.anyio
async def test_a_database_that_does_not_exist_is_unavailable_and_costs_no_place(lab: Lab) -> None:
    pool = Pool(lab.url.replace("/lab_", "/gone_"), size=1, wait=1)
    for _ in range(3):
        with pytest.raises(ClewError) as refused:
            await pool.fetch("SELECT 1", ())
        assert refused.value.code is Code.UNAVAILABLE
    assert pool._open == 0


@pytest.mark.anyio
@pytest.mark.parametrize("opening", ["BEGIN", "BEGIN; SELECT 1/0", "transaction"])
async def test_a_connection_that_comes_back_in_a_transaction_is_closed(
    lab: Lab, make_pool: MakePool, opening: str
) -> None:
    pool = make_pool()
    connection = await pool.acquire()
    if opening == "transaction":
        await connection.transaction().start()
    else:
        with suppress(asyncpg.PostgresError):
            for statement in opening.split(";"):
                await connection.execute(statement)
    pool.release(connection)
    assert connection.is_closed()
    assert pool._open == 0
    await lab.until_quiet()
    assert (await pool.fetch("SELECT 1", ()))[0][0] == 1


@pytest.mark.anyio
async def test_no_other_process_gives_the_same_name_to_a_prepared_statement(make_pool: MakePool) -> None:
    """Behind a pooler that lends sessions for one transaction, one of them could run in place of the other."""
    found: list[str] = []
    for number in range(2):
        pool = make_pool()
        await pool.fetch(f"SELECT {number}", ())
        rows = await pool.fetch("SELECT name FROM pg_prepared_statements", ())
        found += [row["name"] for row in rows]
    assert len(found) == len(set(found)) == 4
    own = re.compile(rf"__clew_stmt_[0-9a-f]{{12}}_{os.getpid():x}_[0-9a-f]+__")
    assert all(own.fullmatch(name) for name in found), found


@pytest.mark.anyio
async def test_a_statement_that_takes_too_long_is_timeout_and_the_connection_is_good(make_pool: MakePool) -> None:
    pool = make_pool(statement_timeout=0.05)
    with pytest.raises(ClewError) as slow:
        await pool.fetch("SELECT pg_sleep(10)", ())
    assert slow.value.code is Code.TIMEOUT
    connection = pool._idle[0]
    assert (await pool.fetch("SELECT 1", ()))[0][0] == 1
    assert pool._idle == [connection]


@pytest.mark.anyio
async def test_a_timeout_below_a_millisecond_is_not_none(make_pool: MakePool) -> None:
    pool = make_pool(statement_timeout=0.0001)
    with pytest.raises(ClewError) as slow:
        await pool.fetch("SELECT pg_sleep(10)", ())
    assert slow.value.code is Code.TIMEOUT


@pytest.mark.anyio
async def test_a_closed_pool_opens_nothing_and_closes_what_comes_back(make_pool: MakePool) -> None:
    pool = make_pool(size=2)
    lent, idle = await pool.acquire(), await pool.acquire()
    pool.release(idle)
    await pool.close()
    assert idle.is_closed()
    assert await lent.fetchval("SELECT 1") == 1
    pool.release(lent)
    assert lent.is_closed()
    with pytest.raises(ClewError) as refused:
        await pool.fetch("SELECT 1", ())
    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.anyio
async def test_a_cancelled_statement_is_not_lent_before_it_has_ended(lab: Lab, make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.fetch("SELECT 1", ())
    for _ in range(20):
        slow = asyncio.create_task(pool.fetch("SELECT pg_sleep(30)", ()))
        await lab.until_busy("pg_sleep")
        slow.cancel()
        # The next statement must neither wait for the old one nor be cancelled in its place.
        async with asyncio.timeout(2):
            assert (await pool.fetch("SELECT 5", ()))[0][0] == 5


@pytest.mark.anyio
async def test_no_statement_is_left_half_prepared_with_its_locks(lab: Lab, make_pool: MakePool) -> None:
    """asyncpg cancelled between Parse and Execute sends no Sync: the server would wait for it, its tables locked."""
    pool = make_pool()
    for turns in range(1, 14):
        task = asyncio.create_task(pool.fetch(f"SELECT name, {turns} FROM items WHERE id = $1", (1,)))
        for _ in range(turns):
            await asyncio.sleep(0)
            await asyncio.sleep(0.0003)
        task.cancel()
        await asyncio.wait([task])
        await lab.until_quiet()


@pytest.mark.anyio
async def test_under_random_cancellations_and_kills_the_count_never_drifts(lab: Lab, make_pool: MakePool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    pool = make_pool(size=4, wait=0.5)
    lent: set[Connection] = set()
    most = 0

    async def use() -> None:
        nonlocal most
        connection = await pool.acquire()
        assert connection not in lent, "lent twice"
        lent.add(connection)
        most = max(most, len(lent))
        try:
            match chance.randrange(5):
                case 0:
                    await connection.fetchval("SELECT pg_sleep($1)", chance.random() * 0.01)
                case 1:
                    async with connection.transaction():
                        await connection.execute("UPDATE items SET weight = weight WHERE id = $1", chance.randint(1, 3))
                case 2:
                    await connection.execute("BEGIN")
                case 3:
                    await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                case _:
                    assert await connection.fetchval("SELECT $1::int", 42) == 42
        finally:
            lent.discard(connection)
            pool.release(connection)

    async def one() -> None:
        task = asyncio.create_task(use())
        if chance.random() < 0.6:
            asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            assert not isinstance(error, AssertionError), error

    for _ in range(15):
        await asyncio.gather(*(one() for _ in range(20)))
        assert pool._open <= 4
    while pool._settling:
        await asyncio.wait(pool._settling)
    assert most == 4
    assert pool._open == len(pool._idle) == len(set(pool._idle))
    assert not pool._waiters
    await lab.until_quiet()
    assert len(await lab.activity()) == len([c for c in pool._idle if not c.is_closed()])


@pytest.mark.anyio
async def test_the_whole_server_keeps_count_under_a_mixed_load(lab: Lab) -> None:
    app = lab.app(pool_max=3, pool_timeout=0.5)
    chance = random.Random(11)
    queries = (
        "{ items { name } }",
        '{ act(name: "nap") }',
        'mutation { rename(id: 1, name: "n") }',
        "{ parts { share } }",
    )

    async def nap(context: object) -> None:
        await asyncio.sleep(0.003)

    lab.act(nap, "nap")
    async with client_of(app) as client:

        async def one() -> None:
            task = asyncio.create_task(ask(client, chance.choice(queries)))
            if chance.random() < 0.5:
                asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
            await asyncio.wait([task])

        for _ in range(8):
            await asyncio.gather(*(one() for _ in range(25)))
    await until_whole(lab, app)
    assert_whole(app)


@pytest.mark.anyio
async def test_sessions_have_the_planner_settings_and_others_do_not(lab: Lab) -> None:
    usual = Pool(lab.url, size=1)
    bare = Pool(lab.url, size=1, planner="none")
    tuned = Pool(lab.url, size=1, planner="enable_hashjoin=off, random_page_cost=2")
    names = ("jit", "random_page_cost", "enable_hashjoin")
    found = {}
    for name, pool in {"usual": usual, "bare": bare, "tuned": tuned}.items():
        found[name] = [(await pool.fetch(f"SHOW {setting}", ()))[0][0] for setting in names]
        await pool.close()
    assert found == {"usual": ["off", "1.1", "on"], "bare": ["on", "4", "on"], "tuned": ["on", "2", "off"]}


@pytest.mark.anyio
async def test_a_proxy_that_refuses_the_planner_settings_is_connected_to_without_them(lab: Lab) -> None:
    refuses = refusing_proxy(lab, {b"jit", b"random_page_cost"})
    with capture_logs() as logs:
        async with refuses as (url, started):
            pool = Pool(url, size=3)
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(pool.fetch("SELECT pg_sleep(0.1)", ()))
            assert (await pool.fetch("SHOW statement_timeout", ()))[0][0] == "10s"
            await pool.close()
    assert sum(b"random_page_cost" in packet for packet in started) == 3
    assert [log["event"] for log in logs] == ["planner refused"]


@pytest.mark.anyio
async def test_a_proxy_that_refuses_what_bounds_a_session_is_not_used(lab: Lab) -> None:
    async with refusing_proxy(lab, {b"statement_timeout"}) as (url, started):
        pool = Pool(url, size=1)
        with pytest.raises(ClewError) as refused:
            await pool.fetch("SELECT 1", ())
        assert refused.value.code is Code.UNAVAILABLE
        assert len(started) == 1
        await pool.close()


@asynccontextmanager
async def refusing_proxy(lab: Lab, names: set[bytes]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Refuse sessions that are started with these settings, as PgBouncer does; pass on others.

    Yields:
        the URL of the proxy, and the packets that sessions were started with.
    """
    parts = urlsplit(lab.url)
    socket_ = Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432"
    started: list[bytes] = []
    pipes: list[asyncio.Task[None]] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)
        writer.close()

    async def packet(reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(4)
        return head + await reader.readexactly(int.from_bytes(head, "big") - 4)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await packet(reader)
        if start[4:8] == _SSL_REQUEST:
            writer.write(b"N")
            start = await packet(reader)
        started.append(start)
        if refused := sorted(name for name in names if name in start.split(b"\0")):
            fields = b"SFATAL\0C08P01\0Munsupported startup parameter: " + refused[0] + b"\0\0"
            writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
            writer.close()
            return
        from_server, to_server = await asyncio.open_unix_connection(socket_)
        to_server.write(start)
        pipes.extend((asyncio.create_task(pipe(reader, to_server)), asyncio.create_task(pipe(from_server, writer))))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"postgresql://{parts.username or 'postgres'}@{host}:{port}{parts.path}", started
    await asyncio.gather(*pipes, return_exceptions=True)


@pytest.mark.anyio
async def test_a_statement_that_cannot_be_stopped_keeps_its_slot_until_it_ends(lab: Lab, make_pool: MakePool) -> None:
    pool = make_pool(size=2, wait=0.2)
    for _ in range(2):
        stubborn = asyncio.create_task(pool.fetch(STUBBORN, ()))
        await lab.until_computing(len(pool._settling) + 1)
        stubborn.cancel()
        await asyncio.wait([stubborn])
    refused = 0
    while pool._settling:
        (outcome,) = await asyncio.gather(pool.fetch("SELECT 1", ()), return_exceptions=True)
        if isinstance(outcome, ClewError):
            assert outcome.code is Code.UNAVAILABLE
            refused += 1
        else:
            assert len(pool._settling) < 2
        assert len(await lab.activity("state = 'active'")) <= 2
    assert refused > 1
    await lab.until_quiet()
    assert (await pool.fetch("SELECT 1", ()))[0][0] == 1
    assert pool._open == len(pool._idle)


@pytest.mark.anyio
async def test_a_pool_closes_without_waiting_for_a_statement_that_cannot_be_stopped(lab: Lab) -> None:
    pool = Pool(lab.url, size=1)
    stubborn = asyncio.create_task(pool.fetch(STUBBORN.replace("1200", "2000"), ()))
    await lab.until_computing()
    stubborn.cancel()
    await asyncio.wait([stubborn])
    began = time.monotonic()
    await pool.close()
    assert time.monotonic() - began < 2.5
    assert (pool._open, pool._settling) == (0, {})
    await lab.until_quiet(60)
