"""One step of a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """SQL that makes a change and SQL that undoes it.

    A migration runs the `up` of its changes in order, and their `down` in the opposite order.

    Attributes:
        summary: what it does, in a few words; empty for what follows from another change.
        loses: what is lost, or why it may fail on a filled table; None if it is harmless.
    """

    up: tuple[str, ...]
    down: tuple[str, ...]
    summary: str = ""
    loses: str | None = None
