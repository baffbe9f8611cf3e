"""`python -m bench.export`: exports beside `psql \\copy` of the same statement, and what they cost others.

The time of a whole file; the memory of the server over 1 GB; how long Postgres works on for a client that has left; the
latency of the API and of live pushes while ten exports run. Their clients are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import psutil

from bench.database import make_project, prepare_database
from bench.http import Client
from bench.live import Bench, latencies
from bench.paths import DATA
from bench.peers import ADMIN_SECRET, clew_environment, graphql_body
from bench.report import span
from bench.server import Server
from clew.app import Clew
from clew.database import cluster
from clew.database.embedded import embedded_postgres
from clew.sql.copy import Form
from clew.viewer import Viewer

_SDL = """
enum State {
  OPEN
  DONE
}

type Reading @table @allow(role: user, to: [READ, EXPORT]) {
  id: BigInt! @id
  name: String!
  note: String
  state: State!
  value: Decimal!
  level: Float!
  takenAt: DateTime!
}
"""
_FILL = """
    INSERT INTO readings (id, name, note, state, value, level, taken_at)
    SELECT n, 'reading number ' || n, CASE WHEN n % 3 > 0 THEN repeat('note ', 20) END,
        CASE WHEN n % 4 = 0 THEN 'DONE' ELSE 'OPEN' END, n * 0.01, n / 7.0,
        timestamptz '2026-01-01' + n * interval '1 s'
    FROM generate_series(1, {0}) AS n
"""
_ALL = "{ readings { id name note state value level takenAt } }"
_BUSY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'clew-export' AND datname = current_database() AND state <> 'idle'
"""
_MIB = 2**20
_HEADER = f"X-Clew-Admin-Secret: {ADMIN_SECRET}"


async def _database(server_url: str, rows: int, project: Path) -> str:
    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(_FILL.format(rows))
        await connection.execute("VACUUM ANALYZE readings")
        await connection.close()

    made_from = [_FILL.encode(), str(rows).encode()]
    return await prepare_database(server_url, f"readings_{rows}", project, made_from, fill)


async def _select(project: Path, url: str, kind: str) -> str:
    """Return the SELECT that an export runs. It has no values."""
    engine = Clew(project=project)._offline_engine()
    session = await engine.open(Viewer.admin())
    prepared = engine.statements.prepare(session.role, _ALL, None)
    statement, _ = await engine.statements.export(prepared, {}, session, Form("," if kind == "csv" else None))
    return " ".join(statement.sql.split())


def _psql(url: str, source: str) -> float:
    """Return the seconds that `\\copy` takes."""
    command = [str(cluster.program("psql")), "-q", "-d", url, "-c", f"\\copy {source} TO '/dev/null' CSV HEADER"]
    began = time.perf_counter()
    subprocess.run(command, check=True, env={"PGOPTIONS": "-c timezone=UTC"})
    return time.perf_counter() - began


def _curl(url: str, kind: str, *options: str) -> tuple[float, int]:
    """Return the seconds that an export takes, and its bytes."""
    target = f"{url}/export.{kind}?query={quote(_ALL)}"
    command = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download}", "-H", _HEADER, *options, target]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, int(done.stdout)


def _speed(url: str, database: str, selects: dict[str, str], rounds: int, pid: int) -> None:
    taken: dict[str, list[float]] = {}
    process = psutil.Process(pid)
    grown = 0.0
    for number in range(rounds + 1):
        found = {
            "raw table, psql": _psql(database, "readings"),
            "same statement, psql": _psql(database, f"({selects['csv']})"),
        }
        before = process.memory_info().rss
        found["CSV"], size = _curl(url, "csv")
        if number:
            grown = max(grown, (process.memory_info().rss - before) / _MIB)
        found["NDJSON"], lines = _curl(url, "ndjson")
        found["CSV, gzip"], packed = _curl(url, "csv", "-H", "Accept-Encoding: gzip")
        for name, seconds in found.items():
            if number:
                taken.setdefault(name, []).append(seconds)
    print(f"CSV of {size / 1e6:,.0f} MB, {packed / 1e6:,.0f} MB with gzip; NDJSON of {lines / 1e6:,.0f} MB")
    base, raw = taken["same statement, psql"], taken["raw table, psql"]
    for name, figures in taken.items():
        to_same = span([one / other for one, other in zip(figures, base, strict=True)], lambda n: f"{n:.2f}")
        to_raw = span([one / other for one, other in zip(figures, raw, strict=True)], lambda n: f"{n:.2f}")
        print(f"{name:22} {span(figures, lambda n: f'{n:.1f}')} s; {to_same} of the same statement, {to_raw} of raw")
    print(f"The server grew by {grown:.1f} MiB at most during a whole CSV, by {_grown_to(pid):.0f} MiB resident in all")


def _grown_to(pid: int) -> float:
    resident: int = psutil.Process(pid).memory_info().rss
    return resident / _MIB


