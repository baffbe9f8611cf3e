"""Every attack on every way in: one corpus, so that no rule is enforced on one and forgotten on another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.access.guarded import Guarded, make_guarded
from tests.attacks.attack import AsUnknown, Attack, Transport, Who
from tests.attacks.documents import conditions, nested
from tests.attacks.table import ATTACKS, HIDDEN, NEAR_NAMES
from tests.attacks.transports import (
    Events,
    Get,
    InProcess,
    Lines,
    Live,
    OwnRoute,
    Post,
    Socket,
    Table,
    Ticket,
    carried,
    name_of,
    on_each,
    ways_in,
)
from tests.attacks.viewers import M3, TOO_LARGE, rows
from tests.auth.tokens import RSA, jwks

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def guarded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with make_guarded(postgres_url, tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    file.write_bytes(jwks(RSA))
    return file


@pytest.fixture(scope="module")
async def transports(guarded: Guarded, keys: Path) -> AsyncIterator[dict[str, Transport]]:
    async with ways_in(guarded.clew, guarded.url, keys) as ways:
        yield ways


@pytest.mark.parametrize(
    ("attack", "ways"),
    carried(ATTACKS, InProcess, Live, Post, Events, Socket, Get, Ticket, Lines, Table, OwnRoute),
    ids=name_of,
)
async def test_an_attack_gets_nothing(attack: Attack, ways: tuple[str, ...], transports: dict[str, Transport]) -> None:
    await on_each(ways, transports, attack.check)


@pytest.mark.parametrize("attack", [*conditions()], ids=name_of)
async def test_subscriptions_and_exports_have_no_more_conditions(
    attack: Attack, transports: dict[str, Transport]
) -> None:
    about_rules = replace(attack, about_rules=True)
    if Live.carries(about_rules):
        await attack.check(transports["live"])
    if Lines.carries(replace(about_rules, expect=rows("none"))):
        await attack.check(transports["NDJSON"])


@pytest.mark.parametrize("where", [{"or": [{"id": {"eq": n}} for n in range(5001)]}, {"not": nested(6)}])
async def test_change_events_have_no_more_conditions(where: dict[str, Any], transports: dict[str, Transport]) -> None:
    document = "subscription ($w: ProjectFilter) { projectChanges(where: $w) { kind } }"
    for name in ("SSE", "WebSocket"):
        await Attack("", M3, document, TOO_LARGE, {"w": where}).check(transports[name])


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_ticket_of_another_path_opens_nothing(path: str, transports: dict[str, Transport]) -> None:
    ticket = transports["ticket"]
    assert isinstance(ticket, Ticket)
    elsewhere = replace(ticket, path=path)
    assert (await elsewhere.send(M3, "{ members { id } }", {})).code == "UNAUTHENTICATED"


# --- what proves that the attacks could succeed -------------------------------------------

ADMIN = Who(roles=frozenset({"admin"}))
# Hidden from everybody, or there for nobody.
NOWHERE = ("~password~", "teams(deleted: 1, ~search~", "~input~", "~greeting~", "~exists~")


async def test_the_names_of_the_corpus_are_there_for_who_may_see_them(
    guarded: Guarded, transports: dict[str, Transport]
) -> None:
    schema = guarded.clew.schema_sdl()
    for _, document, variables in HIDDEN:
        text = f"{document}{variables}"
        # A subscription that succeeds does not end: its names are looked up.
        if document.startswith("subscription"):
            name = text.split("~")[1]
            assert name in schema or name in ("viewer", "password", "search"), name
        elif not any(name in text for name in NOWHERE):
            attack = Attack("as admin", ADMIN, document, AsUnknown(), variables)
            with pytest.raises(AssertionError):
                await attack.check(transports["in process"])


async def test_an_admin_gets_suggestions(transports: dict[str, Transport]) -> None:
    for document, variables in NEAR_NAMES:
        assert b"Did you mean" in (await transports["in process"].send(ADMIN, document, variables)).body
