"""How old the oldest snapshot of a database is. Postgres keeps what others delete for as long as one may look at it."""

from __future__ import annotations

import asyncpg

# A prepared transaction belongs to no session. Other users' sessions are shown only to members of `pg_read_all_stats`.
OLDEST_SNAPSHOT = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(began)), 0)::float8
FROM (
    SELECT xact_start AS began FROM pg_stat_activity
    WHERE backend_xmin IS NOT NULL AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        AND datname = current_database()
    UNION ALL
    SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()
) AS held
"""


async def oldest_snapshot_seconds(connection: asyncpg.Connection[asyncpg.Record]) -> float:
    """Return the age in seconds of the oldest transaction that holds a snapshot of the connection's database.

    It is that of the metric `clew_oldest_snapshot_seconds` (docs/export.md). 0: there is none.
    """
    found: float = await connection.fetchval(OLDEST_SNAPSHOT)
    return found
