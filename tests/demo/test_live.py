"""The demo's subscriptions, under the demo's rules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from app.main import clew
from clew import Viewer
from clew.config import Settings
from clew.engine import Outcome, Request
from clew.engine.explain import explanation
from clew.live.types import Stream
from clew.migrate.run import upgrade
from clew.wire.application import Application

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "graphql" / "operations" / "threads.graphql").read_text("utf-8")
NAMES = [
    node.name.value for node in parse(OPERATIONS).definitions if isinstance(node, OperationDefinitionNode) and node.name
]
PERSON = """mutation ($email: String!) {
  createUser(input: {email: $email, givenName: "Ada", familyName: "Byron"}) { id }
}"""
TEAM = 'mutation { createTeam(input: {name: "Team", slug: "team"}) { id } }'
AGENT = """mutation ($t: ID!) {
  createAgent(input: {teamId: $t, name: "Guide", slug: "guide", instructions: "x", model: "m", status: LIVE}) { id }
}"""
MESSAGE = """mutation ($t: ID!) {
  createMessage(input: {threadId: $t, position: 1, content: "Hi"}) { id }
}"""


@pytest.fixture
async def demo(database_url: str) -> AsyncIterator[Application]:
    """The demo's app on a database without rows."""
    await upgrade(ROOT, database_url)
    app = clew.asgi(Settings.model_validate({"DATABASE_URL": database_url, "env": "dev"}))
    async with app.lifespan():
        yield app


@asynccontextmanager
async def followed(app: Application, name: str, viewer: Viewer, **variables: Any) -> AsyncIterator[Any]:
    """Subscribe, and yield what waits for the next result."""
    found = await app.subscriptions.open(Request(OPERATIONS, variables, name), viewer)
    assert not isinstance(found, Outcome), found.body
    stream: Stream = found

    async def following() -> Any:
        return json.loads((await asyncio.wait_for(anext(stream.__aiter__()), 20)).body)["data"]

    try:
        yield following
    finally:
        await stream.aclose()


async def test_threads_and_messages_are_live(demo: Application) -> None:
    def run(document: str, viewer: Viewer, **variables: Any) -> Any:
        return demo.engine.graphql(document, variables, viewer)

    admin = Viewer.admin()
    people = [(await run(PERSON, admin, email=f"{n}@example.com"))["createUser"]["id"] for n in ("ada", "ben")]
    ada, ben = (Viewer(person, frozenset({"anon", "user"}), {}) for person in people)
    team = (await run(TEAM, admin))["createTeam"]["id"]
    agent = (await run(AGENT, admin, t=team))["createAgent"]["id"]
    thread = 'mutation ($a: ID!) { createThread(input: {agentId: $a, title: "Porto"}) { id } }'
    async with followed(demo, "MyThreads", ada) as adas, followed(demo, "MyThreads", ben) as bens:
        assert await adas() == await bens() == {"threads": []}
        made = (await run(thread, ada, a=agent))["createThread"]["id"]
        (row,) = (await adas())["threads"]
        assert (row["title"], row["agent"], row["messages"]) == ("Porto", {"name": "Guide"}, [])
        async with (
            followed(demo, "Conversation", ada, thread=made) as conversation,
            followed(demo, "Conversation", ben, thread=made) as foreign,
            followed(demo, "MessageEvents", ada) as events,
        ):
            assert (await conversation())["thread"]["messages"] == []
            assert await foreign() == {"thread": None}
            await run(MESSAGE, ada, t=made)
            (message,) = (await conversation())["thread"]["messages"]
            assert (message["author"], message["content"]) == ("USER", "Hi")
            assert (await adas())["threads"][0]["messages"] == [{"author": "USER", "content": "Hi"}]
            told = (await events())["messageChanges"]
            assert (told["kind"], told["id"], told["node"]["content"]) == ("CREATED", message["id"], "Hi")
            # Ben's own thread comes first of all that he is told.
            await run(thread, ben, a=agent)
            assert [row["title"] for row in (await bens())["threads"]] == ["Porto"]
            await run("mutation ($t: ID!) { deleteThread(id: $t) { id } }", ada, t=made)
            assert await conversation() == {"thread": None}
            assert await adas() == {"threads": []}


@pytest.mark.parametrize("name", ["MyThreads", "Conversation"])
async def test_no_live_operation_depends_on_a_whole_table(demo: Application, name: str) -> None:
    viewer = Viewer("1f0e8a52-9f6c-4c55-8d1f-3a1f35c7b1c4", frozenset({"anon", "user"}), {})
    request = Request(OPERATIONS, {"thread": viewer.id}, name)
    found = await explanation(demo.engine, request, viewer)
    assert found is not None
    assert found.dependencies
    assert [dependency.entity for dependency in found.dependencies if not dependency.routes] == []
