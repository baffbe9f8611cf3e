"""How far the tests of properties go: moderately by default, CLEW_TEST_EXAMPLES random cases in `make deep`."""

from __future__ import annotations

import os

FIRST = int(os.environ.get("CLEW_TEST_SEED", "0"))
"""The seed of the first random model."""


def examples(moderate: int) -> int:
    """Return how many random cases to try; `moderate` unless the environment says."""
    return int(os.environ.get("CLEW_TEST_EXAMPLES", moderate))


def seeds(cases: int, each: int) -> range:
    """Return the seeds of as many random models as it takes to try `cases`, `each` of them on one model."""
    return range(FIRST, FIRST + -(-cases // each))
