"""The programs of docs/mounting.md in processes of their own, under plain uvicorn: what they give to whom."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from clew.model.build import load_model
from tests.auth.tokens import SECRET, claims, hs256
from tests.cli.forks import environment_of
from tests.cli.test_serve import free_port
from tests.databases import create_tables, new_database

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "mounting.md").read_text("utf-8")
PROGRAMS = dict(re.findall(r"^```python\n# ([\w/.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SDL = re.findall(r"^```graphql sdl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

ADMIN_SECRET = "f2b90d6e81c74a35902d7be6c4a1f538"
SECRETS = {
    "CLEW_SECRET": "7c1f0e5b2a9d4836b7e1c05f9a3d6284",
    "CLEW_ADMIN_SECRET": ADMIN_SECRET,
    "CLEW_JWT_SECRET": SECRET,
}
MINE, THEIRS, ABSENT = (f"00000000-0000-7000-8000-00000000000{number}" for number in range(1, 4))
WHO = json.dumps({"query": "{ viewer { id roles } }"}).encode()
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Project:
    root: Path
    url: str


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def project(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project of the page, with a document of m1 and one of m2."""
    root = tmp_path_factory.mktemp("mounted")
    for name, program in {**PROGRAMS, "app/__init__.py": "", "graphql/documents.graphql": SDL[0]}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(program)
    (root / "files").mkdir()
    for key, owner in ((MINE, "m1"), (THEIRS, "m2")):
        (root / "files" / key).write_text(f"the file of {owner}")

    async def fill(url: str) -> None:
        await create_tables(url, load_model(root / "graphql"))
        connection = await asyncpg.connect(url)
        sql = "INSERT INTO documents (id, name, owner) VALUES ($1, $2, $3)"
        await connection.executemany(sql, [(MINE, 'a "b" ä.txt', "m1"), (THEIRS, "their.txt", "m2")])
        await connection.close()

    with new_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield Project(root, url)


