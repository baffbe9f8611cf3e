"""The parent of several server processes: it replaces ended ones, and stops all together."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
import time
from typing import Any

from clew.config import Settings
from clew.errors import StartupError
from clew.observe import get_logger
from clew.server.processes import LAST_SECONDS, Child

WORKER = "clew.server.worker"
# The variable that tells a process where its socket for metrics is, beside those of the others.
SOCKET = "_CLEW_WORKER_SOCKET"

# In seconds. A process that ends sooner after its start would most likely do so again, so its restart waits.
SHORT_LIFE = 5.0

log = get_logger("clew.serve")


async def run_workers(listener: socket.socket, settings: Settings, environment: dict[str, str]) -> int:
    """Run `settings.workers` processes until SIGTERM or SIGINT, and return the exit code.

    Raises:
        StartupError: a process fails to start at the beginning.
    """
    loop = asyncio.get_running_loop()
    stopped_by: asyncio.Future[Any] = loop.create_future()

    def stop(number: int) -> None:
        if not stopped_by.done():
            stopped_by.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    grace = settings.drain_seconds + settings.shutdown_seconds + LAST_SECONDS + 1
    folder = tempfile.TemporaryDirectory(prefix="clew-")
    keepers: list[asyncio.Future[Any]] = [
        asyncio.create_task(_keep(index, listener, {**environment, SOCKET: f"{folder.name}/{index}"}, grace))
        for index in range(1, settings.workers + 1)
    ]
    try:
        await asyncio.wait({stopped_by, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        for keeper in keepers:
            if keeper.done():
                keeper.result()
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        folder.cleanup()
    return 130 if stopped_by.result() == signal.SIGINT else 0


async def _keep(index: int, listener: socket.socket, environment: dict[str, str], grace: float) -> None:
    """Keep one process running. Stop it on cancellation."""
    served = False
    while True:
        began = time.monotonic()
        child = await Child.start(WORKER, listener, environment)
        try:
            if await child.receive() is not None:
                served = True
                log.info("A server process is ready.", worker=index, pid=child.pid)
            code = await child.wait()
        finally:
            await asyncio.shield(child.stop(grace))
        if not served:
            raise StartupError(f"Server process {index} ended before it served a request (exit code {code}).")
        log.error("A server process ended unexpectedly. Another one starts.", worker=index, exit_code=code)
        if time.monotonic() - began < SHORT_LIFE:
            await asyncio.sleep(SHORT_LIFE)
