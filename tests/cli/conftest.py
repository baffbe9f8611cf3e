"""Projects on disk, and the real command run on them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clew.database import cluster
from tests.cli.forks import ROOT, Forks, environment_of

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


@pytest.fixture
def run(project: Path, forks: Forks) -> Run:
    """Run `clew ...` on the project as its own process: run("check", CLEW_PORT="x") -> the finished process."""

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return forks.run(project, environment_of(environment), ("clew", *arguments), stdin)

    return run


def stop_postgres(project: Path) -> None:
    """Stop what a test left behind of embedded Postgres: that of `clew dev`, and that of the project's tests."""
    for name in ("postgres", "test-postgres"):
        cluster.stop((project / ".clew" / name).resolve() / "data")
