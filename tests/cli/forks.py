"""Commands without the second that it takes to import Clew: a process that has imported it forks for each.

All else is as with `python -m clew.cli` and `python -m alembic`: a process of its own, with its own
folder, environment and files, that ends as Python ends. `test_dev.py` and `test_serve.py` start the
command itself, and some tests of migrations Alembic itself.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Forks for each line that it reads, and answers with the exit code.
SERVER = """
import json, os, sys
import alembic.config, clew.cli
from clew import collector
from clew.cli.parser import build_parser

build_parser()
# A fork that ends collects all garbage, and would copy what it looks at. The pauses of Clew would undo `gc.freeze`.
collector.freeze()
while line := sys.stdin.buffer.readline():
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        for descriptor, path in enumerate(job["files"]):
            os.dup2(os.open(path, os.O_RDWR), descriptor)
        sys.stdin = open(0, closefd=False)
        sys.argv = [job["command"], *job["arguments"]]
        sys.exit({"clew": clew.cli.main, "alembic": alembic.config.main}[job["command"]]())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks:
    """The process that forks.

    Args:
        environment: of the process itself; what Python reads of it at its start holds for the commands too.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def run(
        self, folder: Path, environment: Mapping[str, str], command: tuple[str, ...], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `clew` or `alembic` with arguments in `folder`; what it printed and its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="clew-test-") as name:
            files = [Path(name, kind) for kind in ("stdin", "stdout", "stderr")]
            for file in files:
                file.write_text("")
            files[0].write_text(stdin or "")
            job = {"folder": str(folder), "environment": dict(environment), "files": [str(file) for file in files]}
            self._process.stdin.write(json.dumps({**job, "command": command[0], "arguments": command[1:]}) + "\n")
            if not select.select([self._process.stdout], [], [], 120)[0]:
                raise subprocess.TimeoutExpired(command, 120)
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(command, code, files[1].read_text(), files[2].read_text())

    def close(self) -> None:
        """End it; a command that still runs goes on without it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """A clean environment with `settings`; where lines that run are counted, they are there, too."""
    counting = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", **counting, **settings}
