"""Why a rule counts for a viewer or does not, where the viewer's id is what decides. No database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from graphql import OperationDefinitionNode, Source, parse

from clew.access.visible import Access
from clew.document.limits import Limits
from clew.engine.rule_report import report_rules
from clew.model.build import parse_model
from clew.plan.read import plan_query
from clew.schema.build import build_schema
from clew.schema.roles import roles_of
from clew.sql.arguments import usable_claims
from clew.viewer import Viewer

SDL = """
type Account @table
  @allow(role: user, where: {id: "$auth.sub"})
  @allow(role: [editor, auditor], where: {team: {in: "$auth.company.teams"}, id: {gt: "$auth.company.least"}}) {
  id: Int! @id
  team: Int!
}
"""


def why(*roles: str, **claims: Any) -> list[tuple[bool, str]]:
    model = parse_model(Source(SDL, "app.graphql"))
    access, viewer = Access(model), Viewer.seen_as(roles, claims)
    role = roles_of(viewer, access.rules.roles())
    usable = usable_claims(access.rules.claims(role.roles), {**viewer.claims, "sub": viewer.id})
    sight = replace(role, usable=frozenset(usable))
    (operation,) = parse("{ accounts { id } }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    plan = plan_query(access, build_schema(model), operation, {}, {}, sight, Limits())
    return [(rule.applies, rule.why) for rule in report_rules(access, plan, sight, viewer)[0]]


@pytest.mark.parametrize(
    ("sub", "applies", "reason"),
    [
        ("7", True, "role user is held"),
        # A whole number is the text that a token has for it; another number is no subject.
        (7, True, "role user is held"),
        (7.5, False, "claim sub does not fit Int (integer)"),
        ("x", False, "claim sub does not fit Int (integer)"),
        (None, False, "claim sub is null"),
    ],
)
def test_the_id_is_text(sub: Any, applies: bool, reason: str) -> None:
    assert why("user", sub=sub)[0] == (applies, reason)


def test_every_claim_that_is_missing_is_named() -> None:
    assert why("user")[1] == (False, "roles editor, auditor are not held")
    assert why("editor")[1] == (False, "claim company.least is absent, claim company.teams is absent")
    assert why("editor", company={"teams": 1, "least": "x"})[1] == (
        False,
        "claim company.least does not fit Int (integer)",
    )
    assert why("editor", "auditor", company={"teams": [1], "least": "2"})[1] == (
        True,
        "roles editor, auditor are held",
    )
