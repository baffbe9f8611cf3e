"""Who is the same viewer to cursors: by id, role set and the claims that rules name, not by the token."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import Source

from clew import Viewer
from clew.access.types import Identity
from clew.database.pool import Pool
from clew.engine import Engine
from clew.model.build import parse_model
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from tests.properties.database import LIMITS

SDL = """
type Note @table
  @allow(role: anon, where: {public: true})
  @allow(role: user, where: {teamId: {in: "$auth.teams"}})
  @allow(role: clerk, where: {office: "$auth.office.id"})
  @guard(to: UPDATE, where: {office: "$auth.desk"}, bindsAdmin: true)
{ id: Int! @id  public: Boolean!  teamId: Int!  office: String }
"""
MODEL = parse_model(Source(SDL, "schema.graphql"))


async def identity(viewer: Viewer) -> bytes:
    """By an engine of its own, without a database: another process gives the same."""
    pool = Pool("postgresql://nobody@localhost:1/nothing", size=1, application_name="clew-none")
    engine = Engine(MODEL, build_schema(MODEL), build_tables(MODEL), pool, LIMITS)
    claims = (await engine.open(viewer)).claims
    found: bytes = claims[Identity()]
    return found


def user(sub: str | None = "1", *roles: str, **claims: Any) -> Viewer:
    return Viewer(sub, frozenset({"anon", "user", *roles}), {"teams": [1, 2], "sub": sub, **claims})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (user(), user(exp=1, jti="x", name="Ann")),
        (user(), user("1", "visitor")),
        (user(), user(teams=[2, 1])),
        (user(), user(teams=["1", 2, 2])),
        (user(), user(office={"id": "a"})),
        (user(), user(teams=[1, 2], office=None)),
        (user("1", "clerk", office={"id": "a"}), user("1", "clerk", office={"id": "a", "name": "b"})),
        (user("1", "clerk"), user("1", "clerk", office="a", desk=None)),
        (Viewer(roles=frozenset({"anon"})), Viewer(roles=frozenset({"anon", "visitor"}), claims={"teams": [1]})),
        (Viewer.admin(), Viewer("7", frozenset({"admin", "user"}), {"teams": [1]})),
        # An admin who looks through these eyes.
        (user(), Viewer.seen_as({"user"}, {"sub": "1", "teams": [1, 2]})),
    ],
)
async def test_the_same_viewer(one: Viewer, other: Viewer) -> None:
    assert await identity(one) == await identity(other)
    assert len(await identity(one)) == 32


@pytest.mark.anyio
async def test_other_viewers() -> None:
    viewers = [
        Viewer(roles=frozenset({"anon"})),
        Viewer.admin(),
        Viewer("7", frozenset({"admin"}), {"desk": "a"}),
        Viewer("7", frozenset({"admin"}), {"desk": "b"}),
        Viewer("1", frozenset({"anon"})),
        user(),
        user("2"),
        user(None),
        user(""),
        user(teams=[1]),
        user(teams=[12]),
        user(teams=None),
        user(desk="a"),
        user("1", "clerk"),
        user("1", "clerk", office={"id": "a"}),
        user("1", "clerk", office={"id": "b"}),
        user("1", "clerk", office={"id": "a"}, desk="b"),
        user("1", "clerk", office={"id": "b"}, desk="a"),
    ]
    assert len({await identity(viewer) for viewer in viewers}) == len(viewers)
