"""Every attack on jobs and their output on every way in: what is hidden is not there, and nothing becomes of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from clew.errors import Code
from clew.jobs.output.writer import JobOutputWriter
from clew.wire.application import Application
from tests.attacks.attack import AsUnknown, Attack, Gives, Refused, Transport, Who
from tests.attacks.following import (
    FOLLOWING,
    Events,
    Follow,
    Output,
    OutputByTicket,
    chunk,
    followed,
    followers,
    requested,
    requested_ticket,
)
from tests.attacks.jobs import FOLLOWS, HIDDEN, LEAD, M23, M43, NOWHERE, NOWHERE_HERE, ONCE, READS, WRITES
from tests.attacks.press import MINE, OPEN, RUNNING, Press, make_press
from tests.attacks.transports import (
    Asking,
    Get,
    Hooked,
    InProcess,
    Lines,
    Live,
    OwnRoute,
    Post,
    Socket,
    Table,
    Ticket,
    Witnessed,
    carried,
    name_of,
    on_each,
    ways_in,
)
from tests.attacks.transports import Events as ByEvents
from tests.attacks.viewers import M3
from tests.auth.tokens import RSA, jwks

pytestmark = pytest.mark.anyio

READING = (InProcess, Live, Post, ByEvents, Socket, Get, Ticket, Lines, Table, OwnRoute)
WRITING = (InProcess, Witnessed, Hooked, Post, Asking, ByEvents, Socket, Get, Ticket, OwnRoute)
BY_GET = Refused((Code.BAD_USER_INPUT, Code.GRAPHQL_VALIDATION_FAILED))
ENDING = tuple(way for way in FOLLOWING if way.ends_with_tokens)


@pytest.fixture(scope="module")
def press(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    with make_press(postgres_url, tmp_path_factory.mktemp("press")) as made:
        yield made


@pytest.fixture(scope="module")
async def transports(press: Press, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Transport]]:
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    keys.write_bytes(jwks(RSA))
    async with ways_in(press.clew, press.url, keys) as ways:
        socket = ways["WebSocket"]
        assert isinstance(socket, Socket)
        yield {**ways, **followers(socket.apps)}


@pytest.fixture(scope="module")
async def aside(press: Press) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(press.url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def start(press: Press, aside: asyncpg.Connection[Any]) -> list[str]:
    """The rows as they were in the beginning."""
    return await press.rows(aside)


@pytest.fixture
async def again(press: Press, aside: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """The rows as they were in the beginning, for other tests."""
    yield
    await press.fill(aside)


def _read(attack: Attack, ways: tuple[str, ...]) -> tuple[Attack, tuple[str, ...]]:
    # A job's result may be a row, which Python completes. No export has such a field.
    is_unexported = "result" in attack.document and isinstance(attack.expect, Gives)
    return attack, tuple(way for way in ways if not is_unexported or way not in (Lines.name, Table.name))


_READ_ONCE = tuple(way.name for way in (InProcess, Post, Get, Lines, OwnRoute))


@pytest.mark.parametrize(
    ("attack", "ways"),
    [*(_read(*parameters) for parameters in carried(READS, *READING)), *((attack, _READ_ONCE) for attack in ONCE)],
    ids=name_of,
)
async def test_an_attack_reads_nothing_of_a_hidden_job(
    attack: Attack, ways: tuple[str, ...], transports: dict[str, Transport]
) -> None:
    await on_each(ways, transports, attack.check)


@pytest.mark.parametrize(("attack", "ways"), carried(WRITES, *WRITING), ids=name_of)
async def test_nothing_becomes_of_a_hidden_job(
    attack: Attack,
    ways: tuple[str, ...],
    transports: dict[str, Transport],
    press: Press,
    aside: asyncpg.Connection[Any],
    start: list[str],
) -> None:
    async def check(way: Transport) -> None:
        try:
            if way.writes:
                await attack.check(way)
            else:
                BY_GET.judge(await attack.send(way, attack.document.replace("~", "3")))
            assert await press.rows(aside) == start
        except BaseException:
            await press.fill(aside)
            raise

    await on_each(ways, transports, check)


@pytest.mark.parametrize(("attack", "ways"), carried(FOLLOWS, *FOLLOWING), ids=name_of)
async def test_nobody_follows_a_hidden_job(
    attack: Attack, ways: tuple[str, ...], transports: dict[str, Transport]
) -> None:
    await on_each(ways, transports, attack.check)


async def test_the_names_of_the_corpus_are_there_for_who_may_see_them(transports: dict[str, Transport]) -> None:
    for _, _, document in HIDDEN:
        name = document.split("~")[1]
        if name not in NOWHERE and not any(part in document for part in NOWHERE_HERE):
            attack = Attack("as admin", Who(roles=frozenset({"admin"})), document, AsUnknown())
            way = transports["in process"] if not document.startswith("subscription") else transports["WebSocket"]
            with pytest.raises(AssertionError):
                await attack.check(way)


# --- in the middle of a stream ---------------------------------------------------------------


def app_of(transports: dict[str, Transport]) -> Application:
    socket = transports["WebSocket"]
    assert isinstance(socket, Socket)
    return socket.apps[False]


async def _followed_by(
    stack: AsyncExitStack, transports: dict[str, Transport], who: Who, ways: tuple[type[Follow], ...]
) -> dict[str, Events]:
    """Follow the running job in many ways, and take what is there."""
    found: dict[str, Events] = {}
    for way in ways:
        transport = transports[way.name]
        assert isinstance(transport, Follow)
        found[way.name] = await stack.enter_async_context(transport.following(who, followed(RUNNING), {}))
    for events in found.values():
        assert await events.next() == chunk("open", "1:1")
    return found


async def _says(transports: dict[str, Transport], text: str) -> None:
    writer = JobOutputWriter(app_of(transports).outputs, most_of_chunk=65536, most_of_attempt=2**24)
    await writer.begin(RUNNING, 1)
    # Goes on after what is there.
    writer._outputs[RUNNING].last = 1
    await writer.emit(RUNNING, 1, text, "token", None)
    await writer.flush(RUNNING)


async def test_a_stream_ends_with_the_token_of_its_viewer(transports: dict[str, Transport], again: None) -> None:
    async with AsyncExitStack() as stack:
        ends = time.time() + 1.5
        found = await _followed_by(stack, transports, replace(M23, claims={"exp": ends}), ENDING)
        for name, events in found.items():
            last = await events.next()
            assert last is None or last["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", (name, last)
            assert last is None or await events.next() is None
        assert ends - 0.5 < time.time() < ends + 10
        await _says(transports, "the secret of the audit")
        assert [await events.next() for events in found.values()] == [None] * len(found)


REVOKED: dict[str, tuple[Who, str]] = {
    "another's job by now": (M23, f"UPDATE clew.jobs SET viewer = 'm3' WHERE id = '{RUNNING}'"),
    "nobody's job by now": (M23, f"UPDATE clew.jobs SET viewer = NULL WHERE id = '{RUNNING}'"),
    "without its pass": (M43, "DELETE FROM passes"),
    "with another argument": (LEAD, f"UPDATE clew.jobs SET arguments = '{{\"mood\": \"BAD\"}}' WHERE id = '{RUNNING}'"),
    "another job by now": (M23, f"UPDATE clew.jobs SET name = 'sweep' WHERE id = '{RUNNING}'"),
    "deleted": (M23, f"DELETE FROM clew.jobs WHERE id = '{RUNNING}'"),
}


@pytest.mark.parametrize("how", REVOKED)
async def test_a_stream_ends_when_its_viewer_sees_the_job_no_longer(
    how: str,
    transports: dict[str, Transport],
    aside: asyncpg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    again: None,
) -> None:
    monkeypatch.setattr("clew.jobs.output.follow._LOOK", 0.1)
    who, change = REVOKED[how]
    async with AsyncExitStack() as stack:
        found = await _followed_by(stack, transports, who, FOLLOWING)
        admin = await _followed_by(stack, transports, Who(roles=frozenset({"admin"})), (Follow,))
        await aside.execute(change)
        for name, events in found.items():
            last = await events.next()
            assert last is None or last["errors"][0]["extensions"]["code"] == "NOT_FOUND", (name, last)
            assert (last is None) == (name in (Output.name, OutputByTicket.name))
        if how not in ("deleted",):
            # Nothing of what others still get comes to those who have lost it.
            await _says(transports, "the secret of the audit")
            assert await admin[Follow.name].next() == chunk("the secret of the audit", "1:2")
        assert [await events.next() for events in found.values()] == [None] * len(found)


# --- tickets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"/jobs/{MINE}/output", f"/jobs/{OPEN}/output"),
        (f"/jobs/{MINE}/output", f"/jobs/{MINE.upper()}/output"),
        ("/graphql", f"/jobs/{MINE}/output"),
        ("/export.csv", f"/jobs/{MINE}/output"),
        (f"/jobs/{MINE}/output", "/graphql?query=%7Bping%7D"),
        (f"/jobs/{MINE}/output", "/export.csv?query=%7Bjobs%7Bid%7D%7D"),
    ],
)
async def test_a_ticket_opens_the_output_of_one_job_and_no_other_door(
    path: str, target: str, transports: dict[str, Transport]
) -> None:
    app = app_of(transports)
    async with requested_ticket(app, M3, path) as (_, ticket):
        assert ticket is not None
    joint = "&" if "?" in target else "?"
    async with requested(app, "GET", f"{target}{joint}ticket={ticket}", {"x-request-id": "same"}) as response:
        assert response.status == 401
        assert b"UNAUTHENTICATED" in await response.whole()


async def test_a_ticket_and_other_credentials_open_nothing(transports: dict[str, Transport]) -> None:
    app = app_of(transports)
    path = f"/jobs/{MINE}/output"
    async with requested_ticket(app, M3, path) as (_, ticket):
        assert ticket is not None
    for headers in ({"authorization": "Bearer x"}, {"x-clew-admin-secret": "x"}):
        async with requested(app, "GET", f"{path}?ticket={ticket}", headers) as response:
            assert response.status == 400
    for twice in (f"?ticket={ticket}&ticket={ticket}", f"?ticket={ticket}x", "?ticket="):
        async with requested(app, "GET", path + twice, {}) as response:
            assert response.status == 401
