"""What is remembered of a viewer, whose token may be used for as long as it holds."""

from __future__ import annotations

import gc
import weakref

import pytest
from graphql import Source

from clew import Viewer
from clew.database.pool import Pool
from clew.engine import Engine, engine
from clew.model.build import parse_model
from clew.schema.build import build_schema
from clew.sql.tables import build_tables
from tests.properties.database import LIMITS

SDL = """
type Note @table
  @allow(role: reader, where: {owner: "$auth.sub"})
  @allow(role: writer, where: {owner: "$auth.org"})
{ id: ID! @id  owner: String }
"""


def make_engine() -> Engine:
    """One without a database: nothing is run."""
    model = parse_model(Source(SDL, "schema.graphql"))
    pool = Pool("postgresql://nobody@localhost:1/nothing", size=1, application_name="clew-none")
    return Engine(model, build_schema(model), build_tables(model), pool, LIMITS)


@pytest.mark.anyio
async def test_a_viewer_keeps_no_schema_and_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_ROLE_SETS", 1)
    running = make_engine()
    viewers = [Viewer("1", frozenset({role}), {"org": "x"}) for role in ("reader", "writer")]
    schemas = []
    for viewer in viewers:
        role = await running.role(viewer)
        assert await running.role(viewer) is role
        assert (await running.open(viewer)).sight is (await running.open(viewer)).sight
        schemas.append(weakref.ref(role.schema))
        del role
    gc.collect()
    # Only the last role set is kept.
    assert [schema() is not None for schema in schemas] == [False, True]
    kept = weakref.ref(running)
    del running
    gc.collect()
    assert kept() is None


@pytest.mark.anyio
async def test_a_role_set_in_use_is_not_the_one_that_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_ROLE_SETS", 2)
    running = make_engine()
    used, others = Viewer("1", frozenset({"reader"})), (frozenset({"writer"}), frozenset({"reader", "writer"}))
    role = await running.role(used)
    for roles in others:
        await running.role(Viewer("2", roles))
        assert await running.role(used) is role
    assert await running.role(Viewer("3", frozenset({"reader"}))) is role
