"""Whatever the operation: run for many members in one statement, each has the answer of its own statement."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from clew import Viewer
from clew.engine import Engine
from tests.depth import examples, seeds
from tests.properties.database import make_world
from tests.properties.models import make_case
from tests.properties.operations import Operation, Source, answered, operations

EXAMPLES = examples(104)
EACH = 26


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH))
def test_members_have_the_answers_of_their_own_statements(seed: int, postgres_url: str) -> None:
    case = make_case(seed)
    with make_world(postgres_url, case) as world:
        source = Source(case.model, world.schema, world.reference.tables)

        @settings(
            max_examples=EACH,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operations(source))
        def check(operation: Operation) -> None:
            def run(document: str, variables: dict[str, Any]) -> dict[str, Any]:
                response = world.execute(document, variables)
                if "errors" not in response:
                    world.run(_check(world.engine, document, variables))
                return response

            answered(operation, world.schema, run)

        check()


async def _check(engine: Engine, document: str, variables: dict[str, Any]) -> None:
    session = await engine.open(Viewer.admin())
    prepared = engine.statements.prepare(session.role, document, None)
    ready = await engine.statements.ready(prepared, variables, session)
    assert ready.executable is not None
    own = ready.executable.statement
    if own is None:
        return
    together = await engine.statements.members(ready.executable, prepared)
    if together is None:
        return
    (alone,) = await engine.pool.fetch(own.sql, ready.arguments)
    # Nulls, so that the second member's values differ from those of the others wherever that is possible.
    nothing = [None] * len(ready.arguments)
    members = [ready.arguments, nothing, ready.arguments]
    found = {number: row for number, *row in await engine.pool.fetch(together.sql, together.bind(members))}
    assert found[1] == list(alone)
    assert found[3] == list(alone)
