"""The playground in Chromium: queries, plans, other eyes, live queries, jobs, files, the model."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from app.main import clew
from clew.app import development_app
from clew.config import Settings
from clew.wire import playground
from playground import build
from tests.faults.lab import served
from tests.node import assert_locked, installed, node, run

pytestmark = pytest.mark.anyio
BROWSER = Path(__file__).parent
PICTURES = {
    *(
        "query",
        "docs",
        "search",
        "history",
        "complete",
        "commands",
        "plan",
        "plan-whole",
        "view-as",
        "live",
        "job",
        "model",
    ),
    *("dark", "dark-docs"),
}
FALLBACK = "server-sent events, as no WebSocket reaches the server"


async def built() -> Path:
    """The page as `make playground` builds it, kept for the next run."""
    name = f"clew-playground-{os.geteuid()}-{build.inputs()[:16]}"
    folder = Path(tempfile.gettempdir(), name)
    if not folder.exists():
        await run(sys.executable, str(build.SOURCE / "build.py"), "--into", str(folder), cwd=build.SOURCE, seconds=400)
    assert folder.stat().st_uid == os.geteuid()
    return folder


def without_sockets(app: ASGIApp) -> ASGIApp:
    """The app behind something that lets no WebSocket through."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await app(scope, receive, send)

    return guarded


@pytest.mark.usefixtures("chromium")
async def test_the_playground_does_what_it_says(demo_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "BUILT", await built())
    folder = await installed(BROWSER)
    settings = {"DATABASE_URL": demo_url, "env": "dev", "playground": True, "secret": "the secret of the tests"}
    app = development_app(clew, Settings.model_validate(settings))
    both = Starlette(routes=[Mount("/api", without_sockets(app)), Mount("/", app)], lifespan=app.lifespan)
    connection = await asyncpg.connect(demo_url)
    person = await connection.fetchval("SELECT owner_id FROM threads WHERE deleted_at IS NULL ORDER BY id LIMIT 1")
    await connection.close()
    async with served(both) as port:
        address = f"http://127.0.0.1:{port}"
        seen = json.loads(await node(folder, "playground.mjs", address, str(person), str(tmp_path)))
    assert seen.pop("lines") == "agent.name,agent.team.name,day,runs,failedRuns,cost"
    assert seen == {
        "tabs": ["LiveAgents", "TeamDashboard", "Usage", "Ask", "MyThreads", "Conversation", "MessageEvents"],
        "timing": True,
        "sections": ["Live: runs again when rows change of", "SQL", "Postgres", "Plan"],
        "sql": True,
        "room": [448, 40, -40],
        "percent": "41",
        "scrolled": 0,
        "covered": True,
        "fault": 'Claims are a JSON object, such as {"sub": "42"}.',
        "role": "user",
        "live": "WebSocket · 3 results · patch of N for N",
        "deltas": ["patch, N", "patch, N", "N"],
        "depends": True,
        "rules": True,
        "events": ["Rules", "Change events: judged when rows change of", "SQL", "Postgres", "Plan"],
        "judged": True,
        "own": "Mutation.reply it queues a job in the transaction of the mutation; the handler is the application's",
        "noCsv": "No CSV: a subscription cannot be exported.",
        "output": True,
        "types": ["teamTeam!", "threadThread"],
        "hidden": True,
        "file": "Usage.csv",
        "fallback": f"{FALLBACK} · 2 results · patch of N for N",
        "without": [FALLBACK] * 2,
        "violations": [],
        "told": [1, 1],
        "faults": [],
        "foreign": [],
    }
    assert {path.stem for path in tmp_path.glob("*.png")} == PICTURES


def test_the_packages_are_locked() -> None:
    assert_locked(build.SOURCE)


# --- bad input ------------------------------------------------------------------------


def broken(folder: Path) -> Path:
    """A folder with an npm that fails."""
    npm = folder / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("has_npm", "says"), [(False, "npm is not installed. Install Node.js"), (True, "built.log says why.")]
)
def test_without_a_good_npm_the_server_starts_and_a_notice_says_why(
    has_npm: bool, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(broken(tmp_path / "bin") if has_npm else tmp_path / "bin"))
    monkeypatch.setattr(os, "nice", lambda _: 0)
    into = tmp_path / "clew" / "built"
    for beside, code, begins in (
        (True, 0, "  The playground uses GraphiQL from a CDN"),
        (False, 1, "  No playground: "),
    ):
        monkeypatch.setattr(sys, "argv", ["build.py", "--into", str(into), *(["--beside"] if beside else [])])
        assert build.main() == code
        error = capsys.readouterr().err
        assert error.startswith(begins)
        assert says in error
    assert {path.name for path in into.parent.glob("*")} == ({"built.log"} if has_npm else set())


def test_what_is_built_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(broken(tmp_path)))
    monkeypatch.setattr(sys, "argv", ["build.py", "--into", str(tmp_path)])
    assert build.main() == 1
    (tmp_path / build.STAMP).write_text(build.inputs())
    assert build.main() == 0


def test_the_wheel_has_what_is_built() -> None:
    text = (build.SOURCE.parent / "pyproject.toml").read_text("utf-8")
    assert f'"{build.BUILT.relative_to(build.SOURCE.parent / "clew")}/**/*"' in text
    assert "dist: install playground " in (build.SOURCE.parent / "Makefile").read_text("utf-8")
