"""CORS, health, readiness, and Clew inside other applications."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from structlog.testing import capture_logs

from clew import Clew
from clew.config import Settings
from clew.wire.nosniff import NoSniff
from tests.faults.lab import client_of
from tests.shop import Shop
from tests.wire.conftest import MakeApp

ORIGIN = "https://app.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


@pytest.mark.anyio
async def test_a_listed_origin_may_call_without_cookies(make_app: MakeApp) -> None:
    async with client_of(make_app(cors_origins=[ORIGIN])) as client:
        preflight = await client.options("/graphql", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert preflight.headers["access-control-max-age"] == "600"
        assert "access-control-allow-credentials" not in preflight.headers
        body = {"query": "{ viewer { roles } }"}
        answer = await client.post("/graphql", json=body, headers={"origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in answer.headers["vary"]
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        # A foreign page, listed or not, is not the development admin.
        assert answer.json() == {"data": {"viewer": {"roles": ["anon"]}}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example", f"{ORIGIN}.evil.example", f"{ORIGIN}:8443", "null"]
)
async def test_another_origin_may_not_call(make_app: MakeApp, origin: str) -> None:
    async with client_of(make_app(cors_origins=[ORIGIN])) as client:
        preflight = await client.options("/graphql", headers={**PREFLIGHT, "origin": origin})
        assert preflight.status_code == 400
        assert "access-control-allow-origin" not in preflight.headers
        assert "Origin" in preflight.headers["vary"]
        assert preflight.headers["content-type"] == "application/json"
        (error,) = preflight.json()["errors"]
        assert error["message"] == "Disallowed CORS origin."
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "CLEW_CORS_ORIGINS" in error["extensions"]["hint"]
        answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.anyio
async def test_without_listed_origins_there_is_no_cors(make_app: MakeApp) -> None:
    async with client_of(make_app()) as client:
        preflight = await client.options("/graphql", headers=PREFLIGHT)
        assert preflight.status_code == 405
        assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.mark.anyio
async def test_the_process_is_healthy_and_ready(make_app: MakeApp) -> None:
    async with client_of(make_app()) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


@pytest.mark.anyio
async def test_while_it_drains_it_is_not_ready_and_still_serves(make_app: MakeApp) -> None:
    app = make_app()
    async with client_of(app) as client:
        app.drain()
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["reason"]) == (503, "shutting down")
        assert ready.headers["retry-after"] == "1"
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.post("/graphql", json={"query": "{ companies(limit: 1) { __typename } }"})
        assert answer.json() == {"data": {"companies": [{"__typename": "Company"}]}}


@pytest.mark.anyio
async def test_without_its_database_it_is_healthy_and_not_ready_and_says_no_more(shop: Shop) -> None:
    gone = shop.url.replace("/shop_", "/gone_")
    app = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": gone, "pool_timeout": 1}))
    async with client_of(app) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json() == {"status": "unavailable", "reason": "the database is not available"}
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.anyio
async def test_with_a_database_that_is_behind_it_is_not_ready(shop: Shop, database_url: str) -> None:
    app = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": database_url}))
    async with client_of(app) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["reason"] == "the database is not at this schema's version"
    await app.engine.pool.close()


@pytest.mark.anyio
async def test_a_slash_too_many_is_a_path_that_is_not_there(make_app: MakeApp) -> None:
    async with client_of(make_app()) as client:
        for method in ("GET", "POST"):
            for path in ("/graphql/?query={x}&ticket=t", "/tickets/", "/healthz/", "//graphql", "//evil.example/"):
                url = httpx.URL("http://localhost", raw_path=path.encode())
                answer = await client.request(method, url, headers={"host": "evil.example"})
                assert answer.status_code == 404
                assert answer.json()["errors"][0]["extensions"]["hint"] == "The API is at /graphql."
                assert "location" not in answer.headers
                assert "evil" not in answer.text


@pytest.mark.anyio
async def test_no_answer_is_to_be_taken_for_another_type(shop: Shop) -> None:
    async def broken(_: Request) -> PlainTextResponse:
        raise RuntimeError("the secret of the route")

    async def own(_: Request) -> PlainTextResponse:
        return PlainTextResponse("own", headers={"X-Content-Type-Options": "anything"})

    routes = [Route("/broken", broken), Route("/own", own)]
    clew = Clew(shop.clew._bindables, project=shop.clew.root, routes=routes)
    settings = {"DATABASE_URL": shop.url, "playground": True, "secret": "s" * 32, "cors_origins": (ORIGIN,)}
    app = clew.asgi(Settings.model_validate(settings))
    seen = set()
    async with client_of(app) as client:
        for method, path, more in (
            ("POST", "/graphql", {"json": {"query": "{ __typename }"}}),
            ("POST", "/graphql", {"json": {"query": "{ nothing }"}}),
            ("GET", "/graphql?query={__typename}", {}),
            ("GET", "/graphql", {"headers": {"accept": "text/html"}}),
            ("GET", "/graphql", {"headers": {"accept": "image/png"}}),
            ("GET", "/graphql?query={__typename}", {"headers": {"authorization": "Bearer x"}}),
            ("PUT", "/graphql", {}),
            ("POST", "/graphql", {"content": "x" * 2_000_000, "headers": {"content-type": "application/json"}}),
            ("POST", "/graphql", {"content": "x"}),
            ("POST", "/graphql", {"content": "x", "headers": {"content-type": "application/json"}}),
            ("OPTIONS", "/graphql", {"headers": PREFLIGHT}),
            ("OPTIONS", "/graphql", {"headers": {**PREFLIGHT, "access-control-request-method": "PUT"}}),
            ("POST", "/tickets", {"json": {"path": "/graphql"}}),
            ("GET", "/tickets", {}),
            ("GET", "/healthz", {}),
            ("GET", "/readyz", {}),
            ("GET", "/nothing", {}),
            ("GET", "/graphql/", {}),
            ("GET", "/own", {}),
            ("GET", "/broken", {}),
        ):
            answer = await client.request(method, path, **more)
            assert answer.headers.get_list("x-content-type-options") == ["nosniff"], (method, path)
            seen.add(answer.status_code)
            if answer.is_error:
                assert answer.headers["content-type"].startswith("application/"), (method, path)
                (error,) = answer.json()["errors"]
                assert "secret" not in error["message"]
    assert {200, 201, 400, 401, 404, 405, 406, 413, 415, 500} <= seen
    await app.engine.pool.close()


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/nothing", "/own"])
async def test_a_websocket_is_refused_by_an_answer_with_a_type(path: str) -> None:
    async def closes(websocket: WebSocket) -> None:
        await websocket.close()

    async def denies(websocket: WebSocket) -> None:
        await websocket.send_denial_response(PlainTextResponse("no", 404))

    app = NoSniff(Starlette(routes=[WebSocketRoute("/own", closes), WebSocketRoute("/denied", denies)]))
    sent = await handshake(app, path, {"websocket.http.response": {}})
    start, body = sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert dict(start["headers"])[b"x-content-type-options"] == b"nosniff"
    assert dict(start["headers"])[b"content-type"] == b"application/json"
    assert json.loads(body["body"])["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    # Of itself, where the server has no way to be told.
    assert [message["type"] for message in await handshake(app, path, {})] == ["websocket.close"]
    # The application's own words.
    start, body = await handshake(app, "/denied", {"websocket.http.response": {}})
    assert (start["status"], body["body"]) == (404, b"no")
    assert [value for name, value in start["headers"] if name == b"x-content-type-options"] == [b"nosniff"]


@pytest.mark.anyio
async def test_clews_own_routes_refuse_a_websocket_so(make_app: MakeApp) -> None:
    start, _ = await handshake(make_app(), "/healthz", {"websocket.http.response": {}})
    assert start["status"] == 403
    assert dict(start["headers"])[b"x-content-type-options"] == b"nosniff"


@pytest.mark.anyio
async def test_a_websocket_that_is_accepted_closes_as_it_says() -> None:
    async def leaves(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4000)

    app = NoSniff(Starlette(routes=[WebSocketRoute("/own", leaves)]))
    sent = await handshake(app, "/own", {"websocket.http.response": {}})
    assert [(message["type"], message.get("code")) for message in sent] == [
        ("websocket.accept", None),
        ("websocket.close", 4000),
    ]


async def handshake(app: ASGIApp, path: str, extensions: dict[str, Any]) -> list[Any]:
    """What an application sends to a client that would open a WebSocket."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}
    await app({**scope, "scheme": "ws", "client": ("127.0.0.1", 1), "extensions": extensions}, receive, send)
    return sent


