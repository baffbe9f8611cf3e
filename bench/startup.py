"""`python -m bench.startup`: from the SDL of 300 entities to a server that answers.

Two numbers a run: until the port answers at all, and until the first GraphQL answer (which
builds what is built lazily). Python's own start is in both.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import psutil

from bench.database import make_project, migrate
from bench.paths import DATA
from bench.peers import ADMIN_SECRET, clew_environment, graphql_body
from bench.server import Server
from bench.synthetic import many_entities
from bench.verify import post
from clew.database.embedded import embedded_postgres


async def _empty_database(server_url: str, name: str) -> str:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{quote(name)}"))


def main() -> int:
    """Run and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--entities", type=int, default=300, help="how many entities (300)")
    parser.add_argument("--rounds", type=int, default=5, help="how many starts (5)")
    options = parser.parse_args()
    ready: list[float] = []
    answered: list[float] = []
    memory: list[float] = []
    with embedded_postgres(DATA / "postgres") as server_url:
        url = asyncio.run(_empty_database(server_url, "bench_startup"))
        project = make_project(many_entities(options.entities), "startup")
        start = time.perf_counter()
        migrate(project, url)
        print(f"migrate make + up of {options.entities} entities: {time.perf_counter() - start:.2f} s")
        headers = {"Content-Type": "application/json", "X-Clew-Admin-Secret": ADMIN_SECRET}
        body = graphql_body("{ thing0s(limit: 1) { id name children { id state } } }", {})
        for _ in range(options.rounds):
            server = Server("startup", "bench.served:make_app", clew_environment(url, project))
            start = time.perf_counter()
            try:
                base = server.start()
                ready.append(time.perf_counter() - start)
                answer = post(f"{base}/graphql", headers, body)
                answered.append(time.perf_counter() - start)
                memory.append(psutil.Process(server.pid).memory_info().rss / 2**20)
            finally:
                server.stop()
            if answer.get("errors"):
                raise RuntimeError(f"The first answer is an error: {answer}")
    for name, numbers, unit in (("ready", ready, "s"), ("first answer", answered, "s"), ("memory", memory, "MiB")):
        print(f"{name:14} {min(numbers):8.2f} / {statistics.median(numbers):8.2f} / {max(numbers):8.2f} {unit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
