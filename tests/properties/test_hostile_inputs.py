"""Whatever a client sends is answered rightly or refused clearly; nothing of the SQL or of Python comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLList, Source

from clew.errors import Code
from clew.model.build import parse_model
from clew.model.operators import operators
from clew.model.types import Column, Entity
from tests.properties.database import World, canonical, make_world
from tests.properties.models import NASTY, Case, Row

SDL = """
enum Mood { CALM ANGRY }
type Thing @table {
  id: ID! @id @column(type: "bigint")
  uuid: UUID
  key: ID
  text: String
  varchar: String @column(type: "varchar(5)")
  address: String @column(type: "inet")
  int: Int
  small: Int @column(type: "smallint")
  bigInt: BigInt
  narrow: BigInt @column(type: "integer")
  float: Float
  real: Float @column(type: "real")
  decimal: Decimal
  money: Decimal @column(type: "numeric(10,2)")
  boolean: Boolean
  dateTime: DateTime
  local: DateTime @column(type: "timestamp(3)")
  zoned: DateTime @column(type: "timestamp(3) with time zone")
  date: Date
  time: Time
  bytes: Bytes
  mood: Mood
  texts: [String!]
  varchars: [String!] @column(type: "varchar(5)")
  smalls: [Int] @column(type: "smallint")
  locals: [DateTime!] @column(type: "timestamp")
  decimals: [Decimal!] @column(type: "numeric(10,2)")
  moods: [Mood!]
  uuids: [UUID!]
  blobs: [Bytes!]
}
type Total @view(sql: "SELECT id AS thing_id, 1 AS number FROM things UNION ALL SELECT id, 2 FROM things") {
  thing: Thing! @id
  number: Int!
}
"""
EXTREMES: tuple[Any, ...] = (
    *(2**63, -(2**63) - 1, 2**63 - 1, 2**31, -(2**15) - 1, 10**1000, 10**5000, -1, 0, 1e308, -1e-320, 0.1),
    *(
        float("inf"),
        float("nan"),
        True,
        "",
        " ",
        "1e400",
        "1e1000",
        "-1e-1000",
        "1e1001",
        "9" * 1001,
        "NaN",
        "Infinity",
    ),
    *("nul\0", "\ud800", "\udfff tail", "\\", "a\\", "\\\\\\", "%" * 1000, "_" * 5000, "x" * 100_000),
    *(
        "not-a-uuid",
        "{00000000-0000-0000-0000-000000000000}",
        "0x00000000000000000000000000000001",
        "1_0",
        "١٢",
        " 1",
        "+1",
    ),
    *("2026-02-30", "0000-01-01", "10000-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "24:00:00"),
    *(
        "infinity",
        "now",
        "epoch",
        "2026-01-01T00:00:60Z",
        "'; DROP TABLE things; --",
        "$1",
        "%(p0)s",
        ":x",
        "CALM",
        "HAPPY",
    ),
    *(None, {}, {"a": 1}, [], [None], [[]], ["\0"], ["\ud800"]),
)
ALLOWED = {Code.BAD_USER_INPUT, Code.GRAPHQL_VALIDATION_FAILED, Code.LIMIT_EXCEEDED}
LEAKS = ("SELECT", "things", "::", "asyncpg", "operator", "Traceback", "postgres", "syntax")


@pytest.fixture(scope="module")
def world(postgres_url: str) -> Iterator[World]:
    model = parse_model(Source(SDL, "hostile.graphql"))
    row: Row = {"id": 1, "text": "a\\", "texts": ["a", "b"], "varchars": ["abc"], "smalls": [1, None], "money": 1}
    row |= {"varchar": "abc", "address": "10.0.0.1", "mood": "CALM", "moods": ["CALM"], "narrow": 5, "real": 0.5}
    with make_world(postgres_url, Case(0, SDL, model, {"Thing": [row, {"id": 2}]})) as made:
        yield made


def columns(world: World) -> list[tuple[Entity, Column, str]]:
    entity = world.case.model.entity("Thing")
    return [(entity, column, name) for column in entity.columns for name in operators(column.type)]


def check(response: dict[str, Any], value: Any) -> None:
    for error in response.get("errors", ()):
        assert error["extensions"]["code"] in ALLOWED, (value, response)
        message = error["message"]
        if isinstance(value, str) and len(value) > 5:
            # graphql-core repeats the client's own value.
            message = message.replace(repr(value)[1:-1], "").replace(value, "")
        assert not [leak for leak in LEAKS if leak in message], (value, response)


def test_every_operator_takes_or_refuses_every_extreme(world: World) -> None:
    for _, column, operator in columns(world):
        filter_type = world.schema.type_map["ThingFilter"]
        assert isinstance(filter_type, GraphQLInputObjectType)
        inner = filter_type.fields[column.name].type
        assert isinstance(inner, GraphQLInputObjectType)
        type_ = inner.fields[operator].type
        documents = [f"query($v: {type_}) {{ things(where: {{{column.name}: {{{operator}: $v}}}}) {{ id }} }}"]
        if isinstance(type_, GraphQLList):
            documents.append(
                f"query($v: {type_.of_type}) {{ things(where: {{{column.name}: {{{operator}: [$v]}}}}) {{ id }} }}"
            )
        for document in documents:
            for value in EXTREMES:
                check(world.execute(document, {"v": value}), value)


def test_every_key_takes_or_refuses_every_extreme(world: World) -> None:
    for value in EXTREMES:
        check(world.execute("query($v: ID!) { thing(id: $v) { id } }", {"v": value}), value)
        check(world.execute("query($v: Int) { things(limit: $v, offset: $v) { id } }", {"v": value}), value)
        check(world.execute("query($v: ThingFilter) { things(where: $v) { id } }", {"v": value}), value)
        check(world.execute("query($v: [ThingOrderBy!]) { things(orderBy: $v) { id } }", {"v": value}), value)


def test_long_lists_are_answered(world: World) -> None:
    document = (
        "query($v: [ID!], $t: [String!]) { a: things(where: {id: {in: $v}}) { id } "
        "b: things(where: {texts: {hasAny: $t}}) { id } c: things(where: {id: {notIn: $v}}) { id } }"
    )
    found = world.execute(document, {"v": [str(n) for n in range(1, 10_001)], "t": ["a"] * 10_000})
    assert found == {"data": {"a": [{"id": "1"}, {"id": "2"}], "b": [{"id": "1"}], "c": []}}


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ('{text: {like: "a\\\\\\\\"}}', ["1"]),
        ('{text: {endsWith: "\\\\"}}', ["1"]),
        ('{varchars: {hasAny: ["abc", "longer than five"]}}', ["1"]),
        ('{varchars: {eq: ["abc"]}}', ["1"]),
        ("{smalls: {hasAll: [1]}}", ["1"]),
        ("{small: {in: [99999]}}", []),
        ('{locals: {hasAny: ["2026-01-01T00:00:00Z"]}}', []),
        ('{address: {startsWith: "10."}}', ["1"]),
        ("{money: {gt: 0.999}}", ["1"]),
        ("{money: {eq: 1.0000000000000000000000001}}", []),
        ("{real: {eq: 0.5}}", ["1"]),
        ("{mood: {in: [CALM, ANGRY]}, moods: {has: CALM}}", ["1"]),
        ("{not: {id: {in: []}}}", ["1", "2"]),
        ("{not: {text: {notIn: []}}}", []),
        ('{or: [], text: {eq: "a"}}', []),
        ("{and: [], not: {or: []}}", ["1", "2"]),
    ],
)
def test_what_looks_hostile_and_is_not_is_answered(where: str, ids: list[str], world: World) -> None:
    assert world.execute(f"{{ things(where: {where}) {{ id }} }}") == {"data": {"things": [{"id": id_} for id_ in ids]}}


@pytest.mark.parametrize("directive", ["skip", "include"])
def test_a_null_condition_is_refused_as_graphql_core_refuses_it(directive: str, world: World) -> None:
    document = f"query($c: Boolean = true) {{ things {{ id @{directive}(if: $c) text }} }}"
    (error,) = world.execute(document, {"c": None})["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "errors" in world.reference.execute(document, {"c": None})


def test_a_view_whose_key_is_twice_gives_one_of_its_rows(world: World) -> None:
    found = world.execute("{ total(thingId: 1) { number thing { id } } totals(where: {thingId: {eq: 1}}) { number } }")
    assert found["data"]["total"]["number"] in (1, 2)
    assert found["data"]["total"]["thing"] == {"id": "1"}
    assert len(found["data"]["totals"]) == 2


def test_no_name_of_the_sdl_becomes_sql(postgres_url: str) -> None:
    """Each name that wants quoting, or that statements use themselves, as table, schema and column."""
    for number, name in enumerate(NASTY):
        here, other = json.dumps(name, ensure_ascii=False), json.dumps(NASTY[number - 1], ensure_ascii=False)
        quoted = json.dumps('"' + name.replace('"', '""') + '"', ensure_ascii=False)
        if number % 6 == 0:
            parts: list[str] = []
        index = number % 6
        parts.append(
            f"type T{index} @table(name: {here}, schema: {other}) {{ id: Int! @id  a: String @column(name: {here})"
            f"  b: Int @column(name: {other})  c: String @computed(sql: {quoted})"
            f'  up: T{index} @relation(column: "up %(p0)s")'
            f"  downs: [T{index}!]! @relation(from: up) }}"
        )
        if index != 5 and number != len(NASTY) - 1:
            continue
        sdl = "\n".join(parts)
        model = parse_model(Source(sdl, "names.graphql"))
        rows: dict[str, list[Row]] = {}
        for entity in model.entities.values():
            a, b = (column.column for column in entity.columns[1:3])
            rows[entity.name] = [{"id": 1, a: "x", b: 5, "up %(p0)s": 1}, {"id": 2, a: "y", b: 6, "up %(p0)s": 1}]
        with make_world(postgres_url, Case(0, sdl, model, rows)) as made:
            for entity in model.entities.values():
                document = (
                    f"query($x: String, $b: Int) {{ {entity.plural}("
                    'where: {a: {neq: $x}, c: {neq: $x}, b: {gt: $b}, up: {a: {eq: "x"}}}, '
                    "orderBy: [{up: {b: DESC}}, {c: DESC}, {a: ASC}]) "
                    "{ id a b c up { a c b downs(limit: 1) { c a } } } }"
                )
                expected = made.reference.execute(document, {"x": "q", "b": 5})
                assert canonical(made.execute(document, {"x": "q", "b": 5})) == canonical(expected)
                assert len(expected["data"][entity.plural]) == 1
