"""`clew serve`: production."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from clew.cli.parser import address_options, positive, project_option
from clew.config import Settings
from clew.migrate.connect import open_connection
from clew.migrate.faults import explained
from clew.migrate.history import load_history
from clew.migrate.run import check_at_head
from clew.observe import get_logger, setup_logging
from clew.project import Project, load_app
from clew.server.http import Server, exit_code
from clew.server.listen import address_of, listen
from clew.server.workers import run_workers


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="serve in production")
    project_option(parser)
    address_options(parser)
    parser.add_argument("--workers", type=positive, help="server processes (CLEW_WORKERS; default: 1)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Refuse whatever is not fit for production, with every fault; then serve until SIGTERM."""
    project = Project.open(arguments.project)
    settings = _settings(arguments, project)
    settings.require_production()
    setup_logging(settings.log_level, settings.log_format)
    clew = load_app(project)
    clew.build()
    assert settings.database_url is not None
    asyncio.run(_require_head(project, settings.database_url))
    with listen(settings.host, settings.port) as listener:
        get_logger("clew.serve").info("Serving.", address=address_of(listener), workers=settings.workers)
        if settings.workers > 1:
            environment = {"CLEW_PROJECT": str(project.root), "CLEW_ENV": settings.env}
            return asyncio.run(run_workers(listener, settings, environment))
        server = Server(clew.asgi(settings), settings)
        server.serve_on(listener)
        return exit_code(server)


def _settings(arguments: argparse.Namespace, project: Project) -> Settings:
    given = {"host": arguments.host, "port": arguments.port, "workers": arguments.workers}
    settings = Settings.load(project.root, "production")
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


async def _require_head(project: Project, url: str) -> None:
    history = load_history(project.root)
    with explained(url):
        connection = await open_connection(url)
        try:
            await check_at_head(connection, history)
        finally:
            await connection.close()
