"""What a worker has done, in plain numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from clew.jobs import statements as sql
from clew.jobs.types import Fetch

# In seconds: the upper ends of the classes of waiting times; longer ones are in the last class.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


@dataclass(slots=True)
class Latency:
    """How long jobs of a queue waited from the time that they could have begun: how many by class, and in sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more job."""
        self.total += seconds
        self.counts[next((i for i, end in enumerate(BUCKETS) if seconds <= end), len(BUCKETS))] += 1


@dataclass(slots=True)
class JobMetrics:
    """Counters of one worker since it was made.

    Attributes:
        running: executions at this moment.
        latency: by queue, of first executions.
        attempts: executions that began, by queue and name.
        failures: executions that failed, by queue and name; a job that is tried again counts each time.
        ended: jobs that have ended, by queue, name and status.
        lost: executions that another worker took over.
    """

    running: int = 0
    latency: dict[str, Latency] = field(default_factory=dict)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    lost: int = 0

    def begin(self, queue: str, name: str, late: float | None) -> None:
        """Count an execution that begins. `late` is how long the job has waited; None for a retry."""
        self.running += 1
        self.attempts[queue, name] += 1
        if late is not None:
            self.latency.setdefault(queue, Latency()).add(max(0.0, late))


async def depths(fetch: Fetch) -> dict[str, tuple[int, float]]:
    """Return how many jobs are queued, and for how long the oldest could have begun, in seconds, by queue."""
    return {queue: (depth, max(0.0, age)) for queue, depth, age in await fetch(sql.DEPTHS)}
