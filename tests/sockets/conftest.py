"""A desk for all tests of sockets and event streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import asyncpg
import pytest

from clew.model.build import load_model
from tests.databases import create_tables, new_database
from tests.faults.lab import served
from tests.sockets.desk import NOTES, SDL, Desk


@pytest.fixture(scope="session")
def made_desk(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    root = tmp_path_factory.mktemp("desk")
    (root / "graphql").mkdir()
    (root / "graphql" / "desk.graphql").write_text(SDL)

    async def fill(url: str) -> list[str]:
        await create_tables(url, load_model(root / "graphql"), logged=True)
        connection = await asyncpg.connect(url)
        sql = "INSERT INTO notes (author, text) VALUES ($1, $2) RETURNING id"
        keys = [str(await connection.fetchval(sql, *note)) for note in NOTES]
        await connection.close()
        return keys

    with new_database(postgres_url) as url:
        yield Desk(root, url, asyncio.run(fill(url)))


@pytest.fixture
async def desk(made_desk: Desk) -> AsyncIterator[Desk]:
    """The desk. The pools of its apps are closed after the test."""
    yield made_desk
    for app in made_desk.apps:
        await app.engine.pool.close()
    made_desk.apps.clear()


@pytest.fixture(scope="module")
async def port(made_desk: Desk) -> AsyncIterator[int]:
    """The port of the desk's app in production's settings."""
    app = replace(made_desk, apps=[]).app()
    async with served(app) as found:
        yield found
    await app.engine.pool.close()
