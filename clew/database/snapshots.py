"""The oldest open snapshot of the database. Rows that it may see are kept, and slow down whoever passes over them."""

from __future__ import annotations

from clew.database.fresh import Fresh
from clew.database.pool import Pool
from clew.metrics import Metrics

# A prepared transaction belongs to no session. Without the right to see those of others (`pg_read_all_stats`), a role
# is told of its own transactions only. The snapshots of autovacuum keep nothing.
_OLDEST = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(began)), 0)::float8
FROM (
    SELECT xact_start AS began FROM pg_stat_activity
    WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type <> 'autovacuum worker'
    UNION ALL
    SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()
) AS held
"""


class OldestSnapshot:
    """Tells for how long the oldest snapshot has been open.

    Args:
        pool: lends the connection.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seconds = Fresh(self._read)

    def measure(self, metrics: Metrics) -> None:
        """Show the number."""
        about = "Seconds since the oldest transaction began that still has a snapshot of the database."
        metrics.shared("clew_oldest_snapshot_seconds", about, self.look)

    async def look(self) -> float | None:
        """Return the number, as of just now. None: the database did not tell in time."""
        return await self._seconds.get()

    async def _read(self) -> float:
        ((seconds,),) = await self._pool.fetch(_OLDEST, ())
        return float(seconds)
