"""The oldest open snapshot of the database. Rows that it may see are kept, and slow down whoever passes over them."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from clew.database.pool import Pool
from clew.errors import ClewError
from clew.metrics import Metrics

# In seconds: how long a number is shown before it is read again, and how long a read may take.
_FRESH, _PATIENCE = 5.0, 1.0

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
    """Tells for how long the oldest snapshot has been open. It asks the database only when somebody asks it.

    Args:
        pool: lends the connection.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._seconds: float | None = None

    def measure(self, metrics: Metrics) -> None:
        """Show the number."""
        about = "Seconds since the oldest transaction began that still has a snapshot of the database."
        metrics.shared("clew_oldest_snapshot_seconds", about, self.look)

    async def look(self) -> float | None:
        """Return the number, as of just now. None: the database did not tell in time."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= _FRESH:
                self._seconds = None
                with suppress(ClewError, TimeoutError):
                    async with asyncio.timeout(_PATIENCE):
                        ((self._seconds,),) = await self._pool.fetch(_OLDEST, ())
                self._looked_at = time.monotonic()
            return self._seconds
