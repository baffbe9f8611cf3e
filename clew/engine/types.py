"""What goes into the engine and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clew.errors import Code


@dataclass(frozen=True, slots=True)
class Request:
    """One GraphQL request, decoded by a transport.

    `queries_only`: refuse a mutation (a GET must change nothing).
    `client` is the address that it came from, empty where the server tells none; None for
    an operation that no client sent: it counts towards no rate.
    `idempotency_key`: a mutation sent again with the same one is run once.
    `id` is the request id that errors carry; None has one made when it is needed.
    """

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None
    queries_only: bool = False
    id: str | None = None
    client: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A GraphQL response as JSON.

    `executed`: execution began, so the body has `data` (maybe null). Otherwise the request
    was refused before. `code` is the first error's, None without errors. `status` is the
    HTTP status where the code does not say it. `retry_after`: seconds after which the same
    request may succeed, where that is known. `contended`: nothing was done, because another
    transaction was in the way; the same may succeed at once.
    """

    body: bytes
    executed: bool = True
    code: Code | None = None
    status: int | None = None
    retry_after: int | None = None
    contended: bool = False
