"""All faults at once, in file order, each at its place."""

from __future__ import annotations

import pytest
from graphql import Source

from clew.errors import SchemaError
from clew.model.build import parse_model
from tests.unit.sdl.marked import faults


def places(*texts: str) -> list[tuple[str, int, int]]:
    found = [fault.location for fault in faults(*texts)]
    return [(place.file, place.line, place.column) for place in found if place is not None]


def test_faults_of_every_stage_come_together_in_file_order() -> None:
    first = "type A @table {\n  id: ID! @id\n  bs: [B!]!\n  x: Strng\n  y: Int @default(value: true)\n}"
    second = "type B @tabel { n: Int }\ntype B @table @allow(rol: user) { id: ID! @id }"
    assert places(first, second) == [
        ("a.graphql", 4, 6),
        ("a.graphql", 5, 26),
        ("b.graphql", 1, 8),
        ("b.graphql", 2, 6),
    ]


def test_syntax_errors_of_several_files_are_all_reported() -> None:
    found = faults("type A {", "type B { a: Int }", "type C {\n  a: \n}\n")
    assert [(fault.location.file, fault.location.line) for fault in found if fault.location] == [
        ("a.graphql", 1),
        ("c.graphql", 3),
    ]
    assert found[1].message == "Expected Name, found '}'"
    assert found[1].source == "}"


def test_an_error_prints_line_caret_and_hint() -> None:
    with pytest.raises(SchemaError) as raised:
        parse_model(Source("type A @table {\n\tid: ID! @idd\n}", "graphql/a.graphql"))
    assert str(raised.value) == (
        "graphql/a.graphql:2:10: error: unknown directive @idd\n"
        " 2 | \tid: ID! @idd\n"
        "   | \t        ^^^^\n"
        '  hint: did you mean "@id"?\n'
        "\n"
        "1 error."
    )


def test_a_fault_in_a_file_with_windows_line_ends_is_at_its_line() -> None:
    (fault,) = faults("type A @table {\r\n  id: ID! @id\r\n  b: Strng\r\n}\r\n")
    assert (fault.location and fault.location.line, fault.source, fault.length) == (3, "  b: Strng", 5)


def test_a_fault_after_unicode_text_is_counted_in_characters() -> None:
    (fault,) = faults('"Ünïcödé \u2028 🎉"\ntype A @table { "é" id: ID! @id b: Strng }')
    assert (fault.location and (fault.location.line, fault.location.column)) == (2, 36)


def test_a_broken_type_directive_brings_no_followers() -> None:
    assert len(faults("type A @table(nam: 1) { id: ID! @id bs: [B!]! }\ntype B @table { id: ID! @id a: A! }")) == 1
