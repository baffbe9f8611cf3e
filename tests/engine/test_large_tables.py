"""Reads of a table of 1,000,000 rows go by index, with and without rules, with custom and generic plans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from graphql import Source

from clew import Viewer
from clew.engine import Request
from clew.model.build import parse_model
from tests.plans import CHOSEN, CUSTOM, GENERIC, plans
from tests.properties.database import World, make_world
from tests.properties.models import Case

SDL = """
type Account @table @allow(role: user, where: {id: "$auth.sub"}) {
  id: String! @id
  email: String! @unique
  documents: [Document!]!
}
type Document
  @table
  @index(fields: [owner, createdAt])
  @index(fields: [owner, id])
  @allow(role: user, where: {ownerId: "$auth.sub"})
  @allow(role: editor, where: {ownerId: {in: "$auth.accounts"}})
  @allow(role: reader, where: {owner: {email: "$auth.email"}}) {
  id: BigInt! @id
  slug: String! @unique
  owner: Account!
  parent: Document @index
  children: [Document!]! @relation(from: parent)
  words: Int!
  createdAt: DateTime! @index
  notes: [Note!]!
}
type Note @table @allow(role: user, where: {document: {ownerId: "$auth.sub"}}) {
  id: BigInt! @id
  document: Document! @index
  text: String!
}
type Rack @table {
  id: Int! @id
  books: [Book!]! @relation(through: "Standing")
}
type Book @table {
  id: Int! @id
  title: String!
}
type Standing @table {
  rack: Rack! @id
  book: Book! @id @index
}
"""
ROWS = 1_000_000
# Account 0 has every tenth document, a hundred thousand; each of the others has nine.
FILL = f"""
SET session_replication_role = replica;
ALTER TABLE notes SET UNLOGGED; ALTER TABLE documents SET UNLOGGED;
INSERT INTO accounts (id, email) SELECT 'a' || n, 'a' || n || '@example.com' FROM generate_series(0, 100000) n;
INSERT INTO documents (id, slug, owner_id, parent_id, words, created_at)
  SELECT n, 's' || n, 'a' || CASE WHEN n % 10 = 0 THEN 0 ELSE 1 + n % 100000 END, nullif(n / 10, 0), n % 1000,
    '2020-01-01T00:00:00Z'::timestamptz + make_interval(secs => n)
  FROM generate_series(1, {ROWS}) n;
