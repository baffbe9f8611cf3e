"""The lab: a project whose fields sleep, break and do whatever a test gives them to do."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
from starlette.types import ASGIApp

from clew import Clew
from clew.app import development_app
from clew.config import Settings
from clew.migrate.revisions import make
from clew.migrate.run import upgrade
from clew.resolvers.context import Context
from clew.server.http import Server
from clew.server.listen import address_of, listen
from clew.server.protocol import Patience
from clew.wire.application import Application
from tests.databases import empty_database
from tests.faults.lab.app import ACTS, bindables

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]

# All its clients are one viewer.
LAB = {"env": "dev", "max_in_flight": 1000}

# A comparison that nothing interrupts: about two seconds of the database's processor.
STUBBORN = "SELECT repeat('a', 1000000 + id) LIKE '%' || repeat('a', 1200) || 'b' FROM items WHERE id = 1"
_COMPUTES = "state = 'active' AND wait_event_type IS NULL AND now() - query_start > interval '0.1 s'"

Act = Callable[[Context], Awaitable[Any]]


@dataclass
class Lab:
    """A database of a test's own, and Clew for it. `asides` is a connection beside Clew's."""

    url: str
    root: Path
    clew: Clew
    aside: asyncpg.Connection[Any]
    apps: list[Application] = field(default_factory=list)

    def app(self, **settings: Any) -> Application:
        """The ASGI app with these settings (`pool_max=2`), as `clew dev` serves it."""
        app = development_app(self.clew, Settings.model_validate({"DATABASE_URL": self.url, **LAB, **settings}))
        self.apps.append(app)
        return app

    def act(self, act: Act, name: str | None = None) -> str:
        """A document's `act(name: ...)` runs this from now on; returns the name."""
        name = name or uuid.uuid4().hex
        ACTS[name] = act
        return name

    async def activity(self, condition: str = "true") -> list[str]:
        """`state query` of the operations' connections for which the condition holds."""
        rows = await self.aside.fetch(
            "SELECT coalesce(state, '') || ' ' || query AS line FROM pg_stat_activity"
            f" WHERE application_name = 'clew' AND datname = current_database() AND ({condition})"
        )
        return [row["line"] for row in rows]

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 2.0) -> None:
        """Wait for a condition of the outside world, which tells nobody when it becomes true; fail after `seconds`."""
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.01)

    async def until_busy(self, query: str = "", count: int = 1) -> None:
        """Wait until this many statements that hold the text `query` run."""

        async def busy() -> bool:
            # Not yet while it is only prepared: then the server waits for the client.
            waiting = "state = 'active' AND wait_event_type IN ('Timeout', 'Lock')"
            return len(await self.activity(f"{waiting} AND query LIKE '%{query}%'")) >= count

        await self.until(busy, 5)

    async def until_computing(self, count: int = 1) -> None:
        """Wait until this many statements run that wait for nothing."""

        async def computing() -> bool:
            # Not while it is only prepared.
            return len(await self.activity(_COMPUTES)) >= count

        await self.until(computing, 5)

    async def until_quiet(self, seconds: float = 2.0) -> None:
        """Wait until no statement runs and no transaction is open."""

        async def quiet() -> bool:
            return not await self.activity("state <> 'idle'")

        try:
            await self.until(quiet, seconds)
        except TimeoutError:
            raise AssertionError(f"still: {await self.activity()}") from None

    async def names(self) -> list[str]:
        """The items' names, by id."""
        return [row["name"] for row in await self.aside.fetch("SELECT name FROM items ORDER BY id")]


def assert_whole(app: Application) -> None:
    """No connection of the pool is lent, lost or counted twice."""
    pool = app.engine.pool
    assert pool._open == len(pool._idle), (pool._open, len(pool._idle))
    assert len({id(connection) for connection in pool._idle}) == len(pool._idle)
    assert not any(connection.is_in_transaction() for connection in pool._idle)
    assert not [waiter for waiter in pool._waiters if not waiter.done()]


async def until_whole(lab: Lab, app: Application, seconds: float = 2.0) -> None:
    """Wait until what was cancelled has ended; the pool must be whole then."""

    async def settled() -> bool:
        pool = app.engine.pool
        return not pool._settling and pool._open == len(pool._idle)

    with suppress(TimeoutError):
        await lab.until(settled, seconds)
    assert_whole(app)


def client_of(app: ASGIApp, **options: Any) -> httpx.AsyncClient:
    """A client in this process, which is the admin of a development server."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 50000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", **options)


async def ask(client: httpx.AsyncClient, query: str, **variables: Any) -> httpx.Response:
    """POST an operation."""
    return await client.post("/graphql", json={"query": query, "variables": variables})


class _Server(Server):
    """Leaves the signals to pytest."""

    def capture_signals(self) -> Any:
        return nullcontext()


@asynccontextmanager
async def served(
    app: ASGIApp, settings: Settings | None = None, patience: Patience | None = None
) -> AsyncIterator[int]:
    """The app behind a real socket of the loopback, in this loop; yields the port."""
    settings = settings or Settings.model_validate({"drain_seconds": 0, "shutdown_seconds": 1})
    listener = listen("127.0.0.1", 0)
    started = asyncio.Event()
    server = _Server(app, settings, on_started=started.set, patience=patience)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await started.wait()
        yield int(address_of(listener).rpartition(":")[2])
    finally:
        server.should_exit = True
        await task
        listener.close()


def request_bytes(body: bytes, port: int, *headers: str) -> bytes:
    """A POST as it goes over the wire."""
    head = [
        "POST /graphql HTTP/1.1",
        f"Host: localhost:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@contextmanager
def make_project(server_url: str, root: Path) -> Iterator[str]:
    """Write the project into the empty folder `root`, and make its database; yields that database's name."""
    shutil.copytree(HERE / "graphql", root / "graphql")
    shutil.copy(HERE / "app.py", root / "lab_app.py")
    (root / "pyproject.toml").write_text('[project]\nname = "lab"\n[tool.clew]\napp = "lab_app:clew"\n')
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / "migrations" / "versions").mkdir()
    model, _ = Clew(bindables, project=root).build()

    async def fill(url: str) -> None:
        await upgrade(root, url)
        connection = await asyncpg.connect(url)
        await connection.execute((HERE / "data.sql").read_text())
        await connection.close()

    with empty_database(server_url, "lab") as url:
        make(root, model, "lab")
        asyncio.run(fill(url))
        yield urlsplit(url).path[1:]
