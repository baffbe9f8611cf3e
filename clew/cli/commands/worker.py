"""`clew worker`: run jobs, and serve nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Collection
from typing import Any

from clew.app import Clew, worker_app
from clew.cli.parser import project_option
from clew.config import Settings
from clew.entry_points import load_app
from clew.errors import StartupError
from clew.migrate.revisions import require_written
from clew.migrate.run import require_head
from clew.observe import get_logger, setup_logging
from clew.project import Project
from clew.server import loops


def configure(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("worker", help="run jobs, and serve nothing")
    project_option(parser)
    parser.add_argument("--queue", action="append", metavar="NAME", help="only jobs of this queue; may be repeated")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Refuse what `clew serve` refuses; then run jobs until SIGTERM."""
    project = Project.open(arguments.project)
    settings = Settings.load(project.root, "production")
    settings.require_production()
    setup_logging(settings.log_level, settings.log_format)
    clew = load_app(project)
    model = clew.build()[0]
    queues = {custom.job.queue for custom in model.job_fields.values() if custom.job is not None}
    if unknown := sorted(set(arguments.queue or ()) - queues):
        raise StartupError(
            f"No job has the queue {unknown[0]!r}.", f"There are: {', '.join(sorted(queues)) or 'none'}."
        )
    assert settings.database_url is not None
    asyncio.run(require_head(project.root, settings.database_url))
    require_written(project.root, model)
    loops.run(_work(clew, settings, arguments.queue))
    return 0


# In seconds: how long handlers that ignored their end may ignore it once more.
_PATIENCE = 1.0


async def _work(clew: Clew, settings: Settings, queues: Collection[str] | None) -> None:
    """Run jobs until a signal. Those that run may go on for a while; a second signal ends the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopped.is_set():
            os._exit(1)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with worker_app(clew, settings, queues).lifespan():
        get_logger("clew.worker").info("Working.", queues=sorted(queues) if queues else "all")
        await stopped.wait()
    await _leave()


async def _leave() -> None:
    """End the process if handlers ignore that they are cancelled. Otherwise it would wait for them for ever."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        _, deaf = await asyncio.wait(left, timeout=_PATIENCE)
        if deaf:
            get_logger("clew.worker").error(
                "Handlers ignore their end.", tasks=sorted(task.get_name() for task in deaf)
            )
            os._exit(1)
