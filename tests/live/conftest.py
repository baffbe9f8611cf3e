"""A newsroom for each test: the rows anew, and a source that reads the log when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from clew import Clew
from tests.live.newsroom import Newsroom, make_database, opened


@pytest.fixture(scope="module")
def newsroom_database(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Clew]]:
    with make_database(postgres_url, tmp_path_factory.mktemp("newsroom")) as made:
        yield made


@pytest.fixture
async def newsroom(newsroom_database: tuple[str, Clew]) -> AsyncIterator[Newsroom]:
    async with opened(*newsroom_database) as newsroom:
        yield newsroom
