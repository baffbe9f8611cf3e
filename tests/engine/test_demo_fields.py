"""The demo's own fields that are entities, and its rules for writes, on its data."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.replies import reply
from app.resolvers import MOST_PINNED, message, mutation, query, thread, user
from app.seed import seed
from clew import Clew, ClewError, Viewer
from clew.migrate.connect import migration_engine
from tests.databases import create_tables, new_database

ROOT = Path(__file__).resolve().parents[2]
PIN = "mutation ($id: ID!) { pinThread(threadId: $id) { id pinned } }"


@pytest.fixture(scope="module")
def demo(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clew, str]]:
    """The demo on a seeded database, and that database's URL."""
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "graphql", root / "graphql")
    clew = Clew([query, mutation, user, thread, message], project=root)
    clew.job("reply")(reply)
    model, _ = clew.build()

    async def fill(url: str) -> None:
        await create_tables(url, model)
        async with migration_engine(url) as engine, engine.connect() as connection, connection.begin():
            await seed(connection)

    with new_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield clew, url


@pytest.fixture
def clew(demo: tuple[Clew, str], monkeypatch: pytest.MonkeyPatch) -> Clew:
    monkeypatch.setenv("DATABASE_URL", demo[1])
    return demo[0]


@pytest.mark.anyio
async def test_strangers_see_the_busiest_agents_without_their_instructions(clew: Clew) -> None:
    found = await clew.graphql("{ busiestAgents(limit: 3) { name status team { name } } }", viewer=Viewer())
    assert len(found["busiestAgents"]) == 3
    assert all(agent["status"] == "LIVE" and agent["team"]["name"] for agent in found["busiestAgents"])
    with pytest.raises(ClewError, match="instructions"):
        await clew.graphql("{ busiestAgents { instructions } }", viewer=Viewer())


@pytest.mark.anyio
async def test_threads_are_pinned_by_their_owner_and_not_without_end(clew: Clew) -> None:
    async with clew.running():
        threads = (await clew.graphql("{ threads(where: {pinned: {eq: false}}) { id owner { id } } }", viewer=ADMIN))[
            "threads"
        ]
        by_owner: dict[str, list[str]] = {}
        for row in threads:
            by_owner.setdefault(row["owner"]["id"], []).append(row["id"])
        owner, mine = max(by_owner.items(), key=lambda item: len(item[1]))
        other = next(ids[0] for key, ids in by_owner.items() if key != owner)
        viewer = Viewer(owner, frozenset({"user"}))
        with pytest.raises(ClewError, match="threadId"):
            await clew.graphql(PIN, {"id": other}, viewer=viewer)
        assert len(mine) > MOST_PINNED
        have = len((await clew.graphql("{ threads(where: {pinned: {eq: true}}) { id } }", viewer=viewer))["threads"])
        for key in mine[have:MOST_PINNED]:
            assert await clew.graphql(PIN, {"id": key}, viewer=viewer) == {"pinThread": {"id": key, "pinned": True}}
        with pytest.raises(ClewError, match="pin 5"):
            await clew.graphql(PIN, {"id": mine[MOST_PINNED]}, viewer=viewer)
        pinned = await clew.graphql("{ threads(where: {pinned: {eq: true}}) { id } }", viewer=viewer)
        assert len(pinned["threads"]) == MOST_PINNED


# --- writes ---------------------------------------------------------------------------

ADMIN = Viewer.admin()
FARAH = Viewer("019aea4b-579f-73ca-9c37-dcb7b11bd01b", frozenset({"user"}))
BEGIN = """mutation ($agent: ID!, $title: String!) {
  createThread(input: {agentId: $agent, title: $title, messages: {create: [{position: 1, content: "Hello"}]}}) {
    id
    owner { id }
    messages { author position }
  }
}"""


async def agent(clew: Clew, slug: str) -> str:
    document = "query ($slug: String!) { agents(where: {slug: {eq: $slug}}) { id } }"
    found = await clew.graphql(document, {"slug": slug}, viewer=ADMIN)
    key: str = found["agents"][0]["id"]
    return key


