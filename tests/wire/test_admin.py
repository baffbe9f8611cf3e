"""Who is admin: the secret's holder, and in development the person at the machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from clew import Clew
from clew.auth.local import ABSOLUTE_TARGET
from clew.config import Settings
from clew.errors import StartupError
from tests.shop import Shop
from tests.wire.conftest import MakeApp

SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
VIEWER = {"query": "{ viewer { roles } }"}


async def ask(
    app: ASGIApp,
    headers: dict[str, str] | list[tuple[str, str]],
    client: tuple[str, int] | None = ("127.0.0.1", 40000),
    **more: Any,
) -> httpx.Response:
    """Who the app takes the sender of these headers for.

    Args:
        more: what else the server says of the request: `http_version`, `extensions`.
    """

    async def with_client(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": client, **more}, receive, send)

    transport = httpx.ASGITransport(with_client, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as sender:
        return await sender.post("/graphql", json=VIEWER, headers=headers)


def is_admin(response: httpx.Response) -> bool:
    """Whether it was answered for an admin; for the anonymous viewer otherwise."""
    assert response.status_code == 200
    roles = response.json()["data"]["viewer"]["roles"]
    assert roles in (["admin"], ["anon"])
    return bool(roles == ["admin"])


def is_refused(response: httpx.Response) -> bool:
    """Whether the credentials were refused."""
    if response.status_code == 200:
        return False
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    return True


@pytest.mark.anyio
@pytest.mark.parametrize("env", ["dev", "production"])
async def test_the_secret_makes_admin_from_anywhere(make_app: MakeApp, env: str) -> None:
    app = make_app(env=env, admin_secret=SECRET)
    headers = {"x-clew-admin-secret": SECRET, "host": "api.example.com", "origin": "https://example.com"}
    assert is_admin(await ask(app, headers, ("203.0.113.9", 1)))


@pytest.mark.anyio
async def test_a_wrong_secret_is_answered_alike_where_there_is_one_and_where_there_is_none(make_app: MakeApp) -> None:
    app = make_app(env="production", admin_secret=SECRET)
    without_one = make_app(env="production")
    answers = set()
    for tried in (app, without_one):
        for given in ("", "x", SECRET[:-1], SECRET + "0", SECRET.upper(), "é", "x" * 10_000):
            headers = {"x-request-id": "same", "x-clew-admin-secret": given}
            response = await ask(tried, {name: value.encode() for name, value in headers.items()})  # type: ignore[misc]  # httpx takes bytes, too
            assert response.status_code == 401
            answers.add((response.content, tuple(sorted(response.headers.items()))))
    assert len(answers) == 1


@pytest.mark.anyio
async def test_a_wrong_secret_is_not_made_good_by_being_local(make_app: MakeApp) -> None:
    assert is_refused(await ask(make_app(admin_secret=SECRET), {"x-clew-admin-secret": "wrong"}))
    assert is_refused(await ask(make_app(), {"x-clew-admin-secret": ""}))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000"]
)
async def test_in_development_a_local_request_is_admin(make_app: MakeApp, host: str) -> None:
    for client in (("127.0.0.1", 1), ("127.8.9.1", 1), ("::1", 1)):
        assert is_admin(await ask(make_app(), {"host": host}, client))


@pytest.mark.anyio
async def test_in_production_a_local_request_is_nobody(make_app: MakeApp) -> None:
    assert not is_admin(await ask(make_app(env="production"), {"host": "localhost:8000"}))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:8000.evil.example",
        "localhost:evil",
        "[::1]evil.example",
        "[::1].evil.example:8000",
        "evil@localhost",
        "localhost@evil.example",
        "127.0.0.2",
        "0.0.0.0",
        "[::]",
        "localhost, evil.example",
        "l\u043ecalhost".encode().decode("latin-1"),
    ],
)
async def test_a_rebound_name_is_not_local(make_app: MakeApp, host: str) -> None:
    headers: Any = {"host": host.encode("latin-1")}
    assert not is_admin(await ask(make_app(), headers))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "client", [("203.0.113.9", 1), ("10.0.0.1", 1), ("::ffff:203.0.113.9", 1), ("localhost", 1), ("", 0), None]
)
async def test_another_machine_is_not_local(make_app: MakeApp, client: tuple[str, int] | None) -> None:
    assert not is_admin(await ask(make_app(), {"host": "localhost:8000"}, client))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Real-IP",
        "Via",
        "CF-Connecting-IP",
        "X-Client-IP",
        "X-Original-URL",
        "CDN-Loop",
    ],
)
async def test_what_a_proxy_passes_on_is_not_local(make_app: MakeApp, header: str) -> None:
    for value in ("127.0.0.1", ""):
        assert not is_admin(await ask(make_app(), {"host": "localhost:8000", header: value}))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("origin", "admin"),
    [
        ("http://localhost:8000", True),
        ("https://localhost:8000", False),
        ("http://LOCALHOST:8000", True),
        ("http://localhost:3000", False),
        ("http://localhost", False),
        ("http://127.0.0.1:8000", False),
        ("https://evil.example", False),
        ("http://localhost:8000.evil.example", False),
        ("http://localhost:8000@evil.example", False),
        ("http://evil.example/localhost:8000", False),
        ("//localhost:8000", False),
        ("file://localhost:8000", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("http://[::1", False),
    ],
)
async def test_only_the_servers_own_page_may_use_it(make_app: MakeApp, origin: str, admin: bool) -> None:
    assert is_admin(await ask(make_app(), {"host": "localhost:8000", "origin": origin})) is admin


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("page", "admin"),
    [
        ("http://localhost:8000/graphql", True),
        ("http://localhost:8000", True),
        ("http://localhost:8000/", True),
        ("https://localhost:8000/graphql", False),
        ("http://localhost:80000/graphql", False),
        ("http://localhost:8000.evil.example/", False),
        ("http://localhost:8000@evil.example/", False),
        ("https://evil.example/", False),
        ("", False),
    ],
)
async def test_a_link_on_a_foreign_page_makes_no_admins_request(make_app: MakeApp, page: str, admin: bool) -> None:
    assert is_admin(await ask(make_app(), {"host": "localhost:8000", "referer": page})) is admin


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["Bearer x", "Bearer", "", "Basic eDp5"])
async def test_who_shows_other_credentials_is_not_the_development_admin(make_app: MakeApp, value: str) -> None:
    assert is_refused(await ask(make_app(), {"host": "localhost:8000", "authorization": value}))


LOCAL = ("host", "localhost:8000")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        [LOCAL, LOCAL],
        [LOCAL, ("host", "evil.example")],
        [("host", "evil.example"), LOCAL],
        [LOCAL, ("origin", "http://localhost:8000"), ("origin", "http://localhost:8000")],
        [LOCAL, ("origin", "https://evil.example"), ("origin", "http://localhost:8000")],
        [LOCAL, ("origin", "http://localhost:8000, https://evil.example")],
    ],
)
async def test_what_is_said_twice_is_not_believed(make_app: MakeApp, headers: list[tuple[str, str]]) -> None:
    assert not is_admin(await ask(make_app(), headers))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sites", "admin"),
    [
        (["same-origin"], True),
        (["none"], True),
        (["cross-site"], False),
        (["same-site"], False),
        ([""], False),
        (["Same-Origin"], False),
        (["same-origin", "cross-site"], False),
        (["cross-site", "none"], False),
    ],
)
async def test_no_other_page_makes_an_admins_request(make_app: MakeApp, sites: list[str], admin: bool) -> None:
    headers = [LOCAL, *(("sec-fetch-site", site) for site in sites)]
    assert is_admin(await ask(make_app(), headers)) is admin


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["0.9", "1.0", "2", "2.0", "9.9", None])
async def test_a_proxy_that_speaks_an_old_http_is_not_local(make_app: MakeApp, version: str | None) -> None:
    assert not is_admin(await ask(make_app(), [LOCAL], http_version=version))
    assert is_admin(await ask(make_app(), [LOCAL], http_version="1.1"))


@pytest.mark.anyio
async def test_a_request_with_a_whole_url_is_not_local(make_app: MakeApp) -> None:
    assert not is_admin(await ask(make_app(), [LOCAL], extensions={ABSOLUTE_TARGET: {}}))


CROSS_SITE = ("sec-fetch-site", "cross-site")
# What is said of a request, and what the server says of it.
DOUBTS: tuple[tuple[list[tuple[str, str]], dict[str, Any]], ...] = (
    ([LOCAL, CROSS_SITE, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], {}),
    ([LOCAL, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")], {}),
    ([LOCAL, LOCAL], {}),
    ([LOCAL, ("origin", "http://localhost:8000"), ("origin", "http://localhost:8000")], {}),
    ([LOCAL], {"http_version": "1.0"}),
    ([LOCAL], {"extensions": {ABSOLUTE_TARGET: {}}}),
)


@pytest.mark.anyio
@pytest.mark.parametrize(("headers", "more"), [([LOCAL], {}), *DOUBTS])
async def test_no_way_in_believes_what_another_does_not(
    make_app: MakeApp, headers: list[tuple[str, str]], more: dict[str, Any]
) -> None:
    """A picture on a page, an event source, a ticket, the numbers of the server and what the playground is told."""
    app = make_app(playground=True, secret="s" * 32)
    is_believed = (headers, more) == ([LOCAL], {})

    async def with_client(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": ("127.0.0.1", 40000), **more}, receive, send)

    transport = httpx.ASGITransport(with_client, raise_app_exceptions=False)
    asked = f"/graphql?query={quote(VIEWER['query'])}"
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as sender:
        assert is_admin(await sender.get(asked, headers=headers)) is is_believed
        events = await sender.get(asked, headers=[*headers, ("accept", "text/event-stream")])
        assert ('"admin"' in events.text, '"anon"' in events.text) == (is_believed, not is_believed)
        ticket = (await sender.post("/tickets", json={"path": "/graphql"}, headers=headers)).json()["ticket"]
        assert is_admin(await sender.get(f"{asked}&ticket={ticket}", headers=[LOCAL])) is is_believed
        for path in ("/metrics", "/graphql/playground/model.json"):
            assert (await sender.get(path, headers=headers)).is_success is is_believed, path
    await app.close()


# --- elsewhere than in `clew dev` -------------------------------------------------------


def mounted(app: ASGIApp) -> Starlette:
    """The app as part of another one."""
    return Starlette(routes=[Mount("/", app=app)])


@pytest.mark.anyio
async def test_the_settings_of_development_alone_make_nobody_admin(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_ENV", "dev")
    monkeypatch.setenv("DATABASE_URL", shop.url)
    for app in (shop.clew.asgi(), shop.clew.asgi(Settings.load(shop.clew.root, "dev"))):
        for served in (app, mounted(app)):
            assert not is_admin(await ask(served, [LOCAL]))
        await app.engine.pool.close()


@pytest.mark.anyio
async def test_a_setting_that_is_not_set_means_production_and_what_production_refuses(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clew = Clew(shop.clew._bindables, project=shop.clew.root)
    monkeypatch.setenv("DATABASE_URL", shop.url)
    with pytest.raises(StartupError, match="not fit for production") as error:
        clew.asgi()
    assert "CLEW_ADMIN_SECRET is not set." in error.value.message
    monkeypatch.setenv("CLEW_SECRET", SECRET[::-1])
    monkeypatch.setenv("CLEW_ADMIN_SECRET", SECRET)
    monkeypatch.setenv("CLEW_PLAYGROUND", "true")
    with pytest.raises(StartupError, match="CLEW_PLAYGROUND is on"):
        clew.asgi()
    monkeypatch.delenv("CLEW_PLAYGROUND")
    app = clew.asgi()
    for served in (app, mounted(app)):
        assert not is_admin(await ask(served, [LOCAL]))
        assert is_admin(await ask(served, [LOCAL, ("x-clew-admin-secret", SECRET)]))
    await app.engine.pool.close()
