"""Subscriptions are planned as queries are, apart from fields that must stand alone."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLObjectType, OperationDefinitionNode, Source, parse

from clew.access.sight import ADMIN, Sight
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.document.prepare import InvalidDocument, prepare
from clew.errors import ClewError, Code
from clew.model.build import parse_model
from clew.plan.cost import check_cost, largest_cost
from clew.plan.read import plan_query
from clew.plan.types import ChangeNode, ReadPlan, RootChanges, RootCustom, RootTypeName, Value
from clew.plan.weight import plan_weight
from clew.schema.build import build_schema

SDL = """
type User @table @allow(role: user) { id: ID! @id  name: String  email: String! @unique  posts: [Post!]! }
type Post @table @allow(role: user, where: {public: true}) @allow(role: editor, fields: [title]) {
  id: ID! @id
  title: String!
  public: Boolean!
  author: User!
}
type Tally @view(sql: "SELECT 1 AS n") @allow(role: user) { n: Int }
extend type Subscription { ticks: Int @allow(role: user)  tocks: Int @allow(role: user) }
"""
MODEL = parse_model(Source(SDL, "live.graphql"))
ACCESS = Access(MODEL)
USER = Sight(admin=False, roles=frozenset({"user"}))
EDITOR = Sight(admin=False, roles=frozenset({"editor"}))
SCHEMA = build_schema(MODEL, ACCESS.openings(USER), ACCESS.custom_fields(USER))
LIMITS = Limits(page=100, nested_page=50)


def planned(document: str, **variables: Any) -> ReadPlan:
    prepared = prepare(SCHEMA, document, None, LIMITS)
    return plan_query(ACCESS, SCHEMA, prepared.operation, prepared.fragments, variables, USER, LIMITS)


def fields(sight: Sight, type_name: str) -> dict[str, str]:
    schema = build_schema(MODEL, ACCESS.openings(sight), ACCESS.custom_fields(sight))
    type_ = schema.type_map.get(type_name)
    assert type_ is None or isinstance(type_, GraphQLObjectType)
    return {} if type_ is None else {name: str(field.type) for name, field in type_.fields.items()}


def test_a_live_query_has_the_plan_of_the_query() -> None:
    selection = (
        "{ u: users(limit: 3, where: {name: {eq: $n}}) { id posts { title } } usersConnection { totalCount }"
        " postsAggregate { count } postsGroups(by: [{title: VALUE}]) { count } tallies { n } user(id: $i) { name }"
        " userByEmail(email: $n) { id } }"
    )
    live = planned(f"subscription ($n: String!, $i: ID!) {selection}", n="a", i="b")
    assert live == planned(f"query ($n: String!, $i: ID!) {selection}", n="a", i="b")
    assert live.reads == live.roots


def test_a_live_query_tells_its_own_type() -> None:
    typename, users = planned("subscription { __typename users { id } }").roots
    assert typename == RootTypeName("__typename", "Subscription")
    assert planned("query { users { id } }").roots == (users,)


def test_change_events_are_judged_by_the_rules_and_by_where() -> None:
    plan = planned(
        "subscription ($t: String) { c: postChanges(where: {title: {eq: $t}}, on: [CREATED], after: $t)"
        " { __typename kind id cursor at one: node { title } node { author { name } } } }",
        t="a",
    )
    (root,) = plan.roots
    assert isinstance(root, RootChanges)
    assert plan.changes is root
    assert plan.reads == ()
    assert root.key == "c"
    assert root.read.rows.visible is ACCESS.visible(MODEL.entity("Post"), USER)
    assert [output.key for output in root.read.output] == ["__typename", "kind", "id", "cursor", "at", "one", "node"]
    assert isinstance(root.read.output[2], Value)
    assert all(isinstance(output, ChangeNode) for output in root.read.output[5:])


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("{ ticks tocks }", "ticks"),
        ("{ ticks again: ticks }", "ticks"),
        ("{ users { id } ticks }", "ticks"),
        ("{ __typename ticks }", "ticks"),
        ("{ postChanges { kind } userChanges { kind } }", "postChanges"),
        ("{ users { id } userChanges { kind } }", "userChanges"),
        ("{ ...F users { id } } fragment F on Subscription { tocks }", "tocks"),
    ],
)
def test_custom_fields_and_change_events_stand_alone(document: str, named: str) -> None:
    with pytest.raises(ClewError, match=f"`{named}` must be the only field of its subscription") as refused:
        planned(f"subscription {document}")
    assert refused.value.code is Code.BAD_USER_INPUT


def test_a_field_that_is_left_out_does_not_count() -> None:
    document = "subscription ($no: Boolean!) { ticks tocks @include(if: $no) users @skip(if: true) { id } }"
    (root,) = planned(document, no=False).roots
    assert isinstance(root, RootCustom)


@pytest.mark.parametrize("document", ["{ __typename }", "{ users @skip(if: true) { id } }"])
def test_a_subscription_without_a_field_that_gives_results_is_refused(document: str) -> None:
    with pytest.raises(ClewError, match="no field that gives results"):
        planned(f"subscription {document}")


@pytest.mark.parametrize(
    "document", ["{ viewer { id } }", "{ __schema { types { name } } }", "{ talliesChanges { kind } }"]
)
def test_what_is_not_live_is_unknown_to_subscriptions(document: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        planned(f"subscription {document}")
    assert refused.value.code is Code.GRAPHQL_VALIDATION_FAILED


def test_the_node_of_a_change_event_counts_towards_limits() -> None:
    document = "subscription { userChanges { node { posts(limit: 40) { id author { name } } } } }"
    plan = planned(document)
    assert largest_cost(plan) == 40
    with pytest.raises(ClewError, match="at most 39 are allowed") as refused:
        check_cost(plan, {}, 39)
    assert refused.value.hint is not None
    assert "`userChanges.node.posts(limit: 39)`" in refused.value.hint
    assert plan_weight(plan).conditions > plan_weight(planned("subscription { userChanges { kind } }")).conditions
    assert plan_weight(planned('subscription { postChanges(where: {title: {eq: "a"}}) { kind } }')).conditions == 4


def test_a_role_has_the_change_events_that_its_rules_open() -> None:
    assert fields(USER, "PostChange") == {
        "kind": "ChangeKind!",
        "id": "ID",
        "node": "Post",
        "cursor": "String!",
        "at": "DateTime!",
    }
    assert "id" not in fields(EDITOR, "PostChange")
    assert {"posts", "postChanges"} <= fields(EDITOR, "Subscription").keys()
    assert not {"ticks", "users", "userChanges", "post"} & fields(EDITOR, "Subscription").keys()
    assert {"ticks", "tallies", "userByEmail"} <= fields(USER, "Subscription").keys()
    assert not {"viewer", "tallyChanges"} & fields(ADMIN, "Subscription").keys()
    assert fields(Sight(admin=False, roles=frozenset({"anon"})), "Subscription") == {}
    assert fields(Sight(admin=False, roles=frozenset({"anon"})), "PostChange") == {}


def test_a_live_field_has_the_type_and_arguments_of_the_query() -> None:
    assert SCHEMA.query_type is not None
    assert SCHEMA.subscription_type is not None
    for name, live in SCHEMA.subscription_type.fields.items():
        if name in MODEL.live_fields:
            query = SCHEMA.query_type.fields[name]
            assert str(live.type) == str(query.type)
            assert {key: str(given.type) for key, given in live.args.items()} == {
                key: str(given.type) for key, given in query.args.items()
            }


def test_every_operation_of_a_document_is_planned_by_its_kind() -> None:
    document = "query Q { users { id } viewer { id } } subscription S { users { id } }"
    kinds = [node.operation.value for node in parse(document).definitions if isinstance(node, OperationDefinitionNode)]
    assert kinds == ["query", "subscription"]
    for name, roots in (("Q", 2), ("S", 1)):
        prepared = prepare(SCHEMA, document, name, LIMITS)
        plan = plan_query(ACCESS, SCHEMA, prepared.operation, prepared.fragments, {}, USER, LIMITS)
        assert len(plan.roots) == roots
