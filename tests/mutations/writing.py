"""A short proof that writing keeps to the rules: the attacks by writing, in process, and how their rows end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from clew.database.pool import Pool
from clew.document.limits import Limits, RoleLimits
from clew.engine import Engine
from clew.sql.statement import WriteStatements
from clew.sql.tables import build_tables
from tests.attacks.attack import Attack
from tests.attacks.club import Club, Rows, changes, make_club
from tests.attacks.transports import InProcess
from tests.attacks.writes import JUDGED


@dataclass
class Proof:
    """The club with an engine whose schemas and documents are prepared.

    Which attack notices a mutant it is likely to notice the next of: it goes to the front.
    """

    club: Club
    engine: Engine
    aside: asyncpg.Connection[Any]
    runner: asyncio.Runner
    start: Rows
    attacks: list[Attack] = field(default_factory=lambda: list(JUDGED))

    def check(self) -> None:
        """Raise AssertionError, or whatever, if an attack gets more than it may."""
        self.runner.run(self._check())

    async def _check(self) -> None:
        way = InProcess(self.engine)
        # Statements that were compiled before would have nothing of the mutant.
        engine = self.engine
        engine.statements.writes = WriteStatements(engine.model, engine.statements.tables, engine.statements.cursors)
        for index, attack in enumerate(self.attacks):
            try:
                # Some mutants never end.
                async with asyncio.timeout(15):
                    await attack.check(way)
            except BaseException:
                self.attacks.insert(0, self.attacks.pop(index))
                await self.club.fill(self.aside)
                raise
            after = await self.club.rows(self.aside)
            if after != self.start:
                await self.club.fill(self.aside)
            if changes(self.start, after) != attack.changes:
                self.attacks.insert(0, self.attacks.pop(index))
                raise AssertionError(attack.name)


@contextmanager
def make_proof(server_url: str, root: Path) -> Iterator[Proof]:
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
        engine = Engine(model, schema, build_tables(model), pool, RoleLimits(Limits(page=100)))
        yield Proof(club, engine, aside, runner, start)
