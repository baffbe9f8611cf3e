"""Postgres reads by index what it should, on tables where it matters, with custom and generic plans.

The rows are so many that a plan which reads a whole table is never the cheaper one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from graphql import Source

from clew.engine.explain import compiled
from clew.model.build import parse_model
from tests.plans import plans
from tests.properties.database import World, make_world, new_engine
from tests.properties.models import Case

SDL = """
type Author @table {
  id: BigInt! @id
  email: String! @unique
  name: String!
  card: Card
  books: [Book!]!
  tags: [Tag!]! @relation(through: "AuthorTag")
}
type Card @table { id: BigInt! @id  author: Author! @unique  number: Int! }
type Book @table {
  id: BigInt! @id
  author: Author! @index
  title: String! @index
  year: Int!
  deletedAt: DateTime @softDelete
}
type Tag @table { id: BigInt! @id  name: String!  authors: [Author!]! @relation(through: "AuthorTag") }
"""
FILL = """
INSERT INTO authors (id, email, name) SELECT n, 'a' || n, 'name ' || n FROM generate_series(1, 20000) n;
INSERT INTO cards (id, author_id, number) SELECT n, n, n FROM generate_series(1, 20000) n;
INSERT INTO tags (id, name) SELECT n, 't' || n FROM generate_series(1, 5000) n;
INSERT INTO author_tags (author_id, tag_id)
  SELECT n, 1 + (n * 7 + k * 13) % 5000 FROM generate_series(1, 20000) n, generate_series(0, 1) k;
INSERT INTO books (id, author_id, title, year)
  SELECT n, 1 + n % 20000, md5(n::text), n % 100 FROM generate_series(1, 200000) n;
"""
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "by key": ("query($k: BigInt!) { author(id: $k) { name } }", {"k": "7"}),
    "by unique key": ("query($k: String!) { authorByEmail(email: $k) { name } }", {"k": "a7"}),
    "to-many of one parent": ("query($k: BigInt!) { author(id: $k) { books { title } } }", {"k": "7"}),
    "a page of to-many": (
        "query($k: BigInt!) { author(id: $k) { books(orderBy: {year: DESC}, limit: 3) { title author { name } } } }",
        {"k": "7"},
    ),
    "many-to-many of one parent": ("query($k: BigInt!) { author(id: $k) { tags { name } } }", {"k": "7"}),
    "reverse-one": ("query($k: BigInt!) { author(id: $k) { card { number } } }", {"k": "7"}),
    "to-one and reverse-one under a limit": (
        "query($y: BigInt!) { books(where: {id: {gt: $y}}, limit: 10) { title author { name card { number } } } }",
        {"y": "500"},
    ),
    "ordered by an index": ("{ books(orderBy: {title: ASC}, limit: 10) { title author { name } } }", {}),
    "keys in a list": ("query($k: [BigInt!]) { books(where: {id: {in: $k}}) { title } }", {"k": ["1", "7", "90000"]}),
    "a to-one's key": ("query($k: BigInt) { books(where: {authorId: {eq: $k}}) { title } }", {"k": "9"}),
}


SALES_SDL = """
type Customer @table { id: Int! @id  name: String!  orders: [Order!]! }
type Order @table { id: Int! @id  customer: Customer! @index  lines: [Line!]! }
type Line @table { id: Int! @id  order: Order! @index  product: Product @index  quantity: Int! }
type Product @table {
  id: Int! @id
  name: String!
  label: String! @computed(sql: "name || ' ' || id")
  maker: Maker @index
  deletedAt: DateTime @softDelete
}
type Maker @table { id: Int! @id  name: String! }
"""
SALES = """
INSERT INTO customers (id, name) SELECT n, 'customer ' || n FROM generate_series(1, 500) n;
INSERT INTO orders (id, customer_id) SELECT n, 1 + (n - 1) / 10 FROM generate_series(1, 5000) n;
INSERT INTO makers (id, name) SELECT n, 'maker ' || n FROM generate_series(1, 20) n;
INSERT INTO products (id, name, maker_id, deleted_at)
  SELECT n, 'product ' || n, 1 + n % 20, CASE WHEN n % 20 = 0 THEN now() END FROM generate_series(1, 392) n;
