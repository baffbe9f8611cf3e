"""The shop: a small schema with every kind of field, and its rows."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import MutationType, ObjectType, QueryType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from clew import Clew, ClewError
from clew.migrate.revisions import make
from clew.migrate.run import upgrade
from tests.databases import empty_database
from tests.reference import Reference, Tables

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]

query, mutation, person = QueryType(), MutationType(), ObjectType("Person")


@query.field("weather")
def resolve_weather(_: Any, _info: GraphQLResolveInfo[Any], place: dict[str, str]) -> dict[str, Any]:
    return {"city": f"{place['city']}, {place['country']}", "degrees": 21.5, "alarm": "STORM"}


@query.field("broken")
def resolve_broken(*_: Any) -> str:
    raise RuntimeError("the secret of the resolver")


@query.field("answer")
async def resolve_answer(_: Any, info: GraphQLResolveInfo[Any], status: str | None = None) -> int:
    sql = "SELECT count(*) FROM orders WHERE status = coalesce(:status, status)"
    found: int = await info.context.connection.scalar(text(sql), {"status": status})
    return found


@person.field("shout")
def resolve_shout(parent: dict[str, Any], _info: GraphQLResolveInfo[Any]) -> str:
    born = parent["born"]
    assert born is None or isinstance(born, date)
    return f"{parent['givenName'].upper()}{f' ({born.year})' if born else ''}!"


@mutation.field("renameCompany")
async def resolve_rename(_: Any, info: GraphQLResolveInfo[Any], id: str, name: str) -> str:
    statement = text("UPDATE companies SET name = :name WHERE id = :id RETURNING name")
    renamed: str = await info.context.connection.scalar(statement, {"id": uuid.UUID(id), "name": name})
    return renamed


@mutation.field("failAfterRenaming")
async def resolve_fail(root: Any, info: GraphQLResolveInfo[Any], id: str, name: str) -> str:
    await resolve_rename(root, info, id, name)
    raise ClewError("It was not to be.", code="CONFLICT", hint="Try another name.")


@dataclass(frozen=True)
class Shop:
    """A database with the rows, and Clew for it."""

    url: str
    clew: Clew
    reference: Reference


@contextmanager
def make_shop(server_url: str, root: Path) -> Iterator[Shop]:
    """A shop on this server, its project made in the empty folder `root`; dropped at the end."""
    shutil.copytree(HERE / "graphql", root / "graphql")
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / "migrations" / "versions").mkdir()
    clew = Clew([query, mutation, person], project=root)
    model, _ = clew.build()

    async def fill(url: str) -> Tables:
        await upgrade(root, url)
        connection = await asyncpg.connect(url)
        await connection.execute((HERE / "data.sql").read_text())
        await connection.close()
        return await Tables.load(url, model)

    with empty_database(server_url, "shop") as url:
        make(root, model, "shop")
        tables = asyncio.run(fill(url))
        yield Shop(url, clew, Reference(model, tables, clew.schema_sdl()))
