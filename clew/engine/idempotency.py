"""Let clients repeat a mutation safely: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

The first request with a key stores its response in its own transaction. So the response exists if and only if the
writes do. A request that fails stores nothing, and the client may send it again with the same key.
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

# A concurrent request with this key blocks here until the first ends. A key older than a day counts as new. Each
# claim deletes more old keys than it adds: old keys do not pile up, and no request has to delete all of them.
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
    """A request with a key. `id` hashes the key and its viewer, `request` the operation and its variables."""

    id: bytes
    request: bytes

    async def claim(self, connection: OperationConnection, request_id: str) -> Outcome | None:
        """Claim the key, in the transaction of the mutation.

        Returns:
            None if this is the first request with the key. Otherwise the response to the first request, or a refusal
            if the first request asked for something else.

        Raises:
            ClewError: TIMEOUT if the first request takes longer than a statement may; UNAVAILABLE.
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
        """Store `data` of the response, as JSON, in the transaction of the mutation.

        Raises:
            ClewError: UNAVAILABLE.
        """
        # Do not wait for tasks that a resolver started but did not await.
        async with connection.raw(wait=False) as raw:
            await raw.execute(_STORE, self.id, data)


def repeatable(request: Request, viewer: Viewer) -> Repeatable | None:
    """Return the `Repeatable` of a request; None if it has no `Idempotency-Key`.

    Each viewer id has its own keys. An admin's keys are apart from those of a non-admin with the same id. Admins
    without an id share their keys.

    Raises:
        ClewError: UNAUTHENTICATED for a non-admin without an id: nothing would tell two such viewers apart.
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
