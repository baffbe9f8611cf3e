"""What jobs are, for those who enqueue them, those who run them and those who keep their output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from clew.errors import ClewError, Code
from clew.viewer import Viewer

# The first argument is the job's context, the others are the job's arguments by name.
Handler: TypeAlias = Callable[..., Awaitable[Any]]


class Status(StrEnum):
    """What becomes of a job. QUEUED awaits a retry too."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeclaration:
    """What a worker must know of a `@job` field.

    Args:
        name: of the field.
        queue: can be paused.
        priority: higher ones first.
        retries: executions after the first.
        timeout: of one execution, in seconds.
        concurrency: how many jobs with the same limit key run at once; of all jobs of the name if they have none.
        rate: how many of them begin within a minute.
        decode: turns the arguments' JSON into keyword arguments. Raises ValueError if they do not fit.
        encode: turns the handler's result into JSON. Raises ValueError or TypeError if it is not of the declared type.
    """

    name: str
    decode: Callable[[Mapping[str, Any]], dict[str, Any]]
    encode: Callable[[Any], Any]
    queue: str = "default"
    priority: int = 0
    retries: int = 0
    timeout: float | None = None
    concurrency: int | None = None
    rate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to enqueue.

    Args:
        arguments: by GraphQL names, in the API's JSON form.
        viewer: the id of the viewer that enqueues it.
        caller: that viewer: `{"id": ..., "roles": [...], "claims": {...}}`.
        unique_key: while a job with this key is queued or runs, no second one is enqueued.
        limit_key: what `concurrency` and `rate` count by.
        run_at: not before.
    """

    name: str
    arguments: Mapping[str, Any]
    caller: Mapping[str, Any]
    viewer: str | None = None
    queue: str = "default"
    priority: int = 0
    retries: int = 0
    unique_key: str | None = None
    limit_key: str | None = None
    run_at: datetime | None = None


class Enqueued(NamedTuple):
    """A job's id. If it is not new, it is the job that has the unique key."""

    id: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CronJob:
    """A job that is enqueued on a schedule of five cron fields, in UTC."""

    schedule: str
    job: NewJob


class Fetch(Protocol):
    """Run one statement in the caller's transaction, with asyncpg's arguments."""

    async def __call__(self, statement: str, /, *arguments: Any) -> list[asyncpg.Record]: ...


class RunGraphQL(Protocol):
    """Run an operation under the viewer's rules, in a transaction of its own or in one that is given. Return its data.

    Raises:
        ClewError: it fails.
    """

    async def __call__(
        self, document: str, variables: Mapping[str, Any], viewer: Viewer, connection: AsyncConnection | None, /
    ) -> dict[str, Any]: ...


class LostLeaseError(ClewError):
    """The job is another worker's by now, or has been ended. Nothing more is written about this execution."""

    def __init__(self) -> None:
        super().__init__("The job no longer belongs to this worker.", code=Code.CONFLICT)


class OutputWriter(Protocol):
    """Keeps the chunks that jobs emit."""

    async def begin(self, job: str, attempt: int, continues: int | None = None) -> None:
        """Begin the output of an attempt. Followers get `reset`.

        Args:
            continues: the attempt that began the output, if this one goes on with it. Followers then get nothing.
        """

    async def emit(self, job: str, attempt: int, data: Any, kind: str, step: str | None) -> None:
        """Return when the chunk is buffered. Wait while the buffer is full.

        Raises:
            ClewError: LIMIT_EXCEEDED if a chunk or the whole is too large.
            LostLeaseError: the attempt is no longer the job's.
        """

    async def flush(self, job: str) -> None:
        """Return when all chunks of the job are durable.

        Raises:
            LostLeaseError: the attempt is no longer the job's.
        """

    def position(self, job: str) -> int:
        """Return the number of chunks of this attempt so far."""

    async def copy(self, fetch: Fetch, job: str, attempt: int, from_attempt: int, first: int, last: int) -> None:
        """Append chunks of an earlier attempt to this one, in the transaction of `fetch`."""

    def end(self, job: str, attempt: int) -> None:
        """Forget an execution that has ended, however it did. What is not durable yet never will be."""
