"""`clew export`: write the rows of a query to a file."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from clew.app import Clew
from clew.cli.database import database_of
from clew.cli.parser import json_object, project_option, read_file, roles
from clew.config import Settings
from clew.document.prepare import InvalidDocument
from clew.entry_points import load_app
from clew.errors import ClewError, StartupError
from clew.export.exports import Progress
from clew.migrate.revisions import require_written
from clew.migrate.run import require_head
from clew.observe import setup_logging
from clew.project import Project
from clew.sql.copy import Form
from clew.viewer import Viewer

FORMS = {"csv": Form(","), "ndjson": Form()}
_WIDTH = 30
# In seconds.
_EVERY = 0.1


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("export", help="write the rows of a query as CSV or NDJSON")
    project_option(parser)
    parser.add_argument("file", metavar="FILE", help="the GraphQL document; - reads standard input")
    parser.add_argument(
        "--format", choices=FORMS, metavar="FORMAT", help="csv or ndjson; default: by --output, else csv"
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="the file to write; default: standard output")
    parser.add_argument(
        "--variables", type=json_object, default={}, metavar="JSON", help="the document's variables, a JSON object"
    )
    parser.add_argument(
        "--role", type=roles, metavar="R", help="export for these roles, with commas between them; default: admin"
    )
    parser.add_argument("--claims", type=json_object, metavar="JSON", help="the viewer's claims, a JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file."""
    if arguments.role is None and arguments.claims is not None:
        # Without the role the admin would see everything, and believe that the other viewer does.
        raise StartupError("--claims needs --role.", "Such as --role user.")
    viewer = Viewer.admin() if arguments.role is None else Viewer.seen_as(arguments.role, arguments.claims)
    ending = "" if arguments.output is None else arguments.output.suffix[1:].lower()
    form = FORMS[arguments.format or (ending if ending in FORMS else "csv")]
    document = read_file(arguments.file)
    project = Project.open(arguments.project)
    settings = Settings.load(project.root, "dev")
    # Standard output is for the file.
    setup_logging(settings.log_level, settings.log_format)
    clew = load_app(project)
    model = clew.build()[0]
    with database_of(project, settings) as url:
        asyncio.run(require_head(project.root, url))
        require_written(project.root, model)
        os.environ["DATABASE_URL"] = url
        try:
            with _opened(arguments.output) as output:
                asyncio.run(_write(clew, document, arguments.variables, viewer, form, output))
        except ClewError as error:
            raise StartupError(error.message, error.hint) from None
        except InvalidDocument as invalid:
            raise StartupError(invalid.errors[0].message) from None
        except BrokenPipeError:
            # The reader has enough. Python would complain about what is left of standard output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    return 0


async def _write(
    clew: Clew, document: str, variables: dict[str, Any], viewer: Viewer, form: Form, output: IO[bytes]
) -> None:
    progress = Progress() if sys.stderr.isatty() else None
    showing = None if progress is None else asyncio.ensure_future(_show(progress))
    try:
        async with clew.export(document, variables, viewer=viewer, form=form, progress=progress) as file:
            async for part in file:
                # Neither the database nor the bar has anything to do until it is written.
                output.write(part)
        output.flush()
    finally:
        if showing is not None:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    """Open the output. A file gets its name when it is whole."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as output:
                yield output
            return
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as output:
                yield output
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}.") from None


async def _show(progress: Progress) -> None:
    """Show how far an export is, until this is cancelled."""
    began = time.monotonic()
    try:
        while True:
            await asyncio.sleep(_EVERY)
            print(f"\r{line(progress, time.monotonic() - began)}\x1b[K", end="", file=sys.stderr, flush=True)
    finally:
        print(f"\r{line(progress, time.monotonic() - began)}\x1b[K", file=sys.stderr)


def line(progress: Progress, seconds: float) -> str:
    """Return how far an export is, as a line of text."""
    share = 0.0 if not progress.expected else progress.lines / progress.expected
    # Postgres may have expected fewer rows.
    done = 1.0 if progress.is_whole else min(share, 0.99)
    bar = "#" * round(done * _WIDTH)
    size = progress.bytes / 1e6
    return f"[{bar:<{_WIDTH}}] {done:4.0%}  {size:,.1f} MB  {size / max(seconds, 1e-3):,.1f} MB/s  {seconds:.0f} s"
