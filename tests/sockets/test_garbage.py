"""What clients that go away leave to the garbage collector."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import clew.wire.websocket
from tests.faults.lab import served
from tests.sockets.desk import Desk, channel
from tests.sockets.test_server import MEGABYTE, stalled

pytestmark = pytest.mark.anyio


@contextmanager
def _large_garbage() -> Iterator[list[str]]:
    """The large texts that only the garbage collector would free, once the block is over."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        for held in gc.garbage:
            texts = (text for text in gc.get_referents(held) if type(text) in (str, bytes, bytearray))
            found += [f"{type(text)} of {type(held)}" for text in texts if len(text) > len(MEGABYTE)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("end", ["the client goes", "the client completes", "the client is too slow"])
async def test_unsent_results_do_not_wait_for_the_garbage_collector(
    desk: Desk, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if end == "the client is too slow":
        monkeypatch.setattr(clew.wire.websocket, "_STALL", 0.2)
        monkeypatch.setattr(clew.wire.websocket, "_SLOWEST", 2**30)
    app = desk.app(heartbeat_seconds=0.2)
    # One waits for the client, and the other one for its turn.
    channels = [channel("a"), channel("b")]
    async with served(app) as port:
        with _large_garbage() as left:
            async with asyncio.timeout(10), stalled(port, "a", "b") as raw:
                for one in channels:
                    await one.started.wait()
                    for _ in range(2):
                        one.events.put_nowait(MEGABYTE * 8)
                while not all(one.taken for one in channels):
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.2)
                if end == "the client completes":
                    for text in (b'{"type":"complete","id":"a"}', b'{"type":"complete","id":"b"}'):
                        frame = bytes((0x81, 0x80 | len(text))) + bytes(4) + text
                        await asyncio.get_running_loop().sock_sendall(raw, frame)
                if end != "the client goes":
                    await asyncio.gather(*(one.ended.wait() for one in channels))
            async with asyncio.timeout(10):
                await asyncio.gather(*(one.ended.wait() for one in channels))
                while app.sockets._open:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
            for one in channels:
                one.events = asyncio.Queue()
    assert left == []
