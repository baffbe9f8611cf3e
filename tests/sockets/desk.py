"""The desk: notes of their authors, and subscriptions of an application's own that do what a test gives them to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ariadne import MutationType, ObjectType, QueryType, SubscriptionType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from clew import Clew, ClewError, Context, JobContext
from clew.app import development_app
from clew.config import Settings
from clew.wire.application import Application
from tests.auth.tokens import SECRET, claims, hs256


async def tidy(_context: JobContext) -> int:
    return 1


async def file(_context: JobContext, note_id: str) -> int:
    return 1


SDL = """
type Note @table @allow(role: user, to: ALL, where: {author: "$auth.sub"}) {
  id: ID! @id
  text: String!
  author: String! @preset(claim: "sub")
  shout: String! @resolver(requires: ["text"]) @allow(role: user)
}

extend type Query {
  wait(seconds: Float!): Boolean! @allow(role: anon)
}

extend type Mutation {
  break: Boolean! @allow(role: anon)
  tidy: Int @job
  file(noteId: ID! @row(type: "Note")): Int @job @allow(role: user)
}

type Tick {
  number: Int!
  note: Note
}

extend type Subscription {
  ticks(to: Int!): Int! @allow(role: anon)
  channel(name: String!): JSON @allow(role: anon)
  tick(ids: [ID!]!): Tick! @allow(role: user)
  noted: Note @allow(role: user)
  watched(noteId: ID! @row(type: "Note", to: READ)): String! @allow(role: user)
  mine: [String!]! @allow(role: user)
  held: Int! @allow(role: user)
  writes: String! @allow(role: user)
  secret: String! @allow(role: editor)
  fails(how: String!): Int! @allow(role: anon)
}
"""

query, mutation, subscription, note = QueryType(), MutationType(), SubscriptionType(), ObjectType("Note")

Info = GraphQLResolveInfo[Context]


@dataclass(eq=False)
class Channel:
    """What a subscription `channel` yields, and whether it runs."""

    events: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    taken: int = 0


CHANNELS: dict[str, Channel] = {}
STARTED: list[str] = []


def channel(name: str) -> Channel:
    """A new channel of this name."""
    CHANNELS[name] = Channel()
    return CHANNELS[name]


@query.field("wait")
async def resolve_wait(_: Any, _info: Info, seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return True


@mutation.field("break")
async def resolve_break(_: Any, _info: Info) -> bool:
    raise RuntimeError("a secret of the server")


@note.field("shout")
def resolve_shout(parent: dict[str, Any], _info: Info) -> str:
    return str(parent["text"]).upper()


@subscription.source("ticks")
async def ticks(_: Any, _info: Info, to: int) -> AsyncGenerator[int, None]:
    for number in range(to):
        yield number


@subscription.field("ticks")
def resolve_ticks(event: int, _info: Info, to: int) -> int:
    return event


@subscription.source("channel")
async def listen(_: Any, _info: Info, name: str) -> AsyncGenerator[Any, None]:
    found = CHANNELS[name]
    found.started.set()
    try:
        while True:
            event = await found.events.get()
            found.taken += 1
            if event is StopAsyncIteration:
                return
            yield {"channel": event}
    finally:
        found.ended.set()


@subscription.source("tick")
async def tick(_: Any, _info: Info, ids: list[str]) -> AsyncGenerator[dict[str, Any], None]:
    for number, key in enumerate(ids):
        yield {"tick": {"number": number, "note": key}}


@subscription.source("noted")
async def noted(_: Any, info: Info) -> AsyncGenerator[str, None]:
    for row in (await info.context.system.graphql("{ notes(orderBy: [{text: ASC}]) { id } }"))["notes"]:
        yield row["id"]


@subscription.field("noted")
def resolve_noted(event: str, _info: Info) -> str:
    return event


@subscription.source("watched")
async def watched(_: Any, _info: Info, noteId: str) -> AsyncGenerator[dict[str, str], None]:
    STARTED.append(noteId)
    yield {"watched": noteId}


@subscription.source("mine")
async def mine(_: Any, info: Info) -> AsyncGenerator[dict[str, list[str]], None]:
    found = await info.context.graphql("{ notes(orderBy: [{text: ASC}]) { text } }")
    yield {"mine": [row["text"] for row in found["notes"]]}


@subscription.source("held")
async def held(_: Any, info: Info) -> AsyncGenerator[dict[str, int], None]:
    for number in (1, 2):
        found = await info.context.connection.execute(text("SELECT :n"), {"n": str(number)})
        yield {"held": int(found.scalar_one())}
        await CHANNELS["held"].events.get()


@subscription.source("writes")
async def writes(_: Any, info: Info) -> AsyncGenerator[dict[str, str], None]:
    made = await info.context.graphql('mutation { createNote(input: {text: "written"}) { id } }')
    gone = await info.context.graphql(
        "mutation($id: ID!) { deleteNote(id: $id) { text author } }", id=made["createNote"]["id"]
    )
    yield {"writes": gone["deleteNote"]["text"]}
    await info.context.graphql("mutation { createNote(input: {text: null}) { id } }")


@subscription.source("secret")
async def secret(_: Any, _info: Info) -> AsyncGenerator[dict[str, str], None]:
    yield {"secret": "for editors"}


@subscription.source("fails")
async def fails(_: Any, _info: Info, how: str) -> AsyncGenerator[dict[str, Any], None]:
    yield {"fails": 1}
    if how == "told":
        raise ClewError("It is over.", code="CONFLICT", hint="Begin anew.")
    if how == "event":
        yield {"fails": None}
        yield {"fails": 2}
        return
    raise RuntimeError("a secret of the server")


BINDABLES = (query, mutation, subscription, note)
NOTES = (("m1", "first"), ("m1", "second"), ("m2", "other"))


@dataclass
class Desk:
    """A database of the desk, and Clew for it. `keys` are those of `NOTES`."""

    root: Path
    url: str
    keys: list[str] = field(default_factory=list)
    apps: list[Application] = field(default_factory=list)

    def app(self, *, dev: bool = False, authenticate: Any = None, **settings: Any) -> Application:
        """The ASGI app in production's settings, or as `clew dev` serves it."""
        clew = Clew(BINDABLES, project=self.root, authenticate=authenticate)
        clew.job("tidy")(tidy)
        clew.job("file")(file)
        common = {
            "DATABASE_URL": self.url,
            "run_jobs": False,
            "jwt_secret": SECRET,
            "secret": SECRET[::-1],
            "max_in_flight": 1000,
        }
        env = {"env": "dev" if dev else "production", "drain_seconds": 0}
        made = Settings.model_validate({**common, **env, **settings})
        self.apps.append(development_app(clew, made) if dev else clew.asgi(made))
        return self.apps[-1]


def token(sub: str = "m1", exp: float = 4_000_000_000, **more: Any) -> str:
    """A token of a member."""
    return hs256(claims(sub=sub, exp=exp, **more))
