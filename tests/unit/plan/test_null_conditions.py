"""A null in place of a condition is refused, and the hint names only what that place has."""

from __future__ import annotations

import pytest
from graphql import OperationDefinitionNode, Source, parse, validate

from clew.access.sight import ADMIN
from clew.access.visible import Access
from clew.document.limits import Limits
from clew.errors import ClewError
from clew.model.build import parse_model
from clew.plan.read import plan_query
from clew.schema.build import build_schema

MODEL = parse_model(
    Source(
        """
        type Team @table { id: Int! @id  data: JSON  users: [User!]! }
        type User @table { id: Int! @id  team: Team!  badge: Badge @relation(from: user) }
        type Badge @table { id: Int! @id  user: User! @unique }
        """,
        "nulls.graphql",
    )
)
SCHEMA = build_schema(MODEL)


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("{teamId: null}", "Leave it out, or use isNull: true."),
        ("{id: {eq: null}}", "Leave it out, or use isNull: true."),
        ("{team: {data: {path: [{at: [a], eq: null}]}}}".replace("[a]", '["a"]'), "Leave it out, or use isNull: true."),
        ("{team: null}", "Leave it out, or write {not: {team: {}}} for rows without one."),
        ("{badge: null}", "Leave it out, or write {not: {badge: {}}} for rows without one."),
        ("{team: {users: null}}", "Leave it out, or write {users: {none: {}}} for rows without one."),
        ("{team: {usersAggregate: null}}", "Leave it out."),
        ("{and: null}", "Leave it out."),
        ("{not: null}", "Leave it out."),
    ],
)
def test_the_hint_for_a_null_names_only_what_the_place_has(where: str, hint: str) -> None:
    document = parse(f"{{ users(where: {where}) {{ id }} }}")
    assert validate(SCHEMA, document) == []
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    with pytest.raises(ClewError) as refused:
        plan_query(Access(MODEL), SCHEMA, operation, {}, {}, ADMIN, Limits())
    assert refused.value.hint == hint
    # What it names to write instead is valid there.
    if "write" in hint:
        instead = hint.partition("write ")[2].partition(" for")[0]
        name = where.rpartition("{")[2].partition(":")[0]
        valid = parse(f"{{ users(where: {where.replace(f'{{{name}: null}}', instead)}) {{ id }} }}")
        assert validate(SCHEMA, valid) == []
