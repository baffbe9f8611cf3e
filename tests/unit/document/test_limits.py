"""Limits on documents: refused with the right code, before anything costly is done."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import (
    GraphQLList,
    GraphQLSchema,
    Source,
    TokenKind,
    build_schema,
    get_introspection_query,
    parse,
    validate,
)
from graphql.language import Lexer

from bench.hostile import ATTACKS, SCHEMA, refusal
from clew.document.limits import Limits, RoleLimits, check_limits, check_text, check_variables
from clew.document.prepare import InvalidDocument, prepare
from clew.errors import ClewError, Code

SMALL = Limits(tokens=1000, depth=3, aliases=2, root_fields=3, directives=2)


def code_of(document: str, limits: Limits = SMALL, schema: GraphQLSchema = SCHEMA) -> Code | None:
    """What the document is refused with, None if it is not; the first operation is asked for."""
    try:
        prepare(schema, document, "q0" if document.startswith("query q0") else None, limits)
    except ClewError as error:
        return error.code
    except InvalidDocument as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ("{ people { company { id } } }", "{ people { company { people { id } } } }"),
        (
            "{ people { ...F } } fragment F on Person { company { id } }",
            "{ people { ...F } } fragment F on Person { company { people { id } } }",
        ),
        ("{ people { ... { company { id } } } }", "{ people { ... { company { people { id } } } } }"),
        ("{ x: a y: a }", "{ x: a y: a z: a }"),
        ("{ x: __typename y: __typename }", "{ x: __typename y: __typename z: __typename }"),
        (
            "{ a ...F } fragment F on Query { x: a y: b }",
            "{ people { ...F } p: people { ...F } } fragment F on Person { x: id }",
        ),
        ("{ a b __typename }", "{ a b a __typename }"),
        (
            "{ __schema { description } x: __schema { description } }",
            "{ __schema { description } x: __schema { description } __schema { description } }",
        ),
        (
            "{ ...F ...F } fragment F on Query { __schema { description } }",
            "{ ...F ...F ... { x: __schema { description } } } fragment F on Query { __schema { description } }",
        ),
        ("{ a ...F } fragment F on Query { a b }", "{ a ...F ...F } fragment F on Query { a b }"),
        ("{ a ... { a b } }", "{ a ... { a b b } }"),
        (
            "{ a @skip(if: true) b @include(if: true) }",
            "{ a @skip(if: true) @include(if: true) b @include(if: true) }",
        ),
        ("{ ... @skip(if: true) { a } }", "{ ... @skip(if: true) { a @skip(if: true) @include(if: true) } }"),
        ("{ a @skip(if: true) b @skip(if: true) }", "query @x @y @z { a }"),
        ("{ a @skip(if: true) b @skip(if: true) }", "query($n: ID @x @y @z) { people(where: {id: $n}) { id } }"),
        ("{ a @skip(if: true) b @skip(if: true) }", "{ ...F } fragment F on Query @x @y @z { a }"),
    ],
)
def test_each_limit_lets_the_most_pass_and_refuses_one_more(within: str, beyond: str) -> None:
    assert code_of(within) is None
    assert code_of(beyond) is Code.LIMIT_EXCEEDED


def test_introspection_does_not_count_towards_the_depth() -> None:
    assert code_of(get_introspection_query(), Limits()) is None


def test_every_operation_of_the_document_is_measured() -> None:
    document = "query q0 { a } query q1 { x: a y: a z: a }"
    assert code_of(document) is Code.LIMIT_EXCEEDED


def test_a_fragment_within_itself_is_named_by_validation() -> None:
    for document in (
        "{ people { ...A } } fragment A on Person { ...A }",
        "{ people { ...A } } fragment A on Person { company { people { ...A } } }",
        "{ people { ...A } } fragment A on Person { ...B } fragment B on Person { ...C } fragment C on Person { ...A }",
        "{ a } fragment A on Person { people { ...A } }",
    ):
        assert code_of(document) is Code.GRAPHQL_VALIDATION_FAILED


@pytest.mark.parametrize(
    "document",
    [
        "{ a @skip(if: true) @skip(if: true) }",
        "{ ...F @x @x } fragment F on Query { a }",
        "{ ... @x @x { a } }",
        "query @x @x { a }",
        "query($n: ID @x @x) { people(where: {id: $n}) { id } }",
        "{ ...F } fragment F on Query @x @x { a }",
        "{ a } fragment F on Query { a @x @x }",
    ],
)
def test_a_directive_twice_at_one_place_is_told_once(document: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        prepare(SCHEMA, document, None, SMALL)
    assert refused.value.code is Code.GRAPHQL_VALIDATION_FAILED
    (error,) = refused.value.errors
    name = "skip" if "@skip" in document else "x"
    assert error.message == f"The directive '@{name}' can only be used once at this location."
    assert [(1, document.rindex(f"@{name}") + 1)] == [(place.line, place.column) for place in error.locations or ()]


def test_a_directive_at_several_places_passes() -> None:
    assert code_of("query($s: Boolean!) { a @skip(if: $s) b @skip(if: $s) }") is None


def test_a_fragment_within_itself_has_its_place() -> None:
    document = "{ people { ...A } }\nfragment A on Person { ...B }\nfragment B on Person { id ...A }"
    with pytest.raises(InvalidDocument) as refused:
        prepare(SCHEMA, document, None, SMALL)
    (error,) = refused.value.errors
    assert error.message == "Cannot spread fragment 'A' within itself."
    assert [(place.line, place.column) for place in error.locations or ()] == [(3, 27)]


def test_an_unknown_fragment_is_named_by_validation() -> None:
    assert code_of("{ people { ...Nobody } }") is Code.GRAPHQL_VALIDATION_FAILED


def test_ordinary_documents_with_many_fragments_pass() -> None:
    names = [f"Part{index}" for index in range(60)]
    document = "{ people { " + " ".join(f"...{name}" for name in names) + " } } "
    document += " ".join(f"fragment {name} on Person {{ id name company {{ id }} }}" for name in names)
    assert code_of(document, Limits()) is None


def test_a_document_of_many_different_fields_passes_up_to_the_tokens() -> None:
    schema = build_schema(
        "type Query { row: Row } type Row { " + " ".join(f"f{index}: Int" for index in range(4000)) + " }"
    )
    assert code_of("{ row { " + " ".join(f"f{index}" for index in range(4000)) + " } }", Limits(), schema) is None


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_before_validation_unless_it_is_for_validation_to_refuse(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated = []

    def recording(*arguments: Any, **options: Any) -> Any:
        validated.append(arguments)
        return validate(*arguments, **options)

    monkeypatch.setattr("clew.document.prepare.validate", recording)
    attack = ATTACKS[name]
    assert refusal(attack) is attack.code
    assert not validated or attack.code is Code.GRAPHQL_VALIDATION_FAILED


@pytest.mark.parametrize(
    "name", ["tokens", "root fields", "9,000 unknown fields", "2,400 unused variables", "500,000 comments"]
)
def test_what_the_text_tells_is_not_even_parsed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.document.prepare.parse", None)
    assert refusal(ATTACKS[name]) is Code.LIMIT_EXCEEDED


LITERALS = (
    r'{ people(where: {id: "a \" } { \\"}, numbers: [-1.5e+10 0 -3 1E5, 2.25]) { ...F ... on Person { on } } } # { x }'
    '\n fragment F on Person { id @include(if: true) a: name # "\n} '
    r'query Q($v: [Int!]! = [1], $w: ID) { b: people(where: {id: """ " "" \""" { """, not: {id: ""}}) { id } }'
)


