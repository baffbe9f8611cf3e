"""The viewer: the subject of an operation, with roles and claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ADMIN = "admin"
ANON = "anon"
USER = "user"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The subject of an operation (docs/access.md).

    Args:
        id: the token's `sub`; None for an anonymous viewer and the admin secret.
        roles: the names of the viewer's roles.
        claims: the token's claims, by name.
    """

    id: str | None = None
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    # The results that engines computed for the viewer, by the facts about the viewer that they depend on. A verified
    # token is used again, so they save work. They hold no engine and no schema, as a viewer may be kept for longer.
    known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def admin(cls) -> Viewer:
        """Return the viewer that passes every rule."""
        return _ADMIN_VIEWER

    @classmethod
    def seen_as(cls, roles: Iterable[str], claims: Mapping[str, Any] | None = None) -> Viewer:
        """Return a viewer with these roles and claims, for an admin to act as. Only the role `anon` is added.

        A `sub` that is a whole number becomes text, as a token has it (RFC 7519, section 4.1.2).
        """
        roles, claims = frozenset(roles), claims or {}
        if ADMIN in roles:
            return cls.admin()
        subject = claims.get("sub")
        if isinstance(subject, int) and not isinstance(subject, bool):
            subject = str(subject)
            claims = {**claims, "sub": subject}
        return cls(subject if isinstance(subject, str) else None, roles | {ANON}, claims)

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles


_ADMIN_VIEWER = Viewer(roles=frozenset({ADMIN}))


def role_names(text: str) -> frozenset[str]:
    """Return the roles in a text with commas: `user,editor`."""
    # Strip ASCII spaces only: other spaces are part of a name.
    return frozenset(name for name in (part.strip(" ") for part in text.split(",")) if name)
