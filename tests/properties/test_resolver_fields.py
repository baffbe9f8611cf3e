"""`@resolver(requires:)` gets Python values wherever the field stands, and the generated part stays one statement."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from ariadne import EnumType, ObjectType, QueryType
from graphql import Source

from clew.engine import Engine
from clew.model.build import parse_model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from tests.properties.database import LIMITS, World, answer, make_world
from tests.properties.models import Case, Row

SDL = """
enum Mood { CALM ANGRY }
type Item @table {
  id: BigInt! @id
  mood: Mood!
  moods: [Mood]
  secret: String @hidden
  price: Decimal
  weight: Float
  at: DateTime
  local: DateTime @column(type: "timestamp")
  day: Date
  clock: Time
  reference: UUID
  seal: Bytes
  flag: Boolean
  data: JSON
  bigs: [BigInt!]
  prices: [Decimal]
  ats: [DateTime!] @column(type: "timestamp")
  seals: [Bytes]
  parent: Item
  children: [Item!]! @relation(from: parent)
  seen: String! @resolver(requires: [id, mood, moods, secret, price, weight, at, local, day, clock, reference, seal,
    flag, data, bigs, prices, ats, seals])
  double: BigInt! @resolver(requires: [id])
  bare: Int! @resolver
}
extend type Query { calmest: Mood! told(mood: Mood! = CALM): String! }
"""
MOMENT = datetime(2026, 1, 1, 5, 0, 0, 120000, tzinfo=UTC)
FULL: Row = {
    "id": 2**53 + 1, "mood": "CALM", "moods": ["ANGRY", None], "secret": "s", "price": Decimal("1.50"), "weight": 0.5,
    "at": MOMENT, "local": MOMENT.replace(tzinfo=None), "day": date(2026, 1, 2), "clock": time(6, 30, 0, 5),
    "reference": UUID(int=5), "seal": b"\x00\xff", "flag": True, "data": '{"a": [1, null]}', "bigs": [2**63 - 1],
    "prices": [Decimal("0.10"), None], "ats": [MOMENT.replace(tzinfo=None)], "seals": [b"", None, b"\x01" * 100],
}  # fmt: skip


class Mood(enum.Enum):
    CALM = 1
    ANGRY = 2


seen: list[dict[str, Any]] = []
item, query = ObjectType("Item"), QueryType()


@item.field("seen")
def resolve_seen(parent: dict[str, Any], _: Any) -> str:
    seen.append(parent)
    return "yes"


@item.field("double")
async def resolve_double(parent: dict[str, Any], _: Any) -> int:
    assert list(parent) == ["id"]
    number: int = parent["id"] * 2
    return number


@item.field("bare")
def resolve_bare(parent: dict[str, Any], _: Any) -> int:
    return len(parent)


@query.field("calmest")
def resolve_calmest(*_: Any) -> Mood:
    return Mood.CALM


@query.field("told")
def resolve_told(_: Any, _info: Any, mood: Mood) -> str:
    assert isinstance(mood, Mood)
    return mood.name


@pytest.fixture(scope="module")
def world(postgres_url: str) -> Iterator[World]:
    model = parse_model(Source(SDL, "resolvers.graphql"))
    empty: Row = {"id": 7, "mood": "ANGRY", "parent_id": 2**53 + 1}
    with make_world(postgres_url, Case(0, SDL, model, {"Item": [FULL, empty]})) as made:
        yield made


@pytest.fixture
def engine(world: World) -> Engine:
    schema = build_schema(world.case.model)
    assert bind(schema, world.case.model, [item, query, EnumType("Mood", Mood)]) == []
    return Engine(world.case.model, schema, world.engine.statements.tables, world.engine.pool, LIMITS)


class Counted:
    """The engine's pool, counting."""

    def __init__(self, engine: Engine) -> None:
        self.pool = engine.pool
        self.statements = 0

    async def fetch(self, sql: str, arguments: Any) -> Any:
        self.statements += 1
        return await self.pool.fetch(sql, arguments)


def test_every_required_value_is_of_pythons_type_for_it(world: World, engine: Engine) -> None:
    seen.clear()
    document = (
        "{ items { x: seen } item(id: 7) { parent { ...S ... on Item { y: seen } } } } fragment S on Item { seen }"
    )
    found = world.run(answer(engine, document))
    assert found == {"data": {"items": [{"x": "yes"}, {"x": "yes"}], "item": {"parent": {"seen": "yes", "y": "yes"}}}}
    nothing, *full = seen
    expected = FULL | {"local": MOMENT, "ats": [MOMENT], "data": {"a": [1, None]}}
    assert full == [expected] * 3
    for name, value in full[0].items():
        assert type(value) is type(expected[name]) or name == "data", name
    assert nothing == dict.fromkeys(expected) | {"id": 7, "mood": "ANGRY"}


def test_resolvers_deep_in_lists_take_one_statement(world: World, engine: Engine) -> None:
    counted = Counted(engine)
    engine.pool = counted  # type: ignore[assignment]  # stands in for the pool
    document = """
      query($deep: Boolean!) {
        items(orderBy: {id: DESC}) { double children { double ...Deep @include(if: $deep) } bare }
        calmest
      }
      fragment Deep on Item { mine: double parent { double children(limit: 1) { double mood moods } } }
    """
    found = world.run(answer(engine, document, {"deep": True}))
    big = str(2 * (2**53 + 1))
    again = {"double": "14", "mood": "ANGRY", "moods": None}
    child = {"double": "14", "mine": "14", "parent": {"double": big, "children": [again]}}
    assert found["data"] == {
        "items": [
            {"double": big, "children": [child], "bare": 0},
            {"double": "14", "children": [], "bare": 0},
        ],
        "calmest": "CALM",
    }
    assert counted.statements == 1


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ("where: {mood: {eq: CALM}, moods: {hasAny: [ANGRY]}}", {}),
        ("where: {mood: {eq: $m}, moods: {has: $a}}", {"m": "CALM", "a": "ANGRY"}),
        ("where: {mood: {in: [$m]}, moods: {hasAny: [$a, CALM]}}", {"m": "CALM", "a": "ANGRY"}),
        ("where: $w", {"w": {"mood": {"in": ["CALM"]}, "moods": {"hasAll": ["ANGRY"]}}}),
        ("where: {mood: {notIn: $l}}", {"l": ["ANGRY"]}),
    ],
)
def test_an_enum_bound_to_pythons_values_is_its_names_to_the_database(
    arguments: str, variables: dict[str, Any], world: World, engine: Engine
) -> None:
    types = {"m": "Mood!", "a": "Mood!", "w": "ItemFilter", "l": "[Mood!]"}
    header = ", ".join(f"${name}: {types[name]}" for name in variables)
    document = f"query{f'({header})' if header else ''} {{ items({arguments}) {{ mood moods }} told calmest }}"
    expected = {"items": [{"mood": "CALM", "moods": ["ANGRY", None]}], "told": "CALM", "calmest": "CALM"}
    assert world.run(answer(engine, document, variables)) == {"data": expected}
    # The same where nothing passes through Python.
    document = document.replace("told calmest", "")
    assert world.run(answer(engine, document, variables)) == {"data": {"items": expected["items"]}}
