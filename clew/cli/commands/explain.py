"""`clew explain`: what an operation becomes."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any

from clew.cli.database import database_of
from clew.cli.parser import json_object, project_option, read_file, roles
from clew.config import Settings
from clew.entry_points import load_app
from clew.errors import ClewError, StartupError
from clew.migrate.revisions import require_written
from clew.migrate.run import require_head
from clew.project import Project
from clew.viewer import Viewer


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("explain", help="print the rules, the plan, the SQL and Postgres' EXPLAIN")
    project_option(parser)
    parser.add_argument("file", metavar="FILE", help="the GraphQL document; - reads standard input")
    parser.add_argument(
        "--variables", type=json_object, default={}, metavar="JSON", help="the document's variables, a JSON object"
    )
    parser.add_argument(
        "--role", type=roles, metavar="R", help="explain for these roles, with commas between them; default: admin"
    )
    parser.add_argument("--claims", type=json_object, metavar="JSON", help="the viewer's claims, a JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation."""
    viewer = _viewer(arguments)
    document = read_file(arguments.file)
    project = Project.open(arguments.project)
    settings = Settings.load(project.root, "dev")
    clew = load_app(project)
    model = clew.build()[0]
    with database_of(project, settings) as url:
        asyncio.run(require_head(project.root, url))
        require_written(project.root, model)
        os.environ["DATABASE_URL"] = url
        try:
            print(asyncio.run(clew.explain(document, arguments.variables, viewer)))
        except ClewError as error:
            raise StartupError(error.message, error.hint) from None
    return 0


def _viewer(arguments: argparse.Namespace) -> Viewer:
    if arguments.role is None and arguments.claims is not None:
        # Who forgot the role would see everything, and take it for what another sees.
        raise StartupError("--claims needs --role.", "Such as --role user.")
    return Viewer.admin() if arguments.role is None else Viewer.seen_as(arguments.role, arguments.claims)
