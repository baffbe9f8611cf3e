"""The part of a viewer that plans depend on."""

from __future__ import annotations

from dataclasses import dataclass

from clew.access.types import Claim


@dataclass(frozen=True, slots=True)
class Sight:
    """What of a viewer a plan depends on.

    `roles` are those of the viewer's roles that some rule names. `usable` are the claims that rules name and that the
    viewer has in a form that fits.
    """

    admin: bool
    roles: frozenset[str] = frozenset()
    usable: frozenset[Claim] = frozenset()


ADMIN = Sight(admin=True)
