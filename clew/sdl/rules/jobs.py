"""Jobs, their triggers, and the arguments that name rows."""

from __future__ import annotations

from dataclasses import replace

from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse

from clew.sdl import cron
from clew.sdl.directives import Cron, Job, On, Row, Table, bind, name_of
from clew.sdl.document import Document, Field
from clew.sdl.report import Report, did_you_mean

_MAX_RETRIES = 100


def check(document: Document, report: Report) -> None:
    mutations = document.root_fields("Mutation")
    jobs: dict[str, Field] = {}
    for name, field in mutations.items():
        job = field.first(Job) or _sound(field)
        if job is not None:
            jobs[name] = field
            _check_job(field, job, report)
    for type_ in document.types.values():
        for field in type_.fields.values():
            for argument in field.arguments:
                row = argument.first(Row)
                if row is not None:
                    _check_row(document, row, report)
    for directive in document.schema_directives:
        if isinstance(directive, On):
            _check_on(document, directive, jobs, report)
        elif isinstance(directive, Cron):
            _check_cron(directive, jobs, report)


def _sound(field: Field) -> Job | None:
    """Return a `@job` with faults, which are told already, as if it had only its sound arguments."""
    for node in field.node.directives or ():
        if node.name.value == name_of(Job):
            alone = {a.name.value: replace(node, arguments=(a,)) for a in node.arguments or ()}
            sound = [part for part in alone.values() if bind(part, "FIELD_DEFINITION", Report()) is not None]
            arguments = tuple(argument for part in sound for argument in part.arguments or ())
            job = bind(replace(node, arguments=arguments), "FIELD_DEFINITION", Report())
            assert isinstance(job, Job)
            return replace(job, node=node)
    return None


def _check_job(field: Field, job: Job, report: Report) -> None:
    arguments = {argument.name: argument for argument in field.arguments}
    for part, names in (("unique", job.unique), ("key", job.key)):
        for name in names or ():
            if name not in arguments:
                message = f'@job({part}:) names "{name}", which is not an argument of "{field.name}"'
                report.error(job.given[part], message, did_you_mean(name, arguments))
    if job.run_at is not None:
        argument = arguments.get(job.run_at)
        if argument is None:
            message = f'@job(runAt:) names "{job.run_at}", which is not an argument of "{field.name}"'
            report.error(job.given["runAt"], message, did_you_mean(job.run_at, arguments))
        elif argument.type.name != "DateTime" or argument.type.is_list:
            report.error(argument.type.node, f'"{job.run_at}" says when the job runs: it must be a DateTime')
    if not 0 <= job.retries <= _MAX_RETRIES:
        report.error(job.given["retries"], f"@job(retries:) goes from 0 to {_MAX_RETRIES}")
    if job.timeout is not None and job.timeout <= 0:
        report.error(job.given["timeout"], "@job(timeout:) must be more than 0 seconds")
    for part, most in (("concurrency", job.concurrency), ("rate", job.rate)):
        if most is not None and most < 1:
            report.error(job.given[part], f"@job({part}:) must be at least 1")
    written = {argument.name.value for argument in job.node.arguments or ()}
    if job.key and not written & {"concurrency", "rate"}:
        report.error(job.given["key"], "@job(key:) has nothing to bound", "add concurrency: or rate:")


def _check_row(document: Document, row: Row, report: Report) -> None:
    if not document.is_entity(row.type):
        names = [type_.name for type_ in document.entities]
        report.error(
            row.given["type"], f'@row names "{row.type}", which is not an entity', did_you_mean(row.type, names)
        )
    if row.to in ("ALL", "CREATE"):
        message = f"@row(to: {row.to}) cannot be judged: a row that is there is read, updated, deleted or exported"
        report.error(row.given["to"], message)


def _check_on(document: Document, on: On, jobs: dict[str, Field], report: Report) -> None:
    if not document.is_entity(on.model):
        names = [type_.name for type_ in document.entities]
        report.error(
            on.given["model"], f'@on names "{on.model}", which is not an entity', did_you_mean(on.model, names)
        )
    elif (table := document.types[on.model].first(Table)) is None:
        report.error(on.given["model"], f'@on names "{on.model}", a view: rows change in tables')
    elif "LIVE" in (table.without or ()):
        message = f'@on names "{on.model}", whose changes are not logged'
        report.error(on.given["model"], message, f"remove LIVE from @table(without:) of {on.model}")
    if not on.events:
        report.error(on.given["events"], "@on(events:) is empty: the job would never run")
    job = jobs.get(on.run)
    if job is None:
        _unknown_job("on", on.run, on, jobs, report)
    payload = None if job is None else next((a for a in job.arguments if a.name == "payload"), None)
    if on.payload is None:
        return
    node = on.given["payload"]
    try:
        operations = [d for d in parse(on.payload).definitions if isinstance(d, OperationDefinitionNode)]
    except GraphQLSyntaxError as error:
        report.error(node, f"the payload is not a GraphQL document: {error.message.removeprefix('Syntax Error: ')}")
    else:
        if len(operations) != 1 or operations[0].operation.value != "query":
            report.error(node, "the payload must be one query")
    if job is not None and (payload is None or payload.type.name != "JSON"):
        message = f'the job "{on.run}" has no argument for the payload'
        report.error(node, message, f"declare: {on.run}(payload: JSON!)")


def _check_cron(directive: Cron, jobs: dict[str, Field], report: Report) -> None:
    fault = cron.fault(directive.schedule)
    if fault is not None:
        report.error(directive.given["schedule"], fault, 'such as "0 3 * * *", every day at three (UTC)')
    job = jobs.get(directive.run)
    if job is None:
        _unknown_job("cron", directive.run, directive, jobs, report)
        return
    for argument in job.arguments:
        if not argument.type.nullable and argument.node.default_value is None:
            message = f'@cron gives no arguments, and "{directive.run}" needs "{argument.name}"'
            report.error(directive.given["run"], message, "make the argument nullable, or give it a default")


def _unknown_job(name: str, run: str, directive: On | Cron, jobs: dict[str, Field], report: Report) -> None:
    hint = did_you_mean(run, jobs) or f"declare it: extend type Mutation {{ {run}: Boolean @job }}"
    report.error(directive.given["run"], f'@{name} runs "{run}", which is not a @job field of Mutation', hint)
