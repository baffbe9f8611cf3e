"""How many conditions a statement comes to, those of the rules included."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, Source, parse, validate

from clew.access.sight import Sight
from clew.access.types import Claim
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.errors import ClewError, Code
from clew.model.build import parse_model
from clew.model.types import ValueType
from clew.plan.read import plan_query
from clew.plan.types import ReadPlan
from clew.plan.weight import BudgetError, Weight, check_weight, plan_weight
from clew.schema.build import build_schema

# A team is visible by 2 conditions, its members' list and its budget are open by 2 more; a user by 1.
MODEL = parse_model(
    Source(
        """
        type Team @table
          @allow(role: anon, where: {open: true}, fields: [id, name])
          @allow(role: anon, where: {ownerId: "$auth.sub"}) {
          id: Int! @id  name: String!  open: Boolean!  budget: Int  ownerId: Int!  members: [User!]!
        }
        type User @table @allow(role: anon, where: {hidden: false}) {
          id: Int! @id  hidden: Boolean!  team: Team!
        }
        type Room @table @allow(role: anon, where: {exists: {Team: {open: true, ownerId: "$auth.sub"}, User: {}}}) {
          id: Int! @id
        }
        """,
        "conditions.graphql",
    )
)
SCHEMA = build_schema(MODEL)
SUB = Claim(("sub",), ValueType("Int", "integer"))
SIGHT = Sight(admin=False, roles=frozenset({"anon"}), usable=frozenset({SUB}))


def planned(document: str, variables: dict[str, Any] | None = None, **limits: Any) -> ReadPlan:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    (operation,) = (node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    budget = limits.pop("budget", None)
    return plan_query(
        Access(MODEL), SCHEMA, operation, fragments, variables or {}, SIGHT, Limits(page=100, **limits), budget
    )


@pytest.mark.parametrize(
    ("document", "conditions"),
    [
        ("{ __typename }", 0),
        # 2 of the rules, 1 key to order by.
        ("{ teams { id name } }", 3),
        ("{ teams { id budget } }", 4),
        ("{ teams(where: {id: {eq: 1}}) { id } }", 4),
        ("{ teams(where: {id: {in: [1, 2, 3]}}) { id } }", 4),
        ("{ teams(where: {budget: {gt: 1}}) { id } }", 5),
        ("{ teams(where: {budget: {gt: 1, lt: 5}}) { id } }", 7),
        ("{ teams(where: {or: [{}, {}, {not: {}}]}) { id } }", 6),
        # A step is 1, the mask of the list 1, users 1, and what is asked of them.
        ("{ teams(where: {members: {some: {}}}) { id } }", 6),
        ("{ teams(where: {members: {some: {id: {eq: 1}}, none: {id: {eq: 2}}}}) { id } }", 11),
        ("{ users(where: {team: {budget: {gt: 1}}}) { id } }", 2 + 1 + 2 + 2),
        ("{ teams(where: {membersAggregate: {count: {gt: 1}}}) { id } }", 3 + 1 + 1 + 1 + 1 + 1),
        ("{ teams(orderBy: [{budget: ASC}]) { id } }", 5),
        ("{ users(orderBy: [{team: {budget: ASC}}]) { id } }", 2 + 1 + 1 + 2 + 1),
        ("{ teams(orderBy: [{membersAggregate: {count: ASC}}]) { id } }", 3 + 1 + 1 + 1),
        ("{ teams { members { id } } }", 3 + 1 + 1 + 2),
        ("{ users { team { id } } }", 2 + 1 + 2),
        ("{ teamsAggregate { count sum { budget } } }", 2 + 1),
        ("{ teamsGroups(by: [{budget: VALUE}]) { count } }", 2 + 1 + 1),
        ("{ teamsConnection { nodes { id } } }", 3),
        ("{ teamsConnection { totalCount again: totalCount } }", 3 + 2 * 3),
        # The example of docs/limits.md: the rule is 1, and a cursor counts both keys of the order again.
        ('{ usersConnection(after: "0.a", orderBy: [{hidden: ASC}]) { nodes { id } } }', 5),
        (
            '{ usersConnection(after: "0.a", orderBy: [{hidden: ASC}]) { nodes { id } pageInfo { hasNextPage } } }',
            5 + 1 + 1 + 2 * 2,
        ),
        ("{ team(id: 1) { id } }", 3),
        # An entity that is asked about is 1, and what is asked of it.
        ("{ rooms { id } }", 1 + 2 + 1 + 1),
        ("{ a: teams { id } b: teams { id } ...F } fragment F on Query { c: teams { id } }", 9),
    ],
)
def test_every_place_counts_with_the_rules_that_it_meets(document: str, conditions: int) -> None:
    assert plan_weight(planned(document)).conditions == conditions


def test_a_thousand_conditions_under_a_mask_are_counted_in_linear_time() -> None:
    where = {"or": [{"budget": {"eq": 1}}] * 1000}
    assert plan_weight(planned("query ($w: TeamFilter) { teams(where: $w) { id } }", {"w": where})).conditions == 2003


def test_what_a_variable_asks_counts_wherever_it_is_used_before_it_is_planned() -> None:
    document = "query ($w: TeamFilter) {" + " ".join(f"a{n}: teams(where: $w) {{ id }}" for n in range(50)) + "}"
    where = {"or": [{"id": {"eq": 1}}] * 10}
    planned(document, {"w": where}, conditions=500)
    with pytest.raises(ClewError) as refused:
        planned(document, {"w": where}, conditions=499)
    assert refused.value.code is Code.LIMIT_EXCEEDED
    assert "at most 499 conditions" in refused.value.message


def test_planning_stops_at_its_budget() -> None:
    planned("{ teams { id name budget } }", budget=4)
    for document in ("{ teams { id name budget ownerId } }", "{ teams(where: {id: {gt: 1, lt: 3, neq: 2}}) { id } }"):
        with pytest.raises(BudgetError):
            planned(document, budget=4)


def test_what_is_above_the_limit_is_refused_whatever_the_budget() -> None:
    check_weight(Weight(5, 5), 5, 10)
    check_weight(Weight(5, 5), None, None)
    with pytest.raises(BudgetError):
        check_weight(Weight(5, 5), 5, 9)
    for budget in (None, 1, 100):
        with pytest.raises(ClewError):
            check_weight(Weight(6), 5, budget)
