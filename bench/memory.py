"""`python -m bench.memory`: 1 GiB of different documents in a row must not make the server grow.

Each document is new, so that every cache keyed by documents sees nothing but misses. Half of
them are short (much parsed for little text), half are long (much text for little parsed). With
`--hostile` there are few documents, whose variables come in ever new shapes: each becomes SQL
many times its size. The server's memory is sampled all along; after the caches have filled (the
first fifth) it must stay flat.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from bench.database import chinook_project, prepare
from bench.http import Client
from bench.paths import DATA
from bench.peers import ClewPeer, graphql_body
from bench.synthetic import documents, hostile_requests
from clew.database.embedded import embedded_postgres

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """The server's resident memory after so many bytes of documents, both in MiB."""

    sent: float
    resident: float


async def pour(
    url: str, headers: Mapping[str, str], pid: int, total: int, bodies: Iterator[bytes], connections: int = 8
) -> list[Sample]:
    """Send `total` bytes of requests; a sample every hundredth of it."""
    process = psutil.Process(pid)
    samples = [Sample(0, process.memory_info().rss / _MIB)]
    sent = 0

    async def send() -> None:
        nonlocal sent
        async with Client(url, headers) as client:
            # One generator feeds all connections: no document is sent twice.
            while sent < total:
                body = next(bodies)
                sent += len(body)
                status, answer = await client.post("/graphql", body)
                if status != 200 or b'"errors"' in answer:
                    raise RuntimeError(f"HTTP {status}: {answer[:500]!r}")
                if sent >= len(samples) * total / 100:
                    samples.append(Sample(sent / _MIB, process.memory_info().rss / _MIB))

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(send())
    return samples


def plain_bodies(total: int, size: int) -> Iterator[bytes]:
    """New documents, every second of about `size` bytes."""
    return (graphql_body(document, {"id": 2**31 - 1}) for document in documents(total, seed=3, padding=size))


def hostile_bodies() -> Iterator[bytes]:
    """Few documents, and variables in ever new shapes."""
    return (graphql_body(document, variables) for document, variables in hostile_requests(seed=4))


def growth(samples: Sequence[Sample]) -> float:
    """MiB between the second fifth and the last fifth of the run, as medians."""
    fifth = max(1, len(samples) // 5)
    early = statistics.median(sample.resident for sample in samples[fifth : 2 * fifth] or samples[:1])
    late = statistics.median(sample.resident for sample in samples[-fifth:])
    return late - early


def main() -> int:
    """Run and print; 1 if the memory grew by more than the tolerance."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--mebibytes", type=int, help="how much to send (1024; 64 with --hostile)")
    parser.add_argument("--hostile", action="store_true", help="send what becomes much SQL")
    parser.add_argument("--size", type=int, default=100_000, help="bytes of every second document (100000)")
    parser.add_argument("--tolerance", type=float, default=20, help="MiB of growth that count as flat (20)")
    options = parser.parse_args()
    with embedded_postgres(DATA / "postgres") as server_url:
        project = chinook_project()
        peer = ClewPeer(asyncio.run(prepare(server_url, 1, project)), project)
        try:
            url = peer.start()
            start = time.monotonic()
            total = (options.mebibytes or (64 if options.hostile else 1024)) * _MIB
            bodies = hostile_bodies() if options.hostile else plain_bodies(total, options.size)
            samples = asyncio.run(pour(url, peer.headers, peer.pid, total, bodies))
        finally:
            peer.stop()
    for sample in samples[:: max(1, len(samples) // 20)]:
        print(f"{sample.sent:8.0f} MiB sent   {sample.resident:8.1f} MiB resident")
    grown = growth(samples)
    flat = grown <= options.tolerance
    print(f"{time.monotonic() - start:.0f} s; growth {grown:+.1f} MiB: {'flat' if flat else 'NOT FLAT'}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
