"""Demo data: about ten thousand rows of an AI-agent product, the same at every call.

`[tool.clew] seed = "app.seed:seed"` names it; `clew dev` runs it on an empty database.
"""

from __future__ import annotations

import random

from sqlalchemy import JSON, column, insert, table
from sqlalchemy.ext.asyncio import AsyncConnection

from app.demo.history import History
from app.demo.organisations import Tables, organisations

_JSON_COLUMNS = {"settings", "arguments", "result"}


def demo_rows(seed: int = 20) -> Tables:
    """Return the rows of each table by its SQL name, in an order that satisfies the foreign keys."""
    rng = random.Random(seed)
    before, profiles = organisations(rng)
    return before | History(rng, before, profiles).write()


async def seed(connection: AsyncConnection) -> None:
    """Fill the empty tables of the demo. The caller owns the transaction."""
    for name, rows in demo_rows().items():
        # Postgres decides the types. Only JSON columns need a type, because a list would be an array.
        columns = (column(key, JSON(none_as_null=True)) if key in _JSON_COLUMNS else column(key) for key in rows[0])
        await connection.execute(insert(table(name, *columns)), rows)
