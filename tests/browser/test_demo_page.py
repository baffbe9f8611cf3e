"""The demo's page in Chromium: live threads, an answer that streams over a reload, a stop, the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.main import clew
from clew.app import development_app
from clew.config import Settings
from tests.faults.lab import served
from tests.node import assert_locked, installed, node

pytestmark = pytest.mark.anyio
BROWSER = Path(__file__).parent


@pytest.mark.usefixtures("chromium")
async def test_the_page_does_what_it_says(demo_url: str, tmp_path: Path) -> None:
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
