"""Resolve the fields of Mutation that queue and change jobs, in the transaction of the mutation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import asyncpg
from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from clew.database.alchemy import OperationConnection
from clew.errors import ClewError, Code
from clew.jobs import queue
from clew.jobs.types import Fetch, NewJob
from clew.jobs.values import arguments_json
from clew.model import names
from clew.model.jobs import JOB
from clew.model.types import CustomField, Entity, Model, Operation, RowArgument
from clew.resolvers.row_arguments import with_row_check
from clew.sql.keys import read_key
from clew.stored_json import UnstorableError, stored_text
from clew.viewer import Viewer

_Resolver = Callable[..., Any]
_Change = Callable[[Fetch, Sequence[str]], Awaitable[Sequence[str]]]
_MATCHING = "query ($where: JobFilter!) { jobs(where: $where) { id } }"


def bind_jobs(schema: GraphQLSchema, model: Model) -> None:
    """Set the resolvers of the `@job` fields, and of the fields that change jobs and queues."""
    if not model.job_fields:
        return
    mutation = schema.type_map["Mutation"]
    assert isinstance(mutation, GraphQLObjectType)
    for custom in model.job_fields.values():
        field = mutation.fields[custom.name]
        resolve = _queues(custom, model)
        field.resolve = with_row_check(resolve, custom.rows, model) if custom.rows else resolve
    job = model.entity(JOB)
    key = (RowArgument("id", JOB, Operation.UPDATE),)
    mutation.fields[names.CANCEL_JOB].resolve = with_row_check(_changes(job, queue.cancel), key, model)
    mutation.fields[names.RETRY_JOB].resolve = with_row_check(_changes(job, queue.retry), key, model)
    mutation.fields[names.CANCEL_JOBS].resolve = _changes_many(queue.cancel)
    mutation.fields[names.RETRY_JOBS].resolve = _changes_many(queue.retry)
    mutation.fields[names.PAUSE_QUEUE].resolve = _switches(queue.pause)
    mutation.fields[names.RESUME_QUEUE].resolve = _switches(queue.resume)


def caller_json(viewer: Viewer) -> dict[str, Any]:
    """Return the viewer of a job as the queue keeps it."""
    return {"id": viewer.id, "roles": sorted(viewer.roles), "claims": dict(viewer.claims)}


def new_job(custom: CustomField, arguments: Mapping[str, Any], viewer: Viewer) -> NewJob:
    """Return a job to queue.

    Args:
        custom: its field.
        arguments: JSON values by their GraphQL names.
        viewer: its caller.

    Raises:
        ClewError: no job can begin at the moment that an argument gives.
        UnstorableError: Postgres cannot store an argument.
    """
    job = custom.job
    assert job is not None
    return NewJob(
        name=custom.name,
        queue=job.queue,
        priority=job.priority,
        retries=job.retries,
        arguments=arguments,
        viewer=viewer.id,
        caller=caller_json(viewer),
        unique_key=_key(job.unique, arguments) if job.unique else None,
        limit_key=_key(job.key, arguments) if job.concurrency is not None or job.rate is not None else None,
        run_at=None if job.run_at is None else _moment(job.run_at, arguments.get(job.run_at)),
    )


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        # Postgres has such a moment, Python has not: see `clew/moments.py`.
        raise ClewError(f"`{name}` must be a moment of the years 1 to 9999.") from None


def _key(fields: Sequence[str], arguments: Mapping[str, Any]) -> str:
    """Return a digest of some arguments, because an index takes no long text. An absent argument counts as null."""
    text = stored_text([_in_order(arguments.get(name)) for name in fields])
    return sha256(text.encode()).hexdigest()


def _in_order(value: Any) -> Any:
    """Return a value of JSON with the keys of its objects in order."""
    if isinstance(value, Mapping):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list | tuple) else value


def fetching(connection: OperationConnection) -> Fetch:
    """Return what runs statements that queue or change jobs on a connection."""
    connection.changes_jobs = True

    async def fetch(statement: str, /, *arguments: Any) -> list[asyncpg.Record]:
        return await connection.fetch(statement, arguments)

    return fetch


def _fetch(info: GraphQLResolveInfo[Any]) -> Fetch:
    return fetching(info.context.connection)


def _queues(custom: CustomField, model: Model) -> _Resolver:
    """Return the resolver of a `@job` field."""
    entity = model.entity(names.job_type(custom.name))
    seen = RowArgument("id", entity.name, Operation.READ)

    async def queued(info: GraphQLResolveInfo[Any], arguments: Mapping[str, Any]) -> str:
        field = info.parent_type.fields[info.field_name]
        values = arguments_json(field, arguments)
        try:
            (found,) = await queue.enqueue(_fetch(info), [new_job(custom, values, info.context.viewer)])
        except UnstorableError as error:
            _check_storable(values)
            message = f"A claim of the viewer {error.fault}"
            raise ClewError(message, hint="A job keeps the claims of its caller.") from None
        if not found.is_new:
            try:
                given = {seen: [read_key(found.id, entity, info.schema, "id")]}
                await info.context.running.check_row_arguments(info, given)
            except ClewError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
                message = "Such a job is queued or running already."
                raise ClewError(message, code=Code.CONFLICT, hint="Send it again when that one has ended.") from error
        return str(found.id)

    def resolve(_source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return info.context.running.batches.resolve(entity, info, queued(info, arguments))

    return resolve


def _check_storable(arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        try:
            stored_text(value)
        except UnstorableError as error:
            raise ClewError(f"`{name}` {error.fault}", hint=error.hint) from None


def _changes(job: Entity, change: _Change) -> _Resolver:
    """Return the resolver of a field that changes one job."""

    async def changed(info: GraphQLResolveInfo[Any], key: str) -> str:
        await change(_fetch(info), [key])
        return key

    def resolve(_source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return info.context.running.batches.resolve(job, info, changed(info, arguments["id"]))

    return resolve


def _changes_many(change: _Change) -> _Resolver:
    """Return the resolver of a field that changes all jobs that a filter finds."""

    async def changed(info: GraphQLResolveInfo[Any], where: Any) -> dict[str, Any]:
        found = await info.context.graphql(_MATCHING, where=where)
        keys = await change(_fetch(info), [row["id"] for row in found["jobs"]])
        return {"count": len(keys), "keys": [(key,) for key in keys]}

    def resolve(_source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        field = info.parent_type.fields[info.field_name]
        where = arguments_json(field, arguments)["where"]
        return info.context.running.batches.track(info.path, changed(info, where))

    return resolve


def _switches(switch: Callable[[Fetch, str], Awaitable[bool]]) -> _Resolver:
    """Return the resolver of a field that pauses or resumes a queue."""

    async def resolve(_source: Any, info: GraphQLResolveInfo[Any], name: str) -> bool:
        return await switch(_fetch(info), name)

    return resolve