INSERT INTO lines (id, order_id, product_id, quantity)
  SELECT n, 1 + (n - 1) / 4, 1 + n * 7919 % 392, 1 + n % 9 FROM generate_series(1, 20000) n;
"""
SALES_CASES = {
    "of one row": "query($k: Int!) { customer(id: $k) { orders { lines { quantity product { name } } } } }",
    "of a list": "{ lines(limit: 100) { quantity product { name maker { name } } } }",
    "of a connection": "{ linesConnection(first: 50) { nodes { product { name } } edges { node { order { id } } } } }",
    "computed": "{ lines(limit: 50) { product { label } } }",
    "with rows of its own": "{ lines(limit: 5) { order { id lines { quantity } } } }",
}


@contextmanager
def _world(postgres_url: str, sdl: str, fill: str) -> Iterator[World]:
    case = Case(0, sdl, parse_model(Source(sdl, "filled.graphql")), {})
    with make_world(postgres_url, case) as world:

        async def run() -> None:
            connection = await asyncpg.connect(world.url)
            await connection.execute(fill)
            # Not in the same go: VACUUM wants no transaction around it.
            await connection.execute("VACUUM ANALYZE")
            await connection.close()

        world.run(run())
        yield world


@pytest.fixture(scope="module")
def sales(postgres_url: str) -> Iterator[World]:
    with _world(postgres_url, SALES_SDL, SALES) as world:
        yield world


@pytest.fixture(scope="module")
def library(postgres_url: str) -> Iterator[World]:
    with _world(postgres_url, SDL, FILL) as world:
        yield world


@pytest.mark.parametrize("name", SALES_CASES)
def test_json_is_made_of_the_rows_that_were_joined(name: str, sales: World) -> None:
    """A small table is hashed as a whole, so JSON below the join would be made of all its rows, for each order."""
    document, variables = SALES_CASES[name], {"k": 7} if name == "of one row" else {}
    assert "errors" not in sales.execute(document, variables)
    for mode, found in sales.run(plans(sales.engine, sales.url, document, variables)).items():
        assert found.json_below_joins == [], mode


@pytest.mark.parametrize("name", CASES)
def test_no_large_table_is_read_as_a_whole(name: str, library: World) -> None:
    document, variables = CASES[name]
    assert "errors" not in library.execute(document, variables)
    for mode, found in library.run(plans(library.engine, library.url, document, variables)).items():
        assert found.scanned == [], mode
        # Stopping early is more than using an index: no node may touch more rows than the answer is about.
        assert found.touched <= 60, mode


def test_the_guard_sees_a_table_read_as_a_whole(library: World) -> None:
    """So that the test above can fail: there is no index on `year`."""
    document = "query($y: Int) { books(where: {year: {eq: $y}}, limit: 10000) { title } }"
    for found in library.run(plans(library.engine, library.url, document, {"y": 3})).values():
        assert found.scanned == ["books"]


def test_the_text_of_a_statement_is_always_the_same(library: World) -> None:
    """Otherwise Postgres would prepare it anew in each process."""
    document, variables = CASES["a page of to-many"]
    texts = set()
    for _ in range(2):
        engine = new_engine(library.case.model, library.url)
        texts.add(compiled(engine, document, variables).sql)
    assert len(texts) == 1


def test_one_plan_or_several_cut_every_page_where_it_ends(library: World) -> None:
    """A plan may be made for a range of limits: the numbers around each power of ten, by variable and by literal."""
    document = "query($l: Int, $o: Int) { books(limit: $l, offset: $o) { id } }"
    sizes = (1, 1000, 10, 0, 9, 11, 100, 99, 2, 101, 999, 10_001, 10_000)
    for offset in (None, 0, 1, 9, 10, 995):
        for limit in sizes:
            start = offset or 0
            expected = [{"id": str(n)} for n in range(start + 1, start + limit + 1)]
            found = library.execute(document, {"l": limit, "o": offset})
            assert found == {"data": {"books": expected}}, (limit, offset)
            literal_ = f"{{ books(limit: {limit}, offset: {start}) {{ id }} }}"
            assert library.execute(literal_) == {"data": {"books": expected}}, (limit, offset)
