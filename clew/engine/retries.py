"""Run a mutation again if it lost to another transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from graphql import FieldNode, GraphQLObjectType, TypeInfo, TypeInfoVisitor, Visitor, visit

from clew.document.prepare import Prepared
from clew.engine.outcome import Outcome
from clew.jitter import jitter
from clew.model.types import Model

_MOST = 3
_FIRST_PAUSE = 0.02


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each further try. Random, so that two mutations do not collide again."""
    for number in range(_MOST):
        yield jitter(0.5, 1.5) * _FIRST_PAUSE * 4**number


async def with_retries(
    run: Callable[[], Awaitable[Outcome]], may_run_again: Callable[[], bool], on_retry: Callable[[], None]
) -> Outcome:
    """Run a mutation, and run it again if it lost to another transaction.

    Args:
        run: runs the mutation once, in a transaction of its own.
        may_run_again: returns whether a rollback undoes all effects of the mutation.
        on_retry: called before each further try.
    """
    outcome = await run()
    for pause in pauses():
        if not outcome.contended or not may_run_again():
            break
        await asyncio.sleep(pause)
        on_retry()
        outcome = await run()
    return outcome


def can_run_again(prepared: Prepared, model: Model) -> bool:
    """Return whether a rollback undoes all effects. Code of the application may have effects outside the database."""
    types = TypeInfo(prepared.schema)
    found = _Custom(types, prepared.schema.mutation_type, model)
    visit(prepared.tree.document, TypeInfoVisitor(types, found))
    return not found.any


class _Custom(Visitor):
    """Look for fields that the application resolves. Only such fields lead to the application's own types."""

    def __init__(self, types: TypeInfo, root: GraphQLObjectType | None, model: Model) -> None:
        super().__init__()
        self.any = False
        self._types = types
        self._root = root
        self._model = model

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, name = self._types.get_parent_type(), node.name.value
        if parent is None or name.startswith("__"):
            return
        entity = self._model.entities.get(parent.name)
        if entity is not None:
            self.any |= entity.resolver(name) is not None
        elif parent is self._root:
            # A rollback takes back a job too. It may run only after the commit.
            self.any |= name not in self._model.write_fields and name not in self._model.job_fields
