"""`clew jobs`: look at jobs, queues and schedules, and change jobs and queues."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clew.app import Clew
from clew.cli.database import database_of
from clew.cli.parser import project_option
from clew.config import Settings
from clew.entry_points import load_app
from clew.errors import ClewError, StartupError
from clew.jobs.cron import next_time
from clew.migrate.run import require_head
from clew.model.types import Model
from clew.project import Project
from clew.sdl.cron import parse
from clew.viewer import Viewer

_STATES = ("QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")
_LIST = """
query ($where: JobFilter!, $limit: Int!) {
  jobs(where: $where, orderBy: [{createdAt: DESC}], limit: $limit) {
    id jobName queue status attempt createdAt startedAt finishedAt progress message error
  }
}
"""
_COUNT = "{ jobsGroups(by: [{queue: VALUE}, {status: VALUE}]) { key { queue status } count } }"
_COLUMNS = ("id", "jobName", "queue", "status", "attempt", "createdAt", "error")
# The longest text in a column of the list.
_WIDTH = 60


def configure(commands: Any) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser("jobs", help="list jobs and schedules; pause queues, cancel and retry jobs")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list jobs, the newest first")
    _filters(listing)
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="the most jobs to list (default: 20)")
    listing.set_defaults(act=_list)
    actions.add_parser("queues", help="count the jobs of each queue by status").set_defaults(act=_queues)
    crons = actions.add_parser("crons", help="list the schedules of @cron, the next to come first")
    for name, help_ in (("cancel", "cancel jobs that have not ended"), ("retry", "queue jobs again that have failed")):
        action = actions.add_parser(name, help=help_)
        action.add_argument("ids", nargs="*", metavar="ID", help="the jobs; without any: all that the options describe")
        _filters(action)
        action.set_defaults(act=_change, field=f"{name}Jobs")
    for name, help_ in (("pause", "start no more jobs of a queue"), ("resume", "start jobs of a queue again")):
        action = actions.add_parser(name, help=help_)
        action.add_argument("queue", metavar="QUEUE")
        action.set_defaults(act=_switch, field=f"{name}Queue")
    for action in actions.choices.values():
        project_option(action)
        action.set_defaults(run=run)
    # Needs no database.
    crons.set_defaults(run=_crons)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", metavar="FIELD", help="only jobs of this field of Mutation")
    parser.add_argument("--queue", metavar="QUEUE", help="only jobs of this queue")
    parser.add_argument("--status", choices=_STATES, help="only jobs in this state")


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    project = Project.open(arguments.project)
    settings = Settings.load(project.root, "dev")
    clew = load_app(project)
    _model_of(clew)
    with database_of(project, settings) as url:
        asyncio.run(require_head(project.root, url))
        os.environ["DATABASE_URL"] = url
        try:
            asyncio.run(arguments.act(clew, arguments))
        except ClewError as error:
            raise StartupError(error.message, error.hint) from None
    return 0


def _model_of(clew: Clew) -> Model:
    """Return the model of a project that has jobs."""
    model = clew.build()[0]
    if not model.job_fields:
        raise StartupError(
            "The project has no jobs.", "Declare one: extend type Mutation { send(to: String!): Int @job }"
        )
    return model


def _crons(arguments: argparse.Namespace) -> int:
    model = _model_of(load_app(Project.open(arguments.project)))
    now = datetime.now(UTC)
    found: list[dict[str, Any]] = []
    for cron in model.crons:
        time = next_time(parse(cron.schedule), now)
        found.append({"jobName": cron.run, "schedule": cron.schedule, "next": time and time.isoformat()})
    found.sort(key=lambda row: str(row["next"]))
    print(_table(("jobName", "schedule", "next"), found) if found else "no schedules")
    return 0


async def _list(clew: Clew, arguments: argparse.Namespace) -> None:
    variables = {"where": _where(arguments), "limit": arguments.limit}
    found = (await clew.graphql(_LIST, variables, viewer=Viewer.admin()))["jobs"]
    print(_table(_COLUMNS, found) if found else "no jobs")


async def _queues(clew: Clew, _arguments: argparse.Namespace) -> None:
    found = (await clew.graphql(_COUNT, viewer=Viewer.admin()))["jobsGroups"]
    counts: dict[str, dict[str, Any]] = {}
    for group in found:
        queue, status = group["key"]["queue"], group["key"]["status"]
        counts.setdefault(queue, {"queue": queue, **dict.fromkeys(_STATES, 0)})[status] = group["count"]
    print(_table(("queue", *_STATES), list(counts.values())) if counts else "no jobs")


async def _change(clew: Clew, arguments: argparse.Namespace) -> None:
    where = _where(arguments)
    if arguments.ids:
        where["id"] = {"in": arguments.ids}
    if not where:
        raise StartupError("This would change all jobs.", "Name jobs, or say which: --name, --queue or --status.")
    document = f"mutation ($where: JobFilter!) {{ changed: {arguments.field}(where: $where) {{ count }} }}"
    found = await clew.graphql(document, {"where": where}, viewer=Viewer.admin())
    count = found["changed"]["count"]
    print(f"{count} {'job' if count == 1 else 'jobs'} changed")


async def _switch(clew: Clew, arguments: argparse.Namespace) -> None:
    document = f"mutation ($name: String!) {{ {arguments.field}(name: $name) }}"
    found = await clew.graphql(document, {"name": arguments.queue}, viewer=Viewer.admin())
    print("done" if found[arguments.field] else "it was so already")


def _where(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {"jobName": arguments.name, "queue": arguments.queue, "status": arguments.status}
    return {name: {"eq": value} for name, value in given.items() if value is not None}


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [columns, *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
