"""Scalars of the application: what their parsers raise reaches no client, unless it is a GraphQLError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ariadne import QueryType, ScalarType
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, Source, StringValueNode, Undefined, graphql_sync
from graphql.execution.values import VariableValues

from clew.document.limits import Limits
from clew.document.prepare import InvalidDocument, prepare
from clew.model.build import parse_model
from clew.resolvers.bind import bind
from clew.schema.build import build_schema

SDL = """
extend type Query { shout(word: Loud!): String }
scalar Loud
type Note @table { id: ID! @id }
"""
UNFIT = "Loud cannot represent this value."

query = QueryType()
query.set_field("shout", lambda _source, _info, word: word)


def parse(value: Any) -> Any:
    if value == "nothing":
        return Undefined
    if value == "told":
        raise GraphQLError("Say it louder.")
    if value == "key":
        raise KeyError("secret")
    return value.upper()


def parse_literal(node: Any, _variables: dict[str, Any] | None = None) -> Any:
    return parse(node.value if isinstance(node, StringValueNode) else 1) + "!"


@pytest.fixture(scope="module", params=[None, parse_literal], ids=["values", "literals too"])
def schema(request: pytest.FixtureRequest) -> GraphQLSchema:
    model = parse_model(Source(SDL, "loud.graphql"))
    made = build_schema(model)
    assert bind(made, model, [query, ScalarType("Loud", value_parser=parse, literal_parser=request.param)]) == []
    return made


def coerced(schema: GraphQLSchema, value: Any) -> VariableValues:
    return prepare(schema, "query ($w: Loud!) { shout(word: $w) }", None, Limits()).coerce({"w": value})


def refusals(schema: GraphQLSchema, value: Any) -> Sequence[GraphQLError]:
    with pytest.raises(InvalidDocument) as refused:
        coerced(schema, value)
    return refused.value.errors


def literal(schema: GraphQLSchema, text: str) -> ExecutionResult:
    return graphql_sync(schema, f"{{ shout(word: {text}) }}")


def test_what_fits_is_parsed(schema: GraphQLSchema) -> None:
    assert coerced(schema, "hey").coerced == {"w": "HEY"}
    assert literal(schema, '"hey"').data in ({"shout": "HEY"}, {"shout": "HEY!"})


@pytest.mark.parametrize("value", [1, {"a": []}, "key", "nothing"])
def test_a_value_that_does_not_fit_is_refused_without_a_word_of_python(schema: GraphQLSchema, value: Any) -> None:
    (error,) = refusals(schema, value)
    assert error.message.endswith(UNFIT)
    assert "upper" not in error.message
    assert "secret" not in error.message


@pytest.mark.parametrize("text", ["1", '"key"', '"nothing"', "[1]"])
def test_nor_a_literal(schema: GraphQLSchema, text: str) -> None:
    errors = literal(schema, text).errors
    assert errors is not None
    assert [error.message for error in errors] == [UNFIT]


def test_an_error_of_graphql_is_told(schema: GraphQLSchema) -> None:
    assert "Say it louder." in str(literal(schema, '"told"').errors)
    (error,) = refusals(schema, "told")
    assert error.message.endswith("Say it louder.")
