"""Who is measured. A peer answers every case over HTTP; more of them fit behind the same protocol."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Protocol

from bench.cases import Case, Variables
from bench.paths import BENCH, DATA
from bench.server import Program, Server

ADMIN_SECRET = "9f1c3ab07d5e4c6296e0b8d41f7a2c58be03d97641aa5f0c"
JWT_SECRET = "c84a17e5f2906bd3a5e1790c4f8b2d66071de9b35fa2c840"
"""Of the benchmark's own servers on the loopback interface, no secrets to keep."""

STRAWBERRY = {
    "list": """
        query Tracks($after: Int!) {
          tracks(after: $after, limit: 100) {
            id name milliseconds
            genre { id name }
            album { id title }
          }
        }""",
    "playlist": """
        query Playlist($id: Int!) {
          playlist(id: $id) {
            id name
            tracks(limit: 50) { id name album { id title artist { id name } } }
          }
        }""",
    "counts": """
        query Albums($after: Int!) {
          albums(after: $after, limit: 100) { id title tracksAggregate { count } }
        }""",
}
"""What Strawberry gets instead of a case's document: there, arguments are what one's own resolvers take."""

POSTGRAPHILE = {
    "row": """
        query Track($id: Int!) {
          track(rowId: $id) { id: rowId name composer milliseconds bytes unitPrice }
        }""",
    "nested": """
        query Album($id: Int!) {
          album(rowId: $id) {
            id: rowId title
            artist { id: rowId name }
            tracks: tracksList(orderBy: [PRIMARY_KEY_ASC]) {
              id: rowId name milliseconds unitPrice genre { id: rowId name }
            }
          }
        }""",
    "list": """
        query Tracks($after: Int!) {
          tracks: tracksList(filter: {rowId: {greaterThan: $after}}, orderBy: [PRIMARY_KEY_ASC], first: 100) {
            id: rowId name milliseconds
            genre { id: rowId name }
            album { id: rowId title }
          }
        }""",
    "playlist": """
        query Playlist($id: Int!) {
          playlist(rowId: $id) {
            id: rowId name
            tracks: tracksByPlaylistTrackPlaylistIdAndTrackIdList(orderBy: [PRIMARY_KEY_ASC], first: 50) {
              id: rowId name album { id: rowId title artist { id: rowId name } }
            }
          }
        }""",
    "counts": """
        query Albums($after: Int!) {
          albums: albumsList(filter: {rowId: {greaterThan: $after}}, orderBy: [PRIMARY_KEY_ASC], first: 100) {
            id: rowId title
            tracksAggregate: tracks { count: totalCount }
          }
        }""",
}
"""The cases as PostGraphile names things."""


class Peer(Protocol):
    """A server to send the cases to.

    Attributes:
        name: for the report; the first peer is the one that the others are compared with.
        headers: what each request carries.
        pid: the server's process while it runs.
    """

    name: str
    headers: Mapping[str, str]

    @property
    def pid(self) -> int: ...

    def start(self) -> str:
        """Start serving; the base URL."""
        ...

    def stop(self) -> None:
        """Stop serving; nothing if it does not run."""
        ...

    def path(self, case: Case) -> str:
        """Where the case's requests are posted to."""
        ...

    def body(self, case: Case, variables: Variables) -> bytes:
        """The body of one request."""
        ...


def graphql_body(document: str, variables: Variables) -> bytes:
    """A GraphQL request over HTTP."""
    return json.dumps({"query": document, "variables": variables}, separators=(",", ":")).encode()


class _ServerPeer:
    """What the peers with a process of their own share."""

    name: str

    def __init__(self, server: Program) -> None:
        self._server = server
        self.headers: Mapping[str, str] = {"Content-Type": "application/json", "Accept": "application/json"}

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> str:
        return self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def body(self, case: Case, variables: Variables) -> bytes:
        return graphql_body(case.document, variables)


