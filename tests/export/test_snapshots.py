"""The age of the oldest snapshot: what a long export holds others up by."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from clew.database.pool import Pool
from clew.database.snapshots import OldestSnapshot
from tests.export.depot import Depot

pytestmark = pytest.mark.anyio


async def oldest(url: str) -> float:
    """The number, read anew."""
    pool = Pool(url, size=1)
    try:
        # A database that is busy with other tests may not tell in time. What was read is kept, so ask a new one.
        while (found := await OldestSnapshot(pool).look()) is None:
            pass
        return found
    finally:
        await pool.close()


async def test_the_oldest_snapshot_has_an_age(depot: Depot) -> None:
    assert await oldest(depot.url) == 0
    other = await asyncpg.connect(depot.url)
    try:
        async with other.transaction(isolation="repeatable_read", readonly=True):
            await other.fetchval("SELECT count(*) FROM samples")
            await asyncio.sleep(0.3)
            assert 0.3 <= await oldest(depot.url) < 30
        assert await oldest(depot.url) == 0
    finally:
        await other.close()


async def test_a_transaction_that_looks_at_nothing_holds_nothing_up(depot: Depot) -> None:
    other = await asyncpg.connect(depot.url)
    try:
        async with other.transaction():
            await other.execute("SELECT 1")
            assert await oldest(depot.url) == 0
    finally:
        await other.close()
