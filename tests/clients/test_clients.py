"""The clients that most applications use, under Node, against a server of our own in its production settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clew import Clew
from clew.config import Settings
from tests.access.guarded import Guarded
from tests.auth.tokens import SECRET, claims, hs256
from tests.databases import create_tables, new_database
from tests.faults.lab import served
from tests.node import assert_locked, installed, node

CLIENTS = Path(__file__).parent

# The class of an answer with GraphQL errors in it.
ERRORS = {"apollo": "CombinedGraphQLErrors", "urql": "CombinedError"}


async def play(clew: Clew, database_url: str, client: str, what: str) -> dict[str, Any]:
    """What came of each step that a client took as member m0."""
    token = hs256(claims(sub="m0", regions=["eu"], exp=4_000_000_000))
    folder = await installed(CLIENTS)
    settings = {"DATABASE_URL": database_url, "env": "production", "jwt_secret": SECRET}
    app = clew.asgi(Settings.model_validate(settings))
    try:
        async with served(app) as port:
            output = await node(folder, f"{client}.mjs", f"http://127.0.0.1:{port}/graphql", token, what)
    finally:
        await app.engine.pool.close()
    lines = [json.loads(line, object_hook=_without_typename) for line in output.splitlines()]
    return {line["step"]: line["result"] for line in lines}


def _without_typename(value: dict[str, Any]) -> dict[str, Any]:
    """Both caches ask for it in every selection; Apollo's shows it and urql's does not."""
    return {name: member for name, member in value.items() if name != "__typename"}


def team(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"t{number}", "name": f"Team {number}", **more}


def person(number: int) -> dict[str, Any]:
    return {"id": f"m{number}", "label": f"Member {number}", "teams": [team(0)]}


def project(number: int) -> dict[str, Any]:
    return {"id": number, "tasks": [{"id": number * 10, "state": "OPEN"}]}


def viewer(id_: str | None, *roles: str) -> dict[str, Any]:
    return {"data": {"viewer": {"id": id_, "roles": list(roles)}}}


def expected(error: str) -> dict[str, Any]:
    """What is to come of each step; an error is of this class."""

    def refused(code: str) -> dict[str, Any]:
        return {"error": {"name": error, "codes": [code]}}

    one = {"data": {"team": team(0)}}
    touched = {"data": {"touch": "a by m0"}}
    return {
        "anonymous": viewer(None, "anon"),
        "token": viewer("m0", "anon", "user"),
        "forged token": refused("UNAUTHENTICATED"),
        "variables": one,
        "no such row": {"data": {"team": None}},
        "fragments and nested lists": {
            "data": {
                "teams": [
                    team(0, members=[person(0), person(100)], projects=[project(0), project(1)]),
                    team(1, members=[], projects=[]),
                ]
            }
        },
        "skip and include": {
            "brief": {"data": {"team": {"id": "t0"}}},
            "full": {"data": {"team": team(0, members=[{"id": "m0"}])}},
        },
        "mutation": touched,
        "unknown field": refused("GRAPHQL_VALIDATION_FAILED"),
        "bad variable": refused("BAD_USER_INPUT"),
        "too large": refused("LIMIT_EXCEEDED"),
        "queries by GET": {"query": one, "mutation": touched, "requests": ["GET 200", "POST 200"]},
        "normalised cache": {"query": {"data": {"team": team(1)}}, "requests": ["POST 200"]},
        "persisted queries": {
            "first": one,
            "second": {"data": {"teams": [team(0)]}},
            # Refused once, they are not tried again.
            "requests": ["POST 400", "POST 200", "POST 200"],
        },
    }


@pytest.mark.anyio
@pytest.mark.parametrize("client", ERRORS)
async def test_a_client_takes_every_step(client: str, guarded: Guarded) -> None:
    assert await play(guarded.clew, guarded.url, client, "reads") == expected(ERRORS[client])


SDL = """
type Note @table
  @allow(role: user, to: ALL, where: {author: "$auth.sub"}) {
  id: ID! @id
  text: String! @unique
  author: String! @preset(claim: "sub")
  version: Int! @version
  lines: [Line!]!
}

type Line @table @allow(role: user, to: ALL, where: {note: {author: "$auth.sub"}}) {
  id: ID! @id
  note: Note!
  text: String!
}
"""


@pytest.fixture
def notes(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Clew, str]]:
    """Notes that their authors write, and the URL of their database."""
    (tmp_path / "graphql").mkdir()
    (tmp_path / "graphql" / "notes.graphql").write_text(SDL)
    clew = Clew(project=tmp_path)
    with new_database(postgres_url) as url:
        asyncio.run(create_tables(url, clew.build()[0]))
        yield clew, url


@pytest.mark.anyio
@pytest.mark.parametrize("client", ERRORS)
async def test_a_client_creates_updates_and_reads(client: str, notes: tuple[Clew, str]) -> None:
    def refused(code: str) -> dict[str, Any]:
        return {"error": {"name": ERRORS[client], "codes": [code]}}

    changed = {"text": "changed", "version": 2}
    one = {**changed, "author": "m0"}
    assert await play(*notes, client, "writes") == {
        "create, update and read": {
            "made": {"text": "first", "version": 1, "author": "m0", "lines": [{"text": "one"}, {"text": "two"}]},
            "changed": changed,
            "stale": refused("CONFLICT"),
            "cached": changed,
            "read": {"data": {"notes": [one]}},
            "requests": ["POST 200"] * 4,
        },
        "taken": refused("CONSTRAINT_VIOLATION"),
        "missing": refused("BAD_USER_INPUT"),
        "sent again": {
            "same": True,
            "read": {"data": {"notes": [one, {"text": "once", "version": 1, "author": "m0"}]}},
        },
    }


def test_the_clients_are_locked() -> None:
    assert_locked(CLIENTS)