@pytest.mark.anyio
async def test_a_user_begins_threads_of_her_own_with_agents_that_she_sees(clew: Clew) -> None:
    async with clew.running():
        made = await clew.graphql(BEGIN, {"agent": await agent(clew, "concierge"), "title": "Zanzibar"}, viewer=FARAH)
        assert made["createThread"]["owner"] == {"id": FARAH.id}
        assert made["createThread"]["messages"] == [{"author": "USER", "position": 1}]
        # Retired, and of another team.
        with pytest.raises(ClewError) as raised:
            await clew.graphql(BEGIN, {"agent": await agent(clew, "scout"), "title": "Zanzibar"}, viewer=FARAH)
        assert raised.value.code == "CONSTRAINT_VIOLATION"
        with pytest.raises(ClewError, match="owner"):
            await clew.graphql('mutation { createThread(input: {ownerId: 1, title: "x"}) { id } }', viewer=FARAH)


@pytest.mark.anyio
async def test_a_user_renames_deletes_and_restores_own_threads_and_no_others(clew: Clew) -> None:
    rename = 'mutation ($id: ID!) { updateThread(id: $id, set: {title: "Zz"}) { title } }'
    bin_ = "mutation ($id: ID!) { deleteThread(id: $id) { messages { id } } }"
    back = "mutation ($id: ID!) { restoreThread(id: $id) { messages { id } } }"
    async with clew.running():
        made = await clew.graphql(BEGIN, {"agent": await agent(clew, "concierge"), "title": "Zagreb"}, viewer=FARAH)
        mine = {"id": made["createThread"]["id"]}
        assert await clew.graphql(rename, mine, viewer=FARAH) == {"updateThread": {"title": "Zz"}}
        assert len((await clew.graphql(bin_, mine, viewer=FARAH))["deleteThread"]["messages"]) == 1
        assert await clew.graphql("query ($id: ID!) { thread(id: $id) { id } }", mine, viewer=ADMIN) == {"thread": None}
        assert len((await clew.graphql(back, mine, viewer=FARAH))["restoreThread"]["messages"]) == 1
        where = "query ($me: ID!) { threads(where: {ownerId: {neq: $me}}, limit: 1) { id } }"
        other = (await clew.graphql(where, {"me": FARAH.id}, viewer=ADMIN))["threads"][0]
        for document in (rename, bin_, back):
            assert list((await clew.graphql(document, other, viewer=FARAH)).values()) == [None]


@pytest.mark.anyio
async def test_editors_change_the_agents_of_their_team_and_nobody_else_does(clew: Clew) -> None:
    change = """mutation ($id: ID!, $version: Int) {
      updateAgent(id: $id, set: {instructions: "Quote the clause."}, ifVersion: $version) { version }
    }"""
    async with clew.running():
        # She edits at Oakline, and is a viewer at Brightdesk.
        own, foreign = await agent(clew, "fine-print"), await agent(clew, "concierge")
        assert await clew.graphql(change, {"id": own}, viewer=FARAH) == {"updateAgent": {"version": 2}}
        with pytest.raises(ClewError) as raised:
            await clew.graphql(change, {"id": own, "version": 1}, viewer=FARAH)
        assert raised.value.code == "CONFLICT"
        assert await clew.graphql(change, {"id": foreign}, viewer=FARAH) == {"updateAgent": None}
        team = (await clew.graphql('{ teamBySlug(slug: "brightdesk") { id } }', viewer=ADMIN))["teamBySlug"]["id"]
        create = """mutation ($team: ID!) {
          createAgent(input: {teamId: $team, name: "X", slug: "x", instructions: "", model: "kestrel-2"}) { id }
        }"""
        with pytest.raises(ClewError) as raised:
            await clew.graphql(create, {"team": team}, viewer=FARAH)
        assert raised.value.code == "FORBIDDEN"


@pytest.mark.anyio
async def test_a_stranger_has_no_mutation(clew: Clew) -> None:
    with pytest.raises(ClewError):
        await clew.graphql("mutation { __typename }", viewer=Viewer())
