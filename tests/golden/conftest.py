"""The club of the tests of writes, for mutations under rules."""

from types import SimpleNamespace

import pytest

from tests.writes.conftest import club, club_database

__all__ = ["club", "club_database"]


@pytest.fixture(autouse=True)
def all_sources_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse a FROM item that SQLAlchemy would name, for the reason that `clew.sql.sources` gives."""

    def refuse(_size: int) -> bytes:
        raise AssertionError("A FROM item has no name. Use clew.sql.sources.")

    monkeypatch.setattr("sqlalchemy.sql.selectable.os", SimpleNamespace(urandom=refuse))
