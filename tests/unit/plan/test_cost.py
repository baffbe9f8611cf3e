"""The cost of a query: rows of its lists, nested ones multiplied."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, Source, parse, validate

from clew.access.sight import Sight
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.errors import ClewError, Code
from clew.model.build import parse_model
from clew.plan.cost import check_cost, largest_cost
from clew.plan.read import plan_query
from clew.plan.types import ReadPlan
from clew.schema.build import build_schema

MODEL = parse_model(
    Source(
        """
        type Team @table @allow(role: anon) { id: Int! @id  users: [User!]! }
        type User @table @allow(role: anon) { id: Int! @id  team: Team!  posts: [Post!]!  boss: User }
        type Post @table @allow(role: anon, limit: 20) { id: Int! @id  user: User! }
        """,
        "cost.graphql",
    )
)
SCHEMA = build_schema(MODEL)
SIGHT = Sight(admin=False, roles=frozenset({"anon"}))


def planned(document: str, variables: dict[str, Any], page: int = 100, nested_page: int = 50) -> ReadPlan:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    (operation,) = (node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    return plan_query(
        Access(MODEL), SCHEMA, operation, fragments, variables, SIGHT, Limits(page=page, nested_page=nested_page)
    )


@pytest.mark.parametrize(
    ("document", "cost"),
    [
        ("{ __typename viewer { id } user(id: 1) { id team { id } } }", 0),
        ("{ users { id } }", 100),
        ("{ users(limit: 7) { id } }", 7),
        ("{ users(limit: 0) { posts { id } } }", 0),
        ("{ users(limit: null) { id } }", 100),
        ("{ users(limit: 7, offset: 1000) { id } }", 7),
        ("{ posts { id } }", 20),
        ("{ users { team { users { id } } } }", 100 + 100 * 50),
        ("{ users(limit: 2) { posts { id } team { users(limit: 60) { id } } } }", 2 + 2 * 20 + 2 * 60),
        ("{ team(id: 1) { users { id } a: usersConnection { nodes { id } } } }", 50 + 50),
        ("{ users(limit: 7) { team { id } boss { team { id } } } }", 7),
        ("{ users(limit: 7) { boss { posts(limit: 3) { id } } } }", 7 + 21),
        ("{ user(id: 1) { posts(limit: 3) { user { posts(limit: 2) { id } } } } }", 3 + 6),
        ("{ teams(limit: 2) { users(limit: 3) { posts(limit: 5) { id } } } }", 2 + 6 + 30),
        ("{ a: users(limit: 7) { id } b: users(limit: 7) { id } }", 14),
        ("{ users(limit: 2) { a: posts(limit: 5) { id } b: posts(limit: 5) { id } } }", 2 + 20),
        ("{ users(limit: 2) { posts(limit: 5) { id } } users(limit: 2) { posts(limit: 5) { user { id } } } }", 12),
        ("{ users(limit: 2) { ...P ...P } } fragment P on User { posts(limit: 5) { id } }", 12),
        ("{ users(limit: 2) { posts(limit: 5) @skip(if: true) { id } id } }", 2),
    ],
)
def test_the_cost_is_the_sum_of_the_lists_each_times_those_around_it(document: str, cost: int) -> None:
    plan = planned(document, {})
    assert largest_cost(plan) == cost
    check_cost(plan, {}, cost)
    if cost:
        with pytest.raises(ClewError, match=f"may return {cost} rows: at most {cost - 1} are"):
            check_cost(plan, {}, cost - 1)


@pytest.mark.parametrize(
    ("value", "cost"), [(7, 7 + 7 * 20), (0, 0), (100, 100 + 2000), (101, 2100), (2**31, 2100), (-1, 0), (-(2**31), 0)]
)
def test_a_variable_counts_by_its_value_within_its_bounds(value: int, cost: int) -> None:
    plan = planned("query ($n: Int) { users(limit: $n) { posts { id } } }", {"n": 10})
    assert largest_cost(plan) == 2100
    check_cost(plan, {"n": value}, cost)
    if cost:
        with pytest.raises(ClewError) as refused:
            check_cost(plan, {"n": value}, cost - 1)
        assert (refused.value.code, refused.value.hint is not None) == (Code.LIMIT_EXCEEDED, True)


def test_a_cost_beyond_what_machines_count_is_exact() -> None:
    page = 2**31 - 1
    document = "{ teams " + "{ users { team " * 9 + "{ id }" + "} }" * 9 + "}"
    assert largest_cost(planned(document, {}, page, page)) == sum(page**power for power in range(1, 11))


def refusal(document: str, most: int, variables: dict[str, Any] | None = None) -> str:
    """Return the hint of the refusal."""
    with pytest.raises(ClewError) as refused:
        check_cost(planned(document, variables or {}), variables or {}, most)
    assert refused.value.hint is not None
    return refused.value.hint


def test_three_levels_of_lists_without_a_limit_fit_into_the_default_cost() -> None:
    limits = Limits()
    assert (limits.page, limits.nested_page, limits.cost) == (1000, 100, 25_000_000)
    chain = "{ teams { users { team { users { id } } } } }"
    plan = planned(chain, {}, 1000, 100)
    assert largest_cost(plan) == 1000 + 1000 * 100 + 1000 * 100 * 100 == 10_101_000
    # A second list at the third level, and one of at most 20 rows.
    wide = "{ teams { users { team { users { id } all: users { id } } posts { id } } } }"
    plan = planned(wide, {}, 1000, 100)
    assert largest_cost(plan) == 10_101_000 + 10_000_000 + 2_000_000 < 25_000_000


@pytest.mark.parametrize(
    ("document", "most", "cure"),
    [
        ("{ users { id } }", 99, "`users(limit: 99)`"),
        ("{ teams { users { id } } }", 200, "`teams(limit: 13)`, `teams.users(limit: 13)`"),
        # A list that is small enough is not named.
        (
            "{ teams(limit: 3) { all: users { posts { id } } } }",
            150,
            "`teams.all(limit: 6)`, `teams.all.posts(limit: 6)`",
        ),
        (
            "{ a: usersConnection { edges { node { team { usersConnection(last: 50) { nodes { id } } } } } } }",
            110,
            "`a(first: 10)`, `a.edges.node.team.usersConnection(last: 10)`",
        ),
        (
            "{ usersConnection { nodes { posts { id } } } }",
            12,
            "`usersConnection(first: 3)`, `usersConnection.nodes.posts(limit: 3)`",
        ),
        ("{ user(id: 1) { team { users { id } } } }", 49, "`user.team.users(limit: 49)`"),
        ("{ usersGroups(by: [{id: VALUE}]) { count } usersAggregate { count } }", 8, "`usersGroups(limit: 7)`"),
    ],
)
def test_the_refusal_names_the_lists_to_limit_and_the_largest_number_that_fits(
    document: str, most: int, cure: str
) -> None:
    assert refusal(document, most) == f"Nested lists multiply. This would fit: {cure}."


def test_the_cure_counts_a_variable_by_its_value() -> None:
    document = "query ($n: Int) { users(limit: $n) { posts { id } } }"
    cure = "`users(limit: 9)`, `users.posts(limit: 9)`"
    assert refusal(document, 99, {"n": 50}) == f"Nested lists multiply. This would fit: {cure}."


def test_a_cure_that_is_followed_is_accepted_and_one_more_row_is_not() -> None:
    document = "{{ teams(limit: {0}) {{ users(limit: {0}) {{ posts(limit: {0}) {{ id }} }} }} }}"
    assert "(limit: 13)`" in refusal(document.format(20), 2500)
    check_cost(planned(document.format(13), {}), {}, 2500)
    with pytest.raises(ClewError):
        check_cost(planned(document.format(14), {}), {}, 2500)


def test_a_refusal_that_no_limit_cures_says_so_and_a_long_list_of_lists_is_cut() -> None:
    many = "{ " + " ".join(f"a{index}: users {{ id }}" for index in range(14)) + " }"
    assert refusal(many, 13) == "Nested lists multiply. Ask for fewer lists."
    assert refusal(many, 14).endswith("`a9(limit: 1)`, 4 more with the same number.")
    aggregates = "{ a: usersAggregate { count } b: usersAggregate { count } }"
    assert refusal(aggregates, 1) == "Nested lists multiply. Ask for fewer lists."