class ClewPeer(_ServerPeer):
    """Clew in production mode, asked by an admin."""

    def __init__(self, database_url: str, project: Path, name: str = "clew") -> None:
        self.name = name
        super().__init__(Server(self.name, "bench.served:make_app", clew_environment(database_url, project)))
        self._plain = self.headers
        self.headers = {**self._plain, "X-Clew-Admin-Secret": ADMIN_SECRET}

    def asked_by(self, name: str, credentials: Mapping[str, str]) -> ClewPeer:
        """Return a peer that asks the same process with these headers instead of the admin's."""
        other = copy(self)
        other.name = name
        other.headers = {**self._plain, **credentials}
        return other

    def path(self, case: Case) -> str:
        return "/graphql"


class BarePeer(_ServerPeer):
    """Starlette and asyncpg with hand-written SQL (`bench.bare`)."""

    def __init__(self, database_url: str, statements: Path, name: str = "bare") -> None:
        self.name = name
        environment = {"BENCH_DATABASE_URL": database_url, "BENCH_STATEMENTS": str(statements)}
        super().__init__(Server(self.name, "bench.bare:make_app", environment))

    def path(self, case: Case) -> str:
        return f"/{case.name}"


class StrawberryPeer(_ServerPeer):
    """Strawberry and SQLAlchemy with eager loading (`bench.strawberry_peer`)."""

    name = "strawberry"

    def __init__(self, database_url: str) -> None:
        environment = {"BENCH_DATABASE_URL": database_url}
        super().__init__(Server(self.name, "bench.strawberry_peer:make_app", environment, _strawberry()))

    def path(self, case: Case) -> str:
        return "/"

    def body(self, case: Case, variables: Variables) -> bytes:
        return graphql_body(STRAWBERRY.get(case.name, case.document), variables)


class PostGraphilePeer(_ServerPeer):
    """PostGraphile 5 (`bench/postgraphile`)."""

    name = "postgraphile"

    def __init__(self, database_url: str) -> None:
        folder = _postgraphile()
        command = [str(folder / "node_modules" / ".bin" / "node"), str(folder / "serve.mjs")]
        # Without these it plans and checks as in development.
        production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
        super().__init__(Program(self.name, command, {"BENCH_DATABASE_URL": database_url, **production}))

    def path(self, case: Case) -> str:
        return "/graphql"

    def body(self, case: Case, variables: Variables) -> bytes:
        return graphql_body(POSTGRAPHILE[case.name], variables)


def _strawberry() -> Path:
    """Return the Python that has Strawberry; the first time, make it."""
    lock = BENCH / "strawberry.lock"
    folder = _made_of("strawberry", [lock])
    python = folder / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(lock))
    return python


def _postgraphile() -> Path:
    """Return the folder with PostGraphile; the first time, install it."""
    files = [BENCH / "postgraphile" / name for name in ("package.json", "package-lock.json", "serve.mjs")]
    folder = _made_of("postgraphile", files)
    if not (folder / "node_modules" / ".bin" / "node").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        _run("npm", "ci", "--no-audit", "--no-fund", "--prefix", str(folder))
    return folder


def _made_of(name: str, files: Sequence[Path]) -> Path:
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return DATA / f"{name}-{digest[:12]}"


def _run(*command: str) -> None:
    print(" ".join(command), flush=True)
    subprocess.run(command, check=True)


def clew_environment(database_url: str, project: Path) -> dict[str, str]:
    """The settings of a production server on this database and project, with secrets of its own."""
    return {
        "BENCH_PROJECT": str(project),
        "CLEW_PROJECT": str(project),
        "CLEW_ENV": "production",
        "DATABASE_URL": database_url,
        "CLEW_SECRET": "5d2f8e61c07b49a3b1d6f4920e8c7a35d91b60fe24c8a7d3",
        "CLEW_ADMIN_SECRET": ADMIN_SECRET,
        "CLEW_JWT_SECRET": JWT_SECRET,
        "CLEW_LOG_LEVEL": "warning",
        "CLEW_POOL_MAX": "10",
        # Requests are counted, but none is refused or waits for another: one viewer stands for many.
        "CLEW_MAX_RATE": "1000000000",
        "CLEW_MAX_IN_FLIGHT": "1000",
    }
