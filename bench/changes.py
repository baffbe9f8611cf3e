"""`python -m bench.changes`: what the change log costs writers and readers (docs/changes.md).

Each figure is measured twice: alone, and while a snapshot and a writing transaction have been open for some time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil

from bench.database import make_project, prepare_database
from clew import Clew, Viewer, collector
from clew.background import Background
from clew.changes import statements as sql
from clew.changes.connection import SETTINGS
from clew.changes.source import LoggedChanges
from clew.changes.types import Batch
from clew.config import Settings
from clew.database import cluster
from clew.database.embedded import embedded_postgres
from clew.engine import Request
from clew.migrate import objects

_TABLE = """
    CREATE TABLE {0} (
        id int PRIMARY KEY, title text, body text, author uuid DEFAULT gen_random_uuid(),
        created_at timestamptz DEFAULT now(), views int DEFAULT 0
    ) WITH (fillfactor = 50);
    INSERT INTO {0} (id, title, body)
        SELECT n, 'Title ' || n, repeat('text ', 40) FROM generate_series(1, 20000) AS n;
"""
_UPDATES = """
    DO $$ BEGIN FOR i IN 1..10000 LOOP UPDATE {} SET views = views + 1 WHERE id = i; END LOOP; END $$
"""
_PGBENCH = "\\set id random(1, 20000)\nUPDATE {} SET views = views + 1 WHERE id = :id;\n"
# Of two tables that are alike, changes of one are logged.
_PLAIN, _LOGGED = "plain", "posts"
# The same for mutations.
_SDL = """
type Room @table { id: Int! @id title: String! text: String }
type Draft @table(without: [LIVE]) { id: Int! @id title: String! text: String }
"""
_ROOMS = 10_000
_FILL = "".join(
    f"INSERT INTO {table} (id, title, text) SELECT n, 'Title ' || n, 'x' FROM generate_series(1, {_ROOMS}) AS n;"
    for table in ("rooms", "drafts")
)
_SETTINGS = {"env": "production", "admin_secret": "k3v9" * 10, "statement_timeout": 10}
_CLIENTS = 8
# The most bytes of a read: more than 1,000 changes have.
_BYTES = 10**8


async def _install(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA IF EXISTS clew CASCADE; DROP TABLE IF EXISTS posts, plain")
    for statement in objects.statements(objects.VERSION):
        await connection.execute(statement)
    for table in (_PLAIN, _LOGGED):
        await connection.execute(_TABLE.format(table))
        await connection.execute(f"VACUUM ANALYZE {table}")
    await connection.execute("SELECT clew.log_changes('posts')")
    await connection.close()


async def _update_cost(url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Microseconds of the server's processor for a one-row update, without the log and with it."""
    connection = await asyncpg.connect(url)
    backend = psutil.Process(connection.get_server_pid())
    taken: dict[str, list[float]] = {_PLAIN: [], _LOGGED: []}
    for _ in range(rounds):
        for table, figures in taken.items():
            await connection.execute(f"VACUUM {table}")
            before = backend.cpu_times()
            await connection.execute(_UPDATES.format(table), timeout=600)
            after = backend.cpu_times()
            figures.append((after.user + after.system - before.user - before.system) * 100)
    await connection.close()
    return taken[_PLAIN], taken[_LOGGED]


async def _pgbench(url: str, rounds: int, seconds: int) -> tuple[list[float], list[float]]:
    """Updates a second with eight clients, without the log and with it."""
    connection = await asyncpg.connect(url)
    host = parse_qs(urlsplit(url).query)["host"][0]
    taken: dict[str, list[float]] = {_PLAIN: [], _LOGGED: []}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "update.sql"
        command = [
            *(str(cluster.program("pgbench")), "-n", "-M", "prepared", "-h", host, "-U", cluster.SUPERUSER),
            *("-c", str(_CLIENTS), "-j", "2", "-T", str(seconds), "-f", str(script), urlsplit(url).path.lstrip("/")),
        ]
        for _ in range(rounds):
            for table, figures in taken.items():
                await connection.execute(f"VACUUM {table}")
                script.write_text(_PGBENCH.format(table))
                done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
                found = re.search(r"tps = ([\d.]+)", done.stdout)
                assert found is not None, done.stdout
                figures.append(float(found[1]))
    await connection.close()
    return taken[_PLAIN], taken[_LOGGED]


