"""The lab's resolvers; `clew serve` loads this file as the project's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ariadne import MutationType, QueryType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from clew import Clew

query, mutation = QueryType(), MutationType()

ACTS: dict[str, Callable[[Any], Awaitable[Any]]] = {}
"""What `act(name: ...)` does, given `info.context`."""


@query.field("act")
@query.field("must")
@mutation.field("act")
async def resolve_act(_: Any, info: GraphQLResolveInfo[Any], name: str) -> Any:
    return await ACTS[name](info.context)


@mutation.field("rename")
async def resolve_rename(_: Any, info: GraphQLResolveInfo[Any], id: int, name: str) -> str:
    statement = text("UPDATE items SET name = :name WHERE id = :id RETURNING name")
    renamed: str = await info.context.connection.scalar(statement, {"id": id, "name": name})
    return renamed


async def sleep(context: Any) -> str:
    await context.connection.execute(text("SELECT pg_sleep(60)"))
    return "slept"


async def doze(context: Any) -> str:
    await context.connection.execute(text("SELECT pg_sleep(1.5)"))
    return "dozed"


ACTS["sleep"] = sleep
ACTS["doze"] = doze

bindables = [query, mutation]
clew = Clew(bindables)
