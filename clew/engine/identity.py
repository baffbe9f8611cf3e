"""Who a viewer is to what is theirs alone: their cursors, and the order of rows whose keys they may not see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from clew.access.sight import Sight
from clew.access.types import Claim
from clew.viewer import Viewer


def identity(viewer: Viewer, sight: Sight, claims: Mapping[Claim, Any]) -> bytes:
    """32 bytes, the same for the same viewer: of one id, one role set, and equal claims where rules name them.

    So a new token changes nothing, nor does a claim or a role that no rule names. All who have no id and no such
    claim are one viewer, and so are all admins.

    Args:
        sight: the viewer's.
        claims: the usable ones among those that rules name, as asyncpg takes them.
    """
    values = sorted(
        [*claim.path, claim.type.name, claim.type.sql, claim.form, _text(claims[claim])] for claim in claims
    )
    subject = None if sight.admin else viewer.id
    return sha256(json.dumps([sight.admin, subject, sorted(sight.roles), values]).encode()).digest()


def _text(value: Any) -> str:
    # In which order a list names what is allowed is the identity provider's whim.
    return repr(sorted({repr(item) for item in value})) if isinstance(value, list) else repr(value)
