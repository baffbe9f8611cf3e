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
        unruled = all(permit.after == TRUE and permit.before == TRUE for permit in permits.every)
        if (unruled and visible.where == TRUE and store.sight.admin) or not drafts:
            continue
        before = [entity.name] if store.reads_itself(entity, permits) else []
        bound = {**store.claims, **bound_keys(entity, [draft.key for draft in drafts])}
        for name in before:
            bound |= store.as_it_was(name)
        found = await store.run(write.judge_statement, visible, permits, before, bound=bound)
        for draft, row in zip(drafts, found, strict=True):
            if not row[0] or not _is_permitted(entity, permits, draft, tuple(row)[1:]):
                raise forbidden()


def _is_permitted(entity: Entity, permits: Permits, draft: Draft, after: Sequence[bool]) -> bool:
    every = permits.every
    before = draft.held or (True,) * len(every)
    holds = {id(permit): b and a for permit, b, a in zip(every, before, after, strict=True)}
    if not all(holds[id(permit)] for permit in permits.guards):
        return False
    if not any(holds[id(permit)] for permit in permits.rules):
        return False
    return all(any(holds[id(p)] for p in permits.holding(entity, name)) for name in draft.fields)