def mounted(app: ASGIApp) -> Starlette:
    return Starlette(routes=[Mount("/api/v1", app=app), Route("/other", lambda _: PlainTextResponse("other"))])


@pytest.mark.anyio
async def test_it_mounts_under_starlette_and_needs_no_lifespan(make_app: MakeApp) -> None:
    # httpx's transport runs no lifespan at all.
    async with client_of(mounted(make_app(playground=True))) as client:
        for path in ("/api/v1/graphql", "/api/v1/graphql?query=x"):
            answer = await client.post(path, json={"query": "{ companies(limit: 1) { __typename } }"})
            assert answer.json() == {"data": {"companies": [{"__typename": "Company"}]}}
        assert (await client.get("/api/v1/readyz")).status_code == 200
        assert (await client.get("/api/v1/graphql", headers={"accept": "text/html"})).status_code == 200
        assert (await client.get("/other")).text == "other"
        assert (await client.get("/graphql")).status_code == 404


@pytest.mark.anyio
async def test_it_lives_with_middleware_that_runs_on_anyio(make_app: MakeApp) -> None:
    from starlette.middleware.base import BaseHTTPMiddleware

    app = BaseHTTPMiddleware(make_app(), dispatch=lambda request, call_next: call_next(request))
    async with client_of(app) as client:
        answer = await client.post("/graphql", json={"query": "{ companies(limit: 1) { __typename } }"})
        assert answer.json() == {"data": {"companies": [{"__typename": "Company"}]}}


