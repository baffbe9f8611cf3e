"""One step of a migration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Change:
    """SQL that makes a change and SQL that undoes it.

    A migration runs the `up` of its changes in order, and their `down` in reverse order.

    Attributes:
        summary: a few words about the change; empty if it follows from another change.
        loses: the data that is lost, or None.
        may_fail: the reason why it may fail on a filled table, or None.
    """

    up: tuple[str, ...]
    down: tuple[str, ...]
    summary: str = ""
    loses: str | None = None
    may_fail: str | None = None


@dataclass(frozen=True, slots=True)
class Doubts:
    """What must be confirmed before a migration is written: the data that it loses, and why it may fail."""

    losses: Sequence[str] = ()
    failures: Sequence[str] = ()

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        changes = list(changes)
        return cls(
            [change.loses for change in changes if change.loses is not None],
            [change.may_fail for change in changes if change.may_fail is not None],
        )

    def __bool__(self) -> bool:
        return bool(self.losses or self.failures)

    def __str__(self) -> str:
        parts = []
        if self.losses:
            parts += ["This migration would lose data:", *(f"  - {loss}" for loss in self.losses)]
        if self.failures:
            subject = "It" if self.losses else "This migration"
            parts += [f"{subject} may fail:", *(f"  - {reason}" for reason in self.failures)]
        return "\n".join(parts)
