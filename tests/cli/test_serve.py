"""`clew serve`: refuses what is not at the head, serves with several processes, ends as told."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Run
from tests.cli.forks import environment_of

SECRETS = {
    "CLEW_SECRET": "7c1f0e5b2a9d4836b7e1c05f9a3d6284",
    "CLEW_ADMIN_SECRET": "f2b90d6e81c74a35902d7be6c4a1f538",
}


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def metrics(port: int) -> str:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    asked.add_header("X-Clew-Admin-Secret", SECRETS["CLEW_ADMIN_SECRET"])
    with urllib.request.urlopen(asked, timeout=5) as answer:
        return str(answer.read().decode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(project: Path, url: str, *arguments: str, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "clew.cli", "serve", "--port", str(port), *arguments],
        cwd=project,
        env=environment_of({"DATABASE_URL": url, **SECRETS, **settings}),
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None
            try:
                if status(port, "/healthz") == 200:
                    break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture
def migrated(run: Run, project: Path, database_url: str) -> str:
    assert run("migrate", "make", "-m", "first").returncode == 0
    assert run("migrate", "up", DATABASE_URL=database_url).returncode == 0
    return database_url


def test_a_database_behind_the_head_is_refused(run: Run, database_url: str) -> None:
    run("migrate", "make", "-m", "first")
    done = run("serve", "--port", "0", DATABASE_URL=database_url, **SECRETS)
    assert done.returncode == 1
    assert "behind 0001_first" in done.stderr
    assert "clew migrate up" in done.stderr


def test_sdl_that_no_migration_leads_to_is_refused(run: Run, project: Path, migrated: str) -> None:
    sdl = project / "graphql" / "schema.graphql"
    sdl.write_text(sdl.read_text() + "type Extra @table { id: ID! @id }\n")
    done = run("serve", "--port", "0", DATABASE_URL=migrated, **SECRETS)
    assert done.returncode == 1
    assert "The SDL has changed since the last migration:\n  - create table extras" in done.stderr


def test_readiness_fails_first_then_it_ends_within_the_grace_period(project: Path, migrated: str) -> None:
    times = {"CLEW_DRAIN_SECONDS": "1", "CLEW_SHUTDOWN_SECONDS": "1"}
    with serving(project, migrated, **times) as (process, port), socket.create_connection(("127.0.0.1", port)) as half:
        assert status(port, "/readyz") == 200
        half.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert status(port, "/readyz") == 503
        assert status(port, "/healthz") == 200
        assert process.wait(10) == 0
        assert time.monotonic() - began < 6
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_ctrl_c_ends_with_130_and_no_traceback(project: Path, migrated: str) -> None:
    with serving(project, migrated, CLEW_DRAIN_SECONDS="0") as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def living(parent: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(parent).children():
        # The parent may have waited for it just now.
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def test_several_workers_serve_are_replaced_and_end_together(project: Path, migrated: str) -> None:
    with serving(project, migrated, "--workers", "2", CLEW_DRAIN_SECONDS="0") as (process, port):
        # One that is killed before it is ready is a failed start, which ends the server: wait for both.
        assert process.stderr is not None
        for _ in range(2):
            while b"A server process is ready" not in (line := process.stderr.readline()):
                assert line
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        deadline = time.monotonic() + 20
        # Whichever of them answers shows both, unless the other one is too busy to answer it.
        while not all(
            f'process_start_time_seconds{{worker="{worker}"}}' in (told := metrics(port)) for worker in (1, 2)
        ):
            assert time.monotonic() < deadline
        assert len(re.findall(r"^clew_oldest_snapshot_seconds \d", told, re.MULTILINE)) == 1
        assert told.count("# TYPE clew_pool_waiting gauge") == 1
        workers[0].kill()
        deadline = time.monotonic() + 20
        while len(alive := living(process.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert status(port, "/healthz") == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not any(worker.is_running() for worker in alive)


def test_workers_do_not_outlive_a_killed_parent(project: Path, migrated: str) -> None:
    with serving(project, migrated, "--workers", "2", CLEW_DRAIN_SECONDS="0") as (process, _):
        workers = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=15)
        assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]