@pytest.mark.anyio
async def test_a_server_that_tells_nothing_of_the_client_is_served(make_app: MakeApp) -> None:
    app = make_app(admin_secret="s" * 32)

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await app({name: value for name, value in scope.items() if name not in ("client", "server")}, receive, send)

    transport = httpx.ASGITransport(bare, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        body = {"query": "{ viewer { roles } }"}
        assert (await client.post("/graphql", json=body)).json() == {"data": {"viewer": {"roles": ["anon"]}}}
        answer = await client.post("/graphql", json=body, headers={"x-clew-admin-secret": "s" * 32})
        assert answer.json() == {"data": {"viewer": {"roles": ["admin"]}}}


@pytest.mark.anyio
async def test_routes_and_middleware_of_the_application_are_taken(shop: Shop) -> None:
    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    clew = Clew(shop.clew._bindables, project=shop.clew.root, routes=[Route("/hello", hello)])
    app = clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url}))
    async with client_of(app) as client:
        assert (await client.get("/hello")).text == "hello"
    await app.engine.pool.close()


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/healthz", 405)])
async def test_what_no_route_answers_has_a_json_body(shop: Shop, method: str, path: str, status: int) -> None:
    app = shop.clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.request(method, path)
    assert response.status_code == status
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == ("NOT_FOUND" if status == 404 else "BAD_USER_INPUT")
    assert error["extensions"]["requestId"]


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [RuntimeError("first"), asyncio.CancelledError("first")])
async def test_each_part_is_closed_whatever_happens_to_others(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    app = make_app()
    closed: list[str] = []

    def closing(name: str, error: BaseException | None) -> None:
        part = getattr(app, name)
        close = part.close

        async def spoiled() -> None:
            await close()
            closed.append(name)
            if error is not None:
                raise error

        monkeypatch.setattr(part, "close", spoiled)

    closing("live", fault)
    closing("background", None)
    closing("outputs", RuntimeError("second"))
    closing("exports", None)
    with capture_logs() as logs, pytest.raises(type(fault), match="first"):
        async with app.lifespan():
            pass
    assert closed == ["live", "background", "outputs", "exports"]
    assert app.engine.pool.is_closed
    assert [(entry["event"], entry["part"]) for entry in logs] == [("part not closed", "JobOutputs")]
