"""The demo for browsers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.seed import seed
from clew.migrate.connect import migration_engine
from clew.migrate.run import upgrade
from tests.databases import empty_database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database with the demo's data."""

    async def fill(url: str) -> None:
        await upgrade(ROOT, url)
        async with migration_engine(url) as engine, engine.connect() as connection, connection.begin():
            await seed(connection)

    with empty_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield url


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> str:
    """Where Chromium is, which scripts find in the environment."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "chromium is not installed: the pages are tested in it"
    monkeypatch.setenv("CHROMIUM", found)
    return found
