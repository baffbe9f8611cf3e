"""Who is measured. A peer answers every case over HTTP; more of them fit behind the same protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bench.cases import Case, Variables
from bench.server import Server

ADMIN_SECRET = "9f1c3ab07d5e4c6296e0b8d41f7a2c58be03d97641aa5f0c"
JWT_SECRET = "c84a17e5f2906bd3a5e1790c4f8b2d66071de9b35fa2c840"
"""Of the benchmark's own servers on the loopback interface, no secrets to keep."""


class Peer(Protocol):
    """A server to send the cases to.

    Attributes:
        name: for the report; the first peer is the one that the others are compared with.
        headers: what each request carries.
    """

    name: str
    headers: Mapping[str, str]

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
    """What the peers under uvicorn share."""

    name: str

    def __init__(self, server: Server) -> None:
        self._server = server
        self.headers: Mapping[str, str] = {"Content-Type": "application/json", "Accept": "application/json"}

    @property
    def pid(self) -> int:
        """The server's process while it runs."""
        return self._server.pid

    def start(self) -> str:
        return self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def body(self, case: Case, variables: Variables) -> bytes:
        return graphql_body(case.document, variables)


class ClewPeer(_ServerPeer):
    """Clew in production mode.

    Args:
        credentials: the headers that say who asks; an admin by default.
    """

    def __init__(
        self, database_url: str, project: Path, name: str = "clew", credentials: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        super().__init__(Server(self.name, "bench.served:make_app", clew_environment(database_url, project)))
        self.headers = {**self.headers, **(credentials or {"X-Clew-Admin-Secret": ADMIN_SECRET})}

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
