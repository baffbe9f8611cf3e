"""What workers must know of the `@job` fields and the schedules of a model."""

from __future__ import annotations

from collections.abc import Mapping

from graphql import GraphQLObjectType, GraphQLSchema

from clew.jobs.fields import new_job
from clew.jobs.types import CronJob, JobDeclaration
from clew.jobs.values import decoder, encoder
from clew.model.names import job_type
from clew.model.types import Model
from clew.viewer import Viewer


def declared_jobs(model: Model, schema: GraphQLSchema) -> Mapping[str, JobDeclaration]:
    """Return the declarations of the `@job` fields by name.

    Args:
        schema: the full one.
    """
    found: dict[str, JobDeclaration] = {}
    for name, custom in model.job_fields.items():
        mutation, job = schema.type_map["Mutation"], schema.type_map[job_type(name)]
        assert isinstance(mutation, GraphQLObjectType)
        assert isinstance(job, GraphQLObjectType)
        declared = custom.job
        assert declared is not None
        found[name] = JobDeclaration(
            name=name,
            decode=decoder(mutation.fields[name]),
            encode=encoder(job.fields["result"], model, schema),
            queue=declared.queue,
            priority=declared.priority,
            retries=declared.retries,
            timeout=declared.timeout,
            concurrency=declared.concurrency,
            rate=declared.rate,
        )
    return found


def cron_jobs(model: Model) -> list[CronJob]:
    """Return the jobs that `@cron` queues, as an admin."""
    return [
        CronJob(schedule=cron.schedule, job=new_job(model.job_fields[cron.run], {}, Viewer.admin()))
        for cron in model.crons
    ]
