"""`python -m bench.jobs`: how soon jobs begin, what a claim costs under an open snapshot, and how many run a second.

PgQueuer is the peer for jobs that do nothing. It is not installed with Clew: `--peer` names a Python that has it and
uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from bench.paths import ROOT
from clew import JobContext, collector
from clew.background import Background
from clew.database.embedded import embedded_postgres
from clew.database.pool import Pool
from clew.jobs import queue
from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection
from clew.jobs.notify import Notifier
from clew.jobs.types import Fetch, JobDeclaration, NewJob
from clew.jobs.worker import Worker
from clew.migrate import objects
from clew.server import loops

_CALLER = {"id": "ada", "roles": ["user"], "claims": {}}
_PEER = ROOT / "bench" / "pgqueuer_peer.py"


class _NoOutput:
    async def begin(self, job: str, attempt: int, continues: int | None = None) -> None: ...
    async def emit(self, job: str, attempt: int, data: Any, kind: str, step: str | None) -> None: ...
    async def flush(self, job: str) -> None: ...
    def end(self, job: str, attempt: int) -> None: ...
    def position(self, job: str) -> int:
        return 0

    async def copy(self, fetch: Fetch, job: str, attempt: int, from_attempt: int, first: int, last: int) -> None: ...


async def _no_graphql(*_: Any) -> dict[str, Any]:
    return {}


def _worker(url: str, handler: Callable[[JobContext], Awaitable[None]], concurrency: int) -> Worker:
    noop = JobDeclaration(name="noop", decode=dict, encode=lambda value: value)
    return Worker(
        url,
        Pool(url, statement_timeout=None, idle_timeout=None),
        declarations={"noop": noop},
        handlers={"noop": handler},
        run_graphql=_no_graphql,
        output=_NoOutput(),
        concurrency=concurrency,
    )


async def _install(url: str) -> asyncpg.Connection[Any]:
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA IF EXISTS clew CASCADE")
    for statement in objects.statements(objects.VERSION):
        await connection.execute(statement)
    return connection


async def _enqueue(connection: asyncpg.Connection[Any], count: int) -> None:
    new = NewJob(name="noop", arguments={}, caller=_CALLER)
    for begin in range(0, count, 5000):
        await queue.enqueue(connection.fetch, [new] * min(5000, count - begin))


async def _stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _starts(url: str, rounds: int, *, is_here: bool) -> list[float]:
    """Milliseconds from the commit that enqueues a job to its handler, in this process or in another one."""
    connection = await _install(url)
    begun = asyncio.Event()
    at = 0.0

    async def noop(ctx: JobContext) -> None:
        nonlocal at
        at = time.perf_counter()
        begun.set()

    worker, background = _worker(url, noop, 10), Background()
    running = asyncio.create_task(worker.run())
    notifier = Notifier(url, background)
    wake = worker.wake if is_here else notifier.wake
    taken = []
    for number in range(rounds + 20):
        begun.clear()
        await _enqueue(connection, 1)
        committed = time.perf_counter()
        wake()
        await begun.wait()
        if number >= 20:
            taken.append((at - committed) * 1000)
        await asyncio.sleep(0.03)
    await _stop(running)
    await background.close()
    await connection.close()
    return taken


async def _claims(url: str, count: int, rounds: int, *, is_held: bool) -> tuple[list[float], list[float]]:
    """Milliseconds of the claims of many jobs, and of single ones after that; with a snapshot held open or without."""
    connection = await _install(url)
    holder = await asyncpg.connect(url)
    if is_held:
        await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM clew.jobs")
    taken: list[float] = []
    fetch = JobConnection.fetch
    done = 0

    async def timed(self: JobConnection, statement: str, /, *arguments: Any) -> list[asyncpg.Record]:
        began = time.perf_counter()
        rows = await fetch(self, statement, *arguments)
        if statement is sql.CLAIM:
            taken.append((time.perf_counter() - began) * 1000)
        return rows

    async def noop(ctx: JobContext) -> None:
        nonlocal done
        done += 1

    JobConnection.fetch = timed  # type: ignore[method-assign]  # looks on, and does the same
    worker = _worker(url, noop, 100)
    running = asyncio.create_task(worker.run())
    try:
        await _enqueue(connection, count)
        worker.wake()
        while done < count:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        many = taken[:]
        taken.clear()
        for _ in range(rounds):
            wanted = done + 1
            await _enqueue(connection, 1)
            worker.wake()
            while done < wanted:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.005)
        return many, taken[:]
    finally:
        JobConnection.fetch = fetch  # type: ignore[method-assign]  # as it was
        await _stop(running)
        await holder.close()
        await connection.close()


async def _throughput(url: str, count: int) -> float:
    """Jobs a second, from the start of the worker to the end of the last of some jobs that do nothing."""
    connection = await _install(url)
    await _enqueue(connection, count)

    async def noop(ctx: JobContext) -> None: ...

    worker = _worker(url, noop, 1000)
    began = time.perf_counter()
    running = asyncio.create_task(worker.run())
    while sum(worker.metrics.ended.values()) < count:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.01)
    taken = time.perf_counter() - began
    await _stop(running)
    await connection.close()
    return count / taken


def _peer_throughput(python: str, url: str, count: int) -> float:
    command = [python, str(_PEER), url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return count / float(done.stdout)


def _line(name: str, unit: str, figures: Sequence[float]) -> str:
    ordered = sorted(figures)
    worst = ordered[max(0, int(len(ordered) * 0.99) - 1)]
    return f"| {name} | {unit} | {ordered[0]:.2f} | {statistics.median(ordered):.2f} | {worst:.2f} |"


async def _run(url: str, peer: str | None, options: argparse.Namespace) -> None:
    print("| figure | unit | least | median | p99 |\n| --- | --- | --- | --- | --- |", flush=True)
    for name, is_here in (("enqueue to start, own process", True), ("enqueue to start, other process", False)):
        print(_line(name, "ms", await _starts(url, options.starts, is_here=is_here)), flush=True)
    for is_held in (False, True):
        title = "under an open snapshot" if is_held else "without"
        many, single = await _claims(url, options.jobs, options.claims, is_held=is_held)
        print(_line(f"claims of {options.jobs} jobs, {title}", "ms", many), flush=True)
        print(_line(f"claims of single jobs after that, {title}", "ms", single), flush=True)
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(await _throughput(url, options.count))
        if peer is not None:
            theirs.append(await asyncio.to_thread(_peer_throughput, peer, url, options.count))
    print(_line("no-op jobs", "1/s", ours), flush=True)
    if theirs:
        print(_line("no-op jobs, PgQueuer", "1/s", theirs), flush=True)
        print(f"\n{statistics.median(ours) / statistics.median(theirs):.2f}x of PgQueuer")
    else:
        print("\nPgQueuer was not measured: --peer names no Python that has it.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description=__doc__)
    parser.add_argument("--peer", help="a Python with PgQueuer and uvloop")
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--claims", type=int, default=500)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--durable", action="store_true", help="wait for the disk")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="clew-bench-", ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder), durable=options.durable) as url,
    ):
        # As a worker does when it starts.
        gc.collect()
        collector.freeze()
        loops.run(_run(url, options.peer, options))


if __name__ == "__main__":
    main()