async def _mutations(server_url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a mutation in process that updates one row, without the log and with it."""
    project = make_project(_SDL, "changes")
    url = await prepare_database(server_url, "bench_changes", project, [_SDL.encode(), _FILL.encode()], _fill)
    app = Clew(project=project).asgi(Settings.model_validate({"DATABASE_URL": url, **_SETTINGS}))
    taken: dict[str, list[float]] = {"Draft": [], "Room": []}
    gc.collect()
    collector.freeze()
    for number in range(rounds):
        for name, figures in taken.items():
            document = f'mutation ($id: Int!) {{ update{name}(id: $id, set: {{title: "x"}}) {{ id title }} }}'
            began = time.perf_counter()
            found = await app.engine.execute(Request(document, {"id": 1 + number % _ROOMS}), Viewer.admin())
            figures.append((time.perf_counter() - began) * 1000)
            assert not found.errors
    await app.engine.pool.close()
    return taken["Draft"], taken["Room"]


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_FILL)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _reads(url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a read of nothing, and of one of 1,000 changes."""
    reader = await asyncpg.connect(url, server_settings=SETTINGS)
    writer = await asyncpg.connect(url)
    empty, full = [], []
    for _ in range(rounds):
        snapshot = await reader.fetchval(sql.NOW)
        for _ in range(50):
            began = time.perf_counter()
            await reader.fetch(sql.READ, snapshot, 1000, _BYTES)
            empty.append((time.perf_counter() - began) * 1000)
        await writer.execute("UPDATE posts SET views = views + 1 WHERE id <= 1000")
        began = time.perf_counter()
        assert len(await reader.fetch(sql.READ, snapshot, 1001, _BYTES)) == 1000
        full.append((time.perf_counter() - began) * 1000)
    await reader.close()
    await writer.close()
    return empty, full


class _Stopwatch:
    """A listener that notes when it was told."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.at = 0.0

    def __call__(self, batch: Batch) -> None:
        self.at = time.perf_counter()
        self.told.set()


async def _latency(url: str, rounds: int, listens: LoggedChanges, committed: Callable[[], None]) -> list[float]:
    """Milliseconds from the commit of a write to the listener."""
    writer = await asyncpg.connect(url)
    watch, taken = _Stopwatch(), []
    stop = await listens.listen(watch)
    for number in range(rounds):
        watch.told.clear()
        await writer.execute("UPDATE posts SET views = views + 1 WHERE id = $1", number + 1)
        began = time.perf_counter()
        committed()
        await watch.told.wait()
        taken.append(max(0.0, watch.at - began) * 1000)
        await asyncio.sleep(0.02)
    stop()
    await writer.close()
    return taken


async def _latencies(url: str, rounds: int) -> dict[str, list[float]]:
    background = Background()
    here, there = (LoggedChanges(url, [(None, "posts")], background, retention=3600) for _ in range(2))
    for source in (here, there):
        source.keep_short()
        await source.listen(lambda batch: None)
    try:
        return {
            "own commit": await _latency(url, rounds, here, here.wake),
            "commit of another process": await _latency(url, rounds, here, there.wake),
            "commit of a foreign writer": await _latency(url, rounds, here, lambda: None),
        }
    finally:
        await background.close()


@asynccontextmanager
async def _held(url: str, seconds: float) -> AsyncIterator[None]:
    """Keep a snapshot and a writing transaction open for some time before, and meanwhile."""
    reader, writer = await asyncpg.connect(url), await asyncpg.connect(url)
    await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM posts, clew.change_log_state")
    await writer.execute("BEGIN; CREATE TABLE held (id int)")
    # What changes while they are open is dead to nobody else.
    until = time.monotonic() + seconds
    busy = await asyncpg.connect(url)
    while time.monotonic() < until:
        await busy.execute("UPDATE posts SET views = views + 1 WHERE id = 1 + floor(random() * 20000)")
        await asyncio.sleep(0.002)
    await busy.close()
    try:
        yield
    finally:
        for connection in (reader, writer):
            await connection.execute("ROLLBACK")
            await connection.close()


def _line(name: str, unit: str, figures: Sequence[float], base: Sequence[float] | None = None) -> str:
    middle = statistics.median(figures)
    worst = sorted(figures)[max(0, int(len(figures) * 0.99) - 1)]
    against = (
        "" if base is None else f"{middle - statistics.median(base):+.1f} ({middle / statistics.median(base):.2f}x)"
    )
    return f"| {name} | {unit} | {min(figures):.2f} | {middle:.2f} | {worst:.2f} | {against} |"


async def _measure(url: str, rounds: int, seconds: int, report: Callable[[str], None]) -> None:
    report("| figure | unit | least | median | p99 | with the log against without |")
    report("| --- | --- | --- | --- | --- | --- |")
    without, with_ = await _update_cost(url, rounds)
    report(_line("one-row update without the log", "us of CPU", without))
    report(_line("one-row update with the log", "us of CPU", with_, without))
    without, with_ = await _pgbench(url, rounds, seconds)
    report(_line(f"pgbench, {_CLIENTS} clients, without", "tps", without))
    report(_line(f"pgbench, {_CLIENTS} clients, with", "tps", with_, without))
    without, with_ = await _mutations(url, 150 * rounds)
    report(_line("mutation of one row without the log", "ms", without))
    report(_line("mutation of one row with the log", "ms", with_, without))
    empty, full = await _reads(url, 4 * rounds)
    report(_line("read of nothing", "ms", empty))
    report(_line("read of 1,000 changes", "ms", full))
    for name, figures in (await _latencies(url, 20 * rounds)).items():
        report(_line(f"{name} to listener", "ms", figures))


async def _run(url: str, rounds: int, seconds: int, held: float) -> None:
    phases: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("Alone", lambda: _nothing()),
        (f"With a snapshot and a writing transaction open for {held:g} s", lambda: _held(url, held)),
    )
    for title, context in phases:
        await _install(url)
        print(f"\n## {title}\n", flush=True)
        async with context():
            await _measure(url, rounds, seconds, lambda line: print(line, flush=True))


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.changes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=5, help="of each run of pgbench")
    parser.add_argument("--held", type=float, default=60.0, help="seconds that the snapshot has been open")
    options = parser.parse_args()
    # Without waiting for the disk: that would hide what the log costs.
    with (
        tempfile.TemporaryDirectory(prefix="clew-bench-", ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder), durable=False) as url,
    ):
        asyncio.run(_run(url, options.rounds, options.seconds, options.held))


if __name__ == "__main__":
    main()
