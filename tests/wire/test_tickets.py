"""Tickets over HTTP: who gets them, and what they open."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from clew import Clew, Viewer
from clew.config import Settings
from clew.wire.application import Application
from tests.auth.tokens import SECRET, claims, hs256
from tests.shop import Shop
from tests.wire.conftest import MakeApp

pytestmark = pytest.mark.anyio

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
ADMIN = {"x-clew-admin-secret": ADMIN_SECRET}
OPTIONS = {"env": "production", "secret": "a" + SECRET[1:], "jwt_secret": SECRET, "admin_secret": ADMIN_SECRET}
WHO = {"query": "{ viewer { id roles } }"}


@pytest.fixture
def app(make_app: MakeApp) -> Application:
    return make_app(**OPTIONS)


def client_of(app: Any, address: str = "203.0.113.9") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


def bearer(**changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hs256(claims(exp=4_000_000_000, **changes))}"}


async def ticket(client: httpx.AsyncClient, headers: dict[str, str], path: str = "/graphql") -> str:
    response = await client.post("/tickets", json={"path": path}, headers=headers)
    assert response.status_code == 201, response.text
    body = response.json()
    assert set(body) == {"ticket", "expiresIn"}
    assert 58 <= body["expiresIn"] <= 60
    assert response.headers["cache-control"] == "no-store"
    return str(body["ticket"])


async def who(client: httpx.AsyncClient, text: str, headers: dict[str, str] | None = None) -> Any:
    """The viewer that GET /graphql?ticket= is answered as, or the code of the error."""
    response = await client.get("/graphql", params={**WHO, "ticket": text}, headers=headers)
    body = response.json()
    if "errors" not in body:
        return body["data"]["viewer"]
    code = body["errors"][0]["extensions"]["code"]
    assert response.status_code == {"UNAUTHENTICATED": 401, "FORBIDDEN": 403}.get(code, 400)
    return code


async def test_a_ticket_is_who_asked_for_it(app: Application) -> None:
    async with client_of(app) as client:
        for headers, viewer in (
            (bearer(roles=["editor"]), {"id": "42", "roles": ["anon", "editor", "user"]}),
            (ADMIN, {"id": None, "roles": ["admin"]}),
            ({}, {"id": None, "roles": ["anon"]}),
            (
                {**ADMIN, "x-clew-role": "user", "x-clew-claims": '{"sub": "7"}'},
                {"id": "7", "roles": ["anon", "user"]},
            ),
        ):
            text = await ticket(client, headers)
            assert await who(client, text) == viewer
            # As often as one likes, within its time.
            assert await who(client, text) == viewer


async def test_a_post_may_have_a_ticket_too(app: Application) -> None:
    async with client_of(app) as client:
        text = await ticket(client, bearer())
        response = await client.post(f"/graphql?ticket={text}", json=WHO)
        assert response.json()["data"]["viewer"]["id"] == "42"


async def test_a_ticket_opens_no_other_path(app: Application) -> None:
    async with client_of(app) as client:
        text = await ticket(client, bearer(), "/healthz")
        assert await who(client, text) == "UNAUTHENTICATED"
        response = await client.post("/tickets", params={"ticket": text}, json={"path": "/graphql"})
        assert response.status_code == 401


async def test_wrong_tickets_are_refused_alike(app: Application, make_app: MakeApp) -> None:
    async with client_of(app) as client, client_of(make_app(**OPTIONS | {"secret": SECRET[::-1]})) as other:
        answers = set()
        for text in ("", "x", "a.b.c.d.e", "é", await ticket(other, ADMIN), await ticket(client, ADMIN, "/readyz")):
            response = await client.get("/graphql", params={**WHO, "ticket": text}, headers={"x-request-id": "same"})
            answers.add((response.status_code, response.text))
        assert len(answers) == 1
        assert answers.pop()[0] == 401


async def test_two_tickets_are_refused(app: Application) -> None:
    async with client_of(app) as client:
        text = await ticket(client, ADMIN)
        response = await client.get(f"/graphql?query={quote(WHO['query'])}&ticket={text}&ticket={text}")
        assert response.status_code == 401


@pytest.mark.parametrize("headers", [bearer(), ADMIN, {"authorization": ""}])
async def test_a_ticket_goes_with_no_other_credentials(app: Application, headers: dict[str, str]) -> None:
    async with client_of(app) as client:
        text = await ticket(client, bearer())
        assert await who(client, text, headers) == "BAD_USER_INPUT"


async def test_an_admins_ticket_sees_through_others_eyes_and_no_other_does(app: Application) -> None:
    async with client_of(app) as client:
        eyes = {"x-clew-role": "user"}
        assert await who(client, await ticket(client, ADMIN), eyes) == {"id": None, "roles": ["anon", "user"]}
        assert await who(client, await ticket(client, bearer()), eyes) == "FORBIDDEN"


async def test_a_ticket_counts_before_this_machine_in_dev(make_app: MakeApp) -> None:
    async with client_of(make_app(**OPTIONS | {"env": "dev"}), "127.0.0.1") as client:
        assert await who(client, await ticket(client, bearer())) == {"id": "42", "roles": ["anon", "user"]}
        assert await who(client, await ticket(client, {})) == {"id": None, "roles": ["admin"]}
        assert await who(client, "x") == "UNAUTHENTICATED"


async def test_a_ticket_carries_the_viewer_of_the_applications_own_way(shop: Shop) -> None:
    asked = []

    async def authenticate(request: Request) -> Viewer | None:
        asked.append(request.url.path)
        key = request.headers.get("cookie")
        return None if key is None else Viewer(key, frozenset({"reader"}), {"company": 7})

    clew = Clew([], project=shop.clew.root, authenticate=authenticate)
    clew._built = shop.clew.build()
    app = clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url, **OPTIONS}))
    async with client_of(app) as client:
        text = await ticket(client, {"cookie": "k7"})
        # A browser sends its cookie along: the ticket decides.
        assert await who(client, text, {"cookie": "k8"}) == {"id": "k7", "roles": ["anon", "reader"]}
        assert asked == ["/tickets"]
    await app.engine.pool.close()


async def test_it_ends_with_its_token(app: Application) -> None:
    async with client_of(app) as client:
        headers = {"authorization": f"Bearer {hs256(claims(exp=int(time.time()) + 20))}"}
        response = await client.post("/tickets", json={"path": "/graphql"}, headers=headers)
        assert response.json()["expiresIn"] in (18, 19, 20)


async def test_mounted_the_path_is_without_the_mount(app: Application) -> None:
    async with client_of(Starlette(routes=[Mount("/api", app)])) as client:
        response = await client.post("/api/tickets", json={"path": "/graphql"}, headers=bearer())
        text = response.json()["ticket"]
        found = await client.get("/api/graphql", params={**WHO, "ticket": text})
        assert found.json()["data"]["viewer"]["id"] == "42"
        refused = await client.post("/api/tickets", json={"path": "/api/graphql"})
        assert "has no such `path`" in refused.text


async def test_the_path_is_decoded(shop: Shop) -> None:
    async def show(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("x")

    clew = Clew([], project=shop.clew.root, routes=[Route("/jobs/{name}/output", show)])
    clew._built = shop.clew.build()
    app = clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url, **OPTIONS}))
    async with client_of(app) as client:
        assert await ticket(client, {}, "/jobs/a%20b/output")
        assert (await client.post("/tickets", json={"path": "/jobs/a/b/output"})).status_code == 400
    await app.engine.pool.close()


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/json"]
)
async def test_what_a_foreign_page_can_send_gets_none(app: Application, kind: str) -> None:
    async with client_of(app) as client:
        response = await client.post(
            "/tickets", content='{"path": "/graphql"}', headers={"content-type": kind, **ADMIN}
        )
        assert response.status_code == 415
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_only_post_is_answered(app: Application, method: str) -> None:
    async with client_of(app) as client:
        response = await client.request(method, "/tickets", params={"path": "/graphql"}, headers=ADMIN)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "body",
    [
        *("", "x", "[]", "[" * 10_000, "null", "{}", '{"path": null}', '{"path": 1}', '{"path": ""}'),
        *('{"path": "graphql"}', '{"path": "/graphql?x=1"}', '{"path": "/graphql#x"}', '{"path": "/nowhere"}'),
        *('{"path": "http://x/graphql"}', '{"path": "//graphql"}', '{"path": "/graphql", "x": 1}'),
        *('{"path": "/tickets"}', '{"path": "/%74ickets"}', '{"path": "\\ud800"}'),
    ],
)
async def test_a_request_that_names_no_path_is_the_clients_error(app: Application, body: str) -> None:
    async with client_of(app) as client:
        headers = {"content-type": "application/json", "x-request-id": "mine", **ADMIN}
        response = await client.post("/tickets", content=body, headers=headers)
        assert response.status_code == 400
        extensions = response.json()["errors"][0]["extensions"]
        assert (extensions["code"], extensions["requestId"]) == ("BAD_USER_INPUT", "mine")
        assert response.headers["x-request-id"] == "mine"


async def test_a_large_body_and_wrong_credentials_are_refused(app: Application) -> None:
    async with client_of(app) as client:
        assert (await client.post("/tickets", json={"path": "/" + "x" * 20_000})).status_code == 413
        wrong = await client.post("/tickets", json={"path": "/graphql"}, headers={"authorization": "Bearer x"})
        assert wrong.status_code == 401


async def test_without_a_secret_there_are_none(make_app: MakeApp) -> None:
    async with client_of(make_app(env="production", admin_secret=ADMIN_SECRET)) as client:
        response = await client.post("/tickets", json={"path": "/graphql"}, headers=ADMIN)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert await who(client, "x") == "UNAUTHENTICATED"


async def test_a_fault_of_the_applications_own_way_is_json(shop: Shop) -> None:
    async def authenticate(_request: Request) -> Viewer | None:
        raise RuntimeError("the secret of the hook")

    clew = Clew([], project=shop.clew.root, authenticate=authenticate)
    clew._built = shop.clew.build()
    app = clew.asgi(Settings.model_validate({"DATABASE_URL": shop.url, **OPTIONS}))
    async with client_of(app) as client:
        response = await client.post("/tickets", json={"path": "/graphql"})
        assert response.status_code == 500
        assert response.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "hook" not in response.text
    await app.engine.pool.close()
