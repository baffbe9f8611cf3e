"""`clew check`: is the project right?"""

from __future__ import annotations

import argparse
from importlib.resources import files
from typing import Any

from clew.cli.parser import project_option
from clew.errors import StartupError
from clew.project import Project, load_app


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("check", help="validate the SDL and the Python bindings; exit 1 on any error")
    project_option(parser)
    parser.add_argument(
        "--directives",
        action="store_true",
        help="also write graphql/directives.graphql, Clew's directives, for your editor",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every error, or how many entities there are."""
    project = Project.open(arguments.project)
    if arguments.directives:
        write_directives(project)
    model = load_app(project).build()[0]
    count = len(model.entities)
    print(f"No errors; {count} {'entity' if count == 1 else 'entities'}.")
    return 0


def write_directives(project: Project) -> None:
    """Write Clew's directive definitions beside the SDL; the loader accepts that file."""
    target = project.graphql_dir / "directives.graphql"
    try:
        target.write_text(files("clew.sdl").joinpath("directives.graphql").read_text("utf-8"), encoding="utf-8")
    except OSError as error:
        raise StartupError(f"{target} cannot be written: {error.strerror}.") from None
