"""The depot, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from clew.config import Settings
from clew.wire.application import Application
from tests.export.depot import ADMIN, Depot, make_depot
from tests.shop import Shop

MakeApp = Callable[..., Application]


@pytest.fixture(scope="session")
def depot(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    """Made once; a test that adds samples takes them away."""
    with make_depot(postgres_url, tmp_path_factory.mktemp("depot")) as made:
        yield made


@pytest.fixture
async def make_app(depot: Depot) -> AsyncIterator[MakeApp]:
    """make_app(max_exports=1): the depot's app with these settings."""
    made: list[Application] = []

    def make(**settings: Any) -> Application:
        made.append(depot.app(**settings))
        return made[-1]

    yield make
    for app in made:
        await app.close()


@pytest.fixture
async def client(make_app: MakeApp) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client."""
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example", headers=ADMIN) as made:
        yield made


@pytest.fixture
async def aside(depot: Depot) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection beside Clew's. Samples that it adds are gone in the end."""
    connection = await asyncpg.connect(depot.url)
    yield connection
    await connection.execute("DELETE FROM samples")
    await connection.close()


@pytest.fixture
async def shop_client(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client of the shop."""
    settings = Settings.model_validate({"DATABASE_URL": shop.url, "admin_secret": ADMIN["x-clew-admin-secret"]})
    app = shop.clew.asgi(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop", headers=ADMIN) as made:
        yield made
    await app.close()
