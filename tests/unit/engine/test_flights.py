"""How many operations a viewer may have under way, without a server."""

from __future__ import annotations

import asyncio

import pytest

from clew.engine.flights import Flight, Flights, TooManyInFlightError
from clew.errors import ClewError, Code

pytestmark = pytest.mark.anyio


async def begun(flights: Flights, who: str = "a", most: int = 1) -> Flight:
    flight = Flight()
    await flights.begin(flight, who, most)
    return flight


async def test_who_waits_goes_on_in_order_and_nobody_is_remembered() -> None:
    flights = Flights(wait=5)
    first = await begun(flights)
    order: list[int] = []

    async def run(number: int) -> None:
        flight = await begun(flights)
        order.append(number)
        await asyncio.sleep(0)
        flight.end()

    tasks = [asyncio.create_task(run(number)) for number in range(5)]
    await asyncio.sleep(0.01)
    assert order == []
    first.end()
    first.end()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]
    assert flights._viewers == {}


async def test_one_viewer_does_not_wait_for_another() -> None:
    flights = Flights(wait=0.01)
    held = [await begun(flights, who) for who in ("a", "b", "c")]
    with pytest.raises(ClewError) as refused:
        await begun(flights, "b")
    assert refused.value.code is Code.LIMIT_EXCEEDED
    for flight in held:
        flight.end()
    assert flights._viewers == {}


async def test_who_gives_up_leaves_no_place_taken() -> None:
    for turns in range(6):
        flights = Flights(wait=5)
        held = await begun(flights)
        waiting = [asyncio.create_task(begun(flights)) for _ in range(2)]
        await asyncio.sleep(0)
        if turns % 2:
            # In the very moment in which the place is given.
            held.end()
        waiting[0].cancel()
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        held.end()
        assert isinstance((await asyncio.gather(waiting[0], return_exceptions=True))[0], asyncio.CancelledError)
        (await asyncio.wait_for(waiting[1], 1)).end()
        assert flights._viewers == {}


async def test_who_waited_too_long_leaves_no_place_taken() -> None:
    flights = Flights(wait=0.02)
    held = await begun(flights)
    refused = await asyncio.gather(*(begun(flights) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in refused] == [TooManyInFlightError] * 3
    held.end()
    (await begun(flights)).end()
    assert flights._viewers == {}


async def test_an_operation_that_never_began_may_be_ended() -> None:
    Flight().end()
