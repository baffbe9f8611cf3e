"""`clew token`: make a token for trying access rules."""

from __future__ import annotations

import argparse
from typing import Any

from clew.auth.tokens import mint
from clew.cli.parser import json_object, project_option, roles
from clew.config import Settings
from clew.project import Project

_LONGEST = 10 * 365 * 24 * 3600


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("token", help="make a bearer token for development")
    project_option(parser)
    parser.add_argument("--sub", type=_subject, required=True, metavar="ID", help="the viewer's id")
    parser.add_argument(
        "--role",
        type=roles,
        default=frozenset(),
        metavar="R",
        help="roles, with commas between them; the server adds anon and user",
    )
    parser.add_argument("--claims", type=json_object, metavar="JSON", help="more claims, a JSON object")
    parser.add_argument(
        "--expires", type=_seconds, default=3600, metavar="SECONDS", help="the seconds that it is valid (default: 3600)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the token to standard output, and nothing else."""
    settings = Settings.load(Project.open(arguments.project).root, "dev")
    print(mint(settings, arguments.sub, arguments.role, arguments.claims, arguments.expires))
    return 0


def _subject(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the viewer's id cannot be empty: the server refuses such a token")
    return text


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to {_LONGEST}")
    return int(text)
