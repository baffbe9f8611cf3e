"""GraphQL over server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest

from clew import ClewError, Viewer
from clew.engine.refused_to_user import UserRefusals
from clew.errors import Code
from clew.schema.roles import RoleSchema
from tests.faults.lab import served
from tests.sockets.client import socket
from tests.sockets.desk import Desk, channel, token

pytestmark = pytest.mark.anyio

EVENTS = {"accept": "text/event-stream"}
FOREVER = 'subscription { channel(name: "forever") }'


class Response:
    """An answer that is read event by event: `(event, data, id)`; comments count."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._lines = response.aiter_lines()
        self.comments = 0

    async def event(self) -> tuple[str, Any, str | None] | None:
        """The next event; None at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                elif fields:
                    data = fields["data"]
                    return fields["event"], json.loads(data) if data else None, fields.get("id")
        return None

    async def rest(self) -> list[tuple[str, Any]]:
        found = []
        while (event := await self.event()) is not None:
            found.append(event[:2])
        return found


@asynccontextmanager
async def ask(port: int, query: str, **more: Any) -> AsyncIterator[Response]:
    """POST an operation, as m1."""
    headers = {**EVENTS, "authorization": f"Bearer {token()}", **more.pop("headers", {})}
    body = {"query": query, **more}
    async with (
        httpx.AsyncClient(base_url=f"http://localhost:{port}", timeout=15) as client,
        client.stream("POST", "/graphql", json=body, headers=headers) as response,
    ):
        yield Response(response)


async def test_a_subscription_is_a_stream_of_events(port: int) -> None:
    async with ask(port, "subscription { ticks(to: 3) }") as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-content-type-options"] == "nosniff"
        results = [("next", {"data": {"ticks": number}}) for number in range(3)]
        assert await response.rest() == [*results, ("complete", None)]


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ("{ viewer { id } }", {"viewer": {"id": "m1"}}),
        (
            'mutation { updateNotes(where: {text: {eq: "none"}}, set: {text: "x"}) { count } }',
            {"updateNotes": {"count": 0}},
        ),
    ],
)
async def test_other_operations_have_one_event(port: int, document: str, data: Any) -> None:
    async with ask(port, document) as response:
        assert await response.rest() == [("next", {"data": data}), ("complete", None)]


@pytest.mark.parametrize("document", ["{ nope }", "{", "subscription { nope }", "subscription { secret }"])
async def test_what_is_not_valid_is_told_by_an_event(port: int, document: str) -> None:
    async with ask(port, document) as response:
        assert response.status == 200
        (_, result), complete = await response.rest()
        assert list(result) == ["errors"]
        assert complete == ("complete", None)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"authorization": "Bearer forged"}, b'{"query": "{ viewer { id } }"}', 401),
        ({"x-clew-role": "admin"}, b'{"query": "{ viewer { id } }"}', 403),
        ({}, b"no JSON", 400),
        ({}, b"{}", 400),
        ({"content-type": "text/plain"}, b'{"query": "{ viewer { id } }"}', 415),
        ({}, b'{"query": "' + b"x" * 2**20 + b'"}', 413),
        ({"last-event-id": "x" * 2000}, b'{"query": "{ viewer { id } }"}', 400),
    ],
)
async def test_what_is_no_request_is_told_by_the_status(
    port: int, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        given = {"content-type": "application/json", **EVENTS, **headers}
        response = await client.post("/graphql", content=body, headers=given)
        assert response.status_code == status
        assert response.json()["errors"]


async def test_get_is_for_event_sources(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}", headers=EVENTS) as client:
        given = await client.post("/tickets", json={"path": "/graphql"}, headers={"authorization": f"Bearer {token()}"})
        asked = {"query": "subscription { mine }", "ticket": given.json()["ticket"]}
        response = await client.get(f"/graphql?{urlencode(asked)}")
        assert (
            response.text
            == ':\n\nevent: next\ndata: {"data":{"mine":["first","second"]}}\n\nevent: complete\ndata:\n\n'
        )
        refused = await client.get(f"/graphql?{urlencode({'query': 'mutation { break }'})}")
        assert refused.status_code == 405
        assert refused.json()["errors"]


async def test_the_preferred_type_counts(port: int) -> None:
    document = {"query": "{ viewer { id } }"}
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        for accept, kind in (
            ("text/event-stream, application/json", "text/event-stream; charset=utf-8"),
            ("application/json, text/event-stream", "application/json; charset=utf-8"),
            ("text/event-stream;q=0.5, application/json", "application/json; charset=utf-8"),
            ("*/*", "application/json; charset=utf-8"),
        ):
            response = await client.post("/graphql", json=document, headers={"accept": accept})
            assert response.headers["content-type"] == kind


async def test_a_subscription_without_a_stream_says_how(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        response = await client.post("/graphql", json={"query": "subscription { ticks(to: 1) }"})
        assert "text/event-stream" in response.json()["errors"][0]["extensions"]["hint"]


async def test_a_quiet_stream_has_heartbeats(desk: Desk) -> None:
    events = channel("forever")
    async with served(desk.app(heartbeat_seconds=0.1)) as port, ask(port, FOREVER) as response:
        await asyncio.sleep(0.55)
        events.events.put_nowait("{\n}")
        assert (await response.event())[1] == {"data": {"channel": "{\n}"}}  # type: ignore[index]  # None would fail the test
        assert 4 <= response.comments <= 7


CHANGES = "subscription ($after: String) { noteChanges(after: $after) { kind cursor } }"


@pytest.fixture
async def writer(desk: Desk) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection that writes the notes of m3."""
    connection = await asyncpg.connect(desk.url)
    yield connection
    await connection.execute("DELETE FROM notes WHERE author = 'm3'")
    await connection.close()


