"""People, tasks and rules, with fields of every kind that are the application's own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from ariadne import MutationType, ObjectType, QueryType
from graphql import GraphQLResolveInfo
from sqlalchemy import text

from clew import Clew, ClewError, Viewer
from clew.config import Settings
from clew.engine import Engine
from tests.databases import create_tables, new_database

Info = GraphQLResolveInfo[Any]

SDL = """
type Person @table(plural: "people")
  @is(name: "me", where: {id: "$auth.sub"})
  @guard(to: UPDATE, where: {locked: false}, bindsAdmin: true)
  @allow(role: user, where: {secret: false})
  @allow(role: user, to: UPDATE, where: {is: "me"})
  @allow(role: user, to: DELETE, where: {team: {in: "$auth.teams"}})
  @allow(role: auditor) {
  id: String! @id
  name: String!
  team: String!
  salary: Int @allow(role: user, where: {is: "me"})
  secret: Boolean! @default(value: false)
  locked: Boolean! @default(value: false)
  tasks: [Task!]!
  next: Person @resolver(requires: [id])
  slowNext: Person @resolver(requires: [id])
  circle: [Person!]! @resolver(requires: [id])
  strict: Int! @resolver(requires: [id])
  same(as: String @row(type: Person)): Boolean! @resolver(requires: [id])
  badge: Badge @resolver(requires: [id])
}

type Task @table @allow(role: [user, auditor], where: {number: {lt: 9}}) {
  owner: Person! @id
  number: Int! @id
  title: String!
  reviewer: Person @resolver(requires: [number])
}

type Badge @table {
  id: ID! @id
  label: String!
}

type Group {
  name: String!
  lead: Person
  members: [Person]
  task: Task
  groups: [Group!]
}

type Vault {
  badge: Badge!
}

input TaskId {
  ownerId: String!
  number: Int!
}

extend type Query {
  pick(id: String): Person @allow(role: [user, auditor])
  picks(ids: [String]): [Person!]! @allow(role: [user, auditor])
  slowPick(id: String): Person @allow(role: user)
  pickTasks: [Task] @allow(role: [user, auditor])
  between(after: String, before: Int): String! @allow(role: user)
  pickBadge(native: Boolean): Badge
  vault: Vault @allow(role: user)
  groups: [Group!]! @allow(role: user)
  wrong(kind: Int!): Person @allow(role: user)
  wrongs: [Person] @allow(role: user)
  counted: Int! @allow(role: user)
  sudden: Int! @allow(role: user)
  ask(document: String!, system: Boolean, twice: Boolean): String! @allow(role: user)
  again(depth: Int!): Int! @allow(role: user)
  owned(task: TaskId @row(type: Task), tasks: [TaskId!] @row(type: Task)): Boolean! @allow(role: user)
  looked(id: String @row(type: Person), other: String @row(type: Person)): Boolean! @allow(role: user)
}

