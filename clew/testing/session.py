"""The app under test and its database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from clew.app import Clew, worker_app
from clew.changes.statements import EPOCH
from clew.config import Settings
from clew.database.embedded import embedded_postgres
from clew.engine.rates import MemoryRateLimiter
from clew.entry_points import load_app
from clew.migrate.revisions import require_written
from clew.project import Project
from clew.testing.database import Database
from clew.testing.thread import LoopThread
from clew.wire.application import Application

# In seconds: how often it is looked whether jobs wait.
_LOOK = 0.02
_WAITING = """
SELECT EXISTS (
    SELECT FROM clew.jobs WHERE status IN ('QUEUED', 'RUNNING') AND (run_at IS NULL OR run_at <= clock_timestamp())
)
"""


class Session:
    """The app and its database, for all tests of one process.

    Args:
        clew: the project's object.
        asgi: its app.
        thread: the loop on which it serves.
        database: the tests' database.
        admin_secret: the secret that makes a request an admin's.
    """

    def __init__(
        self, clew: Clew, asgi: Application, thread: LoopThread, database: Database, admin_secret: str
    ) -> None:
        self.clew = clew
        self.asgi = asgi
        self.thread = thread
        self.admin_secret = admin_secret
        self._database = database

    @property
    def url(self) -> str:
        """The URL of the database."""
        return self._database.url

    def begin_test(self) -> None:
        """Give the next test a clean database, and rates that nobody has used."""
        self.asgi.engine.rates = MemoryRateLimiter()
        # The log of changes begins anew in a copy when it is first asked: now, and not after the test's changes.
        first = EPOCH if self.clew.build()[0].changes else None
        self.thread.run(self._database.clean(self.asgi.engine.pool, first))

    def run_jobs(self, seconds: float) -> None:
        """Run the jobs that wait, those of `@on`, and those that they queue, until none may run any more.

        Raises:
            TimeoutError: it takes longer than some seconds.
            ClewError: the payload of an `@on` cannot be read.
        """
        self.thread.run(self._run_jobs(seconds))

    async def _run_jobs(self, seconds: float) -> None:
        # It follows neither changes nor the clock by itself: nobody could tell whether it has come to those of now, and
        # a minute may begin in any test.
        worker = worker_app(self.clew, self.asgi.settings, None, follows=False)
        worker.begin()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    # In this order: once no job waits or runs, the changes of all of them are in the log.
                    is_busy = (await worker.engine.pool.fetch(_WAITING, ()))[0][0]
                    found = 0 if worker.jobs is None else await worker.jobs.catch_up(self._database.since)
                    if not (is_busy or found):
                        break
                    await asyncio.sleep(_LOOK)
        finally:
            await worker.close()
            # The app serves again, and no longer the one that ran the jobs.
            self.asgi.begin()

    def end_test(self) -> None:
        """Cancel the requests that the test has left running."""
        self.thread.cancel_all()


@contextmanager
def postgres_of(folder: Path) -> Iterator[str]:
    """Yield the URL of the server for the tests of the project in `folder`.

    Raises:
        StartupError: `folder` is no project, a setting is wrong, or the embedded Postgres does not start.
    """
    project = Project.open(folder)
    url = Settings.load(project.root, "dev").database_url
    if url is not None:
        yield url
        return
    # Not the one of `clew dev`, which must be safe on power loss.
    with embedded_postgres(project.state_dir / "test-postgres", durable=False) as embedded:
        yield embedded


@contextmanager
def session_of(folder: Path, server: str) -> Iterator[Session]:
    """Yield the app of the project in `folder`, which serves on a database of its own on `server`.

    Raises:
        StartupError: the migrations do not lead to the schema, or the database cannot be made.
        SchemaError: the SDL or its bindings have faults.
    """
    project = Project.open(folder)
    thread = LoopThread()
    try:
        database = thread.run(Database.open(server))
        try:
            with pytest.MonkeyPatch.context() as patch:
                # For code of the project and of tests that reads the settings by itself.
                patch.setenv("DATABASE_URL", database.url)
                patch.setenv("CLEW_PROJECT", str(project.root))
                clew = load_app(project)
                require_written(project.root, clew.build()[0])
                settings = _settings(project, database.url)
                thread.run(database.make(project.root))
                asgi = clew.asgi(settings)
                assert settings.admin_secret is not None
                thread.run(_enter(asgi))
                try:
                    yield Session(clew, asgi, thread, database, settings.admin_secret.get_secret_value())
                finally:
                    thread.run(asgi.close())
        finally:
            thread.run(database.drop())
    finally:
        thread.close()


async def _enter(asgi: Application) -> None:
    asgi.begin()


def _settings(project: Project, url: str) -> Settings:
    """The project's settings, with the behaviour of production and with secrets that nobody knows."""
    values = {
        "env": "production",
        "database_url": url,
        # It leads to the database that DATABASE_URL names.
        "direct_url": None,
        "playground": False,
        # They run when a test says so.
        "run_jobs": False,
        "secret": SecretStr(secrets.token_hex(32)),
        "admin_secret": SecretStr(secrets.token_hex(32)),
    }
    return Settings.load(project.root, "dev").model_copy(update=values)
