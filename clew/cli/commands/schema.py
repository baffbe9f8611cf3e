"""`clew schema`: the API's schema as SDL."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from clew.access.visible import Access
from clew.cli.parser import project_option, roles
from clew.entry_points import load_app
from clew.project import Project
from clew.sdl.report import did_you_mean
from clew.viewer import ADMIN, ANON, USER, Viewer


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("schema", help="print the API's schema as SDL, complete or for some roles")
    project_option(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--role", type=roles, metavar="R", help="the schema of these roles, with commas between them; anon is added"
    )
    which.add_argument(
        "--all-roles", action="store_true", help="the schema and the rules of every role, for `clew check --diff`"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it to standard output."""
    clew = load_app(Project.open(arguments.project))
    if arguments.all_roles:
        print(clew.all_roles_sdl().rstrip())
        return 0
    viewer = None
    if arguments.role is not None:
        viewer = Viewer.seen_as(arguments.role)
        known = Access(clew.build()[0]).roles() | {ANON, USER, ADMIN}
        for role in sorted(viewer.roles - known):
            hint = did_you_mean(role, sorted(known))
            print(f'note: no rule names the role "{role}"' + (f"; {hint}" if hint else ""), file=sys.stderr)
    print(clew.schema_sdl(viewer).rstrip())
    return 0
