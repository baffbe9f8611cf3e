"""`python -m bench.writes`: creating many rows with one mutation, against the one INSERT that an expert would write.

Both get the same body over HTTP. The bare handler is Starlette and asyncpg: it decodes the JSON, turns the rows into
arrays and runs one `INSERT ... SELECT ... FROM unnest(...)`; nothing is validated. The tables are emptied before
every request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.database import make_project, prepare_database
from bench.http import Client
from bench.paths import DATA
from bench.peers import ADMIN_SECRET, clew_environment, graphql_body
from bench.server import Server
from clew.database.embedded import embedded_postgres

SDL = """
type Sale @table {
  id: ID! @id
  product: String!
  quantity: Int!
  price: Decimal!
  soldAt: DateTime!
  gift: Boolean! @default(value: false)
}
"""
MUTATION = "mutation ($inputs: [SaleCreateInput!]!) { createSales(inputs: $inputs) { count } }"

_INSERT = """
INSERT INTO sales (product, quantity, price, sold_at, gift)
SELECT * FROM unnest($1::text[], $2::integer[], $3::numeric[], $4::timestamptz[], $5::boolean[])
"""


class _State:
    pool: asyncpg.Pool[asyncpg.Record]


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["BENCH_DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as _State.pool:
        yield


async def _insert(request: Request) -> Response:
    rows = (await request.json())["variables"]["inputs"]
    async with _State.pool.acquire() as connection:
        await connection.execute(
            _INSERT,
            [row["product"] for row in rows],
            [row["quantity"] for row in rows],
            [Decimal(row["price"]) for row in rows],
            [datetime.fromisoformat(row["soldAt"]) for row in rows],
            [row["gift"] for row in rows],
        )
    return Response(b'{"data":{"createSales":{"count":%d}}}' % len(rows), media_type="application/json")


def make_bare() -> Starlette:
    """The bare handler's ASGI app, from the environment."""
    return Starlette(routes=[Route("/graphql", _insert, methods=["POST"])], lifespan=_lifespan)


def body(rows: int) -> bytes:
    """One request that creates this many rows."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    inputs = [
        {
            "product": f"P{n}",
            "quantity": n % 7 + 1,
            "price": f"{n % 1000}.{n % 100:02}",
            "soldAt": (start + timedelta(seconds=n)).isoformat(),
            "gift": n % 2 == 0,
        }
        for n in range(rows)
    ]
    return graphql_body(MUTATION, {"inputs": inputs})


async def _empty(_url: str) -> None:
    """The database has no rows to begin with."""


async def _run(server_url: str, rows: int, rounds: int) -> dict[str, list[float]]:
    project = make_project(SDL, "writes")
    url = await prepare_database(server_url, "bench_writes", project, [SDL.encode()], _empty)
    environment = {**clew_environment(url, project), "CLEW_MAX_BODY_BYTES": str(64 * 2**20)}
    servers = {
        "clew": Server("writes-clew", "bench.served:make_app", environment),
        "bare": Server("writes-bare", "bench.writes:make_bare", {"BENCH_DATABASE_URL": url}),
    }
    headers = {"Host": "localhost", "Content-Type": "application/json", "X-Clew-Admin-Secret": ADMIN_SECRET}
    sent, seconds = body(rows), {name: list[float]() for name in servers}
    expected = {"data": {"createSales": {"count": rows}}}
    aside = await asyncpg.connect(url)
    try:
        bases = {name: server.start() for name, server in servers.items()}
        # The first round warms up.
        for number in range(rounds + 1):
            for name, base in bases.items():
                await aside.execute("TRUNCATE sales")
                async with Client(base, headers) as client:
                    start = time.perf_counter()
                    status, answer = await client.post("/graphql", sent)
                    taken = time.perf_counter() - start
                if status != 200 or json.loads(answer) != expected:
                    raise RuntimeError(f"{name} answered {status}: {answer[:500]!r}")
                if number:
                    seconds[name].append(taken)
    finally:
        for server in servers.values():
            server.stop()
        await aside.close()
    return seconds


def main() -> int:
    """Run and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.writes", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="rows of one mutation (10000)")
    parser.add_argument("--rounds", type=int, default=11, help="requests to each server (11)")
    options = parser.parse_args()
    with embedded_postgres(DATA / "postgres") as server_url:
        seconds = asyncio.run(_run(server_url, options.rows, options.rounds))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    for name, taken in seconds.items():
        print(f"{name:5} {min(taken) * 1000:8.1f} / {medians[name] * 1000:8.1f} / {max(taken) * 1000:8.1f} ms")
    print(f"clew has {medians['bare'] / medians['clew']:.2f}x the speed of the bare INSERT")
    return 0


if __name__ == "__main__":
    sys.exit(main())
