"""`clew explain`: what an operation becomes."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from clew.cli.database import database_of
from clew.cli.parser import project_option
from clew.config import Settings
from clew.errors import ClewError, StartupError
from clew.migrate.revisions import require_written
from clew.migrate.run import require_head
from clew.project import Project, load_app


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("explain", help="print an operation's plan, its SQL, and Postgres' EXPLAIN")
    project_option(parser)
    parser.add_argument("file", metavar="FILE", help="the GraphQL document; - reads standard input")
    parser.add_argument("--variables", type=_variables, default={}, metavar="JSON", help="its variables, a JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation."""
    document = _read(arguments.file)
    project = Project.open(arguments.project)
    settings = Settings.load(project.root)
    clew = load_app(project)
    model = clew.build()[0]
    with database_of(project, settings) as url:
        asyncio.run(require_head(project.root, url))
        require_written(project.root, model)
        os.environ["DATABASE_URL"] = url
        try:
            print(asyncio.run(clew.explain(document, arguments.variables)))
        except ClewError as error:
            raise StartupError(error.message, error.hint) from None
    return 0


def _variables(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("a JSON object is needed")
    return value


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(f"{name} cannot be read: {reason}.") from None
