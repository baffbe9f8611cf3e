"""How a command starts: SIGTERM ends it from the beginning, and it loads no more than it needs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clew.database import cluster
from tests.cli.forks import environment_of


def handles(pid: int, number: int) -> bool:
    """Whether a process has a handler of its own for a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)


def test_sigterm_ends_a_command_that_is_still_loading(project: Path) -> None:
    # Linux drops it for the first process of a container, unless there is a handler.
    process = subprocess.Popen([sys.executable, "-m", "clew.cli", "serve"], cwd=project, env=environment_of({}))
    try:
        deadline = time.monotonic() + 30
        while not handles(process.pid, signal.SIGTERM):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        loaded = Path(f"/proc/{process.pid}/maps").read_text()
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert "asyncpg" not in loaded
    assert "pydantic" not in loaded


def test_sigterm_while_the_embedded_postgres_starts_leaves_none(project: Path) -> None:
    data = project.resolve() / ".clew" / "postgres" / "data"
    command = [sys.executable, "-m", "clew.cli", "psql", "--", "-c", "SELECT pg_sleep(60)"]
    process = subprocess.Popen(command, cwd=project, env=environment_of({}), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (data / "postmaster.pid").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
        assert not cluster.is_running(data)
    finally:
        process.kill()
        process.wait()
        cluster.stop(data)


LOADED = """
import sys
from clew.cli.parser import build_parser

build_parser(sys.argv[1])
print(*{"alembic", "ariadne", "asyncpg", "graphql", "sqlalchemy", "starlette"} & {*sys.modules})
"""


@pytest.mark.parametrize("command", ["dev", "psql", "token"])
def test_a_command_without_the_project_loads_none_of_the_engine(command: str, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, command], cwd=project, env=environment_of({}), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("\n", "")
