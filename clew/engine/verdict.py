"""Whether what a root field has written is allowed, of the rows as they are now (SPEC 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clew.engine.drafts import Draft, forbidden
from clew.engine.keys import bound_keys
from clew.engine.store import Store
from clew.model.types import Entity, Operation
from clew.plan.types import TRUE
from clew.plan.visible import Permits
from clew.sql import write

Written = tuple[Entity, Operation, Sequence[Draft]]


async def judge_written(store: Store, written: Iterable[Written]) -> None:
    """Judge all that has been written: that each row is readable, and each field under a rule that holds.

    Raises:
        ClewError: FORBIDDEN.
    """
    for entity, operation, drafts in written:
        permits = store.access.permits(entity, store.sight, operation)
        visible = store.visible(entity)
        allowed = _Allowed(entity, permits)
        if visible.where == TRUE and all(permit.after == TRUE for permit in permits.every):
            # No row can fail but for its fields.
            after = (True,) * len(permits.every)
            if not all(allowed(draft, after) for draft in drafts):
                raise forbidden()
            continue
        if not drafts:
            continue
        before = [entity.name] if store.reads_itself(entity, permits) else []
        bound = bound_keys(entity, [draft.key for draft in drafts])
        for name in before:
            bound |= store.as_it_was(name)
        found = await store.run(write.judge_statement, visible, permits, before, bound=bound)
        for draft, row in zip(drafts, found, strict=True):
            if not row[0] or not allowed(draft, tuple(row)[1:]):
                raise forbidden()


class _Allowed:
    """Whether a row may be written as it was, told which of `permits.every` hold now; the like of it is asked once."""

    def __init__(self, entity: Entity, permits: Permits) -> None:
        self._entity = entity
        self._permits = permits
        self._known: dict[tuple[frozenset[str], tuple[bool, ...], tuple[bool, ...]], bool] = {}

    def __call__(self, draft: Draft, after: tuple[bool, ...]) -> bool:
        question = (draft.fields, draft.held, after)
        answer = self._known.get(question)
        if answer is None:
            answer = self._known[question] = self._is_allowed(*question)
        return answer

    def _is_allowed(self, fields: frozenset[str], held: tuple[bool, ...], after: tuple[bool, ...]) -> bool:
        permits = self._permits
        # A new row was under no rule before.
        before = held or (True,) * len(after)
        holds = {id(permit): b and a for permit, b, a in zip(permits.every, before, after, strict=True)}
        if not all(holds[id(permit)] for permit in permits.guards):
            return False
        if not any(holds[id(permit)] for permit in permits.rules):
            return False
        return all(any(holds[id(p)] for p in permits.holding(self._entity, name)) for name in fields)