extend type Mutation {
  rename(id: String!, name: String!): Person @allow(role: user)
  edit(id: String! @row(type: Person, to: UPDATE)): Boolean! @allow(role: user)
  remove(ids: [String] @row(type: Person, to: DELETE)): Boolean! @allow(role: user)
  badgeOf(id: ID! @row(type: Badge, to: UPDATE)): Boolean! @allow(role: user)
  run(documents: [String!]!, caught: Boolean, system: Boolean): [String] @allow(role: user)
  fail(id: String!): Boolean @allow(role: user)
}
"""

# Nobody sees p7 but auditors; p8 is locked. Each person has tasks 1, 2 and 9, and the last is nobody's to see.
PEOPLE = 10
DATA = f"""
INSERT INTO people (id, name, team, salary, secret, locked)
SELECT 'p' || n, 'Person ' || n, CASE WHEN n < 5 THEN 'red' ELSE 'blue' END, n * 100, n = 7, n = 8
FROM generate_series(0, {PEOPLE - 1}) AS n;
INSERT INTO tasks (owner_id, number, title)
SELECT 'p' || n, k, 'Task ' || n || '.' || k FROM generate_series(0, {PEOPLE - 1}) AS n, unnest(array[1, 2, 9]) AS k;
INSERT INTO badges (id, label) VALUES ('00000000-0000-7000-8000-000000000001', 'first');
"""
BADGE = "00000000-0000-7000-8000-000000000001"

query, mutation = QueryType(), MutationType()
person, task, group = ObjectType("Person"), ObjectType("Task"), ObjectType("Group")
ran: list[str] = []


def after(key: str) -> str:
    return f"p{(int(key[1:]) + 1) % PEOPLE}"


person.set_field("next", lambda parent, _: after(parent["id"]))
person.set_field("circle", lambda parent, _: [after(parent["id"]), parent["id"], after(parent["id"]), "p7", None])
person.set_field("badge", lambda *_: BADGE)
task.set_field("reviewer", lambda parent, _: f"p{parent['number']}")
query.set_field("pick", lambda *_, **arguments: arguments.get("id"))
query.set_field("picks", lambda *_, ids: ids)
query.set_field("pickTasks", lambda *_: [{"number": 2, "ownerId": "p3"}, None, {"ownerId": "p1", "number": 9}])
query.set_field("between", lambda *_, after, before: f"{after} {before}")
query.set_field("pickBadge", lambda *_, native=False: uuid.UUID(BADGE) if native else BADGE)
query.set_field("vault", lambda *_: {"badge": BADGE})
query.set_field("wrongs", lambda *_: "p1")
query.set_field("groups", lambda *_: GROUPS)


@person.field("slowNext")
async def resolve_slow_next(parent: dict[str, Any], _: Info) -> str:
    ran.append(parent["id"])
    # The last one first.
    await asyncio.sleep((PEOPLE - int(parent["id"][1:])) * 0.003)
    return after(parent["id"])


@person.field("strict")
def resolve_strict(parent: dict[str, Any], _: Info) -> int:
    if parent["id"] == "p2":
        raise ClewError("Not p2.")
    return 1


@person.field("same")
def resolve_same(parent: dict[str, Any], _: Info, **arguments: str) -> bool:
    ran.append(parent["id"])
    return bool(parent["id"] == arguments.get("as"))


@query.field("slowPick")
async def resolve_slow_pick(_: Any, _info: Info, id: str | None = None) -> str | None:
    await asyncio.sleep(0.005)
    return id


GROUPS: list[dict[str, Any]] = [
    {"name": "a", "lead": "p1", "members": ["p2", "p7", "p2"], "task": {"ownerId": "p1", "number": 1}},
    {"name": "b", "lead": None, "members": None},
    {"name": "c", "lead": "p1", "members": [], "task": {"ownerId": "p7", "number": 1}},
]


@group.field("groups")
async def resolve_groups(parent: dict[str, Any], _: Info) -> list[dict[str, Any]]:
    await asyncio.sleep({"a": 0.03, "b": 0, "c": 0.01}[parent["name"]])
    return [{"name": "below " + parent["name"], "lead": "p3"}]


@query.field("wrong")
def resolve_wrong(_: Any, _info: Info, kind: int) -> Any:
    return [{"id": "p1"}, ["p1"], "p\0", object(), b"p1"][kind]


@query.field("counted")
async def resolve_counted(_: Any, info: Info) -> int:
    found: int = await info.context.connection.scalar(text("SELECT count(*) FROM people, pg_sleep(0.01)"))
    return found


@query.field("sudden")
def resolve_sudden(_: Any, _info: Info) -> int:
    raise ClewError("At once.")


@query.field("ask")
async def resolve_ask(_: Any, info: Info, document: str, system: bool = False, twice: bool = False) -> str:
    ask = info.context.system.graphql if system else info.context.graphql
    answers = await asyncio.gather(*(ask(document) for _ in range(2 if twice else 1)))
    return str(answers[0])


@query.field("again")
async def resolve_again(_: Any, info: Info, depth: int) -> int:
    if depth == 0:
        return 0
    found = await info.context.graphql("query ($n: Int!) { again(depth: $n) }", n=depth - 1)
    return int(found["again"]) + 1


@query.field("owned")
@query.field("looked")
@mutation.field("edit")
@mutation.field("remove")
@mutation.field("badgeOf")
def resolve_ran(_: Any, info: Info, **_arguments: Any) -> bool:
    ran.append(info.field_name)
    return True


@mutation.field("rename")
async def resolve_rename(_: Any, info: Info, id: str, name: str) -> str:
    statement = text("UPDATE people SET name = :name WHERE id = :id")
    await info.context.connection.execute(statement, {"id": id, "name": name})
    return id


@mutation.field("fail")
async def resolve_fail(_: Any, info: Info, id: str) -> None:
    await resolve_rename(None, info, id, "failed")
    raise ClewError("It was not to be.", code="CONFLICT", hint="Try another.", extensions={"id": id})


@mutation.field("run")
async def resolve_run(
    _: Any, info: Info, documents: list[str], caught: bool = False, system: bool = False
) -> list[str]:
    """All at once."""
    ask = info.context.system.graphql if system else info.context.graphql

    async def one(document: str) -> str:
        try:
            return str(await ask(document))
        except ClewError as error:
            if not caught:
                raise
            return f"{error.code} {error.message} {error.hint} {error.extensions}"

    return list(await asyncio.gather(*(one(document) for document in documents)))


@dataclass(frozen=True)
class Office:
    """A database with the rows, and Clew for it."""

    url: str
    clew: Clew

    @property
    def settings(self) -> Settings:
        return Settings.model_validate({"DATABASE_URL": self.url})

    def engine(self) -> Engine:
        return self.clew.asgi(self.settings).engine


def user(number: int, **claims: Any) -> Viewer:
    return Viewer(f"p{number}", frozenset({"user"}), claims)


@contextmanager
def make_office(server_url: str, root: Path) -> Iterator[Office]:
    """The application on this server, its project made in the empty folder `root`; dropped at the end."""
    (root / "graphql").mkdir()
    (root / "graphql" / "office.graphql").write_text(SDL)
    clew = Clew([query, mutation, person, task, group], project=root)
    model, _ = clew.build()

    async def fill(url: str) -> None:
        await create_tables(url, model)
        connection = await asyncpg.connect(url)
        await connection.execute(DATA)
        await connection.close()

    with new_database(server_url, "office", locale="") as url:
        asyncio.run(fill(url))
        yield Office(url, clew)
