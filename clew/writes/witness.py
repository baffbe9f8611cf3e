"""What a root field does, and why the rules refuse it: for people. Nothing that is decided depends on it."""

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
    """A part of a root field's work."""

    GATHER = "gather"
    WRITE = "write"
    RECALL = "recall"
    CHECK = "check"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that the rules do not let be written.

    Args:
        why: a sentence.
        permits: the rules that were tried; None where it is not for them.
        key: empty while the row is new.
        fields: the written fields that it is about.
        before: of `permits.every`, which held of the row as it was; empty where that is not known.
        after: which hold of what becomes of it; empty where that is not known.
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


class Asking(Protocol):
    """Asks the database more, in the transaction of the root field."""

    phase: Phase

    async def ask(self, plan: Plan, bound: Mapping[Supplied, Any]) -> list[asyncpg.Record]:
        """Run the statement of a plan that changes nothing, unwitnessed. The transaction goes on if it fails."""


class Witness(Protocol):
    """Is told of each statement of a root field, and of its refusal."""

    async def begins(self, phase: Phase, plan: Plan, statement: Statement, arguments: Sequence[Any]) -> None:
        """Note a statement that is about to run."""

    async def ran(
        self, store: Asking, plan: Plan, bound: Mapping[Supplied, Any], records: Sequence[asyncpg.Record]
    ) -> None:
        """Note what a statement has given."""

    def commands(self, sql: str) -> None:
        """Note a statement that begins or ends a part of the transaction: a savepoint, or keys that are deferred."""

    async def refused(self, store: Asking, refusal: Refusal) -> None:
        """Find out which conditions failed, while the transaction is as it was then."""
