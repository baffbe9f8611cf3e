"""A pytest plugin for the tests of a project: `pytest_plugins = ["clew.testing"]` in conftest.py (docs/testing.md).

Tests send requests to the real app, which runs on a thread and an event loop of its own. So tests may be plain
functions or async ones, of any plugin. The database is real too, and what a test writes is committed. The next test
gets a fresh copy of the template if anything was written since the last copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clew.testing.answer import Answer, AnswerError
from clew.testing.client import Client
from clew.testing.factory import Factory, Row
from clew.testing.session import Session, postgres_of, session_of
from clew.testing.told import told

if TYPE_CHECKING:
    from clew.app import Clew

__all__ = ["Answer", "AnswerError", "Client", "Factory", "Row"]


@pytest.fixture(scope="session")
def clew_project(pytestconfig: pytest.Config) -> Path:
    """The project's folder: the first with a `graphql/`, from pytest's root folder upwards.

    Override it if the project is elsewhere.
    """
    root = pytestconfig.rootpath
    return next((folder for folder in (root, *root.parents) if (folder / "graphql").is_dir()), root)


@pytest.fixture(scope="session")
def clew_postgres(clew_project: Path) -> Iterator[str]:
    """The URL of a server to make databases on: that of DATABASE_URL, else an embedded Postgres for tests."""
    with told(), postgres_of(clew_project) as url:
        yield url


@pytest.fixture(scope="session")
def clew_session(clew_project: Path, clew_postgres: str) -> Iterator[Session]:
    """The app and its database, for all tests of this process."""
    with told(), session_of(clew_project, clew_postgres) as session:
        yield session


@pytest.fixture
def clew_test(clew_session: Session) -> Iterator[Session]:
    """The app, with a database that holds what the migrations put into it. Requests end with the test."""
    clew_session.begin_test()
    yield clew_session
    clew_session.end_test()


@pytest.fixture
def clew_database_url(clew_test: Session) -> str:
    """The URL of the test's database, for connections of the test's own."""
    return clew_test.url


@pytest.fixture
def clew_app(clew_test: Session) -> Clew:
    """The project's `Clew` object, which serves."""
    return clew_test.clew


@pytest.fixture
def client(clew_test: Session) -> Client:
    """A client without credentials. `client.as_(role, claims)` is one of another viewer."""
    return Client(clew_test)


@pytest.fixture
def run_jobs(clew_test: Session) -> Callable[..., None]:
    """Runs the jobs that wait: `run_jobs()`. It raises TimeoutError after `seconds=30`."""

    def run(seconds: float = 30.0) -> None:
        clew_test.run_jobs(seconds)

    return run


@pytest.fixture
def make(clew_test: Session) -> Factory:
    """Makes rows as an admin: `make("Thread", title="x")`."""
    return Factory(clew_test.clew.build(), Client(clew_test).as_("admin"))
