"""A client that leaves stops the work of its own request, and of no other."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest
from starlette.types import Message

from clew.wire.disconnect import ClientGone, UntilDisconnect

pytestmark = pytest.mark.anyio

NAME: ContextVar[str] = ContextVar("name", default="nobody")


class Client:
    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.asked: list[str] = []

    async def receive(self) -> Message:
        self.asked.append(NAME.get())
        await self.left.wait()
        return {"type": "http.disconnect"}


async def work(client: Client, seconds: float, name: str = "") -> str:
    NAME.set(name)
    with UntilDisconnect(client.receive):
        await asyncio.sleep(seconds)
    return name


async def test_of_several_requests_only_that_of_the_client_is_stopped() -> None:
    clients = [Client() for _ in range(3)]
    tasks = [asyncio.create_task(work(client, 0.2, str(index))) for index, client in enumerate(clients)]
    await asyncio.sleep(0.08)
    clients[1].left.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[0::2] == ["0", "2"]
    assert isinstance(found[1], ClientGone)
    # The channel may be the application's own middleware. Its request's context is there.
    assert [client.asked for client in clients] == [["0"], ["1"], ["2"]]


async def test_a_client_that_has_left_before_is_noticed_too() -> None:
    client = Client()
    client.left.set()
    with pytest.raises(ClientGone):
        await work(client, 5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_short_operation_is_not_watched() -> None:
    client = Client()
    for _ in range(3):
        await work(client, 0.002)
    await asyncio.sleep(0.05)
    assert client.asked == []


async def test_work_that_survives_its_cancellation_is_for_nobody() -> None:
    client = Client()
    client.left.set()
    with pytest.raises(ClientGone), UntilDisconnect(client.receive), pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    await asyncio.sleep(0)


async def test_an_error_of_the_work_is_told() -> None:
    client = Client()

    async def fails() -> None:
        await asyncio.sleep(0.05)
        client.left.set()
        raise KeyError

    with pytest.raises(KeyError), UntilDisconnect(client.receive):
        await fails()
    await asyncio.sleep(0.03)


async def test_whoever_else_cancels_it_is_heard() -> None:
    client = Client()
    task = asyncio.create_task(work(client, 5))
    await asyncio.sleep(0.05)
    client.left.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
