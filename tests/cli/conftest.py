"""Projects on disk, and the real command run on them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from clew.database import cluster
from tests.cli.forks import Forks

ROOT = Path(__file__).resolve().parent.parent.parent

SDL = """type Note @table @allow(role: "anon", to: ALL) {
  id: Int! @id
  text: String!
}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write `files` below `root`."""
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one entity and no migration yet."""
    root = tmp_path / "project"
    write(root, {"graphql/schema.graphql": SDL, "pyproject.toml": '[project]\nname = "demo"\n'})
    (root / "migrations" / "versions").mkdir(parents=True)
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """One for all commands; imports nothing of a project."""
    made = Forks(environment_of({}))
    yield made
    made.close()


@pytest.fixture
def run(project: Path, forks: Forks) -> Run:
    """Run `clew ...` on the project as its own process: run("check", CLEW_PORT="x") -> the finished process."""

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return forks.run(project, environment_of(environment), arguments, stdin)

    return run


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """A clean environment with `settings`; where lines that run are counted, they are there, too."""
    counting = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", **counting, **settings}


def stop_postgres(project: Path) -> None:
    """Stop an embedded Postgres that a test left behind."""
    cluster.stop((project / ".clew" / "postgres").resolve() / "data")
