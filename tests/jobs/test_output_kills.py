"""Producers, servers and clients are killed at random moments. Every client shows the right text in the end."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.auth.tokens import claims, hs256
from tests.cli.test_serve import free_port
from tests.databases import create_tables
from tests.jobs.output_victim import SDL, produce, project, serve, text_of

# CLEW_TEST_ROUNDS=1000 runs all that has been run once.
ROUNDS = int(os.environ.get("CLEW_TEST_ROUNDS", "4"))
CLIENTS = 4
PATIENCE = 120.0

pytestmark = pytest.mark.anyio


class Client:
    """A page that shows the output of a job. It clears at a reset, and appends. Its connection may break."""

    def __init__(self, port: int, job: str, rng: random.Random) -> None:
        self.url = f"http://localhost:{port}/jobs/{job}/output"
        self.rng = rng
        self.text = ""
        self.last: str | None = None
        self.status: str | None = None

    async def show(self) -> str:
        """Return the status at the end."""
        token = hs256(claims(sub="u1", exp=4_000_000_000, roles=["user"]))
        while self.status is None:
            headers = {"authorization": f"Bearer {token}"} | ({} if self.last is None else {"last-event-id": self.last})
            with suppress(httpx.TransportError, TimeoutError):
                patience = 60 if self.rng.random() < 0.5 else self.rng.random()
                async with (
                    asyncio.timeout(patience),
                    httpx.AsyncClient(timeout=60) as client,
                    client.stream("GET", self.url, headers=headers) as answer,
                ):
                    if answer.status_code == 503:
                        continue
                    assert answer.status_code == 200, answer.status_code
                    await self._read(answer)
            await asyncio.sleep(self.rng.random() * 0.1)
        return self.status

    async def _read(self, answer: httpx.Response) -> None:
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
                continue
            if "event" in event:
                data = json.loads(event["data"])
                self.last = event["id"]
                if event["event"] == "final":
                    # The time-out may come while the connection is being closed after this.
                    self.status = str(data["status"])
                    return
                self.text = "" if event["event"] == "reset" else self.text + data["data"]
            event = {}


async def test_no_kill_loses_or_repeats_a_chunk(prepared_url: str, tmp_path: Path) -> None:
    rng = random.Random(f"output {ROUNDS}")
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "app.graphql").write_text(SDL)
    await create_tables(prepared_url, project(tmp_path).build()[0], logged=True)
    aside = await asyncpg.connect(prepared_url)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.jobs.output_victim"])
    port = free_port()

    def begin_server() -> multiprocessing.process.BaseProcess:
        server = processes.Process(target=serve, args=(prepared_url, str(tmp_path), port), daemon=True)
        server.start()
        return server

    async def is_over(job: str) -> bool:
        return bool(await aside.fetchval("SELECT status = 'SUCCEEDED' FROM clew.jobs WHERE id = $1", job))

    async def run(job: str) -> None:
        """Start the producer again and again, and kill it, until it comes to its end."""
        while not await is_over(job):
            producer = processes.Process(target=produce, args=(prepared_url, job), daemon=True)
            producer.start()
            lives = 30.0 if rng.random() < 0.4 else rng.random() * 2.5
            await asyncio.to_thread(producer.join, lives)
            producer.kill()
            await asyncio.to_thread(producer.join)

    async def kill_servers() -> None:
        while True:
            await asyncio.sleep(rng.random() * 6)
            server = servers.pop()
            server.kill()
            await asyncio.to_thread(server.join)
            servers.append(begin_server())

    servers = [begin_server()]
    killing = asyncio.create_task(kill_servers())
    try:
        for _ in range(ROUNDS):
            job = str(
                await aside.fetchval(
                    "INSERT INTO clew.jobs (name, queue, viewer, arguments, caller)"
                    " VALUES ('reply', 'default', 'u1', '{}', '{}') RETURNING id"
                )
            )
            clients = [Client(port, job, rng) for _ in range(CLIENTS)]
            showing = [asyncio.create_task(client.show()) for client in clients]
            async with asyncio.timeout(PATIENCE):
                await run(job)
                assert await asyncio.gather(*showing) == ["SUCCEEDED"] * CLIENTS
            attempt = await aside.fetchval("SELECT attempt FROM clew.jobs WHERE id = $1", job)
            for client in clients:
                assert client.text == text_of(attempt)
    finally:
        killing.cancel()
        await asyncio.wait([killing])
        for server in servers:
            server.kill()
            await asyncio.to_thread(server.join)
        await aside.close()
