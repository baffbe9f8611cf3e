"""Who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The subject of an operation (SPEC 6).

    Args:
        id: the token's `sub`; None for an anonymous viewer and the admin secret.
        roles: the names of the roles held.
        claims: the token's claims, by name.
    """

    id: str | None = None
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    # What an engine has worked out of the viewer, by role set; a verified token is used again and again.
    known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def admin(cls) -> Viewer:
        """The viewer that passes every rule."""
        return _ADMIN_VIEWER

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles


_ADMIN_VIEWER = Viewer(roles=frozenset({ADMIN}))