INSERT INTO notes (id, document_id, text) SELECT n, n, 'note' FROM generate_series(1, 200000) n;
-- Rack 0 has ten books, far apart; each of the others has five hundred.
INSERT INTO racks (id) SELECT n FROM generate_series(0, 16) n;
INSERT INTO books (id, title) SELECT n, 'book ' || n FROM generate_series(0, 3999) n;
INSERT INTO standings (rack_id, book_id) SELECT 0, n * 400 FROM generate_series(0, 9) n;
INSERT INTO standings (rack_id, book_id) SELECT 1 + n % 16, n / 2 FROM generate_series(0, 7999) n;
"""


@dataclass(frozen=True)
class Read:
    """A query, who sends it, and the most rows that any step of its plan may look at."""

    document: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    viewer: Viewer = field(default_factory=Viewer.admin)
    touched: int = 20
    modes: tuple[str, ...] = (CUSTOM, GENERIC)


def viewer(id_: str, *roles: str, **claims: Any) -> Viewer:
    return Viewer(id_, frozenset(roles or {"user"}), claims)


KEY = "query($k: BigInt!) { document(id: $k) { slug } }"
LIST = "query($n: Int!) { documents(limit: $n) { id slug } }"
PAGE = "query($n: Int!) { documents(orderBy: [{createdAt: DESC}], limit: $n) { id slug } }"
PAGE_BELOW = """
query($t: DateTime!) { documents(where: {createdAt: {lt: $t}}, orderBy: [{createdAt: DESC}], limit: 10) { id } }
"""
TREE = """
query($n: Int!) {
  documents(orderBy: [{createdAt: DESC}], limit: $n) {
    owner { email }
    parent { slug owner { id } }
    children(limit: 3) { slug }
    notes { text }
  }
}
"""

LOOK_UPS = {
    "a key": Read(KEY, {"k": "500000"}),
    "a unique key": Read("query($k: String!) { documentBySlug(slug: $k) { id } }", {"k": "s500000"}),
    "keys": Read("query($k: [BigInt!]) { documents(where: {id: {in: $k}}) { slug } }", {"k": [5, 77, 900_000]}),
}
RELATIONS = {
    "of a row": Read(
        "query($k: BigInt!) { document(id: $k) { owner { email } parent { slug } children { slug notes { text } } } }",
        {"k": "500"},
    ),
    "of a page": Read(TREE, {"n": 5}),
    "to-one in a filter": Read(
        "query($e: String!) { documents(where: {owner: {email: {eq: $e}}}, limit: 10) { slug } }",
        {"e": "a7@example.com"},
    ),
    "to-many in a filter": Read(
        "query($k: String!) { accounts(where: {documents: {some: {slug: {eq: $k}}}}) { email } }", {"k": "s7"}
    ),
}
# A way to page joins by being one of these, with and without rules.
PAGES = {
    "the first": Read(PAGE, {"n": 10}),
    "below a value": Read(PAGE_BELOW, {"t": "2020-01-05T00:00:00+00:00"}),
    "of one's own": Read(PAGE, {"n": 10}, viewer("a8")),
    "of one's own below a value": Read(PAGE_BELOW, {"t": "2020-01-05T00:00:00+00:00"}, viewer("a8")),
    # It may as well go through all of them by date, every tenth being one's own.
    "of one's own many": Read(PAGE, {"n": 10}, viewer("a0"), touched=150),
    # A plan for any owner counts on a few rows, and takes and sorts them all.
    "of one's own many below a value": Read(
        PAGE_BELOW, {"t": "2020-01-05T00:00:00+00:00"}, viewer("a0"), 150, (CUSTOM, CHOSEN)
    ),
}
RULES = {
    "one's own row": Read(KEY, {"k": "7"}, viewer("a8")),
    "another's row": Read(KEY, {"k": "7"}, viewer("a9")),
    "one's own": Read(LIST, {"n": 10}, viewer("a8")),
    "one's own many": Read(LIST, {"n": 10}, viewer("a0"), touched=150),
    "one's own, with theirs": Read(TREE, {"n": 5}, viewer("a8"), touched=60),
    "what belongs to one's own": Read("{ notes(limit: 10) { text document { slug } } }", {}, viewer("a8")),
    "through a relation": Read(LIST, {"n": 10}, viewer("e", "reader", email="a7@example.com")),
    # A plan for any list counts on so many rows that it goes through the table by key; it is not chosen.
    "a list of owners": Read(LIST, {"n": 10}, viewer("e", "editor", accounts=["a7", "a8"]), 20, (CUSTOM, CHOSEN)),
    "one's own and a list of owners": Read(
        LIST, {"n": 10}, viewer("a9", "user", "editor", accounts=["a7", "a8"]), 30, (CUSTOM, CHOSEN)
    ),
}
READS = {
    f"{group}: {name}": read
    for group, reads in {"look-up": LOOK_UPS, "relations": RELATIONS, "page": PAGES, "rules": RULES}.items()
    for name, read in reads.items()
}


@pytest.fixture(scope="module")
def archive(postgres_url: str) -> Iterator[World]:
    case = Case(0, SDL, parse_model(Source(SDL, "archive.graphql")), {})
    with make_world(postgres_url, case) as world:

        async def fill() -> None:
            connection = await asyncpg.connect(world.url)
            await connection.execute(FILL)
            # Not in the same go: VACUUM wants no transaction around it.
            await connection.execute("VACUUM ANALYZE")
            await connection.close()

        world.run(fill())
        yield world


@pytest.mark.parametrize("name", READS)
def test_a_read_touches_no_more_than_it_answers(name: str, archive: World) -> None:
    read = READS[name]
    found = archive.run(plans(archive.engine, archive.url, read.document, read.variables, read.viewer, read.modes))
    for mode, plan in found.items():
        assert plan.scanned == [], mode
        assert plan.touched <= read.touched, mode
        # Eight KiB each; the table has some ten thousand.
        assert plan.blocks <= 200, mode


@pytest.mark.parametrize("name", RULES)
def test_the_guarded_reads_find_something(name: str, archive: World) -> None:
    """Nothing is quickly found."""
    read = RULES[name]
    request = Request(read.document, dict(read.variables))
    (value,) = json.loads(archive.run(archive.engine.execute(request, read.viewer)).body)["data"].values()
    assert bool(value) is (name != "another's row")


def test_a_page_of_a_many_to_many_looks_up_its_links_alone(archive: World) -> None:
    """Other racks have many books. So a plan for any rack would rather go through all books by key."""
    document = "query($k: Int!) { rack(id: $k) { books(limit: 50) { title } } }"
    for mode, plan in archive.run(plans(archive.engine, archive.url, document, {"k": 0})).items():
        assert plan.touched <= 20, mode


@pytest.mark.parametrize("order", ["{id: ASC}", "{id: DESC}", "{createdAt: ASC}", "{createdAt: DESC}", "{slug: ASC}"])
@pytest.mark.parametrize("count", ["first", "last"])
def test_the_ten_thousandth_page_by_cursor_costs_what_the_first_does(order: str, count: str, archive: World) -> None:
    side = {"first": "after", "last": "before"}[count]
    document = f"""
    query($c: String) {{
      documentsConnection(orderBy: [{order}], {count}: 10, {side}: $c) {{
        nodes {{ slug }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
      }}
    }}
    """
    turned = order.replace("ASC", "-").replace("DESC", "ASC").replace("-", "DESC") if count == "last" else order

    def ask(query: str) -> Any:
        return json.loads(archive.run(archive.engine.execute(Request(query, {}), Viewer.admin())).body)["data"]

    # Where page 10,000 begins.
    (there,) = ask(f"{{ documents(orderBy: [{turned}], limit: 1, offset: 99999) {{ id }} }}")["documents"]
    where = f'{{id: {{eq: "{there["id"]}"}}}}'
    found = ask(f"{{ documentsConnection(orderBy: [{order}], where: {where}) {{ edges {{ cursor }} }} }}")
    cursor = found["documentsConnection"]["edges"][0]["cursor"]
    for mode in (CUSTOM, GENERIC):
        costs = [
            archive.run(plans(archive.engine, archive.url, document, given, modes=[mode]))[mode]
            for given in ({}, {"c": cursor})
        ]
        for plan in costs:
            assert plan.scanned == []
            assert plan.touched <= 20
        assert costs[1].blocks <= 2 * costs[0].blocks + 10


def test_what_no_index_serves_is_noticed(archive: World) -> None:
    """So that the tests above can fail."""
    document = "query($w: Int!) { documents(where: {words: {eq: $w}}, orderBy: [{words: ASC}]) { id } }"
    for plan in archive.run(plans(archive.engine, archive.url, document, {"w": 7}, viewer("a0"))).values():
        assert plan.touched > 1000
    for plan in archive.run(plans(archive.engine, archive.url, document, {"w": 7})).values():
        assert plan.scanned == ["documents"]
        assert plan.blocks > 1000
