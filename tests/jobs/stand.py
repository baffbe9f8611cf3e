"""The project of `test_processes.py`. `clew serve` loads a copy of this file."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ariadne import MutationType, QueryType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from clew import Clew, JobContext

SDL = """
type Mark @table {
  id: ID! @id
  number: Int!
}

"Twenty megabytes, more than waits on the way to a client that does not read."
type Page @view(sql: "SELECT id, repeat('x', 4000) AS text FROM generate_series(1, 5000) AS id") {
  id: Int! @id
  text: String!
}

extend type Query {
  process: Int!
}

type Mutation {
  addMark(number: Int!, sleep: Float!): Int
  mark(number: Int!): Int @job
  count(times: Int!, pause: Float!): Int @job
  tick: Int @job
}

extend schema @cron(schedule: "* * * * *", run: tick)
"""

query, mutation = QueryType(), MutationType()
bindables = [query, mutation]
clew = Clew(bindables)

ADD = text("INSERT INTO marks (id, number) VALUES (gen_random_uuid(), :number)")


@query.field("process")
def process(_: Any, info: GraphQLResolveInfo[Any]) -> int:
    return os.getpid()


@mutation.field("addMark")
async def add_mark(_: Any, info: GraphQLResolveInfo[Any], number: int, sleep: float) -> int:
    connection = info.context.connection
    await connection.execute(ADD, {"number": number})
    await connection.execute(text(f"SELECT pg_sleep({float(sleep):g})"))
    return number


@clew.job("mark")
async def mark(ctx: JobContext, number: int) -> int:
    await ctx.connection.execute(ADD, {"number": number})
    return number


@clew.job("count")
async def count(ctx: JobContext, times: int, pause: float) -> int:
    await ctx.emit(os.getpid())
    if ctx.attempt > 1:
        await ctx.emit("resumed")
        return 0
    for number in range(times):
        await ctx.emit(number)
        await asyncio.sleep(pause)
    return times


@clew.job("tick")
async def tick(ctx: JobContext) -> int:
    return 1
