"""The server process of `clew dev`. It serves one version of the project, from its check to its last request.

It checks itself before it changes anything. If the SDL, the bindings and the app are valid, it
reports the pending changes of the database. If the supervisor agrees, it migrates and serves.
Every save starts a new process. An invalid version ends without a trace.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from clew.app import development_app
from clew.config import Settings
from clew.dev import schema
from clew.dev.seed import seed_once
from clew.entry_points import Seed, load_app, load_seed
from clew.errors import SchemaError, StartupError
from clew.observe import setup_logging
from clew.project import Project
from clew.server.channel import Channel
from clew.server.http import Server

T = TypeVar("T")

# The exit code after SIGTERM, as shells have it.
STOPPED = 128 + signal.SIGTERM


def main(listener_fd: int, channel_fd: int) -> int:
    """Serve on the inherited socket until SIGTERM, or until the supervisor is gone."""
    channel = Channel(channel_fd)
    # Outside of a migration and the server there is nothing to undo. An exception would reach whatever runs at that
    # moment: in a destructor, or while Python ends, it would be printed and forgotten.
    signal.signal(signal.SIGTERM, _end)
    try:
        server = _prepare(channel)
        if server is not None:
            server.serve_on(socket.socket(fileno=listener_fd))
            return 0
    except StartupError as error:
        hint = f"\n  hint: {error.hint}" if error.hint else ""
        channel.send({"event": "failed", "text": f"error: {error.message}{hint}"})
    except SchemaError as error:
        channel.send({"event": "failed", "text": str(error)})
    except Exception:
        channel.send({"event": "failed", "text": traceback.format_exc()})
    finally:
        channel.close()
    return 1


def _prepare(channel: Channel) -> Server | None:
    """Check, migrate and seed. Return None if the supervisor rejects this version."""
    began = time.perf_counter()
    project = Project.open(Path(os.environ["CLEW_PROJECT"]))
    settings = Settings.load(project.root, "dev")
    setup_logging(settings.log_level, settings.log_format)
    clew = load_app(project)
    seed = load_seed(project)
    model = clew.build()[0]
    app = development_app(clew, settings)
    checked = time.perf_counter()
    if settings.database_url is None:
        raise StartupError("DATABASE_URL is not set.")
    url = settings.database_url
    pending = asyncio.run(schema.pending(project, model, url))
    channel.send({"event": "pending", "losses": pending.doubts.losses, "failures": pending.doubts.failures})
    if channel.receive() is None:
        return None
    try:
        applied = asyncio.run(_until_stopped(schema.apply(project, model, url, pending)))
    except asyncio.CancelledError:
        sys.exit(STOPPED)
    seeded = seed is not None and asyncio.run(_seed(project, seed, url))
    migrated = time.perf_counter()
    server: Server

    def started() -> None:
        channel.send(
            {
                "event": "ready",
                "entities": len(model.own_entities),
                "applied": applied,
                "seeded": seeded,
                "playground": settings.playground,
                "check_seconds": checked - began,
                "migrate_seconds": migrated - checked,
            }
        )
        # A killed supervisor cannot send SIGTERM.
        channel.when_closed(lambda: server.handle_exit(signal.SIGTERM, None))

    def closed() -> None:
        channel.send({"event": "closed"})

    server = Server(app, settings, on_started=started, on_closed=closed)
    return server


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(STOPPED)


async def _until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Do work that SIGTERM cancels, so that a migration that is interrupted removes its file."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await work
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, _end)


async def _seed(project: Project, seed: Seed, url: str) -> bool:
    async with schema.connect(url) as connection:
        return await seed_once(project, seed, connection)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
