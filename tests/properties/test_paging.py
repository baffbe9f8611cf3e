"""Pages by cursors, put together, are the list: either way, whatever the order, the rows and what is seen of them."""

# ruff: noqa: B023 (each check of a loop runs before the next is made)

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from graphql import Source as SdlSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.document.limits import RoleLimits
from clew.engine import Engine, Request
from clew.model.build import parse_model
from clew.model.types import AllowRule, Entity, Operation
from clew.viewer import Viewer
from tests.depth import FIRST, examples
from tests.properties.database import LIMITS, World, make_world
from tests.properties.models import Case, make_case
from tests.properties.operations import Source, orders

EXAMPLES = examples(48) // 6
SETTINGS = settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)

Run = Callable[[str, dict[str, Any]], dict[str, Any]]
OrderBy = list[dict[str, Any]]
Edge = dict[str, Any]

# Keys of every kind that sorts, of few values each: ties are what cursors get wrong.
SDL = """
enum Mood { CALM ANGRY _x }
type Shelf @table { id: Int! @id  name: String  room: Int  items: [Item!]! }
type Item @table {
  one: Int! @id
  two: String! @id
  shelf: Shelf
  text: String
  code: String! @column(type: "varchar(20)")
  whole: Int
  small: Int @column(type: "smallint")
  big: BigInt!
  float: Float
  real: Float @column(type: "real")
  price: Decimal
  exact: Decimal! @column(type: "numeric(12,3)")
  flag: Boolean
  mood: Mood
  moment: DateTime
  local: DateTime @column(type: "timestamp")
  day: Date
  clock: Time
  token: UUID
  loud: String @computed(sql: "upper(text) || '!'")
  deletedAt: DateTime @softDelete
}
"""
TEXTS = (
    "",
    " ",
    "a",
    "A",
    "a ",
    "ab",
    "é",
    "e\u0301",
    "ß",
    "\u0130",
    "😀",
    "\uffff",
    "'",
    "\\",
    "%",
    "\u2028",
    "\x01",
    '"',
)
NUMBERS = tuple(map(Decimal, ("1", "1.000", "-0.5", "0", "1.0000000001", "1e30")))
FLOATS = (0.0, -0.0, 0.1, 0.30000000000000004, 1 / 3, 5e-324, 1.7976931348623157e308, -1.5)
REALS = (0.0, 0.10000000149011612, 16777216.0, 1.0000000150474662e30, -1.5)


