"""Every code by which a WebSocket is closed, and every rule of `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, nullcontext
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from websockets.exceptions import InvalidStatus

import clew.wire.websocket
from clew import Viewer
from clew.server.listen import listen
from clew.wire.application import Application
from tests.faults.lab import served
from tests.sockets.client import Client, socket
from tests.sockets.desk import Desk, channel, token

pytestmark = pytest.mark.anyio

FOREVER = 'subscription { channel(name: "forever") }'


async def refused(port: int, **options: Any) -> tuple[int, Any, dict[str, str]]:
    """The status, body and headers that refuse a handshake."""
    with pytest.raises(InvalidStatus) as refusal:
        async with socket(port, **options):
            pass
    response = refusal.value.response
    return response.status_code, json.loads(response.body or b"null"), dict(response.headers)


# --- 4400: what is not of the protocol ------------------------------------------------------

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no JSON",
        "[]",
        "null",
        '"ping"',
        "{}",
        '{"type": 1}',
        '{"type": "unknown"}',
        '{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}',
        '{"type": "ping", "payload": []}',
        '{"type": "pong", "payload": "x"}',
        '{"type": "connection_init", "payload": []}',
        '{"type": "ping", "n": NaN}',
        '{"type": "ping", "payload": {"n": ' + "1" * 5000 + "}}",
        DEEP,
        '{"type": "ping", "payload": {"deep": ' + DEEP + "]" * 100_000 + "}}",
        b"binary",
        b'{"type": "ping"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "extensions": "x"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ a }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ a }"}}',
        '{"type": "subscribe", "payload": {"query": "{ a }"}}',
        '{"type": "subscribe", "id": "' + "x" * 256 + '", "payload": {"query": "{ a }"}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": []}',
    ],
    ids=lambda message: repr(message)[:60],
)
@pytest.mark.parametrize("is_open", [False, True], ids=["before the connection", "after"])
async def test_4400_for_a_message_that_is_not_of_the_protocol(port: int, message: str | bytes, is_open: bool) -> None:
    async with socket(port, init=is_open) as client:
        await client.send(message)
        code, reason = await client.closed()
        assert code == 4400
        assert reason
        assert "Traceback" not in reason


# --- 4401, 4403, 4406, 4408, 4409, 4429 -----------------------------------------------------


async def test_4401_for_an_operation_before_the_connection(port: int) -> None:
    async with socket(port) as client:
        await client.subscribe("{ viewer { id } }")
        assert await client.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": "Bearer forged"},
        {"Authorization": f"Bearer {token(exp=1)}"},
        {"authorization": "Basic bTE6"},
        {"authorization": ""},
        {"authorization": 1},
        {"authorization": ["Bearer"]},
        {"authorization": "\ud800"},
        {"authorization": f"Bearer {token()}", "Authorization": f"Bearer {token('m2')}"},
        {"x-clew-admin-secret": "wrong"},
        {"x-clew-role": "admin"},
        {"X-Clew-Role": "editor", "authorization": f"Bearer {token()}"},
        {"x-clew-claims": '{"sub": "m1"}'},
    ],
    ids=repr,
)
async def test_4403_for_credentials_that_are_not_valid(port: int, payload: dict[str, Any]) -> None:
    async with socket(port) as client:
        await client.send({"type": "connection_init", "payload": payload})
        code, reason = await client.closed()
        assert code == 4403
        assert reason


@pytest.mark.parametrize("protocol", [None, "graphql-ws", "graphql-transport-ws2", "Graphql-Transport-Ws"])
async def test_4406_for_another_subprotocol(port: int, protocol: str | None) -> None:
    async with socket(port, protocol=None, additional_headers=protocol and {"sec-websocket-protocol": protocol}) as it:
        assert await it.closed() == (4406, "Subprotocol not acceptable")


async def test_the_subprotocol_is_chosen_among_several(port: int) -> None:
    several = {"sec-websocket-protocol": "graphql-ws"}
    async with socket(port, additional_headers=several, init=True) as client:
        assert client.connection.subprotocol == "graphql-transport-ws"


async def test_4408_without_an_init_in_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clew.wire.websocket, "_INIT", 0.2)
    async with served(desk.app()) as port, socket(port) as silent, socket(port) as busy:
        await busy.send({"type": "ping"})
        assert await silent.closed() == (4408, "Connection initialisation timeout")
        # Other messages do not put it off.
        assert (await busy.closed())[0] == 4408


async def test_the_time_for_an_init_is_at_most_15_seconds() -> None:
    assert clew.wire.websocket._INIT < 15


async def test_4409_for_an_id_that_is_in_use(port: int) -> None:
    channel("forever")
    async with socket(port, init=True) as client:
        await client.subscribe(FOREVER, "same")
        await client.subscribe("{ viewer { id } }", "same")
        assert await client.closed() == (4409, "Subscriber for same already exists")


async def test_an_id_can_be_used_again_at_once(port: int) -> None:
    channel("forever")
    async with socket(port, init=True) as client:
        for _ in range(50):
            await client.subscribe(FOREVER, "same")
            await client.send({"type": "complete", "id": "same"})
        assert await client.results("{ viewer { id } }", "same") == [{"data": {"viewer": {"id": None}}}]


async def test_completing_what_is_unknown_does_nothing(port: int) -> None:
    async with socket(port, init=True) as client:
        await client.send({"type": "complete", "id": "unknown"})
        assert await client.results("{ viewer { id } }") == [{"data": {"viewer": {"id": None}}}]


@pytest.mark.parametrize(
    "payload", [None, {}, {"authorization": f"Bearer {token()}"}, {"authorization": f"Bearer {token('m2', exp=5e9)}"}]
)
async def test_4429_for_a_second_init(port: int, payload: Any) -> None:
    async with socket(port, init={"authorization": f"Bearer {token()}"}) as client:
        await client.send({"type": "connection_init", "payload": payload})
        assert await client.closed() == (4429, "Too many initialisation requests")


async def test_4429_for_a_second_init_of_nobody(port: int) -> None:
    async with socket(port, init=True) as client:
        await client.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token()}"}})
        assert (await client.closed())[0] == 4429


# --- pings ----------------------------------------------------------------------------------


async def test_a_ping_is_answered_before_and_after_the_init(port: int) -> None:
    async with socket(port) as client:
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        await client.init()
        await client.send({"type": "ping", "payload": {"n": 1}})
        assert await client.receive() == {"type": "pong"}


async def test_the_server_pings_a_quiet_client_and_closes_one_that_does_not_answer(desk: Desk) -> None:
    app = desk.app(heartbeat_seconds=0.2)
    async with served(app) as port, socket(port, init=True) as answers, socket(port, init=True) as dead:
        pings = 0
        async with asyncio.timeout(5):
            while pings < 4:
                assert json.loads(await answers.connection.recv()) == {"type": "ping"}
                await answers.send({"type": "pong"})
                pings += 1
        assert await dead.closed() == (1013, "The client does not answer")
        assert await answers.results("{ viewer { id } }") == [{"data": {"viewer": {"id": None}}}]


# --- who --------------------------------------------------------------------------------------

SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
WHO = "{ viewer { id roles } }"


async def viewer(client: Client) -> Any:
    (result,) = await client.results(WHO)
    return result["data"]["viewer"]


@pytest.mark.parametrize(
    ("headers", "payload", "expected"),
    [
        ({}, None, (None, ["anon"])),
        ({"authorization": f"Bearer {token()}"}, None, ("m1", ["anon", "user"])),
        ({}, {"authorization": f"Bearer {token()}"}, ("m1", ["anon", "user"])),
        ({}, {"AUTHORIZATION": f"bearer {token()}", "other": 1}, ("m1", ["anon", "user"])),
        ({}, {"authorization": None}, (None, ["anon"])),
        ({"authorization": f"Bearer {token()}"}, {"Authorization": f"Bearer {token()}"}, ("m1", ["anon", "user"])),
        ({}, {"X-CLEW-Admin-Secret": SECRET}, (None, ["admin"])),
        (
            {},
            {"x-clew-admin-secret": SECRET, "X-Clew-Role": "user,editor", "X-Clew-Claims": '{"sub": "42"}'},
            ("42", ["anon", "editor", "user"]),
        ),
        ({"x-clew-admin-secret": SECRET}, {"x-clew-role": "user"}, (None, ["anon", "user"])),
    ],
)
async def test_the_viewer_is_made_of_the_handshake_and_the_init(
    desk: Desk, headers: dict[str, str], payload: Any, expected: Any
) -> None:
    app = desk.app(admin_secret=SECRET)
    async with served(app) as port, socket(port, additional_headers=headers) as client:
        await client.init(payload)
        assert tuple((await viewer(client)).values()) == expected


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        ({"authorization": f"Bearer {token()}"}, {"authorization": f"Bearer {token('m2')}"}),
        ({"x-clew-admin-secret": SECRET, "x-clew-role": "user"}, {"x-clew-role": "admin"}),
        (
            {"x-clew-admin-secret": SECRET, "x-clew-role": "user", "x-clew-claims": '{"sub": "m1"}'},
            {"x-clew-claims": '{"sub": "m2"}'},
        ),
    ],
)
async def test_the_init_cannot_replace_what_a_proxy_has_set(
    desk: Desk, headers: dict[str, str], payload: dict[str, str]
) -> None:
    app = desk.app(admin_secret=SECRET)
    async with served(app) as port, socket(port, additional_headers=headers) as client:
        await client.send({"type": "connection_init", "payload": payload})
        assert (await client.closed())[0] == 4403


async def test_a_ticket_in_the_url_opens_a_socket(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as http:
        given = await http.post("/tickets", json={"path": "/graphql"}, headers={"authorization": f"Bearer {token()}"})
    ticket = given.json()["ticket"]
    async with socket(port, path=f"/graphql?ticket={ticket}", init=True) as client:
        assert (await viewer(client))["id"] == "m1"
    async with socket(port, path=f"/graphql?ticket={ticket}") as client:
        await client.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token()}"}})
        assert (await client.closed())[0] == 4403
    async with socket(port, path=f"/graphql?ticket={ticket}x") as client:
        await client.send({"type": "connection_init"})
        assert (await client.closed())[0] == 4403


# --- origins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "cookie", "is_open"),
    [
        (None, False, True),
        (None, True, False),
        ("http://localhost:{port}", True, True),
        ("https://localhost:{port}", True, True),
        ("HTTP://LOCALHOST:{port}", True, True),
        ("http://localhost", False, False),
        ("http://127.0.0.1:{port}", False, False),
        ("http://localhost:{port}.evil.example", False, False),
        ("http://evil.example", False, False),
        ("http://evil.example", True, False),
        ("null", False, False),
        ("", False, False),
        ("localhost:{port}", False, False),
        ("https://app.example", True, True),
        ("https://app.example:8443", True, False),
        ("http://app.example", True, False),
    ],
)
async def test_only_a_page_of_an_allowed_origin_opens_a_socket(
    desk: Desk, origin: str | None, cookie: bool, is_open: bool
) -> None:
    headers = {"cookie": "session=1"} if cookie else {}
    async with served(desk.app(cors_origins=("https://app.example",))) as port:
        if origin is not None:
            headers["origin"] = origin.format(port=port)
        if is_open:
            async with socket(port, additional_headers=headers, init=True) as client:
                assert await viewer(client)
        else:
            status, body, _ = await refused(port, additional_headers={**headers, "x-request-id": "abc"})
            assert status == 403
            assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            assert body["errors"][0]["extensions"]["requestId"] == "abc"


async def test_every_origin_may_open_a_socket_in_dev_but_with_no_cookie(desk: Desk) -> None:
    app = desk.app(dev=True, cors_origins=("*",))
    async with served(app) as port:
        async with socket(port, origin="http://any.example", init=True) as client:
            assert (await viewer(client))["roles"] == ["anon"]
        cookie = {"cookie": "session=1"}
        assert (await refused(port, origin="http://any.example", additional_headers=cookie))[0] == 403


async def test_dev_admin_needs_an_own_origin(desk: Desk) -> None:
    async with served(desk.app(dev=True)) as port:
        async with socket(port, init=True) as client:
            assert (await viewer(client))["roles"] == ["anon"]
        async with socket(port, origin=f"http://localhost:{port}", init=True) as client:
            assert (await viewer(client))["roles"] == ["admin"]
        assert (await refused(port, origin="http://evil.example"))[0] == 403


# --- the end of a session ---------------------------------------------------------------------


async def test_a_socket_ends_with_its_token(port: int) -> None:
    expires = time.time() + 1.2
    async with socket(port, init={"authorization": f"Bearer {token(exp=expires)}"}) as client:
        channel("forever")
        await client.subscribe(FOREVER)
        assert await client.closed() == (4403, "The session has expired")
        assert 0 <= time.time() - expires < 1


async def test_a_socket_without_a_token_ends_too(desk: Desk) -> None:
    async with served(desk.app(session_seconds=0.3)) as port, socket(port, init=True) as client:
        assert await client.closed() == (4403, "The session has expired")


async def test_a_fresh_token_of_the_same_subject_renews_the_session(port: int) -> None:
    now = time.time()
    events = channel("renewed")
    async with socket(port, init={"authorization": f"Bearer {token(exp=now + 1)}"}) as client:
        await client.subscribe('subscription { channel(name: "renewed") }')
        await client.init({"authorization": f"Bearer {token(exp=now + 60, iat=int(now))}"})
        await asyncio.sleep(1.2)
        events.events.put_nowait(1)
        assert (await client.receive())["payload"] == {"data": {"channel": 1}}
        assert await client.results("{ viewer { id } }", "2") == [{"data": {"viewer": {"id": "m1"}}}]


async def test_a_token_in_the_handshake_is_renewed(port: int) -> None:
    headers = {"authorization": f"Bearer {token(exp=time.time() + 1)}"}
    async with socket(port, additional_headers=headers, init=True) as client:
        await client.init({"authorization": f"Bearer {token()}"})
        await asyncio.sleep(1.2)
        assert await client.results("{ viewer { id } }", "2") == [{"data": {"viewer": {"id": "m1"}}}]


async def test_what_runs_for_a_token_that_said_more_ends_with_it(port: int) -> None:
    now = time.time()
    channel("forever")
    async with socket(port, init={"authorization": f"Bearer {token(exp=now + 1, roles=['editor'])}"}) as client:
        await client.subscribe(FOREVER, "old")
        assert await client.results("subscription { secret }") == [{"data": {"secret": "for editors"}}]
        await client.init({"authorization": f"Bearer {token()}"})
        (errors,) = await client.results("subscription { secret }")
        assert errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        ended = await client.receive()
        assert (ended["id"], ended["type"]) == ("old", "error")
        assert ended["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert 0.9 < time.time() - now < 2
        assert await client.results("{ viewer { id } }") == [{"data": {"viewer": {"id": "m1"}}}]


# --- limits -----------------------------------------------------------------------------------


async def test_more_operations_than_allowed_are_refused_one_by_one(desk: Desk) -> None:
    async with served(desk.app(max_operations=3)) as port, socket(port, init=True) as client:
        for number in range(4):
            channel("forever")
            await client.subscribe(FOREVER, str(number))
        refusal = await client.receive()
        assert (refusal["id"], refusal["type"]) == ("3", "error")
        assert refusal["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        await client.send({"type": "complete", "id": "0"})
        assert await client.results("{ viewer { id } }", "last") == [{"data": {"viewer": {"id": None}}}]


async def test_a_role_may_have_more_operations(desk: Desk) -> None:
    app = desk.app(max_operations=1, limits={"user": {"operations": 2}})
    async with served(app) as port, socket(port, init={"authorization": f"Bearer {token()}"}) as client:
        channel("forever")
        await client.subscribe(FOREVER, "1")
        assert (await client.results(WHO, "2"))[0]["data"]


async def test_a_viewer_has_so_many_sockets(desk: Desk) -> None:
    async with served(desk.app(max_sockets=1)) as port:
        async with socket(port, init={"authorization": f"Bearer {token()}"}):
            async with socket(port) as second:
                await second.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token()}"}})
                assert (await second.closed())[0] == 1013
            async with socket(port, init={"authorization": f"Bearer {token('m2')}"}), socket(port, init=True):
                pass
        async with socket(port, init={"authorization": f"Bearer {token()}"}) as again:
            assert (await viewer(again))["id"] == "m1"


async def test_a_server_has_so_many_sockets(desk: Desk) -> None:
    async with served(desk.app(max_all_sockets=1)) as port, socket(port, init=True):
        status, body, headers = await refused(port)
        assert status == 503
        assert headers["retry-after"] == "1"
        assert body["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_a_stranger_makes_room(desk: Desk) -> None:
    async with served(desk.app(max_all_sockets=1)) as port, socket(port) as stranger, socket(port, init=True) as client:
        assert (await stranger.closed())[0] == 1012
        assert await viewer(client)


async def test_a_large_message_is_refused_unread(desk: Desk) -> None:
    async with served(desk.app(max_body_bytes=1000)) as port, socket(port, init=True) as client:
        await client.send(json.dumps({"type": "ping", "payload": {"x": "x" * 2000}}))
        assert (await client.closed())[0] == 1009


async def test_the_rate_counts_operations_on_a_socket(desk: Desk) -> None:
    async with served(desk.app(max_rate=2)) as port, socket(port, init=True) as client:
        for number in range(2):
            assert (await client.results(WHO, str(number)))[0]["data"]
        (errors,) = await client.results(WHO, "3")
        assert errors[0]["extensions"]["code"] == "RATE_LIMITED"


async def test_the_request_id_of_the_handshake_is_in_errors(port: int) -> None:
    async with socket(port, additional_headers={"x-request-id": "abc"}, init=True) as client:
        for number in (1, 2):
            (errors,) = await client.results("{ nope }")
            assert errors[0]["extensions"]["requestId"] == f"abc.{number}"


# --- shutdown ---------------------------------------------------------------------------------


async def test_draining_closes_sockets_one_after_another_and_takes_no_more(desk: Desk) -> None:
    app: Application = desk.app(drain_seconds=0.5)
    async with served(app) as port, socket(port, init=True) as client, socket(port) as other:
        app.drain()
        assert await client.closed() == (1012, "The server restarts")
        assert (await other.closed())[0] == 1012
        status, _, _ = await refused(port)
        assert status == 503


async def test_draining_spreads_the_clients_that_come_back(desk: Desk) -> None:
    app: Application = desk.app(drain_seconds=1)
    async with served(app) as port, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(socket(port, init=True)) for _ in range(20)]
        began = time.monotonic()
        app.drain()

        async def left(client: Client) -> float:
            assert (await client.closed())[0] == 1012
            return time.monotonic() - began

        found = await asyncio.gather(*map(left, clients))
        assert max(found) - min(found) > 0.2


async def test_a_mutation_under_way_is_answered_before_the_socket_closes(desk: Desk) -> None:
    app: Application = desk.app()
    channel("forever")
    async with served(app) as port, socket(port, init=True) as client:
        await client.subscribe(FOREVER, "forever")
        await client.subscribe("{ wait(seconds: 0.5) }")
        await asyncio.sleep(0.1)
        app.drain()
        await asyncio.sleep(0.1)
        await client.subscribe("{ viewer { id } }", "late")
        late = await client.receive()
        assert late["payload"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert (await client.receive())["payload"] == {"data": {"wait": True}}
        assert await client.receive() == {"id": "1", "type": "complete"}
        assert await client.closed() == (1012, "The server restarts")


# --- an application's own way to authenticate ---------------------------------------------------


async def test_authenticate_sees_the_handshake_and_the_init(desk: Desk) -> None:
    async def authenticate(request: Request) -> Viewer | None:
        payload = getattr(request.state, "connection_init", {})
        key = request.headers.get("x-api-key") or payload.get("apiKey")
        assert request.method == "GET"
        if key == "broken":
            raise RuntimeError("a secret of the server")
        return Viewer(key, frozenset({"user"}), {"sub": key}) if key else None

    async with served(desk.app(authenticate=authenticate)) as port:
        async with socket(port, init={"apiKey": "m1"}) as client:
            assert await viewer(client) == {"id": "m1", "roles": ["anon", "user"]}
        async with socket(port, additional_headers={"x-api-key": "m2"}, init=True) as client:
            assert (await viewer(client))["id"] == "m2"
        # A name in the payload is no header: a proxy cannot strip it.
        async with socket(port, init={"x-api-key": "m1"}) as client:
            assert (await viewer(client))["id"] is None
        async with socket(port) as client:
            await client.send({"type": "connection_init", "payload": {"apiKey": "broken"}})
            assert await client.closed() == (1011, "Something went wrong on the server.")


# --- where else the app runs ----------------------------------------------------------------------


async def test_a_mounted_app_has_sockets_that_the_outer_server_closes(desk: Desk) -> None:
    outer = Starlette(routes=[Mount("/api", desk.app())])
    async with AsyncExitStack() as stack:
        async with served(outer) as port:
            client = await stack.enter_async_context(socket(port, path="/api/graphql", init=True))
            assert await viewer(client)
        assert (await client.closed())[0] == 1012


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to pytest."""

    def capture_signals(self) -> Any:
        return nullcontext()


