"""Whatever the model, the rows and the operation: Clew answers as graphql-core's executor does over the same rows.

Models and rows come from seeds, operations from Hypothesis, which shrinks one that fails.
The answers are compared as JSON text, the order of keys included. Where SQL and Python
differ by design, the reference follows SQL: text is ordered and folded as in the C
collation; of an empty list no value is one and every value is none, null included;
Postgres writes the Float 3.0 as 3 and no zeros at the end of a fraction of a second.
NaN and infinity are in no row: GraphQL has no such values.

A longer run: CLEW_TEST_EXAMPLES=20000 pytest tests/properties/test_reads_equal_graphql_core.py
(so many operations, a new model every 26; CLEW_TEST_SEED=n starts at another model).
"""

from __future__ import annotations

import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, given, settings

from tests.depth import examples, seeds
from tests.properties.database import canonical, make_world
from tests.properties.models import make_case
from tests.properties.operations import Operation, Source, answered, operations

EXAMPLES = examples(104)
EACH = 26


@pytest.mark.parametrize("seed", seeds(EXAMPLES, EACH))
def test_every_operation_has_the_answer_of_graphql_core(seed: int, postgres_url: str) -> None:
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
            # A strategy that makes invalid documents would test nothing.
            assert validate(world.schema, parse(operation.document)) == []
            expected = answered(operation, world.schema, world.reference.execute)
            assert "errors" not in expected, expected
            found = answered(operation, world.schema, world.execute)
            assert canonical(found) == canonical(expected), case.sdl

        check()
