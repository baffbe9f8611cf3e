"""Exports read in turns, and slowly while other work uses the database."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from clew.database.pool import Pool
from clew.export import exports
from clew.export.exports import Turns
from tests.export.conftest import MakeApp
from tests.export.depot import ADMIN

pytestmark = pytest.mark.anyio


async def lines(client: httpx.AsyncClient, rows: int) -> int:
    """Export so many rows. Return how many lines the file has."""
    query = "query ($rows: Int!) { items(where: {id: {lte: $rows}}) { id text } }"
    file = await client.post("/export.csv", json={"query": query, "variables": {"rows": rows}})
    return file.text.count("\n")


async def test_while_other_work_uses_the_database_they_read_one_after_another() -> None:
    pool = Pool("postgresql://nowhere.example/x")
    pool.last_lent = time.monotonic()
    turns, done = Turns([pool]), list[int]()

    async def take(number: int) -> None:
        await turns.take()
        done.append(number)

    began = time.monotonic()
    await asyncio.gather(*map(take, range(3)))
    assert done == [0, 1, 2]
    assert time.monotonic() - began >= 3 * exports._PAUSE


async def test_else_they_read_without_a_pause() -> None:
    pool = Pool("postgresql://nowhere.example/x")
    pool.last_lent = time.monotonic() - 2 * exports._BUSY
    with pytest.raises(StopIteration):
        Turns([pool]).take().send(None)


async def test_an_operation_of_the_api_slows_down_what_follows_the_first_bytes(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_PAUSE", 3600)
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example", headers=ADMIN) as client:
        assert await lines(client, 10_000) == 10_001
        monkeypatch.setattr(exports, "_BUSY", 3600)
        assert (await client.post("/graphql", json={"query": "{ items(limit: 1) { id } }"})).status_code == 200
        assert await lines(client, 100) == 101
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await lines(client, 10_000)
