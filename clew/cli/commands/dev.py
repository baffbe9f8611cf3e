"""`clew dev`: serve the project while you edit it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack
from typing import Any

from clew.cli.database import database_of
from clew.cli.parser import address_options, project_option
from clew.config import Settings
from clew.database.embedded import folder_of
from clew.dev.supervisor import RejectedError, Supervisor
from clew.errors import StartupError
from clew.observe import setup_logging
from clew.project import Project
from clew.server.listen import listen


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("dev", help="serve while you edit: embedded Postgres, migrations, reload, playground")
    project_option(parser)
    address_options(parser)
    parser.add_argument("--yes", action="store_true", help="accept database changes that lose data or may fail")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    began = time.monotonic()
    project = Project.open(arguments.project)
    settings = Settings.load(project.root, "dev")
    if settings.env != "dev":
        raise StartupError("CLEW_ENV is production; `clew dev` is for development.", "`clew serve` is for production.")
    setup_logging(settings.log_level, settings.log_format)
    host = settings.host if arguments.host is None else arguments.host
    port = settings.port if arguments.port is None else arguments.port
    with ExitStack() as held:
        listener = held.enter_context(listen(host, port))
        url = held.enter_context(database_of(project, settings))
        postgres = folder_of(project.state_dir) if settings.database_url is None else None
        supervisor = Supervisor(project, settings, listener, url, postgres, arguments.yes, began)
        try:
            return asyncio.run(supervisor.run())
        except RejectedError as rejected:
            print(rejected, file=sys.stderr)
            return 1
