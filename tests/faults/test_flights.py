"""One viewer's slow operations leave the server to others, and whoever leaves makes room."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from clew.engine import Request
from clew.resolvers.context import Context
from clew.viewer import Viewer
from clew.wire.application import Application
from tests.faults.lab import STUBBORN, Lab, ask, client_of, request_bytes, served, until_whole
from tests.faults.test_slow_clients import deaf

pytestmark = pytest.mark.anyio

SLOW = "{ slows { id } }"
QUICK = "{ items(limit: 1) { id } }"


def as_user(number: int) -> dict[str, str]:
    """Through the eyes of a user; they have rules for nothing but what is the application's own."""
    return {"x-clew-role": "user", "x-clew-claims": json.dumps({"sub": str(number)})}


async def act_as(client: httpx.AsyncClient, name: str, headers: dict[str, str]) -> httpx.Response:
    body = {"query": "query ($n: String!) { act(name: $n) }", "variables": {"n": name}}
    return await client.post("/graphql", json=body, headers=headers)


def under_way(app: Application) -> int:
    return sum(viewer.under_way for viewer in app.engine.flights._viewers.values())


async def test_slow_statements_of_one_viewer_leave_the_pool_to_others(lab: Lab) -> None:
    # By default half of the pool.
    app = lab.app(pool_max=4, max_in_flight=2, pool_timeout=0.3, statement_timeout=60)
    async with client_of(app) as client:
        slow = [asyncio.create_task(ask(client, SLOW)) for _ in range(10)]
        await lab.until_busy(count=2)
        # Another viewer is answered at once; the same one waits, and is refused.
        viewer = await client.post("/graphql", json={"query": "{ viewer { id } }"}, headers=as_user(7))
        assert viewer.json()["data"]["viewer"]["id"] == "7"
        outside = await app.engine.execute(Request(QUICK, client="192.0.2.1"), Viewer("x", frozenset({"admin"})))
        assert outside.code is None
        refused = await ask(client, QUICK)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        (error,) = refused.json()["errors"]
        assert error["message"] == "Too many operations at once: at most 2 may run."
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert len(await lab.activity("state = 'active'")) == 2
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert (await ask(client, QUICK)).json()["data"]["items"]
    await until_whole(lab, app)
    assert app.engine.flights._viewers == {}


async def test_one_more_waits_for_its_turn(lab: Lab) -> None:
    app = lab.app(max_in_flight=1)
    gate = asyncio.Event()
    began: list[int] = []

    async def act(_: Context) -> str:
        began.append(under_way(app))
        await gate.wait()
        return "done"

    name = lab.act(act)
    async with client_of(app) as client:
        tasks = [asyncio.create_task(ask(client, f'{{ act(name: "{name}") }}')) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert began == [1]
        gate.set()
        answers = await asyncio.gather(*tasks)
    assert [answer.json()["data"]["act"] for answer in answers] == ["done"] * 5
    assert began == [1] * 5
    assert app.engine.flights._viewers == {}


async def test_an_operation_within_an_operation_is_no_other(lab: Lab) -> None:
    app = lab.app(max_in_flight=1, pool_timeout=0.3)

    async def act(context: Context) -> Any:
        return await context.graphql("{ viewer { roles } }")

    name = lab.act(act)
    async with client_of(app) as client:
        answer = await ask(client, f'{{ act(name: "{name}") }}')
    assert answer.json() == {"data": {"act": {"viewer": {"roles": ["admin"]}}}}


async def test_who_leaves_makes_room_at_once(lab: Lab) -> None:
    app = lab.app(max_in_flight=1, pool_timeout=30, statement_timeout=60)
    async with served(app) as port:
        slow = json.dumps({"query": SLOW}).encode()
        _, running = await asyncio.open_connection("127.0.0.1", port)
        running.write(request_bytes(slow, port))
        await lab.until_busy()
        _, waiting = await asyncio.open_connection("127.0.0.1", port)
        waiting.write(request_bytes(slow, port))
        await asyncio.sleep(0.1)
        for writer in (waiting, running):
            writer.close()
            await writer.wait_closed()
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
            assert (await ask(client, QUICK)).json()["data"]["items"]
    assert app.engine.flights._viewers == {}


async def test_a_large_answer_is_under_way_until_it_is_read(lab: Lab) -> None:
    app = lab.app(max_in_flight=1, pool_timeout=0.2)
    await lab.aside.execute("UPDATE items SET name = repeat('x', 100000) WHERE id = 1")
    aliases = " ".join(f"a{number}: items(where: {{id: {{eq: 1}}}}) {{ name }}" for number in range(80))
    async with served(app) as port, httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        with deaf(port) as unread:
            unread.sendall(request_bytes(json.dumps({"query": f"{{ {aliases} }}"}).encode(), port))

            async def is_sending() -> bool:
                return under_way(app) == 1 and app.engine.pool._open == len(app.engine.pool._idle) == 1

            await lab.until(is_sending, 5)
            assert (await ask(client, QUICK)).status_code == 429

        async def is_over() -> bool:
            return under_way(app) == 0

        await lab.until(is_over, 5)
        assert (await ask(client, QUICK)).status_code == 200


async def test_a_role_may_have_more_and_an_admin_is_bound_too(lab: Lab) -> None:
    app = lab.app(max_in_flight=1, limits={"admin": {"in_flight": 3}})
    assert app.engine.limits.of(("admin",), admin=True).in_flight == 3
    assert app.engine.limits.of(("user",), admin=False).in_flight == 1


async def test_who_hangs_up_on_statements_that_cannot_be_stopped_gets_no_more_of_them(lab: Lab) -> None:
    app = lab.app(pool_max=6, max_in_flight=2, pool_timeout=0.2)

    async def compare(context: Context) -> str:
        await context.connection.execute(text(STUBBORN))
        return "done"

    name = lab.act(compare)
    body = json.dumps({"query": f'{{ act(name: "{name}") }}'}).encode()
    most = 0
    async with served(app) as port, httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        for sent in range(8):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes(body, port))
            if sent < 2:
                await lab.until_computing(sent + 1)
            await asyncio.sleep(0.05)
            writer.close()
            most = max(most, len(await lab.activity("state = 'active'")))
        refused = await ask(client, QUICK)
        assert refused.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        other = await client.post("/graphql", json={"query": "{ viewer { id } }"}, headers=as_user(7))
        assert other.json()["data"]["viewer"]["id"] == "7"
        assert most == 2
        await lab.until_quiet(30)
        await until_whole(lab, app)
        assert app.engine.flights._viewers == {}
        assert (await ask(client, QUICK)).json()["data"]["items"]