async def test_the_app_runs_under_uvicorn_alone(desk: Desk) -> None:
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(desk.app(), ws="websockets-sansio", log_config=None, timeout_graceful_shutdown=1)
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        port = listener.getsockname()[1]
        async with socket(port, init={"authorization": f"Bearer {token()}"}) as client:
            assert (await viewer(client))["id"] == "m1"
            assert await client.results("subscription { ticks(to: 2) }") == [{"data": {"ticks": n}} for n in range(2)]
            await client.send("no JSON")
            assert (await client.closed())[0] == 4400
    finally:
        server.should_exit = True
        await task
        listener.close()


# --- development ----------------------------------------------------------------------------------


async def test_development_tells_over_a_socket_what_it_tells_over_http(desk: Desk) -> None:
    many = "{" + " ".join(f"a{number}: viewer {{ id }}" for number in range(60)) + "}"
    async with served(desk.app(dev=True)) as port:
        async with socket(port, origin=f"http://localhost:{port}", init=True) as admin:
            with structlog.testing.capture_logs() as logs:
                assert await admin.results(many)
        assert "a user would be refused" in [line["event"] for line in logs]
        async with socket(port, init={"authorization": f"Bearer {token()}"}) as client:
            write = 'mutation($id: ID!) { updateNote(id: $id, set: {text: "x"}) { id } }'
            (result,) = await client.results(write, variables={"id": desk.keys[2]})
            assert result == {"data": {"updateNote": None}}
