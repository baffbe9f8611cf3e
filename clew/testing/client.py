"""A client of the app under test."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import httpx
from starlette.types import ASGIApp

from clew.testing.answer import Answer
from clew.testing.thread import LoopThread

_BASE = "http://testserver"


class Served(Protocol):
    """The app under test, and the loop on which it serves."""

    @property
    def asgi(self) -> ASGIApp:
        """The app."""

    @property
    def thread(self) -> LoopThread:
        """Its loop."""

    @property
    def admin_secret(self) -> str:
        """The secret that makes a request an admin's."""


class Client:
    """Sends requests of one viewer through the whole app: headers, authentication, limits, and routes of its own.

    It keeps no cookies. A method whose name begins with `a` is the async form of the method without it.

    Args:
        served: the app.
        headers: those of each request.
    """

    def __init__(self, served: Served, headers: Mapping[str, str] | None = None) -> None:
        self._served = served
        self._headers = dict(headers or {})

    def as_(self, role: str | Iterable[str], claims: Mapping[str, Any] | None = None) -> Client:
        """Return a client of another viewer.

        Args:
            role: a role, or several; `admin` passes every rule. Clew adds only `anon`.
            claims: the viewer's claims; `sub` is the viewer's id.
        """
        roles = [role] if isinstance(role, str) else list(role)
        return self.with_headers(
            {
                "X-Clew-Admin-Secret": self._served.admin_secret,
                "X-Clew-Role": ",".join(roles),
                "X-Clew-Claims": json.dumps(claims or {}, default=_plain),
            }
        )

    def with_headers(self, headers: Mapping[str, str]) -> Client:
        """Return a client that also sends these headers."""
        return Client(self._served, {**self._headers, **headers})

    def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """Send an operation to `/graphql`.

        Args:
            document: one query or mutation.
            variables: by name. Dates, times, decimals, UUIDs and bytes are sent as the scalars of Clew have them.
        """
        return self._served.thread.run(self._graphql(document, variables))

    async def agraphql(self, document: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """Send an operation, and let the test's loop go on meanwhile. Several may run at once."""
        return await self._served.thread.wait(self._graphql(document, variables))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send any request, such as one to a route of the project's own.

        Args:
            method: `GET`, `POST` and so on.
            path: the path, with its query.
            options: those of `httpx.AsyncClient.request`: `json=`, `content=`, `headers=`, `params=`.
        """
        return self._served.thread.run(self._request(method, path, options))

    async def arequest(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send any request, and let the test's loop go on meanwhile."""
        return await self._served.thread.wait(self._request(method, path, options))

    async def _graphql(self, document: str, variables: Mapping[str, Any] | None) -> Answer:
        body = json.dumps({"query": document, "variables": dict(variables or {})}, default=_plain)
        headers = {"Content-Type": "application/json"}
        response = await self._request("POST", "/graphql", {"content": body, "headers": headers})
        found = response.json()
        return Answer(
            found.get("data"),
            found.get("errors", []),
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            found.get("extensions", {}),
        )

    async def _request(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._served.asgi)
        async with httpx.AsyncClient(transport=transport, base_url=_BASE, headers=self._headers) as client:
            return await client.request(method, path, **options)


def _plain(value: object) -> str:
    """Return a value as the API takes it."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no JSON: {value!r}")
