"""Who asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ADMIN = "admin"
ANON = "anon"
USER = "user"


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
    # What engines have worked out of the viewer, by what of theirs it depends on: a verified token is used again and
    # again. No engine and no schema is in it, as a viewer may be kept for longer.
    known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def admin(cls) -> Viewer:
        """The viewer that passes every rule."""
        return _ADMIN_VIEWER

    @classmethod
    def seen_as(cls, roles: Iterable[str], claims: Mapping[str, Any] | None = None) -> Viewer:
        """Who holds these roles and claims, to look through their eyes; nothing but `anon` is added.

        A `sub` that is a whole number is the text that a token has for it (RFC 7519, section 4.1.2: always a text).
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
    """The roles in a text with commas: `user,editor`."""
    # ASCII spaces only: others are a part of a name.
    return frozenset(name for name in (part.strip(" ") for part in text.split(",")) if name)
