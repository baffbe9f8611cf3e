"""`clew schema`: the API's schema as SDL."""

from __future__ import annotations

import argparse
from typing import Any

from clew.cli.parser import project_option
from clew.project import Project, load_app


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("schema", help="print the API's complete schema as SDL")
    project_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it to standard output."""
    project = Project.open(arguments.project)
    clew = load_app(project)
    print(clew.schema_sdl().rstrip())
    return 0
