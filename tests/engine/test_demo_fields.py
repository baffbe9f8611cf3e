"""The demo's own fields that are entities, on its data."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.resolvers import MOST_PINNED, message, mutation, query, thread, user
from app.seed import seed
from clew import Clew, ClewError, Viewer
from clew.migrate.connect import migration_engine
from tests.properties.database import create_tables, new_database

ROOT = Path(__file__).resolve().parents[2]
PIN = "mutation ($id: ID!) { pinThread(threadId: $id) { id pinned } }"


@pytest.fixture(scope="module")
def demo(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clew, str]]:
    """The demo on a seeded database, and that database's URL."""
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "graphql", root / "graphql")
    clew = Clew([query, mutation, user, thread, message], project=root)
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
        threads = (await clew.graphql("{ threads(where: {pinned: {eq: false}}) { id owner { id } } }"))["threads"]
        by_owner: dict[str, list[str]] = {}
        for row in threads:
            by_owner.setdefault(row["owner"]["id"], []).append(row["id"])
        owner, mine = max(by_owner.items(), key=lambda item: len(item[1]))
        other = next(ids[0] for key, ids in by_owner.items() if key != owner)
        viewer = Viewer(owner, frozenset({"user"}))
        with pytest.raises(ClewError, match="threadId"):
            await clew.graphql(PIN, {"id": other}, viewer)
        assert len(mine) > MOST_PINNED
        have = len((await clew.graphql("{ threads(where: {pinned: {eq: true}}) { id } }", viewer=viewer))["threads"])
        for key in mine[have:MOST_PINNED]:
            assert await clew.graphql(PIN, {"id": key}, viewer) == {"pinThread": {"id": key, "pinned": True}}
        with pytest.raises(ClewError, match="pin 5"):
            await clew.graphql(PIN, {"id": mine[MOST_PINNED]}, viewer)
        pinned = await clew.graphql("{ threads(where: {pinned: {eq: true}}) { id } }", viewer=viewer)
        assert len(pinned["threads"]) == MOST_PINNED
