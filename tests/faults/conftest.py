"""A lab for each test: a copy of one database that is made once."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from clew import Clew
from tests.databases import url_of
from tests.faults.lab import Lab, make_project
from tests.faults.lab.app import bindables


@pytest.fixture(scope="session")
def lab_project(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The project's folder, and the database to copy."""
    root = tmp_path_factory.mktemp("lab")
    with make_project(postgres_url, root) as database:
        yield root, database


@pytest.fixture
async def lab(postgres_url: str, lab_project: tuple[Path, str]) -> AsyncIterator[Lab]:
    """A lab that may be broken."""
    root, template = lab_project
    database = f"lab_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
        try:
            url = url_of(postgres_url, database)
            aside = await asyncpg.connect(url, server_settings={"application_name": "aside"})
            made = Lab(url, root, Clew(bindables, project=root), aside)
            yield made
            for app in made.apps:
                await app.close()
            await aside.close()
        finally:
            await admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
    finally:
        await admin.close()
