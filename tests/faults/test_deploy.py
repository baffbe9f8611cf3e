"""A deploy under load: new servers come, the old ones go, and subscribers change over. They miss nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.faults.lab import Lab, served
from tests.faults.test_graceful_stop import SECRETS, serving
from tests.sockets import client as sockets

pytestmark = pytest.mark.anyio

ADMIN = {"x-clew-admin-secret": SECRETS["CLEW_ADMIN_SECRET"]}
LIVE = "{ items(orderBy: [{id: ASC}]) { id name } itemsAggregate { count } }"
EVENTS = "subscription ($after: String) { itemChanges(on: [CREATED], after: $after) { kind id cursor } }"
# Seconds that a busy machine may take.
LONGEST = 30.0


class Balancer:
    """Says which server is asked."""

    def __init__(self, port: int) -> None:
        self.port = port


class Subscriber:
    """A client that connects again whenever its connection ends. `closed` are the ends that it saw."""

    def __init__(self, balancer: Balancer, *, live: bool, port: int | None = None) -> None:
        self.balancer = balancer
        self.port = port
        self.live = live
        self.last: Any = None
        self.events: list[int] = []
        self.cursor: str | None = None
        self.closed: list[Any] = []

    @property
    def has_begun(self) -> bool:
        return self.last is not None if self.live else bool(self.events)

    async def run(self) -> None:
        while True:
            try:
                async for result in self.results(self.port or self.balancer.port):
                    assert "errors" not in result, result
                    if self.live:
                        self.last = result
                    else:
                        self.events.append(result["data"]["itemChanges"]["id"])
                        self.cursor = result["data"]["itemChanges"]["cursor"]
            except (OSError, InvalidStatus, ConnectionClosed, httpx.TransportError):
                pass
            # Rows are written meanwhile.
            await asyncio.sleep(0.3)

    @property
    def operation(self) -> dict[str, Any]:
        if self.live:
            return {"query": f"subscription {LIVE}"}
        return {"query": EVENTS, "variables": {"after": self.cursor}}

    def results(self, port: int) -> AsyncIterator[Any]:
        raise NotImplementedError


class OnSocket(Subscriber):
    async def results(self, port: int) -> AsyncIterator[Any]:
        async with sockets.socket(port, init=ADMIN) as client:
            await client.subscribe(**self.operation)
            try:
                while (message := await client.receive(None))["type"] == "next":
                    yield message["payload"]
            except ConnectionClosed as closed:
                self.closed.append(closed.rcvd and closed.rcvd.code)
                return
            raise AssertionError(message)


class OnStream(Subscriber):
    """By server-sent events. It goes on by `Last-Event-ID`, as browsers do."""

    last_id: str | None = None

    @property
    def operation(self) -> dict[str, Any]:
        self.cursor = None
        return super().operation

    async def results(self, port: int) -> AsyncIterator[Any]:
        headers = {"accept": "text/event-stream", **ADMIN}
        if self.last_id is not None:
            headers["last-event-id"] = self.last_id
        async with (
            httpx.AsyncClient(base_url=f"http://localhost:{port}", timeout=LONGEST) as client,
            client.stream("POST", "/graphql", json=self.operation, headers=headers) as response,
        ):
            if response.status_code == 503:
                return
            assert response.status_code == 200
            event = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "id":
                    self.last_id = value
                elif name == "data":
                    assert event == "next", line
                    yield json.loads(value)
            self.closed.append(event)


async def write(balancer: Balancer) -> None:
    """Create rows one after another. What fails is sent again with its key, as clients do."""
    while True:
        name, key = uuid.uuid4().hex, uuid.uuid4().hex
        document = f'mutation {{ createItem(input: {{name: "{name}", weight: {uuid.uuid4().int % 10**9}}}) {{ id }} }}'
        while True:
            try:
                async with httpx.AsyncClient(base_url=f"http://localhost:{balancer.port}", timeout=LONGEST) as client:
                    headers = {**ADMIN, "idempotency-key": key}
                    answer = await client.post("/graphql", json={"query": document}, headers=headers)
            except httpx.TransportError:
                continue
            if "errors" not in answer.json():
                break
        await asyncio.sleep(0.01)


async def test_subscribers_change_over_and_miss_nothing(lab: Lab) -> None:
    times = {"CLEW_DRAIN_SECONDS": "0.5", "CLEW_SHUTDOWN_SECONDS": "2"}
    # Servers of one deployment share their secrets.
    app = lab.app(**{name.removeprefix("CLEW_").lower(): secret for name, secret in SECRETS.items()})
    async with serving(lab, "--workers", "2", **times) as (old, old_port), served(app) as new_port:
        balancer = Balancer(old_port)
        moving = [
            kind(balancer, live=live) for kind in (OnSocket, OnStream) for live in (True, False) for _ in range(4)
        ]
        # What one server writes, those of another one are told of.
        staying = [kind(balancer, live=live, port=new_port) for kind in (OnSocket, OnStream) for live in (True, False)]
        clients = [*moving, *staying]
        running = [asyncio.ensure_future(client.run()) for client in clients]
        writing = asyncio.ensure_future(write(balancer))

        async def begun() -> bool:
            assert not any(task.done() for task in (*running, writing)), [task for task in running if task.done()]
            return all(client.has_begun for client in clients)

        await lab.until(begun, LONGEST)
        balancer.port = new_port
        began = time.monotonic()
        old.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LONGEST):
            assert await old.wait() == 0
        assert time.monotonic() - began < 0.5 + 2 + 5
        # The load goes on for a while.
        await asyncio.sleep(0.5)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        rows = [dict(row) for row in await lab.aside.fetch("SELECT id, name FROM items ORDER BY id")]
        expected = {"data": {"items": rows, "itemsAggregate": {"count": len(rows)}}}

        async def converged() -> bool:
            return all(client.last == expected for client in clients if client.live)

        await lab.until(converged, LONGEST)
        created = {row["id"] for row in rows[3:]}

        async def told() -> bool:
            return all(rows[-1]["id"] in client.events for client in clients if not client.live)

        await lab.until(told, LONGEST)
        for client in clients:
            if not client.live:
                since = {key for key in created if key >= client.events[0]}
                assert Counter(client.events) == Counter(since)
        # Each was told once to connect anew.
        assert [client.closed for client in moving] == [[1012]] * 8 + [["next"]] * 8
        assert not any(client.closed for client in staying)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
