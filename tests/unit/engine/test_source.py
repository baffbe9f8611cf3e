"""The source of a custom subscription ends its large work when it has begun, whatever it returns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError

from clew.collector import LargeWork, full_collections
from clew.engine.operation import RunningOperation
from clew.engine.outcome import Outcome
from clew.resolvers.batches import Batches
from clew.slices import Slices

pytestmark = pytest.mark.anyio


async def unread(*_: Any) -> list[Any]:
    raise AssertionError


async def stream() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("how", ["stream", "outcome", "error"])
async def test_large_work_of_a_source_ends_with_its_start(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = RunningOperation.__new__(RunningOperation)
    operation.large, operation.batches = LargeWork(), Batches(unread, Slices())
    before = full_collections._works

    async def start(_executor: Any) -> Any:
        operation.large.begin()
        assert full_collections._works == before + 1
        if how == "error":
            raise ValueError("no")
        return stream() if how == "stream" else ExecutionResult(None, [GraphQLError("no")])

    monkeypatch.setattr("clew.engine.operation.create_source_event_stream", start)
    monkeypatch.setattr(operation, "_executor", lambda _root: None)
    monkeypatch.setattr(operation, "told", lambda _error: {})
    if how == "error":
        with pytest.raises(ValueError, match="no"):
            await operation.events()
    else:
        assert isinstance(await operation.events(), Outcome) == (how == "outcome")
    assert full_collections._works == before
