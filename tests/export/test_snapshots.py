"""The age of the oldest snapshot: what a long export holds others up by."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from clew.database.snapshots import oldest_snapshot_seconds
from tests.export.depot import Depot

pytestmark = pytest.mark.anyio


async def test_the_oldest_snapshot_has_an_age(depot: Depot, aside: asyncpg.Connection[Any]) -> None:
    assert await oldest_snapshot_seconds(aside) == 0
    other = await asyncpg.connect(depot.url)
    try:
        async with other.transaction(isolation="repeatable_read", readonly=True):
            await other.fetchval("SELECT count(*) FROM samples")
            await asyncio.sleep(0.3)
            assert 0.3 <= await oldest_snapshot_seconds(aside) < 30
        assert await oldest_snapshot_seconds(aside) == 0
    finally:
        await other.close()


async def test_a_transaction_that_looks_at_nothing_holds_nothing_up(
    depot: Depot, aside: asyncpg.Connection[Any]
) -> None:
    other = await asyncpg.connect(depot.url)
    try:
        async with other.transaction():
            await other.execute("SELECT 1")
            assert await oldest_snapshot_seconds(aside) == 0
    finally:
        await other.close()
