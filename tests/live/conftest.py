"""A newsroom for each test: the rows anew, and a source that reads the log when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from clew import Clew
from clew.live.events import ChangeEvents
from tests.live.newsroom import DATA, LogSource, Newsroom, engine_of, log_tables, make_database


@pytest.fixture(scope="module")
def newsroom_database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Clew]]:
    with make_database(postgres_url, tmp_path_factory.mktemp("newsroom")) as made:
        yield made


@pytest.fixture
async def newsroom(newsroom_database: tuple[str, Clew]) -> AsyncIterator[Newsroom]:
    url, clew = newsroom_database
    engine = engine_of(url, clew)
    writing, reading = await asyncpg.connect(url), await asyncpg.connect(url)
    source = LogSource(reading, await log_tables(writing, engine.model))
    await writing.execute(DATA)
    yield Newsroom(engine, ChangeEvents(engine, source), source, writing)
    await writing.close()
    await reading.close()
    await engine.pool.close()
