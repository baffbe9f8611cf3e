"""Projects with tests of their own, run by a pytest of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clew.migrate.revisions import make
from clew.model.build import load_model

ROOT = Path(__file__).resolve().parent.parent.parent

Outcome = subprocess.CompletedProcess[str]
RunTests = Callable[..., Outcome]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what Alembic needs, and no schema yet."""
    (tmp_path / "graphql").mkdir()
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    for name in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def run_tests(project: Path, postgres_url: str) -> RunTests:
    """Write files, make the migration, and run pytest: run_tests({"tests/test_x.py": "..."}) -> the process."""

    def run(files: dict[str, str], *arguments: str, migrate: bool = True, **environment: str) -> Outcome:
        for name, text in files.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)
        if migrate:
            make(project, load_model(project / "graphql"), "first")
        counting = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-W", "error", *arguments],
            cwd=project,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT),
                "DATABASE_URL": postgres_url,
                **counting,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def outcomes(done: Outcome) -> dict[str, str]:
    """How each test of a run ended: {"test_x": "PASSED"}."""
    return dict(re.findall(r"::(\w+) (PASSED|FAILED|ERROR)", done.stdout))
