"""Mutations that may be sent again: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

The first request with a key stores its response in its own transaction: there is a response if and only if
the writes are there. A request that fails leaves nothing, and may be sent again under its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clew.database.alchemy import OperationConnection
from clew.engine.outcome import Outcome, refusal
from clew.engine.types import Request
from clew.errors import ClewError, Code
from clew.json_numbers import dumps
from clew.viewer import Viewer

# A concurrent request with this key blocks here until the first ends. A key older than a day is new again. Each
# claim removes a few more keys than it adds, so that old ones do not pile up and no request pays for all of them.
_CLAIM = """
WITH old AS (
    DELETE FROM clew.idempotency_keys WHERE id IN (
        SELECT id FROM clew.idempotency_keys
        WHERE created_at < now() - interval '24 hours' AND id <> $1
        ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO clew.idempotency_keys AS found (id, request) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, response = NULL, created_at = now()
WHERE found.created_at < now() - interval '24 hours'
RETURNING true
"""
_READ = "SELECT request, response FROM clew.idempotency_keys WHERE id = $1"
_STORE = "UPDATE clew.idempotency_keys SET response = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request with a key: hashes of whose key it is, and of what is asked for."""

    id: bytes
    request: bytes

    async def claim(self, connection: OperationConnection, request_id: str) -> Outcome | None:
        """Begin, in the transaction of the mutation.

        Returns:
            the response to an earlier request, or a refusal if that asked for something else; None if this is
            the first.

        Raises:
            ClewError: TIMEOUT if the earlier one takes longer than a statement may, or UNAVAILABLE.
        """
        if await connection.fetch(_CLAIM, (self.id, self.request)):
            return None
        ((request, response),) = await connection.fetch(_READ, (self.id,))
        if request != self.request:
            error = ClewError(
                "This Idempotency-Key was sent with another operation or other variables.",
                code=Code.CONFLICT,
                hint="Make a new key for each request. Use a key again only to repeat its request.",
            )
            return refusal(error, request_id)
        return Outcome(response)

    async def store(self, connection: OperationConnection, data: bytes) -> None:
        """Keep the response's `data`, as JSON, in the transaction of the mutation.

        Raises:
            ClewError: UNAVAILABLE.
        """
        # What a resolver has started and forgotten is not waited for.
        async with connection.raw(wait=False) as raw:
            await raw.execute(_STORE, self.id, data)


def repeatable(request: Request, viewer: Viewer) -> Repeatable | None:
    """What a request's key stands for; None if it has none.

    Keys are told apart by the viewer's id, and an admin's from those of the same id that are not. Admins without
    an id share theirs.

    Raises:
        ClewError: UNAUTHENTICATED for a viewer without an id, whom nothing tells from others.
    """
    if request.idempotency_key is None:
        return None
    if viewer.id is None and not viewer.is_admin:
        raise ClewError(
            "An Idempotency-Key needs a viewer with an id.",
            code=Code.UNAUTHENTICATED,
            hint="Sign in, or leave the header out.",
        )
    asked = [request.query, request.operation_name, request.variables]
    try:
        return Repeatable(_hash([viewer.is_admin, viewer.id, request.idempotency_key]), _hash(asked))
    except RecursionError:
        raise ClewError("The operation's input is nested too deeply.", code=Code.LIMIT_EXCEEDED) from None


def _hash(value: object) -> bytes:
    digest = hashlib.sha256()
    # Piece by piece: Python would write all of it without a turn for other threads.
    for piece in _pieces(value):
        digest.update(piece.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _pieces(value: Any) -> Iterator[str]:
    """Yield the JSON of a value in pieces. Equal inputs have one order, whatever that of their keys."""
    if isinstance(value, Mapping):
        yield "{"
        for key in sorted(value):
            yield dumps(key) + ":"
            yield from _pieces(value[key])
            yield ","
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for item in value:
            yield from _pieces(item)
            yield ","
        yield "]"
    else:
        yield dumps(value)
