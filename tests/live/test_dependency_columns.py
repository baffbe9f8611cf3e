"""Whatever a statement reads, its live query depends on: by random models, rules and queries.

The statement's text is the second opinion. A column that it mentions, and that the dependencies lack, is a change that
a live query would miss.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clew.document.limits import RoleLimits
from clew.document.prepare import InvalidDocument
from clew.engine import Engine, Request
from clew.errors import ClewError
from clew.plan.dependencies import plan_dependencies
from clew.sql.tables import build_tables
from clew.viewer import Viewer
from tests.access.rules import ruled_model
from tests.access.test_masked_reads import open_model
from tests.depth import examples, seeds
from tests.live.chat import SDL
from tests.live.mentioned import mentioned, missed
from tests.live.test_dependencies import engine_of
from tests.properties.database import LIMITS, World, make_world
from tests.properties.models import make_case, with_unique_keys
from tests.properties.operations import Source, answered, operations

EXAMPLES = examples(96)
EACH, OPERATIONS = 8, 4
# Where no rule opens a row or a field. Nothing is read there, and the statement still names it.
NOWHERE = re.compile(r"\b(WHERE|AND|WHEN) \(?false\b")
UNPAGED = RoleLimits(replace(LIMITS.default, page=2**31))


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH * OPERATIONS))
def test_a_live_query_depends_on_every_column_that_it_reads(seed: int, postgres_url: str) -> None:
    case = with_unique_keys(make_case(seed))
    with make_world(postgres_url, case) as world:
        tables, tried = build_tables(case.model), list[int]()

        @settings(
            max_examples=EACH,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),
        )
        @given(st.integers(0, 2**32), st.data())
        def check(rules: int, data: st.DataObject) -> None:
            model, (eyes,) = ruled_model(rules, case.model, world.reference.tables, 1)
            open_ = open_model(model, eyes.roles)
            if not open_.entities:
                return
            engine = Engine(model, world.schema, tables, world.engine.pool, UNPAGED)
            schema = world.run(engine.role(eyes.viewer)).schema

            def run(document: str, variables: dict[str, Any]) -> dict[str, Any]:
                tried.append(read(world, engine, document, variables, eyes.viewer))
                answer = world.run(engine.execute(Request(document, variables), eyes.viewer))
                found: dict[str, Any] = json.loads(answer.body)
                return found

            source = Source(open_, schema, world.reference.tables)
            for _ in range(OPERATIONS):
                answered(data.draw(operations(source)), schema, run)

        check()
        assert sum(count > 0 for count in tried) * 4 > len(tried)


def read(world: World, engine: Engine, document: str, variables: dict[str, Any], viewer: Viewer) -> int:
    """Compare a statement with its dependencies. Return how many columns it mentions."""

    async def executable() -> Any:
        session = await engine.open(viewer)
        prepared = engine.statements.prepare(session.role, document, None)
        return (await engine.statements.ready(prepared, variables, session)).executable

    try:
        found = world.run(executable())
    except (ClewError, InvalidDocument):
        return 0
    if found is None or found.statement is None or NOWHERE.search(found.statement.sql):
        return 0
    dependencies = plan_dependencies(found.plan, engine.model)
    assert missed(found.statement.sql, dependencies, engine.model) == set(), (document, variables, found.statement.sql)
    return len(mentioned(found.statement.sql))


def test_the_second_opinion_finds_what_is_missing() -> None:
    engine = engine_of(SDL)
    model = engine.model
    prepared = engine.statements.prepare(engine._admin, "{ threads { title owner { name } } }", None)
    found = engine.statements.executable(prepared, prepared.coerce({}), engine._admin.sight)
    assert found.statement is not None
    dependencies = plan_dependencies(found.plan, model)
    assert missed(found.statement.sql, dependencies, model) == set()
    less = [replace(d, columns=d.columns and d.columns - {"name"}) for d in dependencies]
    assert missed(found.statement.sql, less, model) == {("users", "name")}
    assert missed(found.statement.sql, dependencies[:1], model) == {("users", "name"), ("users", "id")}
