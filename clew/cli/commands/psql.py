"""`clew psql`: open psql on the project's database."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from clew.cli.database import database_of
from clew.cli.parser import project_option
from clew.config import Settings
from clew.database import cluster
from clew.errors import StartupError
from clew.project import Project


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("psql", help="open psql on the database, the embedded one too")
    project_option(parser)
    parser.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="arguments of psql, after --: clew psql -- -c 'SELECT 1'"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run psql, and return its exit code. The embedded Postgres runs for as long as psql does."""
    project = Project.open(arguments.project)
    settings = Settings.load(project.root, "dev")
    with database_of(project, settings) as url:
        address, password = without_password(url)
        program = _program(embedded=settings.database_url is None)
        if program is None:
            raise StartupError(
                "psql is not installed.",
                f"Install the client programs of Postgres, or connect another client to {address}",
            )
        # A password among the arguments would be visible to every user of the machine.
        environment = os.environ if password is None else {**os.environ, "PGPASSWORD": password}
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            # Ctrl-C reaches psql too, which cancels its statement and goes on.
            return subprocess.run(  # noqa: S603 (no shell)
                [program, f"--dbname={address}", *arguments.arguments], env=environment, check=False
            ).returncode
        finally:
            signal.signal(signal.SIGINT, before)


def without_password(url: str) -> tuple[str, str | None]:
    """Return a URL without its password, and the password."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    given = dict(pairs).get("password", unquote(password))
    query = urlencode([pair for pair in pairs if pair[0] != "password"], safe="/", quote_via=quote)
    # urlunsplit would drop the // if there is no host before the path.
    return f"{parts.scheme}://{name}{at}{hosts}{parts.path}" + (f"?{query}" if query else ""), given or None


def _program(*, embedded: bool) -> str | None:
    """Return psql: for the embedded Postgres the one beside it, which has its version, else the machine's first."""
    places: list[Callable[[], str | None]] = [_installed, _beside_embedded]
    return next(filter(None, (place() for place in (reversed(places) if embedded else places))), None)


def _installed() -> str | None:
    return shutil.which("psql")


def _beside_embedded() -> str | None:
    try:
        program = cluster.program("psql")
    except StartupError:
        return None
    return str(program) if program.exists() else None
