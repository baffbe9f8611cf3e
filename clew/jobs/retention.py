"""Forget jobs that ended long ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from clew.database.errors import UNREACHABLE
from clew.jitter import jitter
from clew.jobs import statements as sql
from clew.jobs.connection import connected
from clew.observe import get_logger

_LOG = get_logger("clew.jobs")

# How often old jobs are sought: in seconds at most, and as a share of the retention.
_EVERY, _SHARE = 300.0, 0.125
# How many jobs are deleted at once, and the rest after that, in seconds: others must not wait for it.
_BATCH = 1000
_REST = 0.05


async def forget_old(url: str, retention: float, committed: Callable[[], None]) -> None:
    """Delete jobs, with their steps, some time after they have ended. Go on until cancelled.

    Args:
        retention: in seconds.
        committed: called after each deletion.
    """
    every, batch = min(_EVERY, retention * _SHARE), _BATCH
    while True:
        # Not all workers at once; and soon after the start, for one that does not live long.
        await asyncio.sleep(every * jitter(0.1, 1))
        try:
            async with connected(url) as connection:
                for status in ("SUCCEEDED", "FAILED", "CANCELLED"):
                    while gone := await connection.fetch(sql.FORGET, status, retention, batch):
                        committed()
                        if len(gone) < batch:
                            break
                        await asyncio.sleep(_REST)
        except TimeoutError:
            # Such as jobs with large results.
            batch = max(1, batch // 10)
            _LOG.warning("old jobs deleted too slowly", at_once=batch)
        except UNREACHABLE as error:
            _LOG.warning("old jobs not deleted", error=type(error).__name__, detail=str(error))
