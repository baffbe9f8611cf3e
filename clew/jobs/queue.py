"""Enqueue jobs, and cancel, retry and pause them, in the caller's transaction. Whoever commits it wakes the workers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clew.errors import ClewError, Code
from clew.jobs import statements as sql
from clew.jobs.types import Enqueued, Fetch, NewJob
from clew.stored_json import stored_text

# A job with a unique key may end between the attempt to enqueue a second one and the search for the first one.
_TRIES = 10


async def enqueue(fetch: Fetch, jobs: Sequence[NewJob]) -> list[Enqueued]:
    """Enqueue jobs. They run once the transaction has committed.

    A job with a unique key that another one has is not enqueued. If the other transaction has not ended yet, wait for
    its end.

    Raises:
        ClewError: CONFLICT if others keep enqueuing and ending jobs with the same unique key.
        UnstorableError: Postgres cannot store an argument.
    """
    found: dict[int, Enqueued] = {}
    missing = list(range(len(jobs)))
    tries = 0
    while missing:
        tries += 1
        if tries > _TRIES:
            raise ClewError("Another job with the same unique arguments was just enqueued.", code=Code.CONFLICT)
        made = await fetch(
            sql.ENQUEUE,
            [jobs[i].name for i in missing],
            [jobs[i].queue for i in missing],
            [jobs[i].priority for i in missing],
            [jobs[i].retries for i in missing],
            [stored_text(jobs[i].arguments) for i in missing],
            [jobs[i].viewer for i in missing],
            [stored_text(jobs[i].caller) for i in missing],
            [jobs[i].unique_key for i in missing],
            [jobs[i].limit_key for i in missing],
            [jobs[i].run_at for i in missing],
        )
        for position, job in made:
            found[missing[position - 1]] = Enqueued(job, True)
        missing = [index for index in missing if index not in found]
        if not missing:
            break
        # A statement of its own sees a job that another transaction has committed while the first one waited for it.
        holders = await fetch(sql.HOLDERS, [jobs[i].name for i in missing], [jobs[i].unique_key for i in missing])
        known = {(name, key): job for name, key, job in holders}
        for index in missing:
            job = known.get((jobs[index].name, jobs[index].unique_key))
            if job is not None:
                found[index] = Enqueued(job, False)
        missing = [index for index in missing if index not in found]
    return [found[index] for index in range(len(jobs))]


async def cancel(fetch: Fetch, ids: Collection[str]) -> list[str]:
    """Cancel jobs. One that runs is stopped soon after the commit. Return the ids of those that were not ended."""
    return [job for (job,) in await fetch(sql.CANCEL, list(ids))]


async def retry(fetch: Fetch, ids: Collection[str]) -> list[str]:
    """Enqueue jobs that failed or were cancelled again, with all their retries. Return the ids of those.

    A job whose unique key another one has by now stays as it is. If the other's transaction has not ended yet, wait for
    its end.
    """
    return [job for (job,) in await fetch(sql.RETRY, list(ids))]


async def pause(fetch: Fetch, queue: str) -> bool:
    """Let no job of a queue begin any more. Those that run go on. Return whether the queue was running until now."""
    return bool(await fetch(sql.PAUSE, queue))


async def resume(fetch: Fetch, queue: str) -> bool:
    """Let jobs of a queue begin again. Return whether it was paused."""
    return bool(await fetch(sql.RESUME, queue))
