"""The tables whose changes are changes of an entity: its own, or those behind a view by Postgres' catalogue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from clew.changes.types import TableName
from clew.errors import ClewError
from clew.model.types import Entity
from clew.sql.literals import quote_name

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
SELECT CASE WHEN space.nspname = current_schema() THEN NULL ELSE space.nspname END, class.relname
FROM behind
JOIN pg_class AS class ON class.oid = behind.oid
JOIN pg_namespace AS space ON space.oid = class.relnamespace
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
    tables = [table_of(entity)]
    if entity.view_sql is not None:
        name = quote_name(entity.table)
        qualified = name if entity.schema is None else f"{quote_name(entity.schema)}.{name}"
        # A view may read other views.
        tables = [(schema, table) for schema, table in await fetch(_BEHIND, [qualified])]
    if not set(tables) <= logged:
        raise UnloggedError
    return tables
