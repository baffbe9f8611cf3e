"""What every role sees, as one text, and the differences between two of them."""

from __future__ import annotations

import re

import pytest
from graphql import (
    GraphQLSyntaxError,
    Source,
    build_schema,
    lexicographic_sort_schema,
    parse,
    print_schema,
)

from clew.model.build import parse_model
from clew.schema import build
from clew.schema.role_file import all_roles, compare, read_roles
from clew.schema.roles import schema_of
from clew.viewer import Viewer

SDL = '''
type User @table @is(name: "me", where: {id: "$auth.sub"}) {
  id: ID! @id
  name: String!
}

"""
# role: fake
# rows of Post: READ, every row
"""
type Post
  @table
  @is(name: "mine", where: {author: {is: "me"}, title: {neq: "x"}})
  @allow(role: anon, where: {status: PUBLIC}, fields: [id, title], limit: 20)
  @allow(role: [user, editor], to: [READ, UPDATE], where: {is: "mine", title: {neq: "y"}}, check: {status: DRAFT}) {
  id: ID! @id
  title: String!
  status: Status! @default(value: DRAFT)
  author: User!
  notes: String @allow(role: editor)
}

enum Status { DRAFT PUBLIC }

extend type Query {
  ping(times: Int = 1): String! @allow(role: anon)
}
'''


def text(sdl: str = SDL) -> str:
    model = parse_model(Source(sdl, "app.graphql"))
    return all_roles(model, build.build_schema(model))


def differences(*changes: tuple[str, str], sdl: str = SDL) -> dict[str, list[str]]:
    """What each role sees otherwise after these replacements."""
    after = sdl
    for old, new in changes:
        assert old in after
        after = after.replace(old, new)
    found = compare(read_roles(text(sdl)), read_roles(text(after)))
    return {role: list(changes.lines) for role, changes in found.items() if changes}


# --- the text -------------------------------------------------------------------------


def test_there_is_a_section_for_each_role_that_rules_name_and_for_anon_user_and_admin() -> None:
    assert list(read_roles(text())) == ["anon", "user", "editor", "admin"]
    assert list(read_roles(text("type T @table { id: ID! @id }"))) == ["anon", "user", "admin"]


def test_a_section_has_the_types_of_the_roles_schema() -> None:
    model = parse_model(Source(SDL, "app.graphql"))
    full = build.build_schema(model)
    _, *sections = re.split(r"^# role: (?=anon|user|editor|admin)", all_roles(model, full), flags=re.MULTILINE)
    assert len(sections) == 4
    for role, section in (part.split("\n", 1) for part in sections):
        expected = lexicographic_sort_schema(schema_of(model, full, Viewer.seen_as([role])))
        assert print_schema(lexicographic_sort_schema(build_schema(section))) == print_schema(expected)


def test_the_text_is_sdl_and_the_same_each_time() -> None:
    assert parse(text()).definitions
    assert text() == text()


def test_moving_a_type_in_the_schema_changes_nothing() -> None:
    moved = "type Zoo @table @allow(role: anon) { id: ID! @id }\n"
    assert text(SDL + moved) == text(moved + SDL)


def test_rules_say_what_named_conditions_stand_for() -> None:
    rules = read_roles(text())["editor"].rules
    assert rules == {
        "rows of Post": {
            'READ, where {status: "PUBLIC"}, fields [id, title], limit 20',
            'READ UPDATE, where {and: [{author: {id: "$auth.sub"}, title: {neq: "x"}}, {title: {neq: "y"}}]}, '
            'check {status: "DRAFT"}',
        },
        "field Post.notes": {"READ, every row"},
    }
    assert "field Post.notes" not in read_roles(text())["user"].rules
    assert read_roles(text())["admin"].rules == {}


@pytest.mark.parametrize("sdl", ["", "type A { a: Int }", "type A { a: Int }\n# role: anon\ntype B { b: Int }"])
def test_a_text_without_roles_is_refused(sdl: str) -> None:
    with pytest.raises((ValueError, GraphQLSyntaxError)):
        read_roles(sdl)


# --- the differences ------------------------------------------------------------------


def test_the_same_has_no_differences() -> None:
    assert differences() == {}


def test_a_new_field_is_new_to_those_whose_rules_open_it() -> None:
    found = differences(("status: Status!", "extra: Int\n  status: Status!"))
    assert set(found) == {"user", "editor", "admin"}
    assert "+ Mutation.updatePost(inc): PostIncInput" in found["admin"]
    for told in found.values():
        lines = [line for line in told if not line.startswith("+ Mutation.")]
        assert lines[0] == "+ Post.extra: Int"
        assert lines[-1].startswith("  generated types follow: ")
        assert {"IntFilter", "PostFilter"} <= set(lines[-1].replace(",", "").split())
        assert all(line.startswith("+ Post.") for line in lines[:-1])


