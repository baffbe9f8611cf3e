"""The typed directives are those of directives.graphql, and read as written."""

from __future__ import annotations

import pytest
from graphql import DirectiveNode, ObjectTypeDefinitionNode, Source, build_schema, parse, validate_schema

from clew.sdl import directives as d
from clew.sdl.report import Report


def use(text: str) -> DirectiveNode:
    (node,) = parse(Source(f"type A {text} {{ a: Int }}", "a.graphql")).definitions
    assert isinstance(node, ObjectTypeDefinitionNode)
    assert node.directives
    return node.directives[0]


def read(text: str, place: str = "OBJECT") -> d.Directive:
    report = Report()
    directive = d.bind(use(text), place, report)
    assert report.diagnostics == ()
    assert directive is not None
    return directive


def test_every_directive_has_a_class_with_its_arguments() -> None:
    definitions = d.definitions().directives
    assert set(definitions) == set(d.CLASSES)
    for name, definition in definitions.items():
        assert {argument.attribute for argument in definition.arguments.values()} == set(
            d.argument_names(d.CLASSES[name])
        ), name


def test_editors_can_read_the_definitions() -> None:
    schema = build_schema(directives := d.directives_text() + "type Query { a: Int @resolver(requires: [id, name]) }")
    assert validate_schema(schema) == []
    assert all(directive.description for directive in schema.directives)
    assert "directive @table" in directives


def test_names_may_be_bare_and_one_stands_for_a_list() -> None:
    bare, quoted = read("@index(fields: id)"), read('@index(fields: ["id"])')
    assert isinstance(bare, d.Index)
    assert isinstance(quoted, d.Index)
    assert bare.fields == quoted.fields == ("id",)


def test_defaults_are_filled_in_and_what_is_given_is_known() -> None:
    allow = read('@allow(role: user, where: {a: {in: [1, "$auth.x", null, 1.5, true, X]}})')
    assert isinstance(allow, d.Allow)
    assert (allow.role, allow.to, allow.check, allow.limit) == (("user",), ("READ",), None, None)
    assert allow.where == {"a": {"in": [1, "$auth.x", None, 1.5, True, "X"]}}
    assert set(allow.given) == {"role", "where"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "@relation(onDelete: CASCAD)",
            "FIELD_DEFINITION",
            '"onDelete" of @relation must be one of NO_ACTION, RESTRICT, CASCADE, SET_NULL, not CASCAD',
        ),
        ("@job(retries: 1.5)", "FIELD_DEFINITION", '"retries" of @job must be an integer, not 1.5'),
        ("@guard(bindsAdmin: 1)", "OBJECT", '"bindsAdmin" of @guard must be true or false, not 1'),
        ("@guard(where: [1])", "OBJECT", '"where" of @guard must be a filter object, not [1]'),
        ("@index(fields: [a, 1])", "OBJECT", '"fields" of @index must be a name or a list of such, not 1'),
        ('@table(name: "")', "OBJECT", '"name" of @table must be a name, not ""'),
        ("@view(sql: null)", "OBJECT", '"sql" of @view must be a string, not null'),
    ],
)
def test_an_argument_of_a_wrong_type_is_refused(text: str, place: str, message: str) -> None:
    report = Report()
    assert d.bind(use(text), place, report) is None
    assert [fault.message for fault in report.diagnostics] == [message]
