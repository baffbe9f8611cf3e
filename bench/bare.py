"""The limit: Starlette, asyncpg and hand-written SQL, with nothing in between.

It reads the same request bodies as the GraphQL peers, takes the variables out of them and
ignores the document. Written the way an expert would: one pool without a reset query, JSON
built by Postgres (as bytea, so that nothing decodes it) and passed on as it is.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.statements import Statement, read_statements

_POOL_SIZE = int(os.environ.get("BENCH_POOL", "10"))


class _Pools:
    """Connection pools by the settings of their sessions."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._settings = {_key(one): dict(one.session) for one in statements}
        self._made: dict[str, asyncpg.Pool[asyncpg.Record]] = {}

    def of(self, statement: Statement) -> asyncpg.Pool[asyncpg.Record]:
        return self._made[_key(statement)]

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for key, settings in self._settings.items():
                pool = asyncpg.create_pool(
                    os.environ["BENCH_DATABASE_URL"],
                    min_size=_POOL_SIZE,
                    max_size=_POOL_SIZE,
                    reset=_keep,
                    server_settings={"application_name": "bench-bare", **settings},
                )
                self._made[key] = await stack.enter_async_context(pool)
            yield


def _key(statement: Statement) -> str:
    return repr(sorted(statement.session.items()))


async def _keep(connection: object) -> None:
    """Return a connection as it is: nothing here changes its state."""


def handler(statement: Statement, pools: _Pools) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one case."""
    before = f'{{"data":{{"{statement.key}":'.encode()

    async def handle(request: Request) -> Response:
        variables = (await request.json())["variables"]
        arguments = [variables[name] for name in statement.arguments]
        async with pools.of(statement).acquire() as connection:
            rows = await connection.fetch(statement.sql, *arguments)
        return Response(before + (rows[0][0] or b"null") + b"}}", media_type="application/json")

    return handle


def make_app() -> Starlette:
    """The ASGI app, from the environment: a route for each case."""
    statements = read_statements(Path(os.environ["BENCH_STATEMENTS"]))
    pools = _Pools(statements.values())
    routes = [Route(f"/{name}", handler(one, pools), methods=["POST"]) for name, one in statements.items()]
    return Starlette(routes=routes, lifespan=pools.lifespan)
