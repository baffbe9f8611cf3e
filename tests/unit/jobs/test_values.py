"""Arguments and results of jobs survive the way through JSON."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLObjectType, Source, parse
from graphql.execution.values import get_argument_values

from clew.jobs.values import arguments_json, decoder, encoder
from clew.json_numbers import dumps
from clew.model.build import parse_model
from clew.model.types import Model
from clew.schema.build import build_schema

SDL = """
type Post @table { id: ID! @id title: String }
type Pair @table { a: Int! @id b: Int! @id }
enum Mood { GOOD BAD }
input Inner { at: DateTime! deepValue: [Inner!] }
type Plain { a: Int }
type Other { b: String!, post: Post }
union Any = Plain | Other
type Mutation {
  work(
    text: String!, key: ID, number: Int, big: BigInt, real: Float, exact: Decimal, flag: Boolean, at: DateTime,
    day: Date, clock: Time, uuid: UUID, json: JSON, bytes: Bytes, mood: Mood, moods: [Mood!], inner: Inner,
    many: [[Int]], withDefault: Int = 7
  ): DateTime @job
  post: Post @job
  pairs: [Pair!] @job
  plain: Plain @job
  any: Any @job
  count: Int! @job
  mood: [Mood!] @job
}
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return parse_model(Source(SDL, "test.graphql"))


def field(model: Model, name: str) -> GraphQLField:
    mutation = build_schema(model).type_map["Mutation"]
    assert isinstance(mutation, GraphQLObjectType)
    found: GraphQLField = mutation.fields[name]
    return found


def called(work: GraphQLField, arguments: str) -> dict[str, Any]:
    """The arguments as a resolver gets them."""
    operation: Any = parse(f"mutation {{ work({arguments}) {{ id }} }}").definitions[0]
    return get_argument_values(work, operation.selection_set.selections[0])


def test_arguments_come_back_as_resolvers_get_them_by_names_in_snake_case(model: Model) -> None:
    work = field(model, "work")
    given = called(
        work,
        'text: "a", key: 5, number: 2, big: "9007199254740993", real: 0.5, exact: "1.10", flag: true, mood: GOOD, '
        'at: "2026-01-01T05:00:00Z", day: "2026-01-31", clock: "05:00:00", json: {a: [1, null]}, bytes: "AAE=", '
        'uuid: "018f0d3e-7b5a-7c3e-9d2f-0a1b2c3d4e5f", moods: [GOOD, BAD], many: [[1, null], null], '
        'inner: {at: "2026-01-01T05:00:00Z", deepValue: [{at: "2026-01-01T05:00:00Z"}]}',
    )
    written = json.loads(dumps(arguments_json(work, given)))
    assert written["big"] == "9007199254740993"
    assert written["at"] == "2026-01-01T05:00:00+00:00"
    assert written["bytes"] == "AAE="
    back = decoder(work)(written)
    assert back == {("with_default" if name == "withDefault" else name): value for name, value in given.items()}
    assert (back["exact"], back["day"], back["bytes"]) == (Decimal("1.10"), date(2026, 1, 31), b"\0\1")


def test_an_absent_argument_stays_absent_or_has_its_default(model: Model) -> None:
    work = field(model, "work")
    assert arguments_json(work, {"text": "a"}) == {"text": "a"}
    assert decoder(work)({"text": "a"}) == {"text": "a", "with_default": 7}
    assert decoder(work)({"text": "a", "mood": None}) == {"text": "a", "mood": None, "with_default": 7}


@pytest.mark.parametrize("arguments", [{}, {"text": None}, {"text": "a", "number": "x"}, {"text": "a", "mood": "UGLY"}])
def test_arguments_that_do_not_fit_are_refused(model: Model, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        decoder(field(model, "work"))(arguments)


def test_a_result_is_json_of_the_declared_type(model: Model) -> None:
    schema = build_schema(model)

    def encoded(job: str, value: Any) -> Any:
        type_ = schema.type_map[job]
        assert isinstance(type_, GraphQLObjectType)
        return json.loads(dumps(encoder(type_.fields["result"], model, schema)(value)))

    assert encoded("WorkJob", datetime(2026, 1, 1, 5, tzinfo=UTC)) == "2026-01-01T05:00:00+00:00"
    assert encoded("WorkJob", None) is None
    key = uuid.uuid4()
    assert encoded("PostJob", key) == str(key)
    assert encoded("PairsJob", [{"a": 1, "b": 2}]) == [{"a": 1, "b": 2}]
    assert encoded("PlainJob", {"a": 1}) == {"a": 1}
    assert encoded("MoodJob", ["GOOD"]) == ["GOOD"]
    other = {"__typename": "Other", "b": "b", "post": str(key)}
    assert encoded("AnyJob", other) == other
    for job, value in (
        ("CountJob", "many"),
        ("PairsJob", [5]),
        ("PairsJob", 5),
        ("MoodJob", ["UGLY"]),
        ("PlainJob", {"a": "many"}),
        ("PlainJob", [1]),
        ("AnyJob", {"b": "b"}),
        ("AnyJob", {"__typename": "Post", "b": "b"}),
        ("AnyJob", {"__typename": "Other"}),
        ("AnyJob", other | {"post": [1]}),
    ):
        with pytest.raises((TypeError, ValueError)):
            encoded(job, value)
