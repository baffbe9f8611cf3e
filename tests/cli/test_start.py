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

# A command whose loading takes long.
LOADING = """
import time
import clew.cli, clew.cli.parser

def load(name):
    print(name, flush=True)
    time.sleep(60)

clew.cli.parser.importlib.import_module = load
clew.cli.main(["serve"])
"""


def test_sigterm_ends_a_command_that_is_still_loading(project: Path) -> None:
    # Linux drops it for the first process of a container, unless there is a handler.
    command = [sys.executable, "-c", LOADING]
    with subprocess.Popen(command, cwd=project, env=environment_of({}), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "clew.cli.commands.serve\n"
            loaded = Path(f"/proc/{process.pid}/maps").read_text()
            process.terminate()
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()
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
