"""A number of the database that metrics show: read only when somebody asks, and not for everybody anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from clew.errors import ClewError

T = TypeVar("T")

# In seconds: how long what was read is shown, and how long a read may take.
_FRESH, _PATIENCE = 5.0, 1.0


class Fresh(Generic[T]):
    """What a read finds, as of just now.

    Args:
        read: asks the database. It may raise ClewError.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._found: T | None = None

    async def get(self) -> T | None:
        """Return what was found. None: the database did not tell in time."""
        async with self._reading:
            if time.monotonic() - self._read_at >= _FRESH:
                self._found = None
                with suppress(ClewError, TimeoutError):
                    async with asyncio.timeout(_PATIENCE):
                        self._found = await self._read()
                self._read_at = time.monotonic()
            return self._found
