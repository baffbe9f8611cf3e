"""Drain no-op jobs with PgQueuer: `python bench/pgqueuer_peer.py URL COUNT`, in an environment that has it and uvloop.

It prints the seconds from the start of the worker to the end of the last job.
"""

from __future__ import annotations

import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

_BATCH = 200


async def _run(url: str, count: int) -> None:
    driver = AsyncpgDriver(await asyncpg.connect(url))
    queries = Queries(driver)
    # As Clew's tables, these are new in each round: a log that grows slows it down.
    if await queries.has_table("pgqueuer"):
        await queries.uninstall()
    await queries.install()
    await queries.enqueue(["noop"] * count, [None] * count, [0] * count)
    worker = PgQueuer(driver)
    done = 0

    @worker.entrypoint("noop")  # type: ignore[untyped-decorator]  # PgQueuer is not installed
    async def noop(job: Job) -> None:
        nonlocal done
        done += 1

    began = time.perf_counter()
    await worker.run(batch_size=_BATCH, mode=QueueExecutionMode.drain)
    print(time.perf_counter() - began)
    assert done == count


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1], int(sys.argv[2])))