@pytest.mark.parametrize("document", [get_introspection_query(), LITERALS, '{ a(b: """""", c: "") }\ufeff'])
def test_the_tokens_of_a_text_are_those_that_the_parser_sees(document: str) -> None:
    """Once more as many would be refused, and no fewer."""
    lexer, count = Lexer(Source(document)), 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    padding = " " * 10 * count
    check_text(document + padding, Limits(tokens=count))
    with pytest.raises(ClewError, match=f"at most {count - 1} tokens"):
        check_text(document + padding, Limits(tokens=count - 1))


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        ("x: a", 1300),
        ("a @b", 1300),
        ("a ...F", 1300),
        ("a(b: [C C C C C C C])", 280),
        ("... on A { a b c d }", 440),
    ],
)
def test_a_text_has_as_many_fields_as_the_document(selection: str, count: int) -> None:
    limits = Limits(tokens=4000)
    check_text("{ " + f"{selection} " * count + "}", limits)
    with pytest.raises(ClewError, match="at most 2000 fields"):
        check_text(f"{{ {selection} {'a ' * 2001} }}", limits)


@pytest.mark.parametrize(
    "fault",
    ["nothing", "people(numbers: A) { id }", "people(numbers: [$v]) { id }", "people { x: id x: name }", "a(b: 1)"],
)
def test_a_large_document_is_told_what_a_small_one_is(fault: str) -> None:
    def told(padding: int) -> list[str]:
        with pytest.raises(InvalidDocument) as refused:
            prepare(SCHEMA, f"{{ {fault} p: people(numbers: {[1] * padding}) {{ id }} }}", None, Limits())
        return [error.message for error in refused.value.errors]

    assert told(1) == told(4500)


def test_a_large_document_without_faults_passes() -> None:
    document = f"query ($v: Int) {{ people(numbers: [{'1 ' * 4500} $v]) {{ id }} }}"
    assert code_of(document, Limits()) is None


