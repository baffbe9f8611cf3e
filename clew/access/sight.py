"""The part of a viewer that plans depend on."""

from __future__ import annotations

from dataclasses import dataclass

from clew.access.types import Claim


@dataclass(frozen=True, slots=True)
class Sight:
    """The part of a viewer that a plan depends on.

    `roles` has the viewer's roles, without roles that no rule names. `usable` has the claims that rules name and that
    the viewer has in a form that fits.
    """

    admin: bool
    roles: frozenset[str] = frozenset()
    usable: frozenset[Claim] = frozenset()


ADMIN = Sight(admin=True)
