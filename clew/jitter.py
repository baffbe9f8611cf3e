"""Delays that many processes must not all take alike."""

import asyncio
import random
import time

# In seconds: about the longest wait for a database that is away. Waits differ by up to half, so everything goes on
# within five seconds after the database is back.
LONGEST_WAIT = 3.0

# Its own source: `random`'s belongs to the program and its tests, which may have seeded it.
_RANDOM = random.SystemRandom()


def jitter(low: float, high: float) -> float:
    """Return a number between `low` and `high`, each as likely as any other."""
    return _RANDOM.uniform(low, high)


class Backoff:
    """The delays between tries: each about twice the one before. After a longer pause they begin anew.

    Args:
        first: about how long the first delay is, in seconds.
        longest: about how long the longest is. Who needs no delay for so long begins anew.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = first
        self._waited_at = time.monotonic()

    @property
    def next(self) -> float:
        """About how long the next delay is, in seconds."""
        if time.monotonic() - self._waited_at > self._longest:
            self._next = self._first
        return self._next

    async def wait(self) -> None:
        """Wait before another try."""
        seconds = self.next
        self._next = min(2 * seconds, self._longest)
        await asyncio.sleep(seconds * jitter(0.5, 1.5))
        self._waited_at = time.monotonic()
