"""The Postgres of the tests: one for all workers. Its files, and those of tests, are in memory where there is room.

Tests make and drop tables and clusters all the time, and on a disk most of that time goes into files.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from clew.database import cluster
from clew.database.embedded import embedded_postgres

STATE = Path(__file__).resolve().parent.parent / ".clew"
MEMORY = Path("/dev/shm")
# In bytes. A run of all tests takes some hundred megabytes.
ROOM = 3 * 10**9
# In seconds. Long, because the machine may be busy.
PATIENCE = 30.0


@contextmanager
def shared_server() -> Iterator[str]:
    """Run the server of this repository's tests, and yield the URL of a database on it.

    The first process starts it. The last one stops it and removes its files.
    """
    with ExitStack() as stack:
        with _locked("test-postgres") as place:
            folder = Path(place.read_text() or "nowhere")
            if not folder.is_dir():
                folder = Path(tempfile.mkdtemp(prefix="clew-test-", dir=in_memory() or STATE))
                place.write_text(str(folder))
            if not (folder / "data").exists():
                copy_empty_cluster(folder)
            url = stack.enter_context(embedded_postgres(folder, durable=False))
        try:
            yield url
        finally:
            with _locked("test-postgres"):
                stack.close()
                if not cluster.is_running(folder.resolve() / "data"):
                    shutil.rmtree(folder)


def copy_empty_cluster(folder: Path) -> None:
    """Put the data of an embedded Postgres that never ran into `folder`: to copy them is faster than to make them."""
    with _locked("empty-cluster"):
        kept = STATE / "empty-cluster"
        kept.mkdir(exist_ok=True)
        cluster.initialise(kept / "data", durable=False)
    # `cp` keeps the owner, whom Postgres asks for. Half a copy must not be taken for a whole one.
    subprocess.run(["cp", "-a", kept / "data", folder / "copy"], check=True)
    (folder / "copy").rename(folder / "data")


@dataclass
class Postgres:
    """A server that a test may stop."""

    url: str
    data: Path

    async def stop(self, how: signal.Signals) -> None:
        postmaster = cluster.postmaster(self.data)
        assert postmaster is not None
        postmaster.send_signal(how)
        await asyncio.to_thread(postmaster.wait, PATIENCE)

    async def start(self) -> None:
        await asyncio.to_thread(cluster.start, self.data, True)

    async def connect(self) -> asyncpg.Connection[Any]:
        """Open a connection, as soon as the server takes one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await asyncpg.connect(self.url)
                except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
                    await asyncio.sleep(0.05)


@contextmanager
def stoppable() -> Iterator[Postgres]:
    """Run a server of a test's own, which keeps what it has committed."""
    with tempfile.TemporaryDirectory(prefix="clew-test-", dir=in_memory(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy_empty_cluster(folder)
        with embedded_postgres(folder, durable=True) as url:
            yield Postgres(url, folder / "data")


def in_memory() -> Path | None:
    """Return a folder whose files are in memory, if there is one with enough room."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


@contextmanager
def _locked(name: str) -> Iterator[Path]:
    """Let one process at a time run the block, and yield the file that is locked."""
    STATE.mkdir(exist_ok=True)
    file = STATE / f"{name}.lock"
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield file
