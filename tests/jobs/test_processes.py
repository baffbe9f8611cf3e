"""Jobs in real processes of `clew serve`: several of them at once, and one that stops with everything in flight."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from clew.migrate.revisions import make
from clew.migrate.run import upgrade
from clew.model.build import load_model
from tests.faults.lab import REPOSITORY
from tests.faults.test_graceful_stop import SECRETS, free_port
from tests.jobs import stand
from tests.sockets import client as sockets

pytestmark = pytest.mark.anyio

# Seconds in which something comes on a busy machine.
SOON = 30.0
ADMIN = {"x-clew-admin-secret": SECRETS["CLEW_ADMIN_SECRET"]}
ENQUEUE = "mutation ($times: Int!, $pause: Float!) { count(times: $times, pause: $pause) { id } }"
CRON = "INSERT INTO clew.job_crons (name, schedule, next_at) VALUES ('tick', '* * * * *', now() - interval '1 hour')"


@dataclass
class Stand:
    """A project with a database. `aside` is a connection of the test itself."""

    root: Path
    url: str
    aside: asyncpg.Connection[Any]

    @asynccontextmanager
    async def serving(self, *arguments: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
        """`clew serve` as a process of its own, ready."""
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clew.cli", "serve", "--port", str(port), *arguments),
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(REPOSITORY),
                "DATABASE_URL": self.url,
                "CLEW_LOG_LEVEL": "warning",
                **SECRETS,
                **settings,
            },
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(SOON), httpx.AsyncClient() as client:
                while True:
                    assert process.returncode is None, (await errors_of(process)).decode()
                    try:
                        if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                            break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield process, port
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def rows(self, name: str) -> Sequence[asyncpg.Record]:
        found: Sequence[asyncpg.Record] = await self.aside.fetch("SELECT * FROM clew.jobs WHERE name = $1", name)
        return found

    async def ended(self, name: str, count: int) -> Sequence[asyncpg.Record]:
        """The jobs of a name, once so many have ended."""
        async with asyncio.timeout(SOON):
            while True:
                rows = await self.rows(name)
                if sum(row["finished_at"] is not None for row in rows) >= count:
                    return rows
                await asyncio.sleep(0.05)


async def errors_of(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    return await process.stderr.read()


@pytest.fixture
async def project(database_url: str, tmp_path: Path) -> AsyncIterator[Stand]:
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "stand.graphql").write_text(stand.SDL)
    shutil.copy(Path(stand.__file__), tmp_path / "stand.py")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "stand"\n[tool.clew]\napp = "stand:clew"\n')
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "migrations" / "versions").mkdir()
    make(tmp_path, load_model(tmp_path / "graphql", tmp_path), "stand")
    await upgrade(tmp_path, database_url)
    aside = await asyncpg.connect(database_url)
    try:
        yield Stand(tmp_path, database_url, aside)
    finally:
        await aside.close()


class Caller:
    """A client that keeps one connection, and so speaks to one process."""

    def __init__(self, port: int) -> None:
        limits = httpx.Limits(max_connections=1)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=ADMIN, timeout=SOON, limits=limits)

    async def ok(self, document: str, **variables: Any) -> Any:
        answer = (await self.client.post("/graphql", json={"query": document, "variables": variables})).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def output(self, job: str) -> list[tuple[str, Any]]:
        """The whole output of a job, or as much as comes before the response ends."""
        text = ""
        async with self.client.stream("GET", f"/jobs/{job}/output") as response:
            assert response.status_code == 200
            async for part in response.aiter_text():
                text += part
        blocks = [dict(line.split(": ", 1) for line in b.splitlines() if ": " in line) for b in text.split("\n\n")]
        return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def chunks(output: Sequence[tuple[str, Any]]) -> list[Any]:
    return [data["data"] for event, data in output if event == "chunk"]


async def test_two_processes_share_the_work_and_reach_each_other(project: Stand) -> None:
    # A schedule that was due while no process ran.
    await project.aside.execute(CRON)
    async with project.serving("--workers", "2") as (process, port), AsyncExitStack() as stack:
        callers: dict[int, Caller] = {}
        async with asyncio.timeout(SOON):
            while len(callers) < 2:
                # Whichever process takes the connection.
                caller = Caller(port)
                stack.push_async_callback(caller.client.aclose)
                callers.setdefault((await caller.ok("{ process }"))["process"], caller)
        first, second = callers.values()

        # Each job runs once, in either process.
        many = " ".join(f"m{number}: mark(number: {number}) {{ id }}" for number in range(30))
        await first.ok(f"mutation {{ {many} }}")
        marks = await project.ended("mark", 30)
        assert {(row["status"], row["attempt"]) for row in marks} == {("SUCCEEDED", 1)}
        assert sorted(row["number"] for row in (await second.ok("{ marks { number } }"))["marks"]) == [*range(30)]

        # Whoever follows it in whichever process gets all of it.
        job = (await first.ok(ENQUEUE, times=40, pause=0.02))["count"]["id"]
        here, there = await asyncio.gather(first.output(job), second.output(job))
        assert here == there
        runner, *numbers = chunks(here)
        assert runner in callers
        assert numbers == [*range(40)]
        assert here[-1] == ("final", {"status": "SUCCEEDED"})

        # One that ends only by being cancelled is cancelled from the process that does not run it.
        job = (await first.ok(ENQUEUE, times=1_000_000, pause=0.02))["count"]["id"]
        async with asyncio.timeout(SOON), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            async with client.stream("GET", f"/jobs/{job}/output", headers=ADMIN, timeout=SOON) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        runner = json.loads(line[6:])["data"]
                        break
            (other,) = (caller for process_, caller in callers.items() if process_ != runner)
            await other.ok("mutation ($id: ID!) { cancelJob(id: $id) { id } }", id=job)
            outputs = await asyncio.gather(first.output(job), second.output(job))
        assert outputs[0] == outputs[1]
        assert outputs[0][-1] == ("final", {"status": "CANCELLED"})

        # Both processes have the schedule. What was due has been queued once, besides what the next minutes queue.
        ticks = await project.ended("tick", 1)
        assert len({row["created_at"].replace(second=0, microsecond=0) for row in ticks}) == len(ticks)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SOON):
            assert await process.wait() == 0
        assert b"Traceback" not in await errors_of(process)


async def test_a_server_that_stops_with_everything_in_flight_ends_cleanly(project: Stand) -> None:
    times = {"CLEW_DRAIN_SECONDS": "0.3", "CLEW_SHUTDOWN_SECONDS": "1", "CLEW_STATEMENT_TIMEOUT": "60"}
    async with project.serving(**times) as (process, port), AsyncExitStack() as stack:
        callers = [Caller(port) for _ in range(4)]
        for caller in callers:
            stack.push_async_callback(caller.client.aclose)
        job = (await callers[0].ok(ENQUEUE, times=1_000_000, pause=0.02))["count"]["id"]
        socket = await stack.enter_async_context(sockets.socket(port, init=ADMIN))
        for number, document in enumerate(
            (
                f'subscription {{ jobOutput(id: "{job}") {{ data }} }}',
                f'subscription {{ job(id: "{job}") {{ status }} }}',
                "subscription { markChanges { kind } }",
            )
        ):
            await socket.subscribe(document, str(number))
        seen: set[str] = set()
        while not seen >= {"0", "1"}:
            seen.add((await socket.receive())["id"])
        following = asyncio.create_task(callers[0].output(job))
        has_begun, goes_on = asyncio.Event(), asyncio.Event()
        exporting = asyncio.create_task(export(callers[1], has_begun, goes_on))
        writing = asyncio.create_task(
            callers[2].client.post("/graphql", json={"query": "mutation { addMark(number: -1, sleep: 60) }"})
        )
        async with asyncio.timeout(SOON):
            while not await project.aside.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'active' AND query = 'SELECT pg_sleep(60)'"
            ):
                await asyncio.sleep(0.02)
            await has_begun.wait()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SOON):
            assert (await socket.closed())[0] == 1012
            assert "final" not in [event for event, _ in await following]
            answer = await writing
            assert await process.wait() == 0
            # A file that is not whole does not look like one.
            goes_on.set()
            with pytest.raises(httpx.TransportError):
                await exporting
        assert time.monotonic() - began < 0.3 + 1 + 5
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"]
        log = (await errors_of(process)).decode()
        assert "Traceback" not in log, log
        assert await project.aside.fetchval("SELECT count(*) FROM marks") == 0
        (row,) = await project.rows("count")
        assert (row["status"], row["attempt"], row["uncounted"]) == ("QUEUED", 1, 1)
    # The next process takes it up, and whoever follows it begins anew.
    async with project.serving() as (process, port):
        caller = Caller(port)
        output = await caller.output(job)
        assert output[-1] == ("final", {"status": "SUCCEEDED"})
        assert chunks(output) == [process.pid, "resumed"]
        await caller.client.aclose()


async def export(caller: Caller, has_begun: asyncio.Event, goes_on: asyncio.Event) -> None:
    """Read a file to its end, but pause after its first bytes."""
    parameters, headers = {"query": "{ pages { id text } }"}, {"accept-encoding": "identity"}
    async with caller.client.stream("GET", "/export.csv", params=parameters, headers=headers) as response:
        assert response.status_code == 200
        async for _ in response.aiter_bytes():
            has_begun.set()
            await goes_on.wait()
