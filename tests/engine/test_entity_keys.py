"""Keys of every type, as Python and as JSON have them."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from ariadne import EnumType, QueryType
from graphql import Source

from clew.engine import Engine
from clew.model.build import parse_model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema
from tests.properties.database import LIMITS, answer, make_world
from tests.properties.models import Case

MOMENT = datetime(2026, 1, 1, 5, 0, 0, 120000, tzinfo=UTC)
ID = "018f0d3e-7b5a-7c3e-9d2f-0a1b2c3d4e5f"


class Mood(enum.Enum):
    """As the application has it."""

    CALM = 1


# The field's type, what the database holds, and what a resolver may return for it.
TYPES: list[tuple[str, Any, list[Any]]] = [
    ("ID! @id", uuid.UUID(ID), [ID, ID.upper(), uuid.UUID(ID)]),
    ('ID! @id @column(type: "bigint")', 2**53 + 1, [2**53 + 1, str(2**53 + 1)]),
    ('ID! @id @column(type: "text")', "it's", ["it's"]),
    ("Int! @id", -5, [-5, "-5"]),
    ('Int! @id @column(type: "smallint")', 7, [7]),
    ("BigInt! @id", 2**62, [2**62, str(2**62)]),
    ("String! @id", "é ü", ["é ü"]),
    ('String! @id @column(type: "varchar(3)")', "abc", ["abc"]),
    ('Decimal! @id @column(type: "numeric(6,2)")', Decimal("1.50"), [Decimal("1.5"), "1.50", 1.5]),
    ("DateTime! @id", MOMENT, [MOMENT, MOMENT.isoformat(), "2026-01-01T06:00:00.12+01:00"]),
    ('DateTime! @id @column(type: "timestamp")', MOMENT.replace(tzinfo=None), [MOMENT, MOMENT.isoformat()]),
    ("Date! @id", date(2026, 1, 2), [date(2026, 1, 2), "2026-01-02"]),
    ("Time! @id", time(6, 30, 0, 5), [time(6, 30, 0, 5), "06:30:00.000005"]),
    ("UUID! @id", uuid.UUID(ID), [ID, uuid.UUID(ID)]),
    ("Mood! @id", "CALM", [Mood.CALM]),
]
FAULTS: list[tuple[str, Any]] = [
    ("ID! @id", "x"),
    ("ID! @id", 1),
    ("ID! @id", {"id": ID}),
    ("ID! @id", [ID]),
    ('ID! @id @column(type: "bigint")', 2**63),
    ("Int! @id", 2**31),
    ("Int! @id", "1.5"),
    ("Int! @id", int),
    ("String! @id", "\0"),
    ("String! @id", "\ud800"),
    ("DateTime! @id", "yesterday"),
    ("Mood! @id", "CALM"),
]


def run(server_url: str, type_: str, stored: Any, returned: Any) -> Any:
    sdl = f"""
      enum Mood {{ CALM WILD }}
      type Thing @table {{ id: {type_} name: String! mood: Mood }}
      extend type Query {{ found: [Thing] }}
    """
    model = parse_model(Source(sdl, "things.graphql"))
    query = QueryType()
    query.set_field("found", lambda *_: returned)
    rows = [] if stored is None else [{"id": stored, "name": "it"}]
    with make_world(server_url, Case(0, sdl, model, {"Thing": rows})) as world:
        schema = build_schema(model)
        assert bind(schema, model, [query, EnumType("Mood", Mood.__members__ | {"WILD": 2})]) == []
        engine = Engine(model, schema, world.engine.statements.tables, world.engine.pool, LIMITS)
        return world.run(answer(engine, "{ found { name } }"))


@pytest.mark.parametrize(("type_", "stored", "returned"), TYPES, ids=[type_ for type_, _, _ in TYPES])
def test_a_key_of_this_type_finds_its_row(postgres_url: str, type_: str, stored: Any, returned: list[Any]) -> None:
    assert run(postgres_url, type_, stored, returned) == {"data": {"found": [{"name": "it"}] * len(returned)}}


@pytest.mark.parametrize(("type_", "returned"), FAULTS, ids=repr)
def test_what_is_no_key_of_it_is_a_fault(postgres_url: str, type_: str, returned: Any) -> None:
    found = run(postgres_url, type_, None, [returned])
    assert found["data"] == {"found": None}
    assert found["errors"][0]["extensions"]["code"] == "INTERNAL"
