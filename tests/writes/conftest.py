"""Databases that a test may write to: filled anew before each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from graphql import Source

from clew.config import Settings
from clew.database.pool import Pool
from clew.engine import Engine
from clew.model.build import parse_model
from clew.model.types import Model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from clew.writes.fields import bind_writes
from tests.databases import create_tables, new_database
from tests.properties.database import LIMITS
from tests.reference import emptying
from tests.shop import HERE as SHOP
from tests.shop import Shop, make_shop
from tests.writes.api import Api

CLUB = Path(__file__).parent / "club"


@asynccontextmanager
async def filled(url: str, model: Model, data: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Empty all tables and fill them; a connection to their database."""
    connection = await asyncpg.connect(url)
    try:
        checked = "SET LOCAL session_replication_role = origin"
        await connection.execute(f"BEGIN; {emptying(model)}; {checked}; {data}; COMMIT")
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def written_shop(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of which each test has the rows anew."""
    with make_shop(postgres_url, tmp_path_factory.mktemp("written-shop")) as made:
        yield made


@pytest.fixture
async def shopping(written_shop: Shop) -> AsyncIterator[Api]:
    """The shop, for writing."""
    engine = written_shop.clew.asgi(Settings.model_validate({"DATABASE_URL": written_shop.url})).engine
    async with filled(written_shop.url, engine.model, (SHOP / "data.sql").read_text()) as aside:
        yield Api(engine, written_shop.url, aside)
    await engine.pool.close()


@dataclass(frozen=True)
class Club:
    """The club's database and model."""

    url: str
    model: Model


@pytest.fixture(scope="session")
def club_database(postgres_url: str) -> Iterator[Club]:
    """A club of which each test has the rows anew."""
    model = parse_model(Source((CLUB / "schema.graphql").read_text(), "schema.graphql"))
    with new_database(postgres_url) as url:
        asyncio.run(create_tables(url, model))
        yield Club(url, model)


@pytest.fixture
async def club(club_database: Club) -> AsyncIterator[Api]:
    """Teams under rules, for writing."""
    model, url = club_database.model, club_database.url
    schema = build_schema(model)
    assert bind(schema, model, []) == []
    bind_writes(schema, model)
    pool = Pool(url, size=2, application_name="clew-writes")
    async with filled(url, model, (CLUB / "data.sql").read_text()) as aside:
        yield Api(Engine(model, schema, build_tables(model), pool, LIMITS), url, aside)
    await pool.close()