def of(subject: str, **headers: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token(subject)}", **headers}


async def note(writer: asyncpg.Connection[Any], *texts: str) -> None:
    for text in texts:
        await writer.execute("INSERT INTO notes (author, text) VALUES ('m3', $1)", text)


async def test_a_stream_of_change_events_goes_on_after_its_last_id(
    port: int, writer: asyncpg.Connection[Any], desk: Desk
) -> None:
    document = "subscription { noteChanges { kind node { text } } }"
    async with ask(port, document, headers=of("m3")) as response:
        await note(writer, "1", "2", "3")
        ids = [event[2] for _ in range(3) if (event := await response.event())]
    assert all(ids)
    await note(writer, "4")
    async with ask(port, document, headers=of("m3", **{"last-event-id": str(ids[1])})) as response:
        found = [event for _ in range(2) if (event := await response.event())]
    assert [event[1]["data"]["noteChanges"]["node"] for event in found] == [{"text": "3"}, {"text": "4"}]
    assert found[0][2] == ids[2]
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as client:
        ticket = (await client.post("/tickets", json={"path": "/graphql"}, headers=of("m3"))).json()["ticket"]
        url = f"/graphql?{urlencode({'query': document, 'ticket': ticket})}"
        async with client.stream("GET", url, headers={**EVENTS, "last-event-id": str(ids[2])}) as answer:
            event = await Response(answer).event()
    assert event is not None
    assert event[:2] == found[1][:2]


@pytest.mark.parametrize("transport", ["SSE", "WebSocket"])
async def test_a_cursor_that_opens_nothing_is_told_of(
    port: int, writer: asyncpg.Connection[Any], transport: str
) -> None:
    async with ask(port, CHANGES, headers=of("m3")) as response:
        await note(writer, "1")
        event = await response.event()
    assert event is not None
    cursor = event[1]["data"]["noteChanges"]["cursor"]
    assert event[2] == cursor

    async def refused(who: str, after: str) -> tuple[str, str]:
        if transport == "SSE":
            async with ask(port, CHANGES, variables={"after": after}, headers=of(who)) as response:
                (_, result), _ = await response.rest()
            (error,) = result["errors"]
        else:
            async with socket(port, init=of(who)) as client:
                ((error,),) = await client.results(CHANGES, variables={"after": after})
        return error["extensions"]["code"], error["message"]

    foreign = ("BAD_USER_INPUT", "`after` is not a cursor of this subscription.")
    assert await refused("m1", cursor) == foreign
    assert await refused("m3", "0.AAAA") == foreign
    assert await refused("m3", cursor.replace(cursor[-9:-6], "abc")) == foreign
    # Of what is dropped below, this is after the cursor.
    await note(writer, "2")
    for _ in range(3):
        assert await writer.fetchval("SELECT clew.rotate_changes('0')")
    assert await refused("m3", cursor) == ("BAD_USER_INPUT", "The changes after this cursor are no longer kept.")


