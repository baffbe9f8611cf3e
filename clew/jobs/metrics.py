"""What a worker has done, and how many jobs wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clew.database.fresh import Fresh
from clew.jobs import statements as sql
from clew.jobs.types import JobDeclaration
from clew.metrics import Metrics

_ENDS = ("SUCCEEDED", "FAILED", "CANCELLED")

Fetch = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]


@dataclass(slots=True)
class JobMetrics:
    """Counters of one worker since it was made.

    Attributes:
        running: executions at this moment.
        attempts: executions that began, by queue and name.
        failures: executions that failed, by queue and name; a job that is tried again counts each time.
        ended: jobs that have ended, by queue, name and status.
        lost: executions that another worker took over.
        waited: called with how long a job has waited for its first execution, in seconds.
    """

    running: int = 0
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    lost: int = 0
    waited: Callable[[float], None] = field(default=lambda _: None)

    def begin(self, queue: str, name: str, late: float | None) -> None:
        """Count an execution that begins. `late` is how long the job has waited; None for a retry."""
        self.running += 1
        self.attempts[queue, name] += 1
        if late is not None:
            self.waited(max(0.0, late))

    def measure(self, metrics: Metrics, declarations: Collection[JobDeclaration]) -> None:
        """Show the counters."""
        metrics.gauge("clew_jobs_running", "Executions of jobs under way.", lambda: self.running)
        metrics.counter("clew_jobs_lost_total", "Executions that other workers took over.", lambda: self.lost)
        about = "Seconds from when a job could begin until its first execution began."
        self.waited = metrics.histogram("clew_job_wait_seconds", about).observe
        for one in declarations:
            key, labels = (one.queue, one.name), {"queue": one.queue, "job": one.name}
            metrics.counter(
                "clew_job_attempts_total", "Executions that began.", partial(self.attempts.__getitem__, key), **labels
            )
            metrics.counter(
                "clew_job_failures_total", "Executions that failed.", partial(self.failures.__getitem__, key), **labels
            )
            for status in _ENDS:
                ended = partial(self.ended.__getitem__, (*key, status))
                metrics.counter("clew_jobs_ended_total", "Jobs that have ended.", ended, **labels, status=status)


class Depths:
    """Tells how many jobs wait.

    Args:
        fetch: runs a statement with its arguments.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._found = Fresh(self._read)

    def measure(self, metrics: Metrics, queues: Collection[str]) -> None:
        """Show the numbers of some queues."""
        for queue in sorted(queues):
            look = partial(self._look, queue)
            metrics.shared("clew_jobs_queued", "Jobs that wait.", partial(look, 0), queue=queue)
            about = "Seconds for which the oldest of them could have begun."
            metrics.shared("clew_jobs_oldest_seconds", about, partial(look, 1), queue=queue)

    async def _look(self, queue: str, part: int) -> float | None:
        found = await self._found.get()
        return None if found is None else found.get(queue, (0, 0.0))[part]

    async def _read(self) -> dict[str, tuple[int, float]]:
        rows = await self._fetch(sql.DEPTHS, ())
        return {name: (depth, max(0.0, age)) for name, depth, age in rows}
