"""`clew.viewer` and `clew.graphql` in routes of the application's own: beside `/graphql`, and in an app around Clew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from clew import Clew, ClewError, Viewer
from clew.app import development_app
from clew.config import Settings
from clew.errors import StartupError
from clew.wire.application import Application
from tests.auth.tokens import SECRET, claims, hs256
from tests.shop import Shop

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
OPTIONS = {"secret": "a" + SECRET[1:], "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET}
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
WHO = "{ viewer { id roles } }"
EYES = {"x-clew-role": "user", "x-clew-claims": '{"sub": "7"}'}


def bearer(**changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hs256(claims(exp=4_000_000_000, **changes))}"}


async def authenticate(request: Request) -> Viewer | None:
    assert request.method in ("GET", "POST")
    key = request.cookies.get("key")
    return None if key is None else Viewer(key, frozenset({"reader"}))


def as_json(viewer: Viewer) -> dict[str, Any]:
    return {"id": viewer.id, "roles": sorted(viewer.roles)}


@dataclass
class Site:
    """Clew with routes of its own, and an app around it with the same routes."""

    clew: Clew
    api: Application
    outer: Starlette


class Early(WebSocketEndpoint):
    """Asks before it opens the socket."""

    async def on_connect(self, websocket: WebSocket) -> None:
        raise ClewError("Too early.")


class Late(WebSocketEndpoint):
    """Opens the socket before it asks."""

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        raise ClewError("Too late.")


def make_site(shop: Shop, *, dev: bool = False, **options: Any) -> Site:
    async def who(request: HTTPConnection) -> JSONResponse:
        return JSONResponse(as_json(await clew.viewer(request)))

    async def ask(request: Request) -> JSONResponse:
        viewer = await clew.viewer(request)
        return JSONResponse(await clew.graphql((await request.body()).decode(), viewer=viewer))

    async def live(socket: WebSocket) -> None:
        viewer = await clew.viewer(socket)
        await socket.accept()
        await socket.send_json(as_json(viewer))
        if "again" in socket.query_params:
            raise ClewError("ä" * 100, code="FORBIDDEN")
        await socket.close()

    async def busy(_: Request) -> JSONResponse:
        raise ClewError("Come back.", code="UNAVAILABLE", hint="Later.", extensions={"a": 1})

    def routes() -> list[BaseRoute]:
        return [
            Route("/who/{name}", who),
            Route("/ask", ask, methods=["POST"]),
            Route("/busy", busy),
            WebSocketRoute("/live", live),
            WebSocketRoute("/late", Late),
            WebSocketRoute("/early", Early),
            Mount("/below", routes=[Route("/who", who)]),
            Mount("/app", app=Starlette(routes=[Route("/who", who)])),
        ]

    clew = Clew([], project=shop.clew.root, authenticate=authenticate, routes=routes())
    clew._built = shop.clew.build()
    settings = {"DATABASE_URL": shop.url, "env": "dev" if dev else "production", **OPTIONS, **options}
    made = Settings.model_validate(settings)
    api = development_app(clew, made) if dev else clew.asgi(made)
    return Site(clew, api, Starlette(routes=[*routes(), Mount("/api", app=api)], lifespan=api.lifespan))


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    made = make_site(shop)
    yield made
    await made.api.engine.pool.close()


def client_of(app: ASGIApp, address: str = "203.0.113.9") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


def error_of(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    found: dict[str, Any] = error
    return found


# --- who asks -------------------------------------------------------------------------

CREDENTIALS: list[dict[str, str]] = [
    {},
    bearer(),
    bearer(roles=["editor"]),
    ADMIN,
    {**ADMIN, **EYES},
    {"cookie": "key=k7"},
    {"cookie": "key=k7", **bearer()},
]
WRONG: list[dict[str, str]] = [
    {"authorization": "Bearer x"},
    {"authorization": ""},
    {"authorization": "Basic eDp5"},
    {"authorization": f"Bearer {hs256(claims(exp=1))}"},
    {"x-clew-admin-secret": "wrong"},
    {"x-clew-admin-secret": ""},
]


@pytest.mark.parametrize("headers", CREDENTIALS)
async def test_a_route_knows_the_viewers_that_graphql_knows(site: Site, headers: dict[str, str]) -> None:
    async with client_of(site.api) as inner, client_of(site.outer) as outer:
        graphql = await inner.post("/graphql", json={"query": WHO}, headers=headers)
        expected = graphql.json()["data"]["viewer"]
        for client, path in (
            (inner, "/who/a"),
            (inner, "/below/who"),
            (inner, "/app/who"),
            (outer, "/who/a"),
            (outer, "/below/who"),
            (outer, "/app/who"),
            (outer, "/api/who/a"),
            (outer, "/api/below/who"),
            (outer, "/api/app/who"),
        ):
            response = await client.get(path, headers=headers)
            assert (response.status_code, response.json()) == (200, expected), path
        asked = await outer.post("/ask", content=WHO, headers=headers)
        assert asked.json() == {"viewer": expected}
        assert await opened(site.outer, "/live", headers) == expected
        assert await opened(site.outer, "/api/live", headers) == expected


@pytest.mark.parametrize("headers", WRONG)
async def test_wrong_credentials_are_401_and_no_anonymous_viewer(site: Site, headers: dict[str, str]) -> None:
    async with client_of(site.api) as inner, client_of(site.outer) as outer:
        same = {**headers, "x-request-id": "same"}
        expected = await inner.post("/graphql", json={"query": WHO}, headers=same)
        assert expected.status_code == 401
        for client, path in (
            (inner, "/who/a"),
            (inner, "/below/who"),
            (outer, "/api/who/a"),
            (outer, "/api/below/who"),
        ):
            response = await client.get(path, headers=same)
            assert (response.status_code, response.json()) == (401, expected.json())
            assert response.headers["content-type"] == "application/json"
            assert response.headers["x-request-id"] == "same"
        for path in ("/who/a", "/below/who"):
            # In the form that the other app has for errors.
            response = await outer.get(path, headers=headers)
            assert (response.status_code, response.text) == (401, "The credentials are not valid.")
        for path in ("/live", "/api/live"):
            assert await opened(site.outer, path, headers) == 401


async def test_eyes_are_an_admins_here_too(site: Site) -> None:
    async with client_of(site.api) as inner, client_of(site.outer) as outer:
        for client in (inner, outer):
            assert (await client.get("/who/a", headers={**bearer(), **EYES})).status_code == 403
            assert (await client.get("/who/a", headers={**ADMIN, "x-clew-claims": "{}"})).status_code == 400


async def test_two_servers_in_one_app_have_their_own_secrets(site: Site, shop: Shop) -> None:
    other = make_site(shop, jwt_secret=SECRET[::-1], admin_secret=ADMIN_SECRET[::-1])

    async def whose(request: Request) -> JSONResponse:
        found = {}
        for name, one in (("site", site), ("other", other)):
            try:
                found[name] = (await one.clew.viewer(request)).id
            except ClewError as error:
                found[name] = error.code
        return JSONResponse(found)

    site.api.router.routes.append(Route("/whose", whose))
    app = Starlette(routes=[Route("/whose", whose), Mount("/a", app=site.api), Mount("/b", app=other.api)])
    async with client_of(app) as client:
        for path in ("/whose", "/a/whose"):
            found = (await client.get(path, headers=bearer())).json()
            assert found == {"site": "42", "other": "UNAUTHENTICATED"}
    await other.api.engine.pool.close()


async def test_each_app_of_one_clew_has_its_own_settings(site: Site, shop: Shop) -> None:
    settings = {"DATABASE_URL": shop.url, **OPTIONS, "jwt_secret": SECRET[::-1]}
    later = site.clew.asgi(Settings.model_validate(settings))
    for app, status in ((site.api, 200), (later, 401)):
        async with client_of(app) as client:
            assert (await client.get("/who/a", headers=bearer())).status_code == status
    await later.engine.pool.close()


async def test_without_an_app_nobody_can_be_told(shop: Shop) -> None:
    clew = Clew([], project=shop.clew.root)
    with pytest.raises(StartupError, match=r"clew\.asgi\(\)"):
        await clew.viewer(Request({"type": "http", "headers": [], "path": "/", "query_string": b""}))


# --- this machine ---------------------------------------------------------------------

LOCAL = {"host": "localhost:8000"}
ORIGIN = {**LOCAL, "origin": "http://localhost:8000"}
IS_ADMIN = {"id": None, "roles": ["admin"]}
IS_ANON = {"id": None, "roles": ["anon"]}


async def test_only_in_clew_dev_this_machine_is_admin(site: Site, shop: Shop) -> None:
    dev = make_site(shop, dev=True)
    for made, expected in ((dev, IS_ADMIN), (site, IS_ANON)):
        async with client_of(made.outer, "127.0.0.1") as client:
            for path in ("/who/a", "/api/who/a"):
                assert (await client.get(path)).json() == expected
                assert (await client.get(path, headers={"x-forwarded-for": "127.0.0.1"})).json() == IS_ANON
        for path in ("/live", "/api/live"):
            assert await opened(made.outer, path, ORIGIN) == expected
    await dev.api.engine.pool.close()


@pytest.mark.parametrize(
    "headers",
    [
        LOCAL,
        {**LOCAL, "origin": "null"},
        {**LOCAL, "origin": "http://localhost:3000"},
        {**LOCAL, "origin": "https://evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {**ORIGIN, "sec-fetch-site": "cross-site"},
    ],
)
async def test_a_socket_of_no_page_or_of_another_is_not_the_developers(shop: Shop, headers: dict[str, str]) -> None:
    dev = make_site(shop, dev=True)
    for path in ("/live", "/api/live"):
        assert await opened(dev.outer, path, headers) == IS_ANON
    await dev.api.engine.pool.close()


# --- tickets --------------------------------------------------------------------------


async def ticket(client: httpx.AsyncClient, path: str, office: str = "/tickets", **headers: str) -> str:
    response = await client.post(office, json={"path": path}, headers=headers or bearer())
    assert response.status_code == 201, response.text
    return str(response.json()["ticket"])


async def test_a_ticket_opens_the_route_that_it_is_for_and_no_other(site: Site) -> None:
    async with client_of(site.api) as client:
        for path, other in (("/who/a", "/who/b"), ("/who/a b", "/who/a"), ("/below/who", "/app/who")):
            text = await ticket(client, quote(path))
            opens = await client.get(path, params={"ticket": text})
            assert (opens.status_code, opens.json()["id"]) == (200, "42")
            assert (await client.get(other, params={"ticket": text})).status_code == 401
            assert (await client.get("/graphql", params={"query": WHO, "ticket": text})).status_code == 401
        text = await ticket(client, "/live")
        assert (await opened(site.api, "/live", {}, text))["id"] == "42"
        assert await opened(site.api, "/live", {}, text + "x") == 401


async def test_in_an_app_around_it_a_ticket_is_for_one_whole_path(site: Site) -> None:
    office = "/api/tickets"
    async with client_of(site.outer) as client:
        for given, opens, shut in (
            ("/api/who/a", "/api/who/a", "/who/a"),
            # Clew's own comes first.
            ("/who/a", "/api/who/a", "/who/a"),
            ("/graphql", "/api/graphql", "/api/who/a"),
            ("/api/graphql", "/api/graphql", "/api/who/a"),
        ):
            text = await ticket(client, given, office)
            assert (await client.get(opens, params={"query": WHO, "ticket": text})).status_code == 200
            assert (await client.get(shut, params={"query": WHO, "ticket": text})).status_code == 401
        response = await client.post(office, json={"path": "/nowhere"}, headers=bearer())
        assert "has no such `path`" in response.text
        site.outer.router.routes.insert(0, Route("/mine", site.outer.router.routes[0].endpoint))  # type: ignore[attr-defined]  # the first route has one
        text = await ticket(client, "/mine", office)
        assert (await client.get("/mine", params={"ticket": text})).json()["id"] == "42"
        assert (await client.get("/api/who/mine", params={"ticket": text})).status_code == 401


async def test_no_ticket_is_renewed_by_another_server_with_the_same_secret(site: Site, shop: Shop) -> None:
    other = make_site(shop)
    app = Starlette(routes=[Mount("/a", app=site.api), Mount("/b", app=other.api)])
    async with client_of(app) as client:
        text = await ticket(client, "/b/tickets", "/a/tickets")
        response = await client.post("/b/tickets", params={"ticket": text}, json={"path": "/b/tickets"})
        assert (response.status_code, error_of(response)["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    await other.api.engine.pool.close()


async def test_a_ticket_beside_other_credentials_is_refused_in_a_route(site: Site) -> None:
    async with client_of(site.api) as client:
        text = await ticket(client, "/who/a")
        for headers in (ADMIN, bearer()):
            response = await client.get("/who/a", params={"ticket": text}, headers=headers)
            assert (response.status_code, error_of(response)["extensions"]["code"]) == (400, "BAD_USER_INPUT")
        assert (await client.get("/who/a", params={"ticket": text}, headers={"cookie": "key=k7"})).json()["id"] == "42"


# --- errors ---------------------------------------------------------------------------


async def test_what_an_operation_raises_has_its_status(site: Site) -> None:
    async with client_of(site.api) as inner, client_of(site.outer) as outer:
        for document in ("{ nothing }", "{"):
            response = await inner.post("/ask", content=document)
            assert (response.status_code, error_of(response)["extensions"]["code"]) == (403, "FORBIDDEN")
            told = await outer.post("/ask", content=document)
            assert (told.status_code, told.text) == (403, error_of(response)["message"])
            assert "nothing" not in told.text


async def test_an_error_of_the_applications_own_has_all_it_says(site: Site) -> None:
    async with client_of(site.api) as client:
        response = await client.get("/busy")
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        error = error_of(response)
        assert error["extensions"].pop("requestId")
        expected = {"message": "Come back.", "extensions": {"a": 1, "code": "UNAVAILABLE", "hint": "Later."}}
        assert error == expected


async def test_an_open_socket_is_closed_with_the_message(site: Site) -> None:
    sent = await messages(site.api, "/live", bearer(), b"again=1")
    assert sent[-1] == {"type": "websocket.close", "code": 1008, "reason": "ä" * 61}
    sent = await messages(site.api, "/late", {})
    assert sent[-1] == {"type": "websocket.close", "code": 1008, "reason": "Too late."}
    # Of a class it is not known here whether its socket is open.
    sent = await messages(site.api, "/early", {})
    assert [message.get("status") for message in sent] == [403, None]
    # A server that cannot answer a handshake closes it.
    assert await messages(site.api, "/live", WRONG[0], extensions={}) == [
        {"type": "websocket.close", "code": 1008, "reason": "The credentials are not valid."}
    ]


# --- connections ----------------------------------------------------------------------


async def test_a_route_of_the_outer_app_uses_the_connections_of_the_mounted_one(site: Site) -> None:
    async with client_of(site.outer) as client:
        # The mounted app has had no request.
        for _ in range(3):
            assert (await client.post("/ask", content="{ companies { __typename } }", headers=ADMIN)).status_code == 200
    assert site.api.engine.pool._open == len(site.api.engine.pool._idle) == 1


async def test_with_its_lifespan_they_are_there_from_the_start_and_closed_at_the_end(site: Site) -> None:
    pool = site.api.engine.pool
    async with site.outer.router.lifespan_context(site.outer):
        await asyncio.gather(*(site.clew.graphql(WHO, viewer=Viewer.admin()) for _ in range(2)))
        await site.clew.graphql("{ companies { __typename } }", viewer=Viewer.admin())
        assert pool._open == 1
    assert pool.is_closed
    assert pool._open == 0
    again = make_site_like(site)
    async with again.lifespan():
        await site.clew.graphql("{ companies { __typename } }", viewer=Viewer.admin())
        assert again.engine.pool._open == 1
    assert again.engine.pool.is_closed


def make_site_like(site: Site) -> Application:
    return site.clew.asgi(Settings.model_validate({"DATABASE_URL": site.api.engine.pool._url, **OPTIONS}))


# --- sockets --------------------------------------------------------------------------


async def messages(
    app: ASGIApp,
    path: str,
    headers: dict[str, str],
    query_string: bytes = b"",
    extensions: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """What an app sends to one that opens a socket and then waits."""
    sent: list[dict[str, Any]] = []
    opening = iter([{"type": "websocket.connect"}])

    async def receive() -> Any:
        return next(opening, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: Any) -> None:
        sent.append(dict(message))

    given = {"host": "localhost:8000", **headers}
    scope = {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "root_path": "",
        "query_string": query_string,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("127.0.0.1", 40000),
        "server": ("localhost", 8000),
        "extensions": {"websocket.http.response": {}} if extensions is None else extensions,
    }
    await app(scope, receive, send)
    return sent


async def opened(app: ASGIApp, path: str, headers: dict[str, str], ticket: str | None = None) -> Any:
    """What a socket gets first, or the status that its handshake is refused with."""
    sent = await messages(app, path, headers, b"" if ticket is None else f"ticket={ticket}".encode())
    if sent[0]["type"] == "websocket.http.response.start":
        return sent[0]["status"]
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    return httpx.Response(200, content=sent[1]["text"]).json()
