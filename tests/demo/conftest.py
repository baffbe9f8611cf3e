"""The demo's own tests: as a project's tests are, on the plugin (docs/testing.md)."""

from __future__ import annotations

import pytest

from clew.testing import Factory, Row


@pytest.fixture(scope="session")
def clew_postgres(postgres_url: str) -> str:
    """The server of all the tests."""
    return postgres_url


@pytest.fixture
def ada(make: Factory) -> Row:
    """A person."""
    return make("User", givenName="Ada", familyName="Byron")
