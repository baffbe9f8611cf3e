"""Clients of the shop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from clew.app import development_app
from clew.config import Settings
from clew.wire.application import Application
from tests.faults.lab import client_of
from tests.shop import Shop

MakeApp = Callable[..., Application]


@pytest.fixture
async def make_app(shop: Shop) -> AsyncIterator[MakeApp]:
    """make_app(playground=True): the shop's app with these settings, as `clew dev` serves it."""
    made: list[Application] = []

    def make(**settings: Any) -> Application:
        made.append(
            development_app(
                shop.clew,
                Settings.model_validate({"DATABASE_URL": shop.url, "env": "dev", "max_in_flight": 1000, **settings}),
            )
        )
        return made[-1]

    yield make
    for app in made:
        await app.engine.pool.close()


@pytest.fixture
async def client(make_app: MakeApp) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client of the shop, without playground."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(client_of(make_app(playground=False)))
