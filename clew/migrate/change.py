"""One step of a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """SQL that makes a change and SQL that undoes it.

    A migration runs the `up` of its changes in order, and their `down` in reverse order.

    Attributes:
        summary: a few words about the change; empty if it follows from another change.
        loses: the data that is lost, or the reason why it may fail on a filled table; None if it is harmless.
    """

    up: tuple[str, ...]
    down: tuple[str, ...]
    summary: str = ""
    loses: str | None = None
