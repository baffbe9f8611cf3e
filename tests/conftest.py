"""Databases for tests: one embedded Postgres for the whole run, a fresh database for each test that wants one."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import asyncpg
import pytest
import structlog
from hypothesis.internal.conjecture import providers
from hypothesis.internal.entropy import deterministic_PRNG

from clew import collector
from clew.config import Settings
from clew.database.embedded import embedded_postgres
from clew.engine import Engine
from tests.access.guarded import Guarded, make_guarded
from tests.cli.forks import Forks, environment_of
from tests.databases import close_servers, empty_database, new_database
from tests.server import in_memory, shared_server
from tests.shop import Shop, make_shop

pytest_plugins = ["clew.testing"]

if importlib.util.find_spec("sniffio") is None:
    # httpx tries to import it at each request, and what is not there is sought in every folder of `sys.path`.
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # Python's own way to say that there is no such module

# Hypothesis draws constants of the project's modules, too: of those that are loaded by then. So what a test draws would
# depend on the tests that ran before it in the same process.
providers._get_local_constants = lambda: providers._local_constants

# At its first use in a process, Hypothesis looks through all objects for those that refer to its random numbers. There
# are few yet.
with deterministic_PRNG():
    pass


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-golden` writes the golden files instead of comparing with them."""
    parser.addoption("--write-golden", action="store_true", help="write the golden files anew")


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure() -> None:
    """Walk over all objects once. Pytest does so twice, for errors of destructors, and Python again when it ends."""
    gc.collect()
    collector.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server to make databases on: CLEW_TEST_DATABASE_URL, or the embedded one, shared by all workers."""
    given = os.environ.get("CLEW_TEST_DATABASE_URL")
    with nullcontext(given) if given else shared_server() as url:
        yield url
        close_servers()


@pytest.fixture(scope="module")
def logging_server() -> Iterator[tuple[str, Path]]:
    """A server of the module's own that logs every statement: its URL, and its log. Where `tmp_path` is, and why."""

    async def start_logging(url: str) -> str:
        connection = await asyncpg.connect(url)
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("SELECT pg_reload_conf()")
        data = await connection.fetchval("SHOW data_directory")
        await connection.close()
        return str(data)

    with (
        _temporary_folder() as folder,
        embedded_postgres(folder, durable=False) as url,
    ):
        yield url, Path(asyncio.run(start_logging(url))) / "server.log"


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database of this test's own; for async tests and for those that are not."""
    with empty_database(postgres_url) as url:
        yield url


@pytest.fixture
def prepared_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database of this test's own, for `install` or `create_tables`."""
    with new_database(postgres_url, locale="") as url:
        yield url


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """An empty folder; not below pytest's own, which each run closes to other users, Postgres' among them."""
    with _temporary_folder() as folder:
        yield folder


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="clew-test-", dir=in_memory(), ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name == "DATABASE_URL" or name.startswith("CLEW_")]:
        if not name.startswith("CLEW_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Without this structlog draws each traceback with rich, which takes half a second."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def shop(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Made once; the tests must leave it as it is."""
    with make_shop(postgres_url, tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.fixture(scope="session")
def guarded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Made once; the tests must leave it as it is."""
    with make_guarded(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
async def engine(shop: Shop) -> AsyncIterator[Engine]:
    """An engine on the shop, with a pool of this test's own; its cursors are the same each time."""
    settings = Settings.model_validate({"DATABASE_URL": shop.url, "secret": "the secret of the tests"})
    engine = shop.clew.asgi(settings).engine
    yield engine
    await engine.pool.close()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """One for all commands; imports nothing of a project."""
    made = Forks(environment_of({}))
    yield made
    made.close()
