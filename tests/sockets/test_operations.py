"""Operations over a WebSocket: queries, mutations, and subscriptions of an application's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

import clew.slices
import clew.wire.websocket
from tests.faults.lab import served
from tests.sockets.client import Client, socket
from tests.sockets.desk import STARTED, Desk, channel, token

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(port: int) -> AsyncIterator[Client]:
    """A socket of m1."""
    async with socket(port, init={"Authorization": f"Bearer {token()}"}) as opened:
        yield opened


def codes(errors: list[Any]) -> list[str]:
    return [error["extensions"]["code"] for error in errors]


async def test_a_query_gives_one_result(client: Client) -> None:
    found = await client.results("{ viewer { id } notes(limit: 1, orderBy: [{text: ASC}]) { text shout } }")
    assert found == [{"data": {"viewer": {"id": "m1"}, "notes": [{"text": "first", "shout": "FIRST"}]}}]


async def test_a_mutation_gives_one_result(client: Client) -> None:
    made = await client.results('mutation { createNote(input: {text: "made"}) { id text author } }')
    key = made[0]["data"]["createNote"].pop("id")
    assert made == [{"data": {"createNote": {"text": "made", "author": "m1"}}}]
    gone = await client.results("mutation($id: ID!) { deleteNote(id: $id) { text } }", variables={"id": key})
    assert gone == [{"data": {"deleteNote": {"text": "made"}}}]


async def test_what_is_refused_before_it_runs_is_an_error(client: Client) -> None:
    (errors,) = await client.results("{ nope }")
    assert codes(errors) == ["GRAPHQL_VALIDATION_FAILED"]
    (errors,) = await client.results("{")
    assert codes(errors) == ["GRAPHQL_PARSE_FAILED"]
    (errors,) = await client.results("")
    assert codes(errors) == ["BAD_USER_INPUT"]


async def test_what_fails_while_it_runs_is_a_result(client: Client) -> None:
    (result,) = await client.results("mutation { break }")
    assert result["data"] is None
    assert codes(result["errors"]) == ["INTERNAL"]
    assert "secret" not in str(result)


async def test_a_persisted_query_is_refused_as_by_http(client: Client) -> None:
    await client.send({"id": "1", "type": "subscribe", "payload": {"extensions": {"persistedQuery": {"version": 1}}}})
    assert (await client.receive())["payload"][0]["message"] == "PersistedQueryNotSupported"


async def test_a_ping_overtakes_a_slow_query(client: Client) -> None:
    await client.subscribe("{ wait(seconds: 0.3) }")
    await client.send({"type": "ping", "payload": {"any": "thing"}})
    assert await client.receive() == {"type": "pong"}
    assert (await client.receive())["payload"] == {"data": {"wait": True}}


async def test_operations_run_side_by_side(client: Client) -> None:
    await client.subscribe("{ wait(seconds: 0.4) }", "slow")
    assert await client.results("{ viewer { id } }", "fast") == [{"data": {"viewer": {"id": "m1"}}}]
    assert (await client.receive())["id"] == "slow"


# --- subscriptions of the application's own -------------------------------------------------


async def test_a_source_is_completed(client: Client) -> None:
    assert await client.results("subscription { ticks(to: 3) }") == [{"data": {"ticks": n}} for n in range(3)]


async def test_the_client_completes_a_source(client: Client) -> None:
    events = channel("completed")
    await client.subscribe('subscription { channel(name: "completed") }')
    events.events.put_nowait({"a": 1})
    assert await client.receive() == {"id": "1", "type": "next", "payload": {"data": {"channel": {"a": 1}}}}
    await client.send({"id": "1", "type": "complete"})
    await events.ended.wait()
    # The id is free again.
    assert await client.results("subscription { ticks(to: 1) }") == [{"data": {"ticks": 0}}]


async def test_a_closed_socket_ends_its_sources(port: int) -> None:
    events = channel("closed")
    async with socket(port, init=True) as opened:
        await opened.subscribe('subscription { channel(name: "closed") }')
        await events.started.wait()
    await events.ended.wait()


async def test_entities_of_an_event_are_read_under_the_rules_of_the_viewer(client: Client, desk: Desk) -> None:
    document = "subscription($ids: [ID!]!) { tick(ids: $ids) { number note { text shout } } }"
    assert await client.results(document, variables={"ids": desk.keys}) == [
        {"data": {"tick": {"number": 0, "note": {"text": "first", "shout": "FIRST"}}}},
        {"data": {"tick": {"number": 1, "note": {"text": "second", "shout": "SECOND"}}}},
        {"data": {"tick": {"number": 2, "note": None}}},
    ]


async def test_an_event_that_is_an_entity_gives_its_key(client: Client) -> None:
    found = await client.results("subscription { noted { text } }")
    assert found == [{"data": {"noted": note}} for note in ({"text": "first"}, None, {"text": "second"})]


async def test_a_source_reads_as_its_viewer(client: Client) -> None:
    assert await client.results("subscription { mine }") == [{"data": {"mine": ["first", "second"]}}]


async def test_a_row_argument_is_judged_before_the_source_starts(client: Client, desk: Desk) -> None:
    document = "subscription($id: ID!) { watched(noteId: $id) }"
    mine, _, others = desk.keys
    STARTED.clear()
    assert await client.results(document, variables={"id": mine}) == [{"data": {"watched": mine}}]
    (hidden,) = await client.results(document, variables={"id": others})
    (absent,) = await client.results(document, variables={"id": "00000000-0000-7000-8000-000000000000"})
    assert codes(hidden) == codes(absent) == ["NOT_FOUND"]
    assert hidden[0]["message"] == absent[0]["message"]
    assert [mine] == STARTED


async def test_a_source_of_another_role_does_not_exist(client: Client) -> None:
    (hidden,) = await client.results("subscription { secret }")
    (absent,) = await client.results("subscription { sekret }")
    assert codes(hidden) == ["GRAPHQL_VALIDATION_FAILED"]
    assert hidden[0]["message"].replace("secret", "sekret") == absent[0]["message"]


async def test_a_source_tells_its_client_of_its_end(client: Client) -> None:
    first, (error,) = await client.results('subscription { fails(how: "told") }')
    assert first == {"data": {"fails": 1}}
    assert error["message"] == "It is over."
    assert {**error["extensions"], "requestId": ""} == {"code": "CONFLICT", "hint": "Begin anew.", "requestId": ""}


async def test_a_source_that_breaks_tells_nothing(client: Client) -> None:
    _, (error,) = await client.results('subscription { fails(how: "other") }')
    assert error["message"] == "Something went wrong on the server."
    assert error["extensions"]["code"] == "INTERNAL"


async def test_an_event_that_fails_does_not_end_its_source(client: Client) -> None:
    first, failed, last = await client.results('subscription { fails(how: "event") }')
    assert (first, last) == ({"data": {"fails": 1}}, {"data": {"fails": 2}})
    assert codes(failed["errors"]) == ["INTERNAL"]


async def test_a_source_holds_no_connection_while_it_waits(desk: Desk) -> None:
    waits = channel("held")
    app = desk.app(pool_max=1, pool_timeout=1)
    async with served(app) as port, socket(port, init={"authorization": f"Bearer {token()}"}) as client:
        await client.subscribe("subscription { held }", "held")
        assert (await client.receive())["payload"] == {"data": {"held": 1}}
        assert await client.results("subscription { mine }", "2") == [{"data": {"mine": ["first", "second"]}}]
        waits.events.put_nowait(None)
        assert (await client.receive())["payload"] == {"data": {"held": 2}}


async def test_a_source_writes_in_transactions_of_their_own(client: Client) -> None:
    first, errors = await client.results("subscription { writes }")
    assert first == {"data": {"writes": "written"}}
    assert codes(errors) == ["FORBIDDEN"]


async def test_a_client_that_comes_back_with_all_its_operations_gets_all_results(desk: Desk) -> None:
    # One operation runs at a time, and none may wait long for its turn: but for the socket's own.
    app = desk.app(max_in_flight=1, pool_timeout=0.5)
    count = 400
    async with served(app) as port, socket(port, init={"Authorization": f"Bearer {token()}"}) as client:
        for number in range(count):
            await client.subscribe("subscription { notes(limit: 1) { text } }", str(number))
        found = [await client.receive() for _ in range(count)]
    assert {message["id"] for message in found} == {str(number) for number in range(count)}
    assert {message["type"] for message in found} == {"next"}


async def test_sockets_take_turns_with_one_large_result(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clew.slices, "_SLICE", 0.0)
    turn, turns = 0, list[int]()
    send = clew.wire.websocket._Socket._send

    async def noted(self: Any, text: str) -> None:
        if len(text) > 2**17:
            turns.append(turn)
        await send(self, text)

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(clew.wire.websocket._Socket, "_send", noted)
    credentials = {"Authorization": f"Bearer {token('turns')}"}
    async with served(desk.app()) as port, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(socket(port, init=credentials)) for _ in range(6)]
        for client in clients:
            await client.subscribe("subscription { notes { text } }")
            assert (await client.receive())["payload"] == {"data": {"notes": []}}
        counting = asyncio.create_task(count())
        create = "mutation($text: String!) { createNote(input: {text: $text}) { id } }"
        async with socket(port, init=credentials) as writer:
            (made,) = await writer.results(create, variables={"text": "x" * 2**18})
        for client in clients:
            message = await client.receive()
            assert len(message["payload"]["data"]["notes"][0]["text"]) == 2**18
        counting.cancel()
        async with socket(port, init=credentials) as writer:
            delete = "mutation($id: ID!) { deleteNote(id: $id) { id } }"
            await writer.results(delete, variables=made["data"]["createNote"])
    # Others have a turn between them.
    assert len(turns) == len(set(turns)) == len(clients)
