"""The images, ours and a new project's, as far as they can be followed without Docker; and what compose gives them."""

from __future__ import annotations

import fnmatch
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from clew.config import Settings
from clew.starter.create import create

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=["clew", "new"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a Dockerfile."""
    if request.param == "clew":
        return ROOT
    create(tmp_path / "shop", None)
    return tmp_path / "shop"


def instructions(project: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: their names, and what follows."""
    text = re.sub(r"^#.*\n", "", (project / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def is_sent(project: Path, name: str) -> bool:
    """Whether `.dockerignore` lets a name of the folder through: the last line that fits decides."""
    found = True
    for line in (project / ".dockerignore").read_text("utf-8").splitlines():
        if fnmatch.fnmatch(name, line.removeprefix("!")):
            found = line.startswith("!")
    return found


def test_all_that_an_image_copies_is_sent_to_docker(project: Path) -> None:
    copied = [rest.split()[:-1] for name, rest in instructions(project) if name == "COPY" and "--from" not in rest]
    names = [name for sources in copied for name in sources]
    assert {"app", "graphql", "migrations", "alembic.ini", "pyproject.toml"} <= set(names)
    assert [name for name in names if not is_sent(project, name.replace("*", "x"))] == []
    assert [name for name in names if "*" not in name and not (project / name).exists()] == []
    assert not is_sent(project, ".env")
    assert not is_sent(project, ".clew")


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server whose `/readyz` has this status: its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_an_image_is_healthy_while_it_is_ready(project: Path, status: int, healthy: bool) -> None:
    (rest,) = (rest for name, rest in instructions(project) if name == "HEALTHCHECK")
    python, *command = json.loads(rest[rest.index("[") :])
    assert python == "python"
    with answering(status) as port:
        # Docker gives containers the proxy of its own settings.
        environment = os.environ | {"CLEW_PORT": str(port), "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
        environment |= {"http_proxy": environment["HTTP_PROXY"], "no_proxy": ""}
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=False)
    assert (done.returncode == 0) == healthy, done.stderr


def test_the_settings_for_tokens_reach_the_server(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = yaml.safe_load((project / "docker-compose.yml").read_text("utf-8"))["services"]
    assert services["clew"]["environment"] == services["migrate"]["environment"]
    given = {
        **dict.fromkeys(("POSTGRES_PASSWORD", "CLEW_SECRET"), "0123456789abcdef" * 4),
        "CLEW_ADMIN_SECRET": "fedcba9876543210" * 4,
        "CLEW_JWKS_URL": "https://id.example/keys",
        "CLEW_JWT_ISSUER": "https://id.example",
        "CLEW_JWT_AUDIENCE": "shop",
    }
    for name, text in services["clew"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+)[^}]*\}", lambda found: given.get(found[1], ""), text))
    settings = Settings.load(project / "nowhere", "production")
    assert (settings.jwks_url, settings.jwt_issuer, settings.jwt_audience) == (
        "https://id.example/keys",
        "https://id.example",
        "shop",
    )
    assert settings.jwt_secret is None
    assert settings.database_url == f"postgresql://clew:{given['POSTGRES_PASSWORD']}@postgres:5432/clew"
