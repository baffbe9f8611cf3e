"""Mutations that are cancelled before they begin."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import Source
from graphql.pyutils import Path

from clew.model.build import parse_model
from clew.resolvers.batches import Batches
from clew.schema.build import build_schema
from clew.slices import Slices
from clew.writes.fields import bind_writes

pytestmark = pytest.mark.anyio


async def _read(*_: Any) -> list[Any]:
    raise AssertionError


@pytest.mark.parametrize("name", ["createNote", "updateNotes", "deleteNotes"])
async def test_a_field_that_is_cancelled_before_it_begins_leaves_nothing_behind(name: str) -> None:
    model = parse_model(Source("type Note @table { id: Int! @id  text: String! }"))
    schema = build_schema(model)
    bind_writes(schema, model)
    assert schema.mutation_type is not None
    field = schema.mutation_type.fields[name]
    assert field.resolve is not None
    batches = Batches(_read, Slices())
    running = SimpleNamespace(batches=batches, writer=lambda _: None)
    info: Any = SimpleNamespace(
        path=Path(None, name, "Mutation"), return_type=field.type, context=SimpleNamespace(running=running)
    )
    answer = field.resolve(None, info)
    # As at the end of the event loop.
    await batches.close()
    assert answer.cancelled()
    # A coroutine that nothing awaits is an error of the tests.
    del answer
    gc.collect()
