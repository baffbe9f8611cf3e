"""Two databases of one application that differ only in what most viewers may not see."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import QueryType

from clew import Clew, Viewer
from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine, Request
from clew.sql.cursors import Cursors
from clew.sql.tables import build_tables
from tests.access.twins.documents import Thread, threads
from tests.databases import create_tables, new_database
from tests.reference import emptying

HERE = Path(__file__).parent
DATA = (HERE / "data.sql").read_text()

query = QueryType()
for _name in ("mayRead", "mayDelete", "mayChange", "mayOpen"):
    query.set_field(_name, lambda *_, **__: True)

# What differs by chance: cursors are encrypted, and times are those of now.
_CHANCE = re.compile(rb'"[0-9a-f]+\.[\w-]{40,}"|"20[2-9][1-9]-[^"]*"')


@dataclass(frozen=True)
class Twin:
    """One of the databases, with an engine."""

    engine: Engine
    aside: asyncpg.Connection[Any]

    async def fill(self, secrets: Iterable[str] = ()) -> None:
        """Bring back the rows of the beginning, and run these statements on them."""
        empty = emptying(self.engine.model)
        await self.aside.execute("; ".join(["BEGIN", empty, DATA.strip().removesuffix(";"), *secrets, "COMMIT"]))

    async def threads(self) -> list[Thread]:
        """The threads of the model, with the rows that are there."""
        model, found = self.engine.model, list[Thread]()
        for thread in threads(model):
            parent, child = model.entity(thread.parent), model.entity(thread.child)
            back = parent.relation(thread.name)
            assert back is not None
            keys = [f"a.{column.column}" for column in parent.key_columns]
            keys += [f"b.{column.column}" for column in child.key_columns]
            on = " AND ".join(f"a.{ours} = b.{theirs}" for ours, theirs in back.on)
            rows = await self.aside.fetch(
                f"SELECT {', '.join(keys)} FROM {parent.table} a JOIN {child.table} b ON {on}"
            )
            split = len(parent.primary_key)
            values = [[json.dumps(value) for value in row] for row in rows]
            pairs = [
                (
                    dict(zip(parent.primary_key, row, strict=False)),
                    dict(zip(child.primary_key, row[split:], strict=True)),
                )
                for row in values
            ]
            found.append(replace(thread, pairs=pairs))
        return found

    async def ask(self, viewer: Viewer, document: str) -> bytes:
        """Return the response, without what differs by chance."""
        outcome = await self.engine.execute(Request(document, {}, id="same"), viewer)
        return _CHANCE.sub(b'"by chance"', outcome.body)


@contextmanager
def make_twins(server_url: str, root: Path) -> Iterator[tuple[asyncio.Runner, Twin, Twin]]:
    """The twins on this server, their project made in the empty folder `root`; dropped at the end."""
    (root / "graphql").mkdir()
    shutil.copy(HERE / "schema.graphql", root / "graphql")
    model, schema = Clew([query], project=root).build()
    # Statements may cost what they want: what is asked for is small, and there are few rows.
    limits = RoleLimits(Limits(page=100, cost=10**9))

    async def make(url: str) -> Twin:
        await create_tables(url, model)
        engine = Engine(model, schema, build_tables(model), Pool(url, size=1), limits, cursors=Cursors("of the twins"))
        return Twin(engine, await asyncpg.connect(url))

    async def close(twin: Twin) -> None:
        await twin.engine.pool.close()
        await twin.aside.close()

    with ExitStack() as stack:
        urls = [stack.enter_context(new_database(server_url)) for _ in range(2)]
        runner = stack.enter_context(asyncio.Runner())
        one, other = (runner.run(make(url)) for url in urls)
        for twin in (one, other):
            stack.callback(runner.run, close(twin))
        yield runner, one, other
