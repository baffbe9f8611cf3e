"""`python -m bench.job_output`: many followers of one job's output, with server, Postgres and clients on this machine.

A job emits 50 chunks a second, each with the time of that moment. Clients are event streams, each on a connection of
its own. The job runs in the server, and then in a process of its own, as under `clew worker`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bench.paths import DATA
from bench.peers import ADMIN_SECRET, clew_environment
from bench.server import Server
from bench.sockets import raise_file_limit
from clew import Clew, JobContext
from clew.background import Background
from clew.changes.source import LoggedChanges
from clew.config import Settings
from clew.database.embedded import embedded_postgres
from clew.database.pool import Pool
from clew.jobs.output.source import PLANNER, JobOutputs
from clew.jobs.output.types import Chunk
from clew.jobs.output.writer import JobOutputWriter
from clew.migrate import objects

SDL = "type Mutation { reply: String! @job }"
_DATABASE = "bench_job_output"
_SETTINGS = {
    "CLEW_MAX_SOCKETS": "20000",
    "CLEW_MAX_ALL_SOCKETS": "20000",
    "CLEW_MAX_CONNECTIONS": "20000",
    "CLEW_RUN_JOBS": "false",
}
_CHUNK = re.compile(rb'"data":"([0-9.]+)"')


def make_app() -> ASGIApp:
    """The server, with routes that run the job in it and tell how often it has read."""
    clew = Clew(project=Path(os.environ["BENCH_PROJECT"]), routes=[Route("/reads", reads), Route("/produce", here)])

    @clew.job("reply")
    async def reply(ctx: JobContext) -> str:
        return ""

    return clew.asgi()


async def reads(request: Request) -> Response:
    """How often the server has read output: for all followers, and for single ones."""
    outputs: JobOutputs = request.app.outputs
    return JSONResponse([outputs.reads, outputs.page_reads])


async def here(request: Request) -> Response:
    """Run the job in the server."""
    asked = request.query_params
    found = await produce(request.app.outputs, asked["job"], int(asked["count"]), float(asked["rate"]))
    return JSONResponse(found)


async def produce(outputs: JobOutputs, job: str, count: int, rate: float) -> dict[str, Any]:
    """Emit chunks. Return how many statements wrote them, and the milliseconds until each was committed."""
    writer = JobOutputWriter(outputs, most_of_chunk=65536, most_of_attempt=2**28)
    emitted: dict[int, float] = {}
    delays: list[float] = []
    wrote = outputs.wrote

    def committed(job: str, chunks: Sequence[Chunk]) -> None:
        now = time.perf_counter()
        delays.extend((now - emitted[chunk.seq]) * 1000 for chunk in chunks)
        wrote(job, chunks)

    outputs.wrote = committed  # type: ignore[method-assign]  # looks on, and does the same
    waits = []
    try:
        await writer.begin(job, 1)
        began = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            emitted[number + 1] = before = time.perf_counter()
            await writer.emit(job, 1, f"{time.time():.6f}", "token", None)
            waits.append((time.perf_counter() - before) * 1000)
        await writer.flush(job)
    finally:
        outputs.wrote = wrote  # type: ignore[method-assign]  # as it was
    return {"flushes": writer.flushes, "delays": delays, "waits": waits}


def elsewhere(url: str, job: str, count: int, rate: float) -> dict[str, Any]:
    """Run the job in this process."""

    async def run() -> dict[str, Any]:
        background = Background()
        changes = LoggedChanges(url, [], background, retention=3600)
        outputs = JobOutputs(
            url, lambda size: Pool(url, size=size, planner=PLANNER), background, changes, retention=3600, most=2**40
        )
        try:
            return await produce(outputs, job, count, rate)
        finally:
            await background.close()
            await outputs.close()

    return asyncio.run(run())


class Follower(asyncio.Protocol):
    """A client on a connection of its own."""

    delays: list[float] = []  # noqa: RUF012  of all followers

    def __init__(self, job: str) -> None:
        self._job = job
        self.count = 0
        self._rest = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        head = (
            f"GET /jobs/{self._job}/output HTTP/1.1\r\nHost: localhost\r\nX-Clew-Admin-Secret: {ADMIN_SECRET}\r\n\r\n"
        )
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if not self.opened.done() and b":\n\n" in data:
            self.opened.set_result(None)
        data = self._rest + data
        end = 0
        for found in _CHUNK.finditer(data):
            self.count += 1
            self.delays.append((now - float(found[1])) * 1000)
            end = found.end()
        if b"event: final" in data and not self.ended.done():
            self.ended.set_result(None)
        self._rest = data[max(end, len(data) - 200) :]

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.opened, self.ended):
            if not future.done():
                future.set_exception(ConnectionResetError())


def told(name: str, values: Sequence[float]) -> None:
    """Print the median and the 99th percentile."""
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(f"{name:<50} p50 {statistics.median(ordered):7.1f}   p99 {p99:7.1f} ms", flush=True)


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=600) as answer:
        return json.load(answer)


async def run(url: str, database: str, pid: int, followers: int, count: int, rate: float, where: str) -> None:
    """Measure one job."""
    print(f"{followers:,} followers of {rate:g} chunks a second, the job {where}:", flush=True)
    loop = asyncio.get_running_loop()
    aside = await asyncpg.connect(database)
    job = str(
        await aside.fetchval(
            "INSERT INTO clew.jobs (name, queue, status, attempt, arguments, caller)"
            " VALUES ('reply', 'default', 'RUNNING', 1, '{}', '{}') RETURNING id"
        )
    )
    port = urlsplit(url).port or 0
    Follower.delays.clear()
    clients: list[Follower] = []
    for start in range(0, followers, 50):
        some = [Follower(job) for _ in range(start, min(followers, start + 50))]
        for client in some:
            await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]  # mypy cannot infer such a lambda
        await asyncio.gather(*(client.opened for client in some))
        clients += some
    await asyncio.sleep(1)
    before, process = await asyncio.to_thread(asked, f"{url}/reads"), psutil.Process(pid)
    began, times = time.perf_counter(), process.cpu_times()
    if where == "in the server":
        found = await asyncio.to_thread(asked, f"{url}/produce?job={job}&count={count}&rate={rate}")
    else:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = await asyncio.to_thread(partial(pool.apply, elsewhere, (database, job, count, rate)))
    now, took = process.cpu_times(), time.perf_counter() - began
    used = now.user + now.system - times.user - times.system
    after = await asyncio.to_thread(asked, f"{url}/reads")
    await aside.execute("UPDATE clew.jobs SET status = 'SUCCEEDED' WHERE id = $1", job)
    async with asyncio.timeout(60):
        await asyncio.gather(*(client.ended for client in clients))
    await aside.close()
    if any(client.count != count for client in clients):
        raise RuntimeError("a follower has not got every chunk once")
    told("emitted to received", Follower.delays)
    told("emitted to committed", found["delays"])
    told("what `emit` takes", found["waits"])
    flushes = found["flushes"]
    print(f"{flushes} flushes; reads for all followers {after[0] - before[0]}, for single ones {after[1] - before[1]}")
    print(f"server {used / took * 100:.0f} % of a core,", end=" ")
    print(f"{used / count * 1000:.1f} ms for each chunk; load {os.getloadavg()[0]:.1f}", flush=True)


async def prepare(server_url: str) -> str:
    """The URL of an empty database with the tables of jobs."""
    admin = await asyncpg.connect(server_url)
    await admin.execute(f'DROP DATABASE IF EXISTS "{_DATABASE}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{_DATABASE}"')
    await admin.close()
    url = urlsplit(server_url)._replace(path=f"/{_DATABASE}").geturl()
    connection = await asyncpg.connect(url)
    for statement in objects.statements(objects.VERSION):
        await connection.execute(statement)
    await connection.close()
    return url


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.job_output", description=__doc__)
    parser.add_argument("--followers", type=int, default=1000, help="event streams (default: 1000)")
    parser.add_argument("--rate", type=float, default=50.0, help="chunks a second (default: 50)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the job runs (default: 20)")
    parsed = parser.parse_args()
    raise_file_limit(parsed.followers + 500)
    project = DATA / "projects" / "job_output"
    (project / "graphql").mkdir(parents=True, exist_ok=True)
    (project / "graphql" / "schema.graphql").write_text(SDL)
    with embedded_postgres(DATA / "postgres") as server_url:
        database = asyncio.run(prepare(server_url))
        Settings.model_validate({"DATABASE_URL": database})
        environment = {**clew_environment(database, project), **_SETTINGS}
        for where in ("in the server", "in a process of its own"):
            server = Server("job_output", "bench.job_output:make_app", environment)
            try:
                url = server.start()
                count = int(parsed.rate * parsed.seconds)
                asyncio.run(run(url, database, server.pid, parsed.followers, count, parsed.rate, where))
            finally:
                server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
