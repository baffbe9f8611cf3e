"""Every attack by writing on every way in: what is answered, and what has become of the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from clew.errors import Code
from tests.attacks.attack import AsUnknown, Attack, Refused, Transport
from tests.attacks.club import Club, Rows, changes, make_club
from tests.attacks.transports import (
    Asking,
    Events,
    Get,
    Hooked,
    InProcess,
    OwnRoute,
    Post,
    Socket,
    Ticket,
    Within,
    Witnessed,
    carried,
    name_of,
    on_each,
    ways_in,
)
from tests.attacks.writes import ADMIN, HIDDEN, WRITES
from tests.auth.tokens import RSA, jwks

pytestmark = pytest.mark.anyio

WAYS = (InProcess, Witnessed, Hooked, Post, Asking, Events, Socket, Get, Ticket, OwnRoute, Within)
BY_GET = Refused((Code.BAD_USER_INPUT, Code.GRAPHQL_VALIDATION_FAILED, Code.GRAPHQL_PARSE_FAILED))


@pytest.fixture(scope="module")
def club(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Club]:
    with make_club(postgres_url, tmp_path_factory.mktemp("club")) as made:
        yield made


@pytest.fixture(scope="module")
async def transports(club: Club, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Transport]]:
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    keys.write_bytes(jwks(RSA))
    async with ways_in(club.clew, club.url, keys) as ways:
        post = ways["POST"]
        assert isinstance(post, Post)
        yield {**ways, "within": Within(post)}


@pytest.fixture(scope="module")
async def aside(club: Club) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(club.url)
    await club.fill(connection)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def start(club: Club, aside: asyncpg.Connection[Any]) -> Rows:
    """The rows as they were in the beginning."""
    return await club.rows(aside)


@pytest.mark.parametrize(("attack", "ways"), carried(WRITES, *WAYS), ids=name_of)
async def test_an_attack_writes_nothing_but_what_it_may(
    attack: Attack,
    ways: tuple[str, ...],
    transports: dict[str, Transport],
    club: Club,
    aside: asyncpg.Connection[Any],
    start: Rows,
) -> None:
    async def check(way: Transport) -> None:
        expected = attack.changes
        after: Rows | None = None
        try:
            if way.writes or isinstance(attack.expect, AsUnknown):
                await attack.check(way)
            else:
                expected = {}
                BY_GET.judge(await attack.send(way, attack.document.replace("~", "3")))
            after = await club.rows(aside)
            assert changes(start, after) == expected
        finally:
            if after != start:
                await club.fill(aside)

    await on_each(ways, transports, check)


async def test_the_names_of_the_corpus_are_there_for_who_may_see_them(
    transports: dict[str, Transport], club: Club, aside: asyncpg.Connection[Any]
) -> None:
    try:
        for _, document, variables in HIDDEN:
            text = f"{document}{variables}"
            if not any(name in text for name in NOWHERE):
                attack = Attack("as admin", ADMIN, document, AsUnknown(), variables)
                with pytest.raises(AssertionError):
                    await attack.check(transports["in process"])
    finally:
        # A worker may run other tests after this one.
        await club.fill(aside)


# There for nobody.
NOWHERE = ("Rank~", "Ranks~", "~version~", "~hide~", "~open~", "~update~", "~club~", "~deletedAt~", "~edition~")
