"""The club of `tests/writes`, with more to attack, as an application that can be reached every way."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import MutationType, QueryType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from clew import Clew, ClewError
from clew.model.types import Model
from tests.databases import create_tables, new_database
from tests.reference import emptying, table_sql

HERE = Path(__file__).parent
CLUB = HERE.parents[1] / "writes" / "club"
DATA = "".join(path.read_text() for path in (CLUB / "data.sql", HERE / "more.sql", HERE / "elsewhere.sql"))

# A row as JSON has it, by entity and key.
Rows = dict[str, dict[str, Any]]

query, mutation = QueryType(), MutationType()
query.set_field("ping", lambda *_: "pong")


@mutation.field("relay")
async def resolve_relay(
    _: Any, info: GraphQLResolveInfo[Any], document: str, variables: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The response: what the operation has failed to do must be undone though this field succeeds."""
    try:
        return {"data": await info.context.graphql(document, **(variables or {}))}
    except ClewError as error:
        extensions = {"code": error.code, **(error.extensions or {})}
        return {"errors": [{"message": error.message, "extensions": extensions}], "data": None}


@mutation.field("stamp")
async def resolve_stamp(_: Any, info: GraphQLResolveInfo[Any], id: int) -> bool:
    await info.context.connection.execute(text("UPDATE notes SET state = 'stamped' WHERE id = :id"), {"id": id})
    return True


@dataclass(frozen=True)
class Club:
    """A database with the rows, and Clew for it."""

    url: str
    clew: Clew

    @property
    def model(self) -> Model:
        return self.clew.build()[0]

    async def fill(self, connection: asyncpg.Connection[Any]) -> None:
        """Bring the rows back that were there in the beginning."""
        await connection.execute(f"BEGIN; {emptying(self.model)}; DELETE FROM clew.idempotency_keys; {DATA}; COMMIT")

    async def rows(self, connection: asyncpg.Connection[Any]) -> Rows:
        """Every row of every table, such as `{"Note 1": {"id": 1, ...}}`."""
        return {name: _parsed(row) for name, row in await connection.fetch(self._select_rows)}

    @cached_property
    def _select_rows(self) -> str:
        parts = []
        for entity in self.model.entities.values():
            if entity.view_sql is None:
                keys = ", ".join(f't."{column.column}"' for column in entity.key_columns)
                parts.append(f"SELECT concat_ws(' ', '{entity.name}', {keys}), to_jsonb(t) FROM {table_sql(entity)} t")
        # Of responses that are kept it is enough how many there are.
        parts.append("SELECT 'kept', jsonb_build_object('number', count(*)) FROM clew.idempotency_keys")
        return " UNION ALL ".join(parts)


@lru_cache(maxsize=10_000)
def _parsed(row: str) -> dict[str, Any]:
    # Most rows are the same after most attacks. Nobody changes what is shared here.
    found: dict[str, Any] = json.loads(row)
    return found


def changes(before: Rows, after: Rows) -> Rows:
    """What has changed of each row; of a new one everything, of one that is gone nothing."""
    found: Rows = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name, {}), after.get(name, {})
        if old != new:
            found[name] = {column: value for column, value in new.items() if column not in old or old[column] != value}
    return found


@contextmanager
def make_club(server_url: str, root: Path) -> Iterator[Club]:
    """The application on this server, its project made in the empty folder `root`; dropped at the end."""
    (root / "graphql").mkdir()
    shutil.copy(CLUB / "schema.graphql", root / "graphql")
    for name in ("more", "elsewhere"):
        shutil.copy(HERE / f"{name}.graphql", root / "graphql")
    with new_database(server_url) as url:
        club = Club(url, Clew([query, mutation], project=root))
        asyncio.run(create_tables(url, club.model))
        yield club
