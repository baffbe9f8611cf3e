"""The demo's page in Chromium: live threads, an answer that streams over a reload, a stop, the report."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import clew
from app.seed import seed
from clew.app import development_app
from clew.config import Settings
from clew.migrate.connect import migration_engine
from clew.migrate.run import upgrade
from tests.faults.lab import served
from tests.node import assert_locked, installed, node
from tests.properties.database import new_database

pytestmark = pytest.mark.anyio
BROWSER = Path(__file__).parent
ROOT = BROWSER.parent.parent


@pytest.fixture
def demo_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database with the demo's data."""

    async def fill(url: str) -> None:
        await upgrade(ROOT, url)
        async with migration_engine(url) as engine, engine.connect() as connection, connection.begin():
            await seed(connection)

    with new_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield url


async def test_the_page_does_what_it_says(demo_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "chromium is not installed: the page is tested in it"
    monkeypatch.setenv("CHROMIUM", chromium)
    folder = await installed(BROWSER)
    settings = {"DATABASE_URL": demo_url, "env": "dev", "secret": "the secret of the tests"}
    app = development_app(clew, Settings.model_validate(settings))
    async with served(app) as port:
        seen = json.loads(await node(folder, "demo.mjs", f"http://127.0.0.1:{port}", str(tmp_path)))
    assert seen.pop("threads") > 0
    assert seen.pop("lines").startswith("day,agent.name,agent.team.name,runs,")
    assert seen == {
        "violations": [],
        "goesOn": True,
        "question": True,
        "written": True,
        "stopped": True,
        "report": "usage.csv",
        "faults": [],
        "foreign": [],
    }
    assert {path.stem for path in tmp_path.glob("*.png")} == {"before", "during", "after-reload", "written"}


def test_the_packages_are_locked() -> None:
    assert_locked(BROWSER)
