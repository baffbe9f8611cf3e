"""`clew migrate`: bring the database to the SDL. Alembic does the work; its own command line works too."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from clew.cli.database import database_of
from clew.cli.parser import project_option
from clew.config import Settings
from clew.entry_points import load_app
from clew.migrate.change import Doubts
from clew.migrate.revisions import make, pending_changes
from clew.migrate.run import State, Status, downgrade, offline_sql, status, upgrade
from clew.migrate.trial import try_sql
from clew.project import Project
from clew.sdl.load import read_sources


def configure(commands: Any) -> None:
    """Add the command and its own sub-commands."""
    parser = commands.add_parser("migrate", help="make and run migrations")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    made = actions.add_parser("make", help="write the migration that brings the database to the SDL")
    made.add_argument("-m", "--message", required=True, metavar="TEXT", help="the purpose of the change")
    made.add_argument("--yes", action="store_true", help="accept changes that lose data or may fail")
    made.set_defaults(run=run_make)

    up = actions.add_parser("up", help="run the migrations that the database does not have yet")
    up.add_argument("target", nargs="?", default="head", help="a revision, or +1 (default: head)")
    up.set_defaults(run=run_up)

    down = actions.add_parser("down", help="undo the last migration")
    down.add_argument("target", nargs="?", default="-1", help="a revision, or base (default: the one before)")
    down.set_defaults(run=run_down)

    state = actions.add_parser("status", help="print the database's revision, and whether the SDL has changed")
    state.set_defaults(run=run_status)

    sql = actions.add_parser("sql", help="print the migrations as an SQL script")
    sql.add_argument(
        "--from", dest="start", metavar="REVISION", help="the revision to start after (default: all revisions)"
    )
    sql.set_defaults(run=run_sql)

    for action in (made, up, down, state, sql):
        project_option(action)


def run_make(arguments: argparse.Namespace) -> int:
    """Write a revision. Changes that lose data or may fail need a confirmation."""
    project = Project.open(arguments.project)
    model = load_app(project).build()[0]
    settings = Settings.load(project.root, "dev")
    if settings.database_url is not None and asyncio.run(status(project.root, settings.database_url)).pending == ():
        sources = read_sources(project.graphql_dir, project.root)[0]
        asyncio.run(try_sql(model, sources, settings.database_url))
    doubts = Doubts.of(pending_changes(project.root, model))
    accepted = arguments.yes or (bool(doubts) and _confirmed(doubts))
    written = make(project.root, model, arguments.message, accept_loss=accepted)
    if written is None:
        print("Nothing to do: the migrations agree with the SDL.")
        return 0
    print(f"Wrote {written.path}")
    for change in written.changes:
        if change.summary:
            print(f"  {change.summary}")
    print("Read it, then run `clew migrate up`.")
    return 0


def run_up(arguments: argparse.Namespace) -> int:
    """Migrate the database forward."""
    project, settings = _open(arguments)
    with database_of(project, settings) as url:
        before = asyncio.run(status(project.root, url))
        after = asyncio.run(upgrade(project.root, url, arguments.target))
    if after.head is None:
        print("There are no migrations yet; `clew migrate make -m TEXT` writes the first.")
        return 0
    print(f"Already at {after.current}." if before.current == after.current else f"Migrated to {after.current}.")
    return 0


def run_down(arguments: argparse.Namespace) -> int:
    """Migrate the database back."""
    project, settings = _open(arguments)
    with database_of(project, settings) as url:
        after = asyncio.run(downgrade(project.root, url, arguments.target))
    print(f"Back at {after.current or 'the beginning'}.")
    return 0


def run_status(arguments: argparse.Namespace) -> int:
    """Print the database's revision. Exit with 1 unless it is the head and the SDL has no further changes."""
    project, settings = _open(arguments)
    model = load_app(project).build()[0]
    changes = pending_changes(project.root, model)
    with database_of(project, settings) as url:
        database = asyncio.run(status(project.root, url))
    _report(database)
    named = [change.summary for change in changes if change.summary]
    if changes:
        print("The SDL has changed since the last migration; `clew migrate make -m TEXT` writes the next one:")
        for summary in named:
            print(f"  {summary}")
    return 0 if database.state is State.AT_HEAD and not changes else 1


def run_sql(arguments: argparse.Namespace) -> int:
    """Print the SQL of migrations. This needs no database."""
    project = Project.open(arguments.project)
    print(offline_sql(project.root, arguments.start).rstrip())
    return 0


def _report(database: Status) -> None:
    at = database.current or "no revision"
    if database.state is State.AT_HEAD:
        print(f"The database is at {at}, the head.")
    elif database.state is State.AHEAD:
        print(f"The database is at {at}, which is not in migrations/versions: it is ahead of this code.")
    else:
        print(f"The database is at {at}; `clew migrate up` runs:")
        for revision in database.pending:
            print(f"  {revision}")


def _confirmed(doubts: Doubts) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    print(doubts)
    return input("Write it? [y/N] ").strip().lower() in {"y", "yes"}


def _open(arguments: argparse.Namespace) -> tuple[Project, Settings]:
    project = Project.open(arguments.project)
    return project, Settings.load(project.root, "dev")
