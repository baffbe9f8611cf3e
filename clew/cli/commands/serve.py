"""`clew serve`: serve in production."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from clew.cli.parser import address_options, positive, project_option
from clew.config import Settings
from clew.entry_points import load_app
from clew.migrate.revisions import require_written
from clew.migrate.run import require_head
from clew.observe import get_logger, setup_logging
from clew.project import Project
from clew.server.http import Server, exit_code
from clew.server.listen import address_of, listen
from clew.server.workers import run_workers


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="serve in production")
    project_option(parser)
    address_options(parser)
    parser.add_argument("--workers", type=positive, help="server processes (CLEW_WORKERS; default: 1)")
    parser.add_argument("--no-worker", action="store_true", help="run no jobs (CLEW_RUN_JOBS)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Refuse settings and projects that are not fit for production, with every fault; then serve until SIGTERM."""
    project = Project.open(arguments.project)
    settings = _settings(arguments, project)
    settings.require_production()
    setup_logging(settings.log_level, settings.log_format)
    clew = load_app(project)
    model = clew.build()[0]
    assert settings.database_url is not None
    asyncio.run(require_head(project.root, settings.database_url))
    require_written(project.root, model)
    with listen(settings.host, settings.port) as listener:
        get_logger("clew.serve").info("Serving.", address=address_of(listener), workers=settings.workers)
        if settings.workers > 1:
            environment = {"CLEW_PROJECT": str(project.root), "CLEW_ENV": settings.env}
            environment["CLEW_RUN_JOBS"] = str(settings.run_jobs)
            return asyncio.run(run_workers(listener, settings, environment))
        server = Server(clew.asgi(settings), settings)
        server.serve_on(listener)
        return exit_code(server)


def _settings(arguments: argparse.Namespace, project: Project) -> Settings:
    options = {"host": arguments.host, "port": arguments.port, "workers": arguments.workers}
    if arguments.no_worker:
        options["run_jobs"] = False
    settings = Settings.load(project.root, "production")
    return settings.model_copy(update={name: value for name, value in options.items() if value is not None})
