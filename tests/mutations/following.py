"""A short proof that nobody follows a job that is hidden: the attacks on its output, in process and by its URL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from clew.config import Settings
from clew.errors import Code
from clew.wire.application import Application
from tests.attacks.attack import Alike, Attack, Refused, Who
from tests.attacks.following import Events, Follow, Output, chunk, followed, reset
from tests.attacks.jobs import M23, NO_SUBJECTS, SEEN
from tests.attacks.press import ABSENT, MINE, OF_ADMIN, RUNNING, Press, make_press
from tests.attacks.press import SECRET as OF_ANOTHER
from tests.attacks.transports import ADMIN_SECRET, AUDIENCE, ISSUER
from tests.attacks.viewers import ANON, M3
from tests.auth.tokens import SECRET

# In seconds: how long a mutant may keep an attack waiting. What the code answers comes in a few milliseconds.
_PATIENCE = 2.0
# One that is let go is let go this soon.
_LOOK = 0.02
# A few attacks on who may follow what; not on documents and tokens, which others prove.
_HIDDEN = Alike(
    (OF_ANOTHER, OF_ADMIN, ABSENT, "x", f"{{{MINE}}}"), Refused((Code.NOT_FOUND, Code.GRAPHQL_VALIDATION_FAILED))
)
ATTACKS: tuple[Attack, ...] = (
    *SEEN,
    *(
        Attack(f"{name}, hidden output", who, followed("~"), _HIDDEN)
        for name, who in (("anybody", ANON), ("m3", M3), ("no subject", NO_SUBJECTS[0]))
    ),
)


@dataclass(frozen=True)
class Proof:
    """The press, served in process, with its attacks."""

    press: Press
    app: Application
    aside: asyncpg.Connection[asyncpg.Record]
    runner: asyncio.Runner
    attacks: list[Attack]

    def check(self) -> None:
        """Raise AssertionError, or whatever, if an attack gets more than it may."""
        self.runner.run(self._check())

    async def _check(self) -> None:
        ways = [way({False: self.app}) for way in (Follow, Output)]
        # A mutant may have left some.
        self.app.outputs._here().ring.streams.clear()
        for attack in tuple(self.attacks):
            try:
                async with asyncio.timeout(_PATIENCE):
                    for way in ways:
                        if way.carries(attack):
                            await attack.check(way)
            except BaseException:
                # It is likely to notice the next one.
                self.attacks.remove(attack)
                self.attacks.insert(0, attack)
                raise
        for way in ways:
            async with asyncio.timeout(_PATIENCE):
                await self._let_go(way)
        async with asyncio.timeout(_PATIENCE):
            # What runs has no end yet, and nothing is left of those who have gone.
            async with ways[0].following(M23, followed(RUNNING, "1:2"), {}) as events:
                # The cursor is one of output that is not there, so what there is comes anew.
                assert await events.next() == reset("1:0", None)
                assert await events.next() == chunk("open", "1:1")
                await _goes_on(events)
        assert not self.app.outputs._here().ring.streams

    async def _let_go(self, way: Follow) -> None:
        """Follow a job until somebody else has it. Others go on."""
        try:
            async with (
                way.following(M23, followed(RUNNING), {}) as losing,
                way.following(Who(roles=frozenset({"admin"})), followed(RUNNING), {}) as keeping,
            ):
                for events in (losing, keeping):
                    assert await events.next() == chunk("open", "1:1")
                await self.aside.execute("UPDATE clew.jobs SET viewer = 'm3' WHERE id = $1", RUNNING)
                last = await losing.next()
                assert last is None or last["errors"][0]["extensions"]["code"] == "NOT_FOUND", last
                assert await losing.next() is None
                await _goes_on(keeping)
        finally:
            await self.press.fill(self.aside)


async def _goes_on(events: Events) -> None:
    """Raise AssertionError if something comes, or the end."""
    try:
        async with asyncio.timeout(4 * _LOOK):
            found = await events.next()
    except TimeoutError:
        return
    raise AssertionError(found)


@contextmanager
def make_proof(server_url: str, root: Path) -> Iterator[Proof]:
    """The database of the proof, dropped at the end.

    Args:
        root: an empty folder, for the application's project.
    """
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("clew.jobs.output.follow._LOOK", _LOOK)
        press = stack.enter_context(make_press(server_url, root))
        runner = stack.enter_context(asyncio.Runner())
        given = {
            "DATABASE_URL": press.url,
            "env": "production",
            "admin_secret": ADMIN_SECRET,
            "jwt_secret": SECRET,
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "secret": SECRET[::-1],
            "run_jobs": False,
        }
        app = press.clew.asgi(Settings.model_validate(given))
        stack.callback(lambda: runner.run(app.close()))
        aside = runner.run(asyncpg.connect(press.url))
        stack.callback(lambda: runner.run(aside.close()))
        yield Proof(press, app, aside, runner, list(ATTACKS))
