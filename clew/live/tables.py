"""The tables whose changes are changes of an entity: its own, or those behind a view by Postgres' catalogue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from clew.changes.tables import quoted
from clew.changes.types import TableName
from clew.errors import ClewError
from clew.model.types import Entity

_BEHIND = """
WITH RECURSIVE behind AS (
    SELECT $1::text::regclass::oid AS oid
    UNION
    SELECT depend.refobjid
    FROM behind
    JOIN pg_rewrite AS rule ON rule.ev_class = behind.oid
    JOIN pg_depend AS depend ON depend.classid = 'pg_rewrite'::regclass AND depend.objid = rule.oid
        AND depend.refclassid = 'pg_class'::regclass
)
SELECT named.number::int - 1
FROM behind
JOIN pg_class AS class ON class.oid = behind.oid
LEFT JOIN unnest($2::text[]) WITH ORDINALITY AS named (name, number) ON to_regclass(named.name) = behind.oid
WHERE class.relkind <> 'v'
"""

Fetch = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]


class UnloggedError(ClewError):
    """A live query reads rows whose changes are not logged."""

    def __init__(self) -> None:
        super().__init__(
            "This query cannot be live: it depends on rows whose changes are not logged.",
            hint="Send it as a query.",
        )


def table_of(entity: Entity) -> TableName:
    """Return the schema and name of an entity's table, as changes have them."""
    return entity.schema, entity.table


async def tables_of(entity: Entity, logged: AbstractSet[TableName], fetch: Fetch) -> Sequence[TableName]:
    """Return the tables whose changes are changes of an entity.

    Args:
        logged: the tables whose changes are logged.
        fetch: runs SQL, and returns rows.

    Raises:
        UnloggedError: not all of them are.
    """
    if entity.view_sql is None:
        found: Sequence[TableName | None] = [table_of(entity)]
    else:
        # A view may read other views. Its tables are told apart by what their names lead to: one of them may be named
        # with its schema or without.
        known = list(logged)
        (view,) = quoted([table_of(entity)])
        found = [None if row[0] is None else known[row[0]] for row in await fetch(_BEHIND, [view, quoted(known)])]
    tables = [table for table in found if table is not None and table in logged]
    if len(tables) < len(found):
        raise UnloggedError
    return tables
