from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrations.project import Project, new_project


@pytest.fixture
def project(tmp_path: Path, anyio_backend: str, database_url: str) -> Project:
    """An empty project and an empty database. `anyio_backend` is what runs the async `database_url`."""
    return new_project(tmp_path / "project", database_url)
