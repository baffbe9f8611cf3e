from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.jobs.shop import Jobs, jobs_at


@pytest.fixture
async def jobs(prepared_url: str) -> AsyncIterator[Jobs]:
    """A database with jobs: see `tests/jobs/shop.py`."""
    async with jobs_at(prepared_url) as made:
        yield made
