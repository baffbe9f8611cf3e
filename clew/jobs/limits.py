"""Jobs whose number at a time, or a minute, is limited by a key.

A job with limits goes from the queue to those that wait for others with the same key, and begins from there in order.
So the queue holds no job that could not begin. One that ends lets the next one of its key begin: it puts a row without
a job into the queue. The key is locked meanwhile, so that no end is missed. One worker at a time takes jobs from the
queue, so that none overtakes those that another one has taken and not begun yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import asyncpg

from clew.jobs import statements as sql
from clew.jobs.connection import JobConnection
from clew.jobs.types import JobDeclaration

# A name and a limit key.
Key = tuple[str, str]


def _keys(
    keys: Collection[Key], declarations: Mapping[str, JobDeclaration]
) -> tuple[Sequence[str], Sequence[str], Sequence[int | None], Sequence[int | None]]:
    return (
        [name for name, _ in keys],
        [key for _, key in keys],
        [declarations[name].concurrency for name, _ in keys],
        [declarations[name].rate for name, _ in keys],
    )


async def admit(
    connection: JobConnection,
    places: Sequence[object],
    most: int,
    limit: int,
    worker: str,
    declarations: Mapping[str, JobDeclaration],
) -> tuple[list[asyncpg.Record], list[asyncpg.Record], bool]:
    """Take jobs from the queue, and begin those that the limits of their keys allow.

    Args:
        places: of the queue, to look at.
        most: how many are taken.
        limit: how many may begin.

    Returns:
        The first rows of the places, the jobs that have begun, and whether there may be more to take.
    """
    async with connection.transaction() as fetch:
        await fetch(sql.LOCK_TAKING)
        rows = await fetch(sql.TAKE, *places, most)
        firsts = [row for row in rows if row["place"]]
        keys = [(row["name"], row["key"]) for row in rows if not row["place"]]
        if not keys:
            return firsts, [], False
        given = _keys(keys, declarations)
        await fetch(sql.LOCK_KEYS, *given[:2])
        begun = await fetch(sql.ADMIT, *given, limit, worker)
        await fetch(sql.NUDGE, *given)
        return firsts, begun, sum(row["number"] for row in rows if not row["place"]) >= most


async def leave(
    connection: JobConnection,
    ended: Sequence[tuple[str, str, str, int]],
    declarations: Mapping[str, JobDeclaration],
) -> bool:
    """Let others follow jobs that have ended: names, keys, ids and attempts. Return whether any may begin now."""
    keys = sorted({(name, key) for name, key, _, _ in ended})
    known = [key for key in keys if key[0] in declarations]
    async with connection.transaction() as fetch:
        await fetch(sql.LOCK_KEYS, [name for name, _ in keys], [key for _, key in keys])
        await fetch(sql.LEAVE, *(list(column) for column in zip(*ended, strict=True)))
        return bool((await fetch(sql.NUDGE, *_keys(known, declarations)))[0][0])


async def sweep(connection: JobConnection, declarations: Mapping[str, JobDeclaration]) -> bool:
    """Let others follow jobs whose worker was lost. Return whether any may begin now."""
    names = [name for name, one in declarations.items() if is_limited(one)]
    moved = await connection.fetch(sql.UNLIMITED, [name for name in declarations if name not in names])
    if not names:
        return bool(moved)
    ended = await connection.fetch(sql.ENDED, names)
    if not ended:
        return bool(moved)
    return await leave(connection, [tuple(row) for row in ended], declarations) or bool(moved)


def is_limited(declaration: JobDeclaration) -> bool:
    """Return whether the number of jobs is limited."""
    return declaration.concurrency is not None or declaration.rate is not None
