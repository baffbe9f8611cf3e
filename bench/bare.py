"""The limit: Starlette, asyncpg and the very SQL that Clew compiles, with nothing in between.

It reads the same request bodies as the GraphQL peers, takes the variables out of them and
ignores the document. Written the way an expert would: one pool without a reset query, JSON
built by Postgres (as bytea, so that nothing decodes it) and passed on as it is.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.statements import Argument, Statement, read_statements

_POOL_SIZE = int(os.environ.get("BENCH_POOL", "10"))


class _State:
    pool: asyncpg.Pool[asyncpg.Record]


async def _keep(connection: object) -> None:
    """Return a connection as it is: nothing here changes its state."""


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        os.environ["BENCH_DATABASE_URL"],
        min_size=_POOL_SIZE,
        max_size=_POOL_SIZE,
        reset=_keep,
        server_settings={"application_name": "bench-bare"},
    ) as _State.pool:
        yield


def _value(argument: Argument, variables: Any) -> Any:
    if not argument.path:
        return argument.constant
    for name in argument.path:
        variables = variables[name]
    return variables


def handler(statement: Statement) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one case."""
    # The parts of the body around the values are known now: {"data":{"a": . ,"b": . }}
    before = [f'"{key}":'.encode() for key in statement.keys]

    async def handle(request: Request) -> Response:
        variables = (await request.json())["variables"]
        arguments = [_value(argument, variables) for argument in statement.arguments]
        async with _State.pool.acquire() as connection:
            rows = await connection.fetch(statement.sql, *arguments)
        values = b",".join(key + (value or b"null") for key, value in zip(before, rows[0], strict=True))
        return Response(b'{"data":{' + values + b"}}", media_type="application/json")

    return handle


def make_app() -> Starlette:
    """The ASGI app, from the environment: a route for each case."""
    statements = read_statements(Path(os.environ["BENCH_STATEMENTS"]))
    routes = [Route(f"/{name}", handler(statement), methods=["POST"]) for name, statement in statements.items()]
    return Starlette(routes=routes, lifespan=_lifespan)
