"""From a document to a validated operation."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from graphql import build_schema

from clew.document.limits import Limits
from clew.document.prepare import InvalidDocument, Prepared, prepare
from clew.errors import ClewError, Code

SCHEMA = build_schema(
    "type Query { a(i: Int, s: String!, l: [Int!], e: E, f: F): Int b: Int }"
    " enum E { X Y } input F { not: F i: Int = 7 }"
)


def prepared(document: str, name: str | None = None) -> Prepared:
    return prepare(SCHEMA, document, name, Limits())


def refusal(document: str, name: str | None = None) -> Code:
    with pytest.raises(InvalidDocument) as refused:
        prepared(document, name)
    return refused.value.code


def test_the_operation_is_chosen_by_its_name() -> None:
    document = "query One { a: b } query Two { b }"
    operation = prepared(document, "Two").operation
    assert operation.name is not None
    assert operation.name.value == "Two"
    for name in (None, "Three", ""):
        assert refusal(document, name) is Code.BAD_USER_INPUT
    assert refusal("{ b }", "One") is Code.BAD_USER_INPUT
    assert refusal("fragment F on Query { b }") is Code.BAD_USER_INPUT


def test_a_fault_of_syntax_and_one_of_validation_have_their_codes() -> None:
    assert refusal("{ b") is Code.GRAPHQL_PARSE_FAILED
    assert refusal("{ c }") is Code.GRAPHQL_VALIDATION_FAILED
    assert refusal("subscription { b }") is Code.GRAPHQL_VALIDATION_FAILED


def test_a_subscription_may_have_several_fields() -> None:
    schema = build_schema("type Query { a: Int } type Subscription { a: Int b: Int }")
    found = prepare(schema, "subscription { a b c: b }", None, Limits())
    assert len(found.operation.selection_set.selections) == 3


def test_at_most_twenty_faults_are_told() -> None:
    with pytest.raises(InvalidDocument) as refused:
        prepared("{ " + " ".join(f"c{index}" for index in range(45)) + " }")
    assert len(refused.value.errors) <= 21


@pytest.mark.parametrize("document", ["", " ", "#", "{ b } { }}", "\ufeff", "\0", "{ b } \ud800", "{ b } }"])
def test_what_is_no_document_is_a_fault_of_syntax(document: str) -> None:
    assert refusal(document) is Code.GRAPHQL_PARSE_FAILED


@pytest.mark.parametrize("document", ["{}", '{ a(s: "") b {} }', "{ ... {} }", "{ b } fragment F on Query {}"])
def test_an_empty_selection_is_a_fault_of_syntax(document: str) -> None:
    with pytest.raises(ClewError) as refused:
        prepared(document)
    assert refused.value.code is Code.GRAPHQL_PARSE_FAILED


def test_a_document_that_is_too_long_is_not_even_read() -> None:
    with pytest.raises(ClewError) as refused:
        prepared("{ b } #" + "x" * 200_000)
    assert refused.value.code is Code.LIMIT_EXCEEDED


DOCUMENT = "query($i: Int, $s: String!, $l: [Int!], $e: E = X, $f: F) { a(i: $i, s: $s, l: $l, e: $e, f: $f) }"


def test_variables_are_coerced_by_graphqls_rules() -> None:
    values = prepared(DOCUMENT).coerce({"i": None, "s": "x", "l": 5, "f": {"not": {}}, "unknown": 1})
    assert values.coerced == {"i": None, "s": "x", "l": [5], "e": "X", "f": {"i": 7, "not": {"i": 7}}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"s": None},
        {"s": 1},
        {"s": True},
        {"s": ["x"]},
        {"s": "x", "i": 2**31},
        {"s": "x", "i": 1.5},
        {"s": "x", "i": True},
        {"s": "x", "i": float("nan")},
        {"s": "x", "i": 10**5000},
        {"s": "x", "e": "Z"},
        {"s": "x", "e": 1},
        {"s": "x", "l": [None]},
        {"s": "x", "f": {"other": 1}},
        {"s": "x", "f": []},
    ],
    ids=lambda given: str(given)[:40] if len(given) < 2 or given.get("i") != 10**5000 else "5,000 digits",
)
def test_variables_that_do_not_fit_are_bad_user_input(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument) as refused:
        prepared(DOCUMENT).coerce(given)
    assert refused.value.code is Code.BAD_USER_INPUT


@pytest.mark.parametrize("given", [{}, {"i": None}, {"i": 3}, {"i": "3"}, {"i": 2**31}, {"i": True}])
def test_the_short_way_for_scalars_gives_what_the_long_way_gives(given: dict[str, Any]) -> None:
    short = prepared('query($i: Int) { a(s: "", i: $i) }')
    long = prepared('query($i: Int, $f: F) { a(s: "", i: $i, f: $f) }')
    assert short.simple
    assert not long.simple
    try:
        expected = long.coerce(given).coerced
    except InvalidDocument:
        with pytest.raises(InvalidDocument):
            short.coerce(given)
    else:
        assert short.coerce(given).coerced == expected


def test_variables_of_conditions_belong_to_the_shape_by_value() -> None:
    one = prepared('query($yes: Boolean!, $i: Int) { a(s: "", i: $i) @include(if: $yes) b }')
    shapes = [one.shape(one.coerce(given)) for given in ({"yes": True, "i": 1}, {"yes": True, "i": 2}, {"yes": False})]
    assert shapes[0] == shapes[1] != shapes[2]


def test_what_only_the_root_fields_of_a_mutation_take_belongs_to_no_shape() -> None:
    schema = build_schema(
        "type Query { a: Int } type Mutation { m(l: [F!], n: Int): R }"
        " type R { r(f: F, n: Int): Int } input F { i: Int }"
    )
    variables = "$l: [F!], $f: F, $n: Int, $yes: Boolean!"
    inner = "r(f: {i: $n}) s: r(f: $f) @include(if: $yes)"

    def shapes(document: str, *given: dict[str, Any]) -> list[Any]:
        found = prepare(schema, document, None, Limits())
        return [found.shape(found.coerce({"yes": True, **one})) for one in given]

    root = f"mutation ({variables}) {{ m(l: $l, n: $n) {{ {inner} }} }}"
    one, two = shapes(root, {"l": [{"i": 1}]}, {"l": [{"i": 1}, {}]})
    assert one == two
    # Everything else may be read by a plan, also what stands within a value or behind a fragment.
    for given in ({"n": None}, {"f": {"i": 1}}, {"yes": False}):
        one, other = shapes(root, {}, given)
        assert one != other, given
    behind = f"mutation ({variables}) {{ ...P }} fragment P on Mutation {{ m(l: $l, n: $n) {{ {inner} }} }}"
    one, two = shapes(behind, {"l": [{"i": 1}]}, {"l": [{"i": 1}, {}]})
    assert one != two


def test_a_schema_ends_though_its_input_types_lead_to_themselves() -> None:
    schema = build_schema("type Query { a(f: F): Int } input F { and: [F!] not: F i: Int }")
    document = prepare(schema, "query ($f: F) { a(f: $f) }", None, Limits())
    assert document.coerce({"f": {"and": [{"not": {"i": 1}}]}}).coerced == {"f": {"and": [{"not": {"i": 1}}]}}
    kept = weakref.ref(schema.type_map["F"])
    del schema, document
    gc.collect()
    assert kept() is None
