"""`clew check`: check the SDL and the bindings of a project."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from graphql import GraphQLSyntaxError

from clew.cli.database import database_of
from clew.cli.parser import project_option, read_file
from clew.config import Settings
from clew.engine import live_rules, masked_sources
from clew.entry_points import load_app
from clew.errors import StartupError
from clew.migrate.run import require_head
from clew.migrate.trial import try_sql
from clew.project import Project
from clew.schema.role_file import compare, read_roles
from clew.sdl.directives import directives_text
from clew.sdl.load import read_sources


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check", help="validate the SDL and the Python bindings; the exit code is 1 if there is an error"
    )
    project_option(parser)
    parser.add_argument(
        "--directives",
        action="store_true",
        help="also write Clew's directives to graphql/directives.graphql, for your editor",
    )
    parser.add_argument(
        "--database",
        action="store_true",
        help="also try the SQL of the SDL on the database, in a transaction that is rolled back",
    )
    parser.add_argument(
        "--diff",
        metavar="FILE",
        help="also print what each role gains and loses since FILE, an output of `clew schema --all-roles`",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every error, or the warnings and the number of entities; then the changes for each role."""
    project = Project.open(arguments.project)
    if arguments.directives:
        write_directives(project)
    clew = load_app(project)
    model = clew.build()[0]
    count = len(model.own_entities)
    sources = read_sources(project.graphql_dir, project.root)[0]
    if arguments.database:
        with database_of(project, Settings.load(project.root, "dev")) as url:
            asyncio.run(require_head(project.root, url))
            asyncio.run(try_sql(model, sources, url))
    reported = (*masked_sources.warnings(model, sources), *live_rules.warnings(model, sources))
    for warning in reported:
        print(f"{warning.render()}\n", file=sys.stderr)
    note = f", {len(reported)} warning{'s' if len(reported) > 1 else ''}" if reported else ""
    print(f"No errors{note}; {count} {'entity' if count == 1 else 'entities'}.")
    if arguments.diff is not None:
        print()
        print(_differences(arguments.diff, clew.all_roles_sdl()))
    return 0


def _differences(file: str, now: str) -> str:
    """Describe the differences between `file` and the present schemas of the roles.

    Raises:
        StartupError: the file cannot be read, or was not printed by `clew schema --all-roles`.
    """
    try:
        before = read_roles(read_file(file))
    except (GraphQLSyntaxError, ValueError) as error:
        reason = error.message if isinstance(error, GraphQLSyntaxError) else str(error)
        place = "".join(f":{at.line}:{at.column}" for at in getattr(error, "locations", None) or ())
        raise StartupError(
            f"{file}{place} is not what `clew schema --all-roles` prints: {reason}.",
            "Write it again from the version to compare with.",
        ) from None
    after = read_roles(now)
    lines: list[str] = []
    by_role = {role: changes for role, changes in compare(before, after).items() if changes}
    for role, changes in by_role.items():
        note = "" if role in before and role in after else " (a new role)" if role in after else " (no longer a role)"
        lines += [role + note, *(f"  {line}" for line in changes.lines), ""]
    if not by_role:
        return "No role sees anything new, or loses anything."
    gained, lost, changed = (
        sum(len(changes) for changes in kind)
        for kind in zip(*((c.gained, c.lost, c.changed) for c in by_role.values()), strict=True)
    )
    many = f"{len(by_role)} role{'s' if len(by_role) > 1 else ''}"
    return "\n".join([*lines, f"{many} with differences: {gained} new (+), {lost} lost (-), {changed} changed (~)."])


def write_directives(project: Project) -> None:
    """Write Clew's directive definitions beside the SDL. The loader accepts that file."""
    target = project.graphql_dir / "directives.graphql"
    try:
        target.write_text(directives_text(), encoding="utf-8")
    except OSError as error:
        raise StartupError(f"{target} cannot be written: {error.strerror}.") from None
