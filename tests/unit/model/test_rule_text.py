"""Rules as people read them."""

from __future__ import annotations

import pytest
from graphql import Source

from clew.model.build import parse_model
from clew.model.rule_text import conjuncts, rules_of, rules_of_admin

SDL = """
type User @table @is(name: "me", where: {{id: "$auth.sub"}}) {{
  id: ID! @id
  posts: [Post!]!
}}

type Post
  @table
  @is(name: "mine", where: {{author: {{is: "me"}}}})
  {directives} {{
  id: ID! @id
  title: String
  age: Int
  public: Boolean
  author: User
  tags: [String!]
}}
"""


def texts(directives: str, *roles: str) -> list[str]:
    model = parse_model(Source(SDL.format(directives=directives), "app.graphql"))
    return [str(rule) for rule in (rules_of(model, frozenset(roles)) if roles else rules_of_admin(model))]


def text_on_user(where: str) -> str:
    rule = f"type User @table @allow(role: user, where: {where})"
    model = parse_model(Source(SDL.format(directives="").replace("type User @table", rule), "app.graphql"))
    (text,) = [rule.text for rule in rules_of(model, frozenset({"user"}))]
    return text


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ('{is: "me"}', '{id: "$auth.sub"}'),
        (
            '{posts: {none: {is: "mine"}, some: {title: "x"}}}',
            '{posts: {none: {author: {id: "$auth.sub"}}, some: {title: "x"}}}',
        ),
        ('{not: {posts: {every: {is: "mine"}}}}', '{not: {posts: {every: {author: {id: "$auth.sub"}}}}}'),
        ('{or: [{is: "me"}, {id: "x"}]}', '{or: [{id: "$auth.sub"}, {id: "x"}]}'),
        (
            '{exists: {Post: {is: "mine"}, User: {}}, or: [{exists: [{User: {is: "me"}}]}]}',
            '{exists: {Post: {author: {id: "$auth.sub"}}, User: {}}, or: [{exists: [{User: {id: "$auth.sub"}}]}]}',
        ),
        # Both say something of the same field: neither may be lost.
        ('{is: "me", id: {neq: "x"}}', '{and: [{id: "$auth.sub"}, {id: {neq: "x"}}]}'),
        (
            '{postsAggregate: {count: {gt: 1}, where: {is: "mine"}}}',
            '{postsAggregate: {count: {gt: 1}, where: {author: {id: "$auth.sub"}}}}',
        ),
    ],
)
def test_named_conditions_are_spelled_out(where: str, meant: str) -> None:
    assert text_on_user(where) == f"READ, where {meant}"


def test_each_entity_that_is_asked_about_is_a_part_of_a_condition() -> None:
    model = parse_model(Source(SDL.format(directives=""), "app.graphql"))
    where = {"exists": [{"Post": {"is": "mine"}, "User": {}}, {"User": {"id": "x"}}]}
    assert list(conjuncts(model, model.entity("Post"), where)) == [
        ({"exists": {"Post": {"is": "mine"}}}, '{exists: {Post: {author: {id: "$auth.sub"}}}}'),
        ({"exists": {"User": {}}}, "{exists: {User: {}}}"),
        ({"exists": {"User": {"id": "x"}}}, '{exists: {User: {id: "x"}}}'),
    ]


def test_constants_are_written_as_in_sdl() -> None:
    (text,) = texts('@allow(role: user, where: {title: "a\\"\\nb", age: {in: [1, 2]}, public: true})', "user")
    assert text == 'rows of Post: READ, where {title: "a\\"\\nb", age: {in: [1, 2]}, public: true}'


def test_operations_fields_checks_and_limits_are_told() -> None:
    directives = (
        "@allow(role: user, to: [UPDATE, CREATE], check: {age: 1}, fields: [title, age]) "
        "@allow(role: [user, editor], to: ALL, limit: 5)"
    )
    assert texts(directives, "user") == [
        "rows of Post: CREATE UPDATE, every row, check {age: 1}, fields [age, title]",
        "rows of Post: ALL, every row, limit 5",
    ]
    assert texts(directives, "editor", "anon") == ["rows of Post: ALL, every row, limit 5"]
    assert texts(directives, "anon") == []


def test_guards_are_told_to_those_whom_a_rule_lets_in_and_to_admins_whom_they_bind() -> None:
    directives = (
        "@allow(role: user) @guard(to: READ, where: {public: true}) "
        "@guard(to: UPDATE, where: {public: false}, bindsAdmin: true)"
    )
    binding = "guard on Post: UPDATE, where {public: false}, binds admin"
    assert texts(directives, "user") == [
        "rows of Post: READ, every row",
        "guard on Post: READ, where {public: true}",
        binding,
    ]
    assert texts(directives, "anon") == []
    assert texts(directives) == [binding]
