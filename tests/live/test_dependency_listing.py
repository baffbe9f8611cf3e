"""What reads depend on if they are live, of a schema with masks, links, searches and rules of all kinds.

Each column that a statement mentions is there, and nothing changes unseen:
`python -m tests.live.test_dependency_listing` writes the listing again.
"""

from __future__ import annotations

import asyncio
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from clew.plan.dependencies import Dependency, plan_dependencies
from clew.viewer import Viewer
from tests.live.mentioned import missed
from tests.live.test_dependencies import engine_of, line

LISTING = Path(__file__).with_name("dependencies.txt")
RICH = """
type Person @table @is(name: "me", where: {id: "$auth.sub"}) @allow(role: user) {
  id: Int! @id
  name: String! @search
  email: String @allow(role: user, where: {vip: false})
  rank: Int @allow(role: user, where: {or: [{is: "me"}, {boss: {vip: true}}]})
  vip: Boolean!
  data: JSON @allow(role: user, where: {rank2: {gt: 1}})
  rank2: Int
  scores: [Int!] @allow(role: user, where: {vip: true})
  kind: Kind!
  tags: [String!]
  nick: String @allow(role: user, where: {rank2: {gt: 5}})
  shout: String @resolver(requires: ["nick"])
  twice: Int! @computed(sql: "rank2 * 2")
  thrice: String @index @computed(sql: "name || 'x'")
  boss: Person @allow(role: user, where: {vip: true})
  notes: [Note!]! @relation(from: "author") @allow(role: user, where: {rank2: {gt: 0}})
  clubs: [Club!]! @relation(through: "Membership")
}
enum Kind { A B }
type Club @table @allow(role: user, where: {open: true}) {
  id: Int! @id
  open: Boolean!
  title: String!
  size: Int @allow(role: user, where: {title: {neq: "x"}})
  people: [Person!]! @relation(through: "Membership")
}
type Membership @table @allow(role: user, where: {since: {gt: 3}}) {
  club: Club! @id
  person: Person! @id
  since: Int!
}
type Note @table @allow(role: user, where: {author: {is: "me"}})
  @allow(role: peer, where: {exists: {Membership: {personId: "$row.author.id", since: {gt: "$row.level"}}}}) {
  id: Int! @id
  author: Person!
  level: Int!
  text: String! @search
  more: String @search @allow(role: [user, peer], where: {level: {lt: 7}})
  words: Int @allow(role: [user, peer], where: {level: {lt: 9}})
  deletedAt: DateTime @softDelete
}
type Coded @table @allow(role: user) {
  id: Int! @id @allow(role: user, where: {open: true})
  open: Boolean!
  note: String
}
"""
READS = (
    "{ persons { boss { id } } }",
    "{ persons { clubs { title } } }",
    "{ persons { shout } }",
    "{ persons(orderBy: [{boss: {name: ASC}}]) { id } }",
    "{ memberships(orderBy: [{club: {id: ASC}}]) { since } }",
    "{ personsGroups(by: [{kind: VALUE}]) { max { rank } } }",
    "{ notesConnection(first: 1) { nodes { text } } }",
    '{ notes(search: "a") { id } }',
    "{ notes { id } }",
    "{ codeds { note } }",
    "{ persons { email rank data scores notes { words } boss { name } clubs { size title } } }",
    '{ persons(where: {email: {eq: "a"}, rank: {gt: 1}}) { id } }',
    "{ persons(where: {email: {isNull: true}}) { id } }",
    '{ persons(where: {data: {path: {at: ["a"], eq: 1}}}) { id } }',
    "{ persons(where: {boss: {rank: {eq: 1}}, notes: {some: {words: {gt: 1}}}}) { id } }",
    "{ persons(where: {clubs: {some: {size: {gt: 1}}}}) { id } }",
    "{ persons(where: {notesAggregate: {count: {gt: 1}, max: {words: {gt: 1}}}}) { id } }",
    "{ persons(orderBy: [{email: ASC}, {boss: {rank: ASC}}, {notesAggregate: {max: {words: ASC}}}]) { id } }",
    "{ persons(orderBy: [{clubsAggregate: {count: ASC}}]) { thrice } }",
    "{ personsAggregate { count min { email rank } } }",
    "{ personsGroups(by: [{email: VALUE}, {boss: {rank: VALUE}}], orderBy: [{avg: {rank2: ASC}}]) { max { rank } } }",
    "{ notesConnection(first: 2, orderBy: [{words: ASC}]) { edges { cursor node { text } } } }",
    "{ persons { notesAggregate { max { words } } clubsAggregate { max { size } } } }",
    "{ persons { clubsConnection { nodes { title } } } }",
)
VIEWERS = (Viewer("7", frozenset({"anon", "user"})), Viewer("7", frozenset({"anon", "peer", "user"})))


@cache
def _executables() -> list[Any]:
    """Return what the reads compile to. Only what it depends on is worked out anew for each mutant."""
    engine = engine_of(RICH)

    async def compiled(document: str, viewer: Viewer) -> Any:
        session = await engine.open(viewer)
        prepared = engine.statements.prepare(session.role, document, None)
        return (await engine.statements.ready(prepared, {}, session)).executable

    async def all_() -> list[Any]:
        return [await compiled(document, viewer) for document in READS for viewer in VIEWERS]

    return asyncio.run(all_())


def listing() -> str:
    """Return what each read depends on."""
    model = engine_of(RICH).model
    lines: list[str] = []
    for (document, viewer), executable in zip(product(READS, VIEWERS), _executables(), strict=True):
        lines += ["", f"{','.join(sorted(viewer.roles))} {document}"]
        lines += sorted(map(_told, plan_dependencies(executable.plan, model)))
    return "\n".join(lines).lstrip() + "\n"


def _told(dependency: Dependency) -> str:
    columns = "all columns" if dependency.columns is None else ", ".join(sorted(dependency.columns))
    return f"  {line(dependency)} ({columns})"


def test_what_reads_depend_on_is_as_listed() -> None:
    assert listing() == LISTING.read_text("utf-8")


def test_each_column_that_a_statement_mentions_is_there() -> None:
    model = engine_of(RICH).model
    for executable in _executables():
        dependencies = plan_dependencies(executable.plan, model)
        assert missed(executable.statement.sql, dependencies, model) == set()


if __name__ == "__main__":
    LISTING.write_text(listing(), "utf-8")