OVERRIDES = RoleLimits(
    Limits(depth=10, cost=100),
    {
        "anon": {"depth": 5},
        "editor": {"cost": 500},
        "clerk": {"cost": 50, "depth": 20},
        "admin": {"depth": 30, "page": 5},
    },
)


@pytest.mark.parametrize(
    ("roles", "depth", "cost"),
    [
        ({"anon"}, 5, 100),
        ({"anon", "user"}, 10, 100),
        ({"anon", "user", "editor"}, 10, 500),
        ({"anon", "user", "clerk"}, 20, 100),
        ({"clerk"}, 20, 50),
        ({"clerk", "editor"}, 20, 500),
        (set(), 10, 100),
    ],
)
def test_of_several_roles_the_most_generous_counts(roles: set[str], depth: int, cost: int) -> None:
    assert OVERRIDES.of(roles, admin=False) == Limits(depth=depth, cost=cost)


def test_an_admin_has_the_limits_that_bind_admins() -> None:
    found = OVERRIDES.of({"anon"}, admin=True)
    assert (found.depth, found.tokens, found.aliases) == (30, 10_000, 100)
    assert (found.page, found.cost, found.rate, found.root_fields) == (None, None, None, None)
    assert RoleLimits(Limits(introspection=False)).of((), admin=True).introspection is False


def test_roles_make_a_difference_only_where_some_role_is_named() -> None:
    assert OVERRIDES.roles == {"anon", "user", "editor", "clerk", "admin"}
    assert RoleLimits(Limits()).roles == frozenset()


INPUTS = build_schema(
    "type Query { a: Int } input Row { tags: [String] rows: [Row] a: Int b: Int }"
    " input RowFilter { and: [RowFilter] not: RowFilter a: IntFilter json: JSON } input IntFilter { eq: Int in: [Int] }"
    " scalar JSON"
)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({}, 1),
        ({"a": {"eq": 1}}, 1),
        ({"a": {"eq": 1, "in": [1, 2, 3]}}, 2),
        ({"not": {"not": {"not": {}}}}, 1),
        ({"and": [{}, {"a": {"eq": 1}}, {"not": {"and": [{"a": {"eq": 1}}] * 3}}]}, 5),
        ({"and": {"a": {"eq": 1}}}, 1),
        ({"json": {"a": [{}, {}, {}]}}, 1),
        ({"a": None}, 1),
    ],
)
@pytest.mark.parametrize("query", [True, False])
def test_the_conditions_of_filters_are_counted_on_all_levels(where: object, count: int, query: bool) -> None:
    def code(conditions: int) -> Code | None:
        try:
            given = [("w", INPUTS.type_map["RowFilter"], where)]
            check_variables(given, Limits(conditions=conditions), query=query)  # type: ignore[arg-type]  # a type of this name is an input
        except ClewError as error:
            return error.code
        return None

    assert code(count) is None
    assert code(count - 1) is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize("query", [True, False])
def test_rows_to_write_are_no_conditions(query: bool) -> None:
    rows = GraphQLList(INPUTS.type_map["Row"])
    limits = Limits(list_items=3, conditions=5)

    def code(value: object) -> Code | None:
        try:
            check_variables([("v", rows, value)], limits, query=query)
        except ClewError as error:
            return error.code
        return None

    assert code([{}] * 3) is None
    assert code([{"tags": ["a"] * 3}]) is None
    assert code([{"rows": {"rows": [{"tags": ["a"] * 4}]}}]) is Code.LIMIT_EXCEEDED
    assert code([{}] * 4) is (Code.LIMIT_EXCEEDED if query else None)
    assert code([{"rows": [{}] * 3}] * 3) is (Code.LIMIT_EXCEEDED if query else None)
    assert code([{"a": 1, "b": 2}] * 3) is (Code.LIMIT_EXCEEDED if query else None)


def test_the_work_of_merging_fields_is_counted_in_linear_time() -> None:
    """Twice the document must not be four times the time."""

    def seconds(count: int) -> float:
        document = parse("{ people { " + " ".join(f"a{index}: id" for index in range(count)) + " } }")
        began = time.process_time()
        for _ in range(5):
            check_limits(document, Limits(aliases=10**6, tokens=10**6))
        return time.process_time() - began

    seconds(100)
    assert seconds(8000) < 8 * max(seconds(2000), 0.005)


@pytest.mark.parametrize("ignored", ["\n#", ",", " \n,", " ", "#x\n"])
def test_what_is_ignored_at_the_end_is_gone_over_once(ignored: str) -> None:
    # Once for each character it would be seconds.
    began = time.process_time()
    check_text("{a}" + ignored * (60_000 // len(ignored)), Limits())
    assert time.process_time() - began < 1
