"""Rules that run together find what they find in graphql-core's own order of things."""

from __future__ import annotations

import pytest
from graphql import (
    BREAK,
    SKIP,
    DocumentNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    build_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import ASTValidationRule, ValidationRule

from clew.document.validation import located, together
from clew.schema.scalars import SCALARS

SCHEMA = build_schema("""
    directive @onField(n: Int!) on FIELD
    directive @again repeatable on FIELD
    input In { a: Int!  b: [String!]  in: In }
    input One @oneOf { a: Int  b: Int }
    enum Color { RED GREEN }
    interface Named { name: String }
    type Dog implements Named { name: String  barks(loud: Boolean!, times: Int = 1): Boolean!  color: Color }
    type Cat implements Named { name: String  lives: Int }
    union Pet = Dog | Cat
    type Query { dog(in: In, one: One, color: Color): Dog  pets: [Pet!]!  named: Named  n(x: Int): Int }
    type Subscription { a: Int  b: Int }
""")

DOCUMENTS = [
    "{ dog { name } }",
    "{ dog { nam barks lives { x } } dog: named { name } cat }",
    "query A { n } query A { n } { n }",
    "query ($a: Int!, $a: Int, $b: Nope, $c: Dog, $unused: Int = RED) { n(x: $a) n2: n(x: $missing) n3: n(x: $b) }",
    "{ ...A ...Missing } fragment A on Dog { name ...B } fragment B on Dog { ...A } fragment Unused on Query { n }",
    '{ dog(in: {b: ["x", 1], c: 1, in: {a: "1"}}, one: {a: 1, b: 2}, color: BLUE, color: RED) { barks } }',
    "{ dog { name { deeper } barks(loud: true, loud: false) } named }",
    "{ dog { name: color } dog { name } ... on Dog { name } ... on Nope { x } named { ... on Cat { lives } } }",
    "{ n @onField @onField(n: 1) @again @again @nowhere n @skip(if: 1) } query Q @include(if: true) { n }",
    "subscription { a b } type X { a: Int } ",
    "subscription S { ...A } fragment A on Subscription { a b @skip(if: true) }",
    "{ pets { ... on Dog { x: name } ... on Cat { x: lives } } pets { __typename name } }",
    "query ($v: [Int], $in: In, $one: Int) { n(x: $v) dog(in: {a: $v}, one: {a: $one}) { name } }",
    "{ __schema { types { name } } __type(name: 1) { kind } }",
    "{ n n: dog { name } ...F } fragment F on Query { n: named { name } }",
    " ".join(["{", *(f"x{number}" for number in range(40)), "}"]),
]


def found(document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]) -> list[tuple[str, object]]:
    errors = validate(SCHEMA, document, rules, max_errors=20, hide_suggestions=True)
    return [(error.message, error.locations) for error in errors]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_the_same_faults_are_found_in_the_same_order(text: str) -> None:
    document, rules = parse(text), (*specified_rules, NoSchemaIntrospectionCustomRule)
    expected = found(document, rules)
    assert bool(expected) is (text != DOCUMENTS[0])
    assert found(document, (together(rules),)) == expected
    assert found(document, (together(located(rules)),)) == expected


@pytest.mark.parametrize(
    "value",
    [
        '«"25:00"»',
        '[{time: "05:00"}, {time: «"25:00"»}]',
        '{in: {times: ["05:00", «"25:00"», null]}}',
        '{in: {times: «"25:00"»}}',
        '{time: "05:00", in: {in: {time: «"25:00"»}}}',
        "{in: {mine: «{a: 1}»}}",
    ],
)
def test_a_value_that_a_scalar_refuses_has_its_place(value: str) -> None:
    time, mine = SCALARS["Time"], GraphQLScalarType("Mine", coerce_input_value=_refuse, coerce_input_literal=_refuse)
    in_ = GraphQLInputObjectType(
        "In",
        lambda: {
            "time": GraphQLInputField(time),
            "times": GraphQLInputField(GraphQLList(time)),
            "mine": GraphQLInputField(mine),
            "in": GraphQLInputField(in_),
        },
    )
    type_ = time if value.startswith("«") else GraphQLList(in_)
    schema = GraphQLSchema(GraphQLObjectType("Query", {"a": GraphQLField(time, {"b": GraphQLArgument(type_)})}))
    text = f"{{\n  a(b: {value})\n}}"
    document = parse(text.replace("«", "").replace("»", ""))
    (error,) = validate(schema, document, (together(located(specified_rules)),))
    assert "cannot represent" in error.message
    column = text.splitlines()[1].index("«") + 1
    assert [(place.line, place.column) for place in error.locations or ()] == [(2, column)]


def _refuse(_value: object) -> None:
    raise GraphQLError("Mine cannot represent this.")


class _Speaking(ValidationRule):
    """Tells of each node."""

    def enter(self, node: object, *_: object) -> object:
        self.report_error(GraphQLError(f"{type(self).__name__} enters {getattr(node, 'kind', '')}"))
        return None

    def leave(self, node: object, *_: object) -> object:
        self.report_error(GraphQLError(f"{type(self).__name__} leaves {getattr(node, 'kind', '')}"))
        return None


class Skipping(_Speaking):
    def enter_field(self, *_: object) -> object:
        return SKIP


class SkippingFalse(_Speaking):
    def enter_selection_set(self, *_: object) -> object:
        return False


class Breaking(_Speaking):
    def enter_name(self, *_: object) -> object:
        return BREAK


class BreakingLate(_Speaking):
    def leave_argument(self, *_: object) -> object:
        return True


class OfNames(ValidationRule):
    def leave_name(self, node: object, *_: object) -> object:
        self.report_error(GraphQLError("leaves a name"))
        return SKIP


def test_rules_skip_and_end_as_in_graphql_core() -> None:
    document = parse("query Q { dog { barks(loud: true) name } n } fragment F on Dog { name }")
    rules = (Skipping, SkippingFalse, Breaking, BreakingLate, OfNames)
    expected = [error.message for error in validate(SCHEMA, document, rules, max_errors=1000)]
    assert [error.message for error in validate(SCHEMA, document, (together(rules),), max_errors=1000)] == expected
    assert len(expected) > 30