@contextmanager
def uvicorn(project: Project, app: str, *arguments: str, **settings: str) -> Iterator[int]:
    """The port of a plain uvicorn that serves one of the page's programs."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", *arguments],
        cwd=project.root,
        env=environment_of({"DATABASE_URL": project.url, **settings}),
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def bearer(subject: str, **changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hs256(claims(**{'sub': subject, 'exp': 4_000_000_000, **changes}))}"}


def ticket(port: int, path: str, headers: Mapping[str, str], mount: str = "") -> str:
    answer = ask(port, f"{mount}/tickets", {**JSON, **headers}, json.dumps({"path": path}).encode())
    assert answer.status == 201
    return str(answer.json["ticket"])


# --- the download -----------------------------------------------------------------------


@pytest.mark.parametrize(("app", "mount"), [("server:app", ""), ("web:app", "/api")])
def test_a_file_goes_to_those_whom_the_rules_show_its_row(project: Project, app: str, mount: str) -> None:
    with uvicorn(project, app, **SECRETS) as port:
        path = f"{mount}/documents/{MINE}"
        for headers in (bearer("m1"), {"x-clew-admin-secret": ADMIN_SECRET}):
            answer = ask(port, path, headers)
            assert (answer.status, answer.body) == (200, b"the file of m1")
            assert answer.headers["content-disposition"].startswith("attachment")
        # Of somebody else's, and of none: the same.
        refused = {
            (answer.status, re.sub(rb'"requestId":"\w+"', b"", answer.body))
            for name, headers in ((THEIRS, bearer("m1")), (ABSENT, bearer("m1")), (MINE, bearer("m2")))
            for answer in (ask(port, f"{mount}/documents/{name}", headers),)
        }
        assert len(refused) == 1
        status, body = refused.pop()
        assert (status, json.loads(body.replace(b",}", b"}"))["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
        for headers in (bearer("m1", exp=1), {"x-clew-admin-secret": "x"}):
            answer = ask(port, path, headers)
            assert (answer.status, answer.json["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        # The schema of the anonymous viewer has no documents.
        anonymous = ask(port, path)
        assert (anonymous.status, anonymous.json["errors"][0]["extensions"]["code"]) == (
            403,
            "FORBIDDEN",
        )
        assert ask(port, f"{mount}/documents/..%2f..%2fetc%2fpasswd", bearer("m1")).status in (400, 404)
        text = ticket(port, path, bearer("m1"), mount)
        assert ask(port, f"{path}?ticket={text}").body == b"the file of m1"
        assert ask(port, f"{mount}/documents/{THEIRS}?ticket={text}").status == 401


def test_the_outer_apps_own_route_is_under_the_rules(project: Project) -> None:
    with uvicorn(project, "web:app", **SECRETS) as port:
        assert ask(port, "/mine", bearer("m1")).json == {"documents": [{"name": 'a "b" ä.txt'}]}
        assert ask(port, "/mine", bearer("m3")).json == {"documents": []}
        assert ask(port, "/mine", {"authorization": "Bearer x"}).status == 401
        text = ticket(port, "/mine", bearer("m2"), "/api")
        assert ask(port, f"/mine?ticket={text}").json == {"documents": [{"name": "their.txt"}]}


# --- who is admin -----------------------------------------------------------------------


def requests_without_credentials(port: int, path: str) -> dict[str, bytes]:
    """As programs on the server's own machine, and proxies there, send them."""
    common = f"content-type: application/json\r\ncontent-length: {len(WHO)}\r\n"
    local = f"host: 127.0.0.1:{port}\r\n"
    heads = {
        "curl": f"POST {path} HTTP/1.1\r\n{local}",
        "curl --http1.0": f"POST {path} HTTP/1.0\r\n{local}",
        "no host": f"POST {path} HTTP/1.0\r\n",
        "nginx proxy_pass": f"POST {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n",
        "nginx of localhost": f"POST {path} HTTP/1.0\r\nhost: localhost\r\nconnection: close\r\n",
        "nginx with headers": f"POST {path} HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 127.0.0.1\r\n",
        "haproxy": f"POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\n",
        "its own page": f"POST {path} HTTP/1.1\r\n{local}origin: http://127.0.0.1:{port}\r\n",
    }
    return {name: f"{head}{common}\r\n".encode() + WHO for name, head in heads.items()}


def raw(port: int, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


@pytest.mark.parametrize("settings", [{}, {"CLEW_ENV": "dev"}], ids=["unset", "dev"])
@pytest.mark.parametrize(("app", "mount"), [("server:app", ""), ("web:app", "/api")])
def test_under_a_server_of_its_own_nobody_is_admin_without_credentials(
    project: Project, app: str, mount: str, settings: dict[str, str]
) -> None:
    with uvicorn(project, app, **SECRETS, **settings) as port:
        for name, request in requests_without_credentials(port, f"{mount}/graphql").items():
            status, body = raw(port, request)
            if status == 200:
                assert json.loads(body) == {"data": {"viewer": {"id": None, "roles": ["anon"]}}}, name
            else:
                assert (name, status) == ("no host", 400)
        admin = ask(port, f"{mount}/graphql", {**JSON, "x-clew-admin-secret": ADMIN_SECRET}, WHO)
        assert admin.json["data"]["viewer"]["roles"] == ["admin"]


@pytest.mark.parametrize("app", ["server:app", "web:app"])
def test_without_its_secrets_it_does_not_start(project: Project, app: str) -> None:
    for settings, told in (
        ({}, "CLEW_ADMIN_SECRET is not set."),
        ({**SECRETS, "CLEW_ADMIN_SECRET": "admin"}, "CLEW_ADMIN_SECRET is weak"),
        ({**SECRETS, "CLEW_PLAYGROUND": "true"}, "CLEW_PLAYGROUND is on"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "uvicorn", app, "--port", str(free_port())],
            cwd=project.root,
            env=environment_of({"DATABASE_URL": project.url, **settings}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode != 0
        assert "not fit for production" in done.stderr
        assert told in done.stderr
