"""The fields about jobs in Mutation and Subscription. Those of Query come from the entities (`clew/model/jobs.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
)

from clew.model.jobs import JOB, STATUS
from clew.model.names import CANCEL_JOB, CANCEL_JOBS, JOB_OUTPUT, PAUSE_QUEUE, RESUME_QUEUE, RETRY_JOB, RETRY_JOBS
from clew.model.types import Model, Opening
from clew.schema.objects import ObjectType, field
from clew.schema.scalars import SCALARS


class Builder(Protocol):
    """The parts of the schema's builder that these fields need."""

    model: Model
    openings: Mapping[str, Opening]
    is_whole: bool
    filters: dict[str, GraphQLInputObjectType]
    enums: dict[str, GraphQLEnumType]

    def interface(self, name: str) -> GraphQLInterfaceType: ...

    def generated(
        self,
        type_: GraphQLOutputType,
        arguments: dict[str, GraphQLArgument] | None = None,
        *,
        description: str | None = None,
    ) -> GraphQLField: ...


class JobFields:
    """Makes the fields about jobs. There are none for roles that see no job."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        # A project without `@job` fields may have a type of its own that is named Job.
        self._has_jobs = bool(builder.model.job_fields) and JOB in builder.openings

    def mutations(self) -> dict[str, GraphQLField]:
        """Return the fields of Mutation. Only admins have those about many jobs and queues."""
        if not self._has_jobs:
            return {}
        job = GraphQLNonNull(self._builder.interface(JOB))
        one = {"id": GraphQLArgument(GraphQLNonNull(GraphQLID), description="The job's key.")}
        fields = {
            CANCEL_JOB: field(job, one, description="Cancel a job, unless it has ended. A running one stops soon."),
            RETRY_JOB: field(job, one, description="Queue a job again that has failed or was cancelled."),
        }
        if self._builder.is_whole:
            fields |= self._of_admins()
        return fields

    def _of_admins(self) -> dict[str, GraphQLField]:
        job = GraphQLNonNull(self._builder.interface(JOB))
        bulk = GraphQLNonNull(
            ObjectType(
                f"{JOB}Bulk",
                {
                    "count": field(GraphQLNonNull(GraphQLInt), description="The number of jobs changed."),
                    "rows": field(GraphQLNonNull(GraphQLList(job)), description="The jobs."),
                },
                description="The result of changing several jobs.",
            )
        )
        many = {"where": GraphQLArgument(GraphQLNonNull(self._builder.filters[JOB]), description="The jobs to change.")}
        queue = {"name": GraphQLArgument(GraphQLNonNull(GraphQLString), description="The queue's name.")}
        is_new = GraphQLNonNull(GraphQLBoolean)
        return {
            CANCEL_JOBS: field(bulk, many, description="Cancel all jobs that match `where` and have not ended."),
            RETRY_JOBS: field(bulk, many, description="Queue all jobs again that match `where` and have failed."),
            PAUSE_QUEUE: field(
                is_new, queue, description="Start no more jobs of a queue. Return whether it was running until now."
            ),
            RESUME_QUEUE: field(
                is_new, queue, description="Start jobs of a queue again. Return whether it was paused."
            ),
        }

    def subscriptions(self) -> dict[str, GraphQLField]:
        """Return the fields of Subscription."""
        if not self._has_jobs:
            return {}
        after = GraphQLArgument(GraphQLString, description="A cursor: only what comes after it.")
        return {
            JOB_OUTPUT: self._builder.generated(
                GraphQLNonNull(self._output()),
                {"id": GraphQLArgument(GraphQLNonNull(GraphQLID), description="The job's key."), "after": after},
                description="What a job puts out, from its beginning or after a cursor, until it ends.",
            )
        }

    def _output(self) -> GraphQLObjectType:
        text, flag = GraphQLString, GraphQLNonNull(GraphQLBoolean)
        return ObjectType(
            "JobOutput",
            {
                "kind": field(text, description="The kind that the job gave a chunk, such as `token`."),
                "data": field(SCALARS["JSON"], description="A chunk: text, or another JSON value."),
                "cursor": field(GraphQLNonNull(text), description="Give it as `after` to go on after this event."),
                "reset": field(flag, description="The job runs again: forget all chunks so far. They come again."),
                "final": field(flag, description="The job has ended. This is the last event."),
                "attempt": field(GraphQLNonNull(GraphQLInt), description="The number of the run, from 1."),
                "step": field(text, description="Of a reset: the last finished step, whose work is not repeated."),
                "status": field(self._builder.enums[STATUS], description="Of the last event: how the job ended."),
            },
            description="One event of a job's output: a chunk, a reset, or the end.",
        )