@asynccontextmanager
async def _exporting(url: str) -> AsyncIterator[None]:
    """Let one export run while this is entered."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=_MIB)
    head = f"GET /export.csv?query={quote(_ALL)} HTTP/1.1\r\nHost: localhost\r\n{_HEADER}\r\n\r\n"
    writer.write(head.encode())
    await reader.readexactly(100_000)

    async def read() -> None:
        while await reader.read(64 * 1024):
            pass

    reading = asyncio.ensure_future(read())
    try:
        yield
    finally:
        reading.cancel()
        writer.transport.abort()


async def _gone(url: str, database: str, times: int) -> list[float]:
    """Return the milliseconds that Postgres works on for a client that has left."""
    aside = await asyncpg.connect(database)
    found: list[float] = []
    for _ in range(times):
        async with _exporting(url):
            await asyncio.sleep(0.05)
        began = time.perf_counter()
        while await aside.fetchval(_BUSY):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.001)
        found.append((time.perf_counter() - began) * 1000)
    await aside.close()
    return found


async def _latencies(url: str, seconds: float) -> list[float]:
    """Return the milliseconds of operations of the API."""
    headers = {"Content-Type": "application/json", "X-Clew-Admin-Secret": ADMIN_SECRET}
    found: list[float] = []

    async def ask() -> None:
        async with Client(url, headers) as client:
            number = 1
            while time.perf_counter() < ends:
                body = graphql_body("query ($id: BigInt!) { reading(id: $id) { name note } }", {"id": number})
                began = time.perf_counter()
                status, _ = await client.post("/graphql", body)
                assert status == 200
                found.append((time.perf_counter() - began) * 1000)
                number += 7
                await asyncio.sleep(0.01)

    ends = time.perf_counter() + seconds
    await asyncio.gather(*(ask() for _ in range(4)))
    return found


@contextmanager
def _ten_exports(url: str, rate: int | None) -> Iterator[None]:
    """Let ten exports run while this is entered, in processes of their own. `rate` is what each reads in a second."""
    target = f"{url}/export.csv?query={quote(_ALL)}"
    slow = [] if rate is None else ["--limit-rate", str(rate)]
    command = ["curl", "-sS", "--fail", "-o", "/dev/null", "-H", _HEADER, *slow, target]
    running = [subprocess.Popen(command) for _ in range(10)]
    try:
        yield
        # Those that have ended would have cost nothing.
        assert all(process.poll() is None for process in running)
    finally:
        for process in running:
            process.kill()
            process.wait()


async def _pushes(url: str, database: str, pid: int, seconds: float) -> list[float]:
    """Return the milliseconds from a mutation to the push of its live query."""
    bench = Bench(url, database, pid)
    try:
        [socket] = await bench.connect(1, [{"X-Clew-Admin-Secret": ADMIN_SECRET}])
        socket.subscribe("1", "subscription { reading(id: 1) { note } }", {})
        await bench.pushes.reach(1)
        notes = [{"note": f"note {number} {time.time()}"} for number in range(round(seconds * 50))]
        return await latencies(
            bench, "mutation ($note: String!) { updateReading(id: 1, set: {note: $note}) { id } }", notes
        )
    finally:
        bench.close()


async def _beside(url: str, database: str, pid: int, rounds: int, seconds: float, rate: int | None) -> None:
    kinds: dict[str, Callable[[], Awaitable[list[float]]]] = {
        "API": lambda: _latencies(url, seconds),
        "live push": lambda: _pushes(url, database, pid, seconds),
    }
    alone: dict[str, list[float]] = {kind: [] for kind in kinds}
    beside: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, measured in kinds.items():
            alone[kind].append(_p99(await measured()))
        with _ten_exports(url, rate):
            await asyncio.sleep(2)
            for kind, measured in kinds.items():
                beside[kind].append(_p99(await measured()))
    how = "as fast as they can" if rate is None else f"{rate / 1e6:.1f} MB/s each"
    for kind in kinds:
        ratios = [one / other for one, other in zip(beside[kind], alone[kind], strict=True)]
        print(
            f"{kind} p99 {_span(alone[kind])} ms alone, {_span(beside[kind])} ms beside 10 exports ({how}): "
            f"{_span(ratios)}",
            flush=True,
        )


def _span(numbers: Sequence[float]) -> str:
    return span(numbers, lambda number: f"{number:.2f}")


def _p99(numbers: Sequence[float]) -> float:
    return sorted(numbers)[int(len(numbers) * 0.99)]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the table (5000000: about 1 GB of CSV)")
    parser.add_argument("--rounds", type=int, default=5, help="of each figure (5)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement of latencies (10)")
    options = parser.parse_args()
    project = make_project(_SDL, "export")
    with embedded_postgres(DATA / "postgres") as server_url:
        database = asyncio.run(_database(server_url, options.rows, project))
        selects = {kind: asyncio.run(_select(project, database, kind)) for kind in ("csv", "ndjson")}
        more = {"CLEW_MAX_EXPORTS": "10", "CLEW_MAX_ALL_EXPORTS": "10"}
        server = Server("export", "bench.served:make_app", {**clew_environment(database, project), **more})
        url = server.start()
        try:
            _speed(url, database, selects, options.rounds, server.pid)
            gone = asyncio.run(_gone(url, database, options.rounds * 4))
            print(f"Postgres worked on for {span(gone, lambda n: f'{n:.0f}')} ms after the client had left")
            for rate in (500_000, None):
                asyncio.run(_beside(url, database, server.pid, options.rounds, options.seconds, rate))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
