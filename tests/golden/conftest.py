"""The club of the tests of writes, for mutations under rules."""

from tests.writes.conftest import club, club_database

__all__ = ["club", "club_database"]
