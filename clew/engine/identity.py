"""Identify a viewer. Its cursors, and its order of rows with hidden keys, depend on this identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from clew.access.sight import Sight
from clew.access.types import Claim
from clew.viewer import Viewer


def identity(viewer: Viewer, sight: Sight, claims: Mapping[Claim, Any]) -> bytes:
    """Return 32 bytes that identify a viewer: a hash of its id, its role set, and the claims that rules name.

    A new token does not change them, nor does a claim or a role that no rule names. Viewers of one role set without
    an id and without such claims count as one viewer. All admins count as one viewer.

    Args:
        sight: the viewer's sight.
        claims: the viewer's usable claims, as asyncpg takes them. Only claims that rules name are usable.
    """
    values = sorted(
        [*claim.path, claim.type.name, claim.type.sql, claim.form, _text(claims[claim])] for claim in claims
    )
    subject = None if sight.admin else viewer.id
    return sha256(json.dumps([sight.admin, subject, sorted(sight.roles), values]).encode()).digest()


def _text(value: Any) -> str:
    # The identity provider may list the same values in any order.
    return repr(sorted({repr(item) for item in value})) if isinstance(value, list) else repr(value)
