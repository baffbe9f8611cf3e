"""Spread delays, so that many processes do not all act at once."""

import random

# Its own source: `random`'s belongs to the program and its tests, which may have seeded it.
_RANDOM = random.SystemRandom()


def jitter(low: float, high: float) -> float:
    """Return a number between `low` and `high`, each as likely as any other."""
    return _RANDOM.uniform(low, high)
