"""A short proof that writing keeps to the rules: the attacks by writing, in process, and how their rows end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine
from clew.model.types import Model
from clew.plan.write import Plan
from clew.sql.cursors import Cursors
from clew.sql.statement import Statement, WriteStatements
from clew.sql.tables import Tables, build_tables
from tests.attacks.attack import Attack
from tests.attacks.club import Club, Rows, changes, make_club
from tests.attacks.transports import MOST_BYTES, InProcess
from tests.mutations.mutants import Mutant, Probe, reached


@dataclass
class Proof:
    """The club with an engine whose schemas and documents are prepared.

    An attack that notices a mutant is likely to notice the next: it goes to the front.

    Args:
        reaching: the attacks that come to the code of each mutant. The others cannot notice it.
    """

    club: Club
    engine: Engine
    aside: asyncpg.Connection[Any]
    runner: asyncio.Runner
    start: Rows
    attacks: list[Attack]
    reaching: dict[Mutant, set[str]] = field(default_factory=dict)
    logs: list[MutableMapping[str, Any]] = field(default_factory=list)
    noticing: dict[str, Attack] = field(default_factory=dict)

    def survey(self, mutants: Sequence[Mutant]) -> None:
        """Run every attack on the code itself, and learn which mutants it comes to."""
        self.reaching = {mutant: set() for mutant in mutants}
        comes_to: dict[str, int] = {}
        engine = self.engine
        with reached(mutants) as probe:
            statements = _Surveyed(engine.model, engine.statements.tables, engine.statements.cursors, probe)
            engine.statements.writes = statements
            for attack in self.attacks:
                self.check([attack])
                gathered = statements.take()
                comes_to[attack.name] = len(gathered)
                for mutant in gathered:
                    self.reaching[mutant].add(attack.name)
        # What comes to much code notices much.
        self.attacks.sort(key=lambda attack: comes_to[attack.name], reverse=True)
        self._forget()

    def check_mutant(self, mutant: Mutant) -> None:
        """Raise AssertionError, or whatever, if an attack gets more from the mutant than it may."""
        names = self.reaching[mutant]
        attacks = [attack for attack in self.attacks if attack.name in names]
        if mutant.scope.compiles:
            self._forget()
        try:
            with mutant.in_place():
                self.check(attacks)
        finally:
            if mutant.scope.compiles:
                self._forget()

    def check_again(self) -> None:
        """Raise AssertionError, or whatever, if an attack that has noticed a mutant fails without one."""
        self.check(list(self.noticing.values()))

    def _forget(self) -> None:
        """Forget statements: one that was compiled before has nothing of a mutant."""
        engine = self.engine
        engine.statements.writes = WriteStatements(engine.model, engine.statements.tables, engine.statements.cursors)

    def check(self, attacks: Iterable[Attack]) -> None:
        """Raise AssertionError, or whatever, if an attack gets more than it may."""
        self.runner.run(self._check(attacks))

    async def _check(self, attacks: Iterable[Attack]) -> None:
        way = InProcess(self.engine)
        self.logs.clear()
        for attack in attacks:
            after = self.start
            try:
                async with asyncio.timeout(60):
                    await attack.check(way)
                after = await self.club.rows(self.aside)
                assert changes(self.start, after) == attack.changes, attack.name
            except BaseException as error:
                self.attacks.remove(attack)
                self.attacks.insert(0, attack)
                self.noticing[attack.name] = attack
                await self.club.fill(self.aside)
                if isinstance(error, TimeoutError):
                    pytest.fail(f"{attack.name} has no answer: a mutant that is endless is marked so")
                raise
            if after != self.start:
                await self.club.fill(self.aside)


class _Surveyed(WriteStatements):
    """Knows the mutants that each statement's making came to: whoever uses it again comes to these."""

    def __init__(self, model: Model, tables: Tables, cursors: Cursors, probe: Probe) -> None:
        super().__init__(model, tables, cursors)
        self._probe = probe
        self._reached: set[Mutant] = set()
        # With the statements, so that no other has the identity of one.
        self._of: dict[int, tuple[Statement, set[Mutant]]] = {}

    def get(self, plan: Plan, *, keep: bool = True, one_row: bool = False) -> Statement:
        self._reached |= self._probe.take()
        statement = super().get(plan, keep=keep, one_row=one_row)
        _, reached = self._of.setdefault(id(statement), (statement, self._probe.take()))
        self._reached |= reached
        return statement

    def take(self) -> set[Mutant]:
        """Return the mutants gathered, and begin anew."""
        gathered = self._reached | self._probe.take()
        self._reached = set()
        return gathered


@contextmanager
def make_proof(server_url: str, root: Path, attacks: Iterable[Attack]) -> Iterator[Proof]:
    """The database of the proof, dropped at the end.

    Args:
        root: an empty folder, for the application's project.
    """
    with ExitStack() as stack:
        club = stack.enter_context(make_club(server_url, root))
        # To print the traceback of an error takes longer than all else.
        logs = stack.enter_context(capture_logs())
        runner = stack.enter_context(asyncio.Runner())
        pool = Pool(club.url, size=1)
        stack.callback(lambda: runner.run(pool.close()))
        aside = runner.run(asyncpg.connect(club.url))
        stack.callback(lambda: runner.run(aside.close()))
        runner.run(club.fill(aside))
        start = runner.run(club.rows(aside))
        model, schema = club.clew.build()
        engine = Engine(
            model, schema, build_tables(model), pool, RoleLimits(Limits(page=100, response_bytes=MOST_BYTES))
        )
        carried = [attack for attack in attacks if InProcess(engine).carries(attack)]
        yield Proof(club, engine, aside, runner, start, carried, logs=logs)
