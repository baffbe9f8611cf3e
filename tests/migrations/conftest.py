from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.forks import Forks, environment_of
from tests.migrations.project import Project, new_project

Alembic = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path, anyio_backend: str, database_url: str) -> Project:
    """An empty project and an empty database. `anyio_backend` is what runs the async `database_url`."""
    return new_project(tmp_path / "project", database_url)


@pytest.fixture
def alembic(forks: Forks) -> Alembic:
    """Run plain `alembic` in a project's folder: alembic(project, "upgrade", "head") -> the finished process."""

    def run(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {"DATABASE_URL": project.url, **environment}
        return forks.run(project.root, environment_of(settings), ("alembic", *arguments))

    return run
