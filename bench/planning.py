"""`python -m bench.planning`: how long Clew takes for an operation that it has never seen.

Measured where the client is: the time of the first request with a new document less the
time of the second one with the same document, which finds parse, validation, plan and SQL
done, and the statement prepared in Postgres. The last line is Clew's part alone, in process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.database import chinook_project, prepare
from bench.paths import DATA
from bench.peers import ClewPeer, graphql_body
from bench.synthetic import documents
from clew import Clew, collector
from clew.config import Settings
from clew.database.embedded import embedded_postgres
from clew.engine.explain import compiled


@dataclass(frozen=True, slots=True)
class Planning:
    """Milliseconds, one number a document: its first request, its second, and the difference."""

    first: Sequence[float]
    second: Sequence[float]

    @property
    def planning(self) -> list[float]:
        """What a new document costs more than a known one."""
        return [first - second for first, second in zip(self.first, self.second, strict=True)]


def measure(url: str, headers: Mapping[str, str], count: int) -> Planning:
    """Send `count` new documents, each of them three times; the second and third show the rest of the cost."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    first: list[float] = []
    second: list[float] = []
    try:
        for document in documents(20, seed=1):
            _request(connection, headers, document)  # warm-up of the process, not of the documents measured
        for document in documents(count, seed=2):
            first.append(_request(connection, headers, document))
            second.append(min(_request(connection, headers, document), _request(connection, headers, document)))
    finally:
        connection.close()
    return Planning(first, second)


def in_process(project: Path, url: str, count: int) -> list[float]:
    """Milliseconds to parse, validate, plan and compile each of `count` new documents, without any I/O."""
    settings = Settings.model_validate({"DATABASE_URL": url})
    engine = Clew(project=project).asgi(settings).engine
    # As the server does when it has started.
    gc.collect()
    collector.freeze()
    for document in documents(20, seed=3):
        compiled(engine, document, {"id": 1})
    elapsed = []
    for document in documents(count, seed=4):
        start = time.perf_counter()
        compiled(engine, document, {"id": 1})
        elapsed.append((time.perf_counter() - start) * 1000)
    return elapsed


def _request(connection: http.client.HTTPConnection, headers: Mapping[str, str], document: str) -> float:
    body = graphql_body(document, {"id": 2**31 - 1})  # no row: the database's work is nothing
    start = time.perf_counter()
    connection.request("POST", "/graphql", body, dict(headers))
    response = connection.getresponse()
    answer = response.read()
    elapsed = (time.perf_counter() - start) * 1000
    if response.status != 200 or b'"errors"' in answer:
        raise RuntimeError(f"HTTP {response.status} for {document}: {answer[:500]!r}")
    return elapsed


def main() -> int:
    """Run and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.planning", description=__doc__)
    parser.add_argument("--documents", type=int, default=200, help="how many different documents (200)")
    count = parser.parse_args().documents
    with embedded_postgres(DATA / "postgres") as server_url:
        project = chinook_project()
        url = asyncio.run(prepare(server_url, 1, project))
        alone = in_process(project, url, count)
        peer = ClewPeer(url, project)
        try:
            result = measure(peer.start(), peer.headers, count)
        finally:
            peer.stop()
    for name, numbers in (
        ("new document", result.first),
        ("known document", result.second),
        ("the difference (with PREPARE)", result.planning),
        ("parse, validate, plan, compile", alone),
    ):
        p95 = statistics.quantiles(numbers, n=20)[-1]
        print(f"{name:32} median {statistics.median(numbers):7.2f} ms   p95 {p95:7.2f} ms   max {max(numbers):7.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