async def test_the_end_of_the_connection_ends_the_source(port: int) -> None:
    events = channel("forever")
    async with ask(port, FOREVER):
        await events.started.wait()
    async with asyncio.timeout(2):
        await events.ended.wait()


async def test_a_stream_ends_with_its_token(port: int) -> None:
    channel("forever")
    expires = time.time() + 1.2
    headers = {"authorization": f"Bearer {token(exp=expires)}"}
    async with ask(port, FOREVER, headers=headers) as response:
        (_, result), complete = await response.rest()
        assert result["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert complete == ("complete", None)
        assert 0 <= time.time() - expires < 1


async def test_a_stream_without_a_token_ends_too(desk: Desk) -> None:
    channel("forever")
    async with httpx.AsyncClient() as client, served(desk.app(session_seconds=0.3)) as port:
        answer = await client.post(f"http://localhost:{port}/graphql", json={"query": FOREVER}, headers=EVENTS)
        assert "UNAUTHENTICATED" in answer.text


async def test_a_source_that_fails_tells_so(port: int) -> None:
    async with ask(port, 'subscription { fails(how: "told") }') as response:
        first, (_, result), complete = await response.rest()
        assert first == ("next", {"data": {"fails": 1}})
        assert result["errors"][0]["message"] == "It is over."
        assert complete == ("complete", None)
    async with ask(port, 'subscription { fails(how: "other") }') as response:
        assert "a secret" not in str(await response.rest())


async def test_streams_count_as_sockets(desk: Desk) -> None:
    channel("forever")
    async with served(desk.app(max_sockets=1)) as port, ask(port, FOREVER):
        async with ask(port, FOREVER) as second:
            assert second.status == 429
        async with ask(port, "{ viewer { id } }") as query:
            assert query.status == 200
    async with served(desk.app(max_all_sockets=1)) as port, ask(port, FOREVER), ask(port, FOREVER) as second:
        assert second.status == 503


async def test_a_stream_that_cannot_begin_leaves_nothing_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    app = desk.app(admin_secret="0123456789abcdef of the admin secret")
    engine, live = app.engine, app.live
    role, opened = engine.role, list[int]()

    async def fails(viewer: Viewer) -> RoleSchema:
        if not live.subscriptions:
            return await role(viewer)
        # The live query is open, and its viewer's limits are to be found.
        opened.append(live.subscriptions)
        raise ClewError("No schema today.", code=Code.UNAVAILABLE)

    monkeypatch.setattr(engine, "role", fails)
    async with served(app) as port, ask(port, "subscription { notes { text } }") as response:
        assert response.status == 503
        assert opened == [1]
        assert live.subscriptions == live.groups == 0
        assert not app.sockets._open


async def test_draining_ends_streams_without_completing_them(desk: Desk) -> None:
    channel("forever")
    app = desk.app(drain_seconds=0.2)
    async with served(app) as port, ask(port, FOREVER) as response:
        app.drain()
        assert await response.rest() == []


async def test_the_request_id_is_echoed(port: int) -> None:
    async with ask(port, "subscription { nope }", headers={"x-request-id": "abc"}) as response:
        assert response.headers["x-request-id"] == "abc"
        (_, result), _ = await response.rest()
        assert result["errors"][0]["extensions"]["requestId"] == "abc"


async def test_a_stream_whose_client_leaves_while_development_looks_is_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each operation `clew dev` finds out what would be refused to users. That takes a while."""
    looking = asyncio.Event()

    async def look(*_: object) -> None:
        looking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(UserRefusals, "tell", look)
    app = desk.app(dev=True)
    async with served(app) as port:
        body = {"query": "subscription { notes { id } }"}
        async with httpx.AsyncClient(base_url=f"http://localhost:{port}", timeout=15) as client:
            asking = asyncio.create_task(client.post("/graphql", json=body, headers=EVENTS))
            await looking.wait()
            assert app.live.subscriptions == 1
            asking.cancel()
            await asyncio.wait([asking])
        looking.clear()
        async with socket(port, init={"authorization": f"Bearer {token()}"}) as peer:
            await peer.subscribe(body["query"])
            await looking.wait()
        async with asyncio.timeout(10):
            while app.live.subscriptions:
                await asyncio.sleep(0.01)
