"""The demo's own tests: as a project's tests are, on the plugin (docs/testing.md)."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def clew_postgres(postgres_url: str) -> str:
    """The server of all the tests."""
    return postgres_url
