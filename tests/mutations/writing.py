"""A short proof that writing keeps to the rules: the attacks by writing, in process, and how their rows end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from clew.database.pool import Pool
from clew.engine import Engine
from clew.plan.limits import Limits, RoleLimits
from clew.sql.statement import WriteStatements
from clew.sql.tables import build_tables
from tests.attacks.attack import Attack
from tests.attacks.club import Club, Rows, changes, make_club
from tests.attacks.transports import MOST_BYTES, InProcess
from tests.mutations.mutants import Mutant, reached


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

    def survey(self, mutants: Sequence[Mutant]) -> None:
        """Run every attack on the code itself, and learn which mutants it comes to."""
        self.reaching = {mutant: set() for mutant in mutants}
        compiles = any(mutant.scope.compiles for mutant in mutants)
        with reached(mutants) as probe:
            for attack in self.attacks:
                if compiles:
                    self._forget()
                self.check([attack])
                for mutant in probe.take():
                    self.reaching[mutant].add(attack.name)

    def check_mutant(self, mutant: Mutant) -> None:
        """Raise AssertionError, or whatever, if an attack gets more from the mutant than it may."""
        names = self.reaching[mutant]
        if mutant.scope.compiles:
            self._forget()
        try:
            with mutant.in_place():
                self.check([attack for attack in self.attacks if attack.name in names])
        finally:
            if mutant.scope.compiles:
                self._forget()

    def _forget(self) -> None:
        """Forget statements: one that was compiled before has nothing of a mutant."""
        engine = self.engine
        engine.writes = WriteStatements(engine.model, engine.tables, engine.cursors)

    def check(self, attacks: Sequence[Attack] | None = None) -> None:
        """Raise AssertionError, or whatever, if an attack gets more than it may."""
        self.runner.run(self._check(self.attacks if attacks is None else attacks))

    async def _check(self, attacks: Sequence[Attack]) -> None:
        way = InProcess(self.engine)
        for attack in attacks:
            after = self.start
            try:
                async with asyncio.timeout(60):
                    await attack.check(way)
                after = await self.club.rows(self.aside)
                assert changes(self.start, after) == attack.changes, attack.name
            except TimeoutError:
                pytest.fail(f"{attack.name} has no answer: a mutant that is endless is marked so")
            except BaseException:
                self.attacks.remove(attack)
                self.attacks.insert(0, attack)
                await self.club.fill(self.aside)
                raise
            if after != self.start:
                await self.club.fill(self.aside)


@contextmanager
def make_proof(server_url: str, root: Path, attacks: Iterable[Attack]) -> Iterator[Proof]:
    """The database of the proof, dropped at the end.

    Args:
        root: an empty folder, for the application's project.
    """
    with ExitStack() as stack:
        club = stack.enter_context(make_club(server_url, root))
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
        way = InProcess(engine)
        yield Proof(club, engine, aside, runner, start, [attack for attack in attacks if way.carries(attack)])
