"""Compiled input coercion against graphql-core's own."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError, Undefined, build_schema, coerce_input_value, type_from_ast
from graphql.language import parse_type
from graphql.language.parser import MAX_NESTING_DEPTH
from hypothesis import given
from hypothesis import strategies as st

from clew.document.coerce import UnfitError, coercer

SCHEMA = build_schema("""
type Query { a(in: Row, x: Float, y: Boolean): Int }
enum Color { RED GREEN }
input Row {
  id: ID!
  count: Int = 3
  tags: [String!] = ["a"]
  color: Color
  grid: [[Int]]
  parent: Row
  children: [Row!]
  one: One
}
input One @oneOf { a: Int b: [Row!] }
""")
TYPES = ["Row", "Row!", "[Row!]!", "[[Int!]]", "One!", "[One]", "Color", "[ID!]", "Float!", "Boolean"]
NAMES = ["id", "count", "tags", "color", "grid", "parent", "children", "one", "a", "b", "unknown"]

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.sampled_from(["RED", "x", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


def ours(type_: Any, value: Any) -> Any:
    try:
        return coercer(type_)(value, 0)
    except (UnfitError, GraphQLError, ValueError, TypeError):
        return Undefined


@given(st.sampled_from(TYPES), values)
def test_what_fits_is_coerced_as_graphql_core_does_and_what_does_not_is_left_to_it(name: str, value: Any) -> None:
    type_: Any = type_from_ast(SCHEMA, parse_type(name))
    expected = coerce_input_value(value, type_)
    found = ours(type_, value)
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Row", {"id": 1}),
        ("Row", {"id": "a", "children": [{"id": "b", "grid": [1, [2, None]], "one": {"a": 1}}], "color": "GREEN"}),
        ("Row", {"count": 1}),
        ("Row", {"id": "a", "unknown": 1}),
        ("Row", {"id": "a", "tags": None}),
        ("[Row!]!", {"id": "a"}),
        ("One!", {}),
        ("One!", {"a": None}),
        ("One!", {"a": 1, "b": []}),
    ],
)
def test_each_rule_of_input_objects(name: str, value: Any) -> None:
    type_: Any = type_from_ast(SCHEMA, parse_type(name))
    assert repr(ours(type_, value)) == repr(coerce_input_value(value, type_))


def test_what_is_nested_too_deeply_is_left_to_graphql_core() -> None:
    value: Any = {"id": 1}
    for _ in range(MAX_NESTING_DEPTH + 1):
        value = {"id": 1, "parent": value}
    with pytest.raises(UnfitError):
        coercer(SCHEMA.type_map["Row"])(value, 0)  # type: ignore[arg-type]  # a type of this name is an input