def items(seed: int, count: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)

    def some(*values: Any) -> Any:
        return None if rng.random() < 0.25 else rng.choice(values)

    def moment() -> datetime:
        return datetime(2026, 3, rng.choice((28, 29)), 1, 0, 0, rng.choice((0, 1, 10, 999_999)), tzinfo=UTC)

    return [
        {
            "one": number // 3,
            "two": rng.choice(TEXTS) + str(number),
            "shelf_id": some(0, 1, 2, 3),
            "text": some(*TEXTS),
            "code": rng.choice(TEXTS),
            "whole": some(-1, 0, 1),
            "small": some(0, -(2**15)),
            "big": rng.choice((0, 2**63 - 1)),
            "float": some(*FLOATS),
            "real": some(*REALS),
            "price": some(*NUMBERS),
            "exact": rng.choice(NUMBERS[:4]),
            "flag": some(True, False),
            "mood": some("CALM", "ANGRY", "_x"),
            "moment": some(moment(), moment()),
            "local": some(moment().replace(tzinfo=None)),
            "day": some(moment().date()),
            "clock": some(moment().time()),
            "token": some(UUID(int=0), UUID(int=1), UUID(int=2**127)),
            "deleted_at": moment() if rng.random() < 0.15 else None,
        }
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def store(postgres_url: str) -> Iterator[World]:
    model = parse_model(SdlSource(SDL, "store.graphql"))
    shelves = [{"id": n, "name": [None, "a", "a", "B"][n], "room": [1, None, 1, 2][n]} for n in range(4)]
    with make_world(postgres_url, Case(0, SDL, model, {"Shelf": shelves, "Item": items(1, 26)})) as world:
        yield world


@pytest.fixture(scope="module", params=[FIRST + 1, FIRST + 7])
def any_world(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[World]:
    with make_world(postgres_url, make_case(request.param)) as world:
        yield world


def source(world: World) -> Source:
    return Source(world.case.model, world.schema, world.reference.tables)


class Pages:
    """A connection of an entity in an order, read page by page."""

    def __init__(self, run: Run, entity: Entity, order: OrderBy, fields: str = "__typename") -> None:
        self.run = run
        self.field = f"{entity.plural}Connection"
        self.order = order
        given_ = "orderBy: $o, first: $first, after: $after, last: $last, before: $before"
        self.document = (
            f"query($o: [{entity.name}OrderBy!], $first: Int, $after: String, $last: Int, $before: String) "
            f"{{ {self.field}({given_}) {{ edges {{ cursor node {{ {fields} }} }} totalCount "
            f"pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        )

    def page(self, **arguments: Any) -> dict[str, Any]:
        response = self.run(self.document, {"o": self.order, **arguments})
        assert "errors" not in response, response
        found: dict[str, Any] = response["data"][self.field]
        info, edges = found["pageInfo"], found["edges"]
        assert info["startCursor"] == (edges[0]["cursor"] if edges else None)
        assert info["endCursor"] == (edges[-1]["cursor"] if edges else None)
        return found

    def everything(self) -> list[Edge]:
        found = self.page()
        assert around(found) == (False, False)
        assert found["totalCount"] == len(found["edges"])
        edges: list[Edge] = found["edges"]
        return edges

    def walk(self, sizes: Iterator[int], *, backward: bool = False) -> Iterator[dict[str, Any]]:
        """Page after page, as a client reads them."""
        cursor = None
        while True:
            if backward:
                page = self.page(last=next(sizes), before=cursor)
                more, cursor = page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["startCursor"]
            else:
                page = self.page(first=next(sizes), after=cursor)
                more, cursor = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
            yield page
            if not more:
                return


def numbers(rng: random.Random) -> Iterator[int]:
    while True:
        yield rng.randint(1, 4)


def check_walks(pages: Pages, rng: random.Random) -> None:
    """Both ways, and from the middle, the pages are the whole, and each tells rightly what is around it."""
    whole = pages.everything()
    for backward in (False, True):
        found: list[Edge] = []
        for page in pages.walk(numbers(rng), backward=backward):
            before = page["pageInfo"]["hasPreviousPage" if not backward else "hasNextPage"]
            assert before is bool(found)
            assert page["totalCount"] == len(whole)
            found = page["edges"] + found if backward else found + page["edges"]
        assert found == whole, "backward" if backward else "forward"
    if whole:
        start, end = rng.randrange(len(whole)), rng.randrange(len(whole))
        size = rng.randint(0, 5)
        between = whole[start + 1 : end]
        bounds = {"after": whole[start]["cursor"], "before": whole[end]["cursor"]}
        page = pages.page(**bounds)
        assert page["edges"] == between
        page = pages.page(**bounds, first=size)
        assert page["edges"] == between[:size]
        assert around(page) == (True, True)
        page = pages.page(**bounds, last=size)
        assert page["edges"] == (between[-size:] if size else [])
        assert around(page) == (True, True)


def around(page: dict[str, Any]) -> tuple[bool, bool]:
    """Whether there is a page before this one, and one after it."""
    return page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]


def key(entity: Entity) -> str:
    return " ".join(entity.primary_key)


def by_list(run: Run, entity: Entity, order: OrderBy, fields: str) -> list[Any]:
    document = f"query($o: [{entity.name}OrderBy!]) {{ {entity.plural}(orderBy: $o) {{ {fields} }} }}"
    found: list[Any] = run(document, {"o": order})["data"][entity.plural]
    return found


def nodes(edges: list[Edge]) -> list[Any]:
    return [edge["node"] for edge in edges]


def test_pages_are_the_list_in_every_order_of_every_type(store: World) -> None:
    entity = store.case.model.entities["Item"]

    @settings(SETTINGS, max_examples=EXAMPLES * 4)
    @given(orders(source(store), entity), st.randoms(use_true_random=False))
    def check(order: OrderBy, rng: random.Random) -> None:
        pages = Pages(store.execute, entity, order, key(entity))
        assert nodes(pages.everything()) == by_list(store.execute, entity, order, key(entity))
        check_walks(pages, rng)

    check()


@pytest.mark.parametrize("direction", ["ASC", "DESC", "ASC_NULLS_FIRST", "DESC_NULLS_LAST"])
def test_pages_are_the_list_by_each_column_alone(direction: str, store: World) -> None:
    entity = store.case.model.entities["Item"]
    for column in entity.columns:
        check_walks(Pages(store.execute, entity, [{column.name: direction}], key(entity)), random.Random(direction))


def test_pages_are_the_list_on_any_model(any_world: World) -> None:
    for entity in any_world.case.model.entities.values():
        if entity.view_sql is not None:
            continue

        @SETTINGS
        @given(orders(source(any_world), entity), st.randoms(use_true_random=False))
        def check(order: OrderBy, rng: random.Random) -> None:
            pages = Pages(any_world.execute, entity, order, key(entity))
            assert nodes(pages.everything()) == by_list(any_world.execute, entity, order, key(entity))
            check_walks(pages, rng)

        check()


async def change(url: str, rng: random.Random, spared: list[dict[str, Any]]) -> None:
    """Make some items and delete some others, but not those spared."""
    connection = await asyncpg.connect(url)
    try:
        for row in items(rng.randrange(2**32), 2):
            row["two"] += uuid4().hex
            marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
            await connection.execute(f"INSERT INTO items ({', '.join(row)}) VALUES ({marks})", *row.values())
        keys = [(row["one"], row["two"]) for row in spared]
        there = [tuple(record) for record in await connection.fetch("SELECT one, two FROM items ORDER BY one, two")]
        for gone in rng.sample([item for item in there if item not in keys], 2):
            await connection.execute("DELETE FROM items WHERE one = $1 AND two = $2", *gone)
    finally:
        await connection.close()


def test_rows_that_come_and_go_do_not_move_the_others(store: World) -> None:
    """Between two pages some rows are made and others deleted: each that stays is read once, in its order."""
    entity = store.case.model.entities["Item"]
    # What a shelf's items come to changes with them.
    fixed = orders(source(store), entity).filter(lambda order: "Aggregate" not in json.dumps(order))

    @SETTINGS
    @given(fixed, st.integers(0, 2**20), st.booleans())
    def check(order: OrderBy, seed: int, backward: bool) -> None:
        rng = random.Random(seed)
        pages = Pages(store.execute, entity, order, key(entity))
        there = nodes(pages.everything())
        stays = [row for row in there if rng.random() < 0.5]
        read: list[Any] = []
        for page in pages.walk(numbers(rng), backward=backward):
            found = nodes(page["edges"])
            read = found + read if backward else read + found
            store.run(change(store.url, rng, stays))
        assert len({json.dumps(row) for row in read}) == len(read)
        assert [row for row in read if row in stays] == stays

    check()


def test_pages_of_a_masked_list_are_the_list(store: World) -> None:
    """Keys hidden on some rows, the primary key on all: such pages are as good as any."""
    model = store.case.model
    entity = model.entities["Item"]
    fields = frozenset(c.name for c in entity.columns) - {"one", "two"}
    shelf_rule = AllowRule(("anon",), frozenset({Operation.READ}), {"room": {"eq": 1}}, fields=None)
    rules = (
        AllowRule(("anon",), frozenset({Operation.READ}), None, fields=frozenset({"code", "shelf", "mood"})),
        AllowRule(("anon",), frozenset({Operation.READ}), {"whole": {"gte": 0}}, fields=fields),
    )
    ruled = replace(entity, allow=rules)
    shelf = replace(model.entities["Shelf"], allow=(shelf_rule,))
    model = replace(model, entities={"Shelf": shelf, "Item": ruled})
    limits = RoleLimits(replace(LIMITS.default, page=2**31))
    engine = Engine(model, store.schema, store.engine.statements.tables, store.engine.pool, limits)
    viewer = Viewer(None, frozenset({"anon"}), {})

    def run(document: str, variables: dict[str, Any]) -> dict[str, Any]:
        response = store.run(engine.execute(Request(document, variables), viewer))
        found: dict[str, Any] = json.loads(response.body)
        return found

    schema = store.run(engine.role(viewer)).schema
    visible = replace(ruled, columns=tuple(c for c in entity.columns if c.name in fields))
    seen = Source(replace(model, entities={"Shelf": shelf, "Item": visible}), schema, store.reference.tables)

    @settings(SETTINGS, max_examples=EXAMPLES * 2)
    @given(orders(seen, visible), st.randoms(use_true_random=False))
    def check(order: OrderBy, rng: random.Random) -> None:
        pages = Pages(run, visible, order, "code text whole price")
        assert nodes(pages.everything()) == by_list(run, visible, order, "code text whole price")
        check_walks(pages, rng)

    check()