def test_a_new_type_is_one_line_without_its_parts() -> None:
    found = differences(("enum Status", "type Tag @table @allow(role: user) { id: ID! @id }\nenum Status"))
    lines = [line for line in found["user"] if not line.startswith(("+ Query.", "  generated"))]
    # The live queries come with the queries.
    assert lines == ["+ Subscription.tagChanges: TagChange!", "+ type Tag", "+ rows of Tag: READ, every row"]
    assert {"+ Query.tag: Tag", "+ Query.tags: [Tag!]!"} <= set(found["user"])
    assert set(found) == {"user", "admin"}


def test_what_is_lost_and_what_is_different_is_told_too() -> None:
    found = differences(("DRAFT PUBLIC", "DRAFT PUBLIC OLD"), ("  title: String!", "  title: String"))
    assert found["anon"] == ["~ Post.title: was String!, now String"]
    assert found["user"] == ["+ Status.OLD", "~ Post.title: was String!, now String"]
    found = differences(("times: Int = 1", "times: Int = 2, loud: Boolean"))
    assert found["anon"] == ["+ Query.ping(loud): Boolean", "~ Query.ping(times): was Int = 1, now Int = 2"]
    found = differences(("(times: Int = 1)", ""))
    assert found["anon"] == ["- Query.ping(times): Int = 1"]


def test_what_clew_makes_of_the_schema_is_told_by_name_alone() -> None:
    before, after = text(), text()
    after = after.replace("input IDFilter {", "input IDFilter {\n  new: ID").replace(
        "All given operators", "All the given"
    )
    found = compare(read_roles(before), read_roles(after))
    assert [list(changes.lines) for changes in found.values()] == [["  generated types follow: IDFilter"]] * 4


def test_a_field_that_may_now_be_hidden_is_nullable() -> None:
    found = differences(("  title: String!", '  title: String! @allow(role: anon, where: {title: "x"})'))
    assert "~ Post.title: was String!, now String" in found["anon"]
    assert '+ field Post.title: READ, where {title: "x"}' in found["anon"]


def test_a_change_of_a_rule_is_told_though_the_schema_is_the_same() -> None:
    assert differences(("status: PUBLIC}, fields", "status: DRAFT}, fields")) == {
        role: [
            '~ rows of Post: was READ, where {status: "PUBLIC"}, fields [id, title], limit 20; '
            'now READ, where {status: "DRAFT"}, fields [id, title], limit 20'
        ]
        for role in ("anon", "user", "editor")
    }


def test_a_change_of_a_named_condition_changes_the_rules_that_use_it() -> None:
    found = differences(('where: {id: "$auth.sub"}', 'where: {id: "$auth.id"}'))
    assert set(found) == {"user", "editor"}
    assert [line[:19] for line in found["user"]] == ["~ rows of Post: was"]


def test_rules_added_and_removed_are_lines_of_their_own() -> None:
    rule, public = "  @allow(role: anon", '  @allow(role: anon, where: {title: "x"})'
    found = differences((rule, f"{public}\n{rule}"))
    assert found["user"] == ['+ rows of Post: READ, where {title: "x"}']
    assert '+ rows of Post: READ, where {title: "x"}' in found["anon"]
    assert "+ Post.status: Status" in found["anon"]
    guarded = differences((rule, f'  @guard(where: {{title: {{neq: "z"}}}}, bindsAdmin: true)\n{rule}'))
    assert guarded == {
        role: ['+ guard on Post: ALL, where {title: {neq: "z"}}, binds admin']
        for role in ("anon", "user", "editor", "admin")
    }


def test_a_role_that_is_new_saw_before_what_everybody_sees() -> None:
    found = differences(("  notes: String", "  notes: String @allow(role: auditor)"))
    assert set(found) == {"auditor"}
    assert found["auditor"][:2] == ["+ Post.notes: String", "+ field Post.notes: READ, every row"]


def test_a_role_that_is_gone_sees_what_everybody_does() -> None:
    found = differences(("[user, editor]", "user"), (" @allow(role: editor)", ""))
    assert "- Post.status: Status" in found["editor"]
    assert "- field Post.notes: READ, every row" in found["editor"]
    assert "- Post.title: String!" not in found["editor"]
