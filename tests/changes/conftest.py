from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.changes.log import Log, logged


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    """A database with some logged tables: see `tests/changes/log.py`."""
    async with logged(database_url) as made:
        yield made
