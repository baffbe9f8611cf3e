"""Work beside requests ends with the app, whatever happens to a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from clew.background import Background

pytestmark = pytest.mark.anyio


async def test_work_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.background._AGAIN", 0.01)
    lost: list[str] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append("as if a connection had broken at the same moment")

    background = Background()
    background.start(work(), "work")
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await background.close()
    assert lost
