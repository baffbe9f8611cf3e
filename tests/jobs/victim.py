"""A worker in a process of its own, to be killed at any moment."""

from __future__ import annotations

import asyncio
import random

from sqlalchemy import text

from clew import JobContext
from clew.database.pool import Pool
from clew.jobs.types import Handler
from clew.jobs.worker import Worker
from tests.jobs.shop import MemoryOutput, declared, run_graphql

LEASE = 2.0
RETRIES = 10_000

_EFFECT = text("INSERT INTO effects VALUES (:job, :note)")


async def _pay(ctx: JobContext, parts: int) -> list[int]:
    """Two steps with an effect each, one without, a sleep, and an effect of the whole."""

    async def pause() -> None:
        await asyncio.sleep(random.random() * 0.05)

    async def charge() -> int:
        await pause()
        async with ctx.transaction() as connection:
            await connection.execute(_EFFECT, {"job": ctx.id, "note": "charged"})
            await pause()
        return parts

    async def send() -> int:
        async with ctx.transaction() as connection:
            await connection.execute(_EFFECT, {"job": ctx.id, "note": "sent"})
        return parts + 1

    async def think() -> int:
        await pause()
        return parts + 2

    found = [await ctx.step("charge", charge), await ctx.step("think", think)]
    await ctx.sleep(0.02)
    found.append(await ctx.step("send", send))
    await ctx.progress(0.9)
    async with ctx.transaction() as connection:
        await connection.execute(_EFFECT, {"job": ctx.id, "note": "paid"})
    await pause()
    return found


async def _note(ctx: JobContext) -> None:
    async with ctx.transaction() as connection:
        await connection.execute(_EFFECT, {"job": ctx.id, "note": "noted"})


HANDLERS: dict[str, Handler] = {"pay": _pay, "sync": _pay, "note": _note}
DECLARATIONS = {
    "pay": declared("pay", retries=RETRIES),
    "sync": declared("sync", retries=RETRIES, concurrency=2),
    "note": declared("note", retries=RETRIES),
}


def work(url: str) -> None:
    """Run jobs until killed."""
    worker = Worker(
        url,
        Pool(url, size=5, wait=30.0, statement_timeout=None, idle_timeout=None),
        declarations=DECLARATIONS,
        handlers=HANDLERS,
        run_graphql=run_graphql,
        output=MemoryOutput(),
        lease=LEASE,
        concurrency=5,
    )
    asyncio.run(worker.run())
