"""The cost of a query: rows of its lists, nested ones multiplied."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, Source, parse, validate

from clew.access.visible import Access, Sight
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


def planned(document: str, variables: dict[str, Any], page: int = 100) -> ReadPlan:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    (operation,) = (node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    return plan_query(Access(MODEL), SCHEMA, operation, fragments, variables, SIGHT, Limits(page=page))


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
    assert largest_cost(planned(document, {}, page)) == sum(page**power for power in range(1, 11))
