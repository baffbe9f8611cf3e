"""CollectFields: order, merging, fragments and conditions as graphql-core has them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from clew.document.collect import collect
from clew.errors import ClewError, Code


def collected(document: str, variables: dict[str, Any] | None = None) -> dict[str, list[str]]:
    """Response keys with the names of their subfields, those of all nodes together."""
    definitions = parse(document).definitions
    (operation,) = (node for node in definitions if isinstance(node, OperationDefinitionNode))
    fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
    fields = collect((operation.selection_set,), "Query", fragments, variables or {})
    found = {}
    for key, nodes in fields.items():
        sets = [node.selection_set for node in nodes if node.selection_set is not None]
        found[key] = list(collect(sets, "Thing", fragments, variables or {}))
    return found


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("{ b a { y } b a { x y } }", {"b": [], "a": ["y", "x"]}),
        ("{ one: a { x } a { y } one: a { z } }", {"one": ["x", "z"], "a": ["y"]}),
        ("{ ...F b ...F } fragment F on Query { a { x } }", {"a": ["x"], "b": []}),
        ("{ b ... on Query { a { x } } ... { c } }", {"b": [], "a": ["x"], "c": []}),
        ("{ b ... on Other { a } ...F } fragment F on Other { c }", {"b": []}),
        ("{ a @skip(if: true) b @include(if: false) c @skip(if: false) @include(if: true) }", {"c": []}),
        ("{ a @skip(if: true) { x } a { y } }", {"a": ["y"]}),
        # A spread that is skipped does not count as visited.
        ("{ ...F @skip(if: true) b ...F } fragment F on Query { a }", {"b": [], "a": []}),
        ("{ ... @include(if: false) { a } ... on Query @include(if: true) { b } }", {"b": []}),
    ],
)
def test_fields_come_in_the_order_of_their_first_node(document: str, fields: dict[str, list[str]]) -> None:
    found = collected(document)
    assert found == fields
    assert list(found) == list(fields)


@pytest.mark.parametrize(("value", "keys"), [(True, ["b"]), (False, ["a"])])
def test_conditions_look_at_variables(value: bool, keys: list[str]) -> None:
    document = "query($v: Boolean!) { a @skip(if: $v) b @include(if: $v) }"
    assert list(collected(document, {"v": value})) == keys


def test_a_null_condition_is_refused() -> None:
    with pytest.raises(ClewError) as caught:
        collected("query($v: Boolean = true) { a @skip(if: $v) }", {"v": None})
    assert caught.value.code is Code.BAD_USER_INPUT
    assert "@skip" in caught.value.message
