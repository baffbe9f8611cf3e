"""Report to people what a root field does, and why the rules refuse it. No decision depends on a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import asyncpg

from clew.access.permits import Permits
from clew.access.types import Supplied
from clew.model.types import Entity, Operation
from clew.plan.write import Plan
from clew.sql.keys import Key
from clew.sql.statement import Statement


class Phase(StrEnum):
    """A phase of a root field."""

    GATHER = "gather"
    WRITE = "write"
    RECALL = "recall"
    CHECK = "check"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that the rules do not allow to be written.

    Args:
        why: the reason, a sentence.
        permits: the rules that were tried; None if rules are not the reason.
        key: the row's key; empty for a new row.
        fields: the written fields that the refusal is about.
        before: for each of `permits.every`, whether it held for the old state of the row; empty if unknown.
        after: the same for the new state of the row; empty if unknown.
    """

    phase: Phase
    entity: Entity
    operation: Operation
    why: str
    permits: Permits | None = None
    key: Key = ()
    fields: tuple[str, ...] = ()
    before: tuple[bool | None, ...] = ()
    after: tuple[bool | None, ...] = ()


class Prober(Protocol):
    """Run further queries in the transaction of the root field."""

    phase: Phase

    async def probe(self, plan: Plan, bound: Mapping[Supplied, Any]) -> list[asyncpg.Record]:
        """Run a plan that changes nothing, without a report. If it fails, the transaction goes on."""


class Witness(Protocol):
    """Receive a report of each statement of a root field, and of its refusal."""

    async def begins(self, phase: Phase, plan: Plan, statement: Statement, arguments: Sequence[Any]) -> None:
        """Note a statement that is about to run."""

    async def ran(
        self, store: Prober, plan: Plan, bound: Mapping[Supplied, Any], records: Sequence[asyncpg.Record]
    ) -> None:
        """Note the records that a statement returned."""

    def commands(self, sql: str) -> None:
        """Note a statement that controls the transaction: it sets a savepoint, or defers keys."""

    async def refused(self, store: Prober, refusal: Refusal) -> None:
        """Find out which conditions failed. Call this before the transaction rolls back."""
