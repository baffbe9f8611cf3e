from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.changes.log import Log, logged


@pytest.fixture
async def log(prepared_url: str) -> AsyncIterator[Log]:
    """A database with some logged tables: see `tests/changes/log.py`."""
    async with logged(prepared_url) as made:
        yield made
