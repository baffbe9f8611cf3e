"""Whether the rules allow what a root field has written, judged of the rows as they are now.

A row never vouches for itself: a rule that comes back to the entity being written reads it as it was before the row was
written. The rows before it count as they are now, those after it as they were before the root field. Nor do two rows
vouch for each other: where the rules of two entities read one another, a new state of one counts for the other only
once it is allowed itself.

Generated links are part of the rows from which they are written: a rule reads those of the row itself as they are now.
Beyond it, the rules of their ends read them as they were; and links of rows that are not allowed yet vouch for none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from clew.access.permits import Permits
from clew.access.predicates import FALSE
from clew.access.types import TRUE, Places, Supplied
from clew.model.types import Entity, Operation
from clew.model.writing import is_free_link
from clew.plan.write import Check
from clew.sql.keys import Key
from clew.writes.errors import ForbiddenError
from clew.writes.store import Store
from clew.writes.types import Create, Draft, Remove, Step, Written
from clew.writes.witness import Phase, Refusal

# How often rows that wait for each other are judged: a chain, each allowed by the one before, needs that many rounds.
_ROUNDS = 20

_UNREADABLE = "No READ rule would show the row as it is now."
_CIRCULAR = "It would be allowed only because of other rows that this field writes, which are not allowed themselves."


async def check_written(store: Store, steps: Sequence[Step], written: Iterable[Written]) -> None:
    """Judge rows: each must be readable, every guard must hold, and each field needs a rule that held and holds.

    Args:
        steps: all that was written, in its order.

    Raises:
        ClewError: FORBIDDEN.
    """
    judged: list[_Judged] = []
    orders = _Orders(steps)
    store.phase = Phase.RECALL
    await _recall(store, steps, orders)
    store.phase = Phase.CHECK
    for item in written:
        allowed = Allowed(item.entity, item.permits)
        # alike if false: a shortcut
        if item.visible.where == TRUE and all(permit.after == TRUE for permit in item.permits.every):
            # No row can fail but for its fields.
            # alike without it: asked when they were read, too
            await store.in_parts(item.drafts, partial(allowed.require, phase=Phase.CHECK))
        elif item.drafts:  # alike if true: judges none
            judged.append(_Judged(store, item, allowed, orders))
    await _vouch(store, judged)
    for group in judged:
        drafts = group.item.drafts
        for number, (draft, row) in enumerate(zip(drafts, await group.judge(drafts, {}), strict=True)):
            await store.pause(number)
            is_gone = row[0] is None and group.item.may_be_gone
            if not is_gone and not (row[0] and group.allowed(draft, row[1:])):
                raise ForbiddenError(group.allowed.refusal(Phase.CHECK, draft, row[1:], readable=row[0]))


async def _recall(store: Store, steps: Sequence[Step], orders: _Orders) -> None:
    """Judge rows by what they were, where the rules count rows of their entity: those written before them count, too.

    Without this, each of two owners could go because of the other.

    Raises:
        ClewError: FORBIDDEN.
    """
    for step in steps:
        order = orders.of(step.entity.name)
        if isinstance(step, Create) or len(order) < 2:  # alike without `len(order) < 2`: asks again
            continue
        operation = Operation.DELETE if isinstance(step, Remove) else Operation.UPDATE
        if not store.circles.recalled(step.entity, operation):
            continue
        permits = store.permits(step.entity, operation)
        drafts = [Draft("", key=key) for key in step.keys] if isinstance(step, Remove) else step.drafts
        allowed = Allowed(step.entity, permits)
        keys = [draft.key for draft in drafts]
        all_held = await store.held_after_others(step.entity, permits, keys, order)
        for number, (draft, held) in enumerate(zip(drafts, all_held, strict=True)):
            await store.pause(number)
            # A row is held to both: what it was beside all others as they were, and beside those before it.
            draft.held = tuple(a and b for a, b in zip(draft.held or held, held, strict=True))
        await store.in_parts(drafts, partial(allowed.require, phase=Phase.RECALL))


async def _vouch(store: Store, judged: Sequence[_Judged]) -> None:
    """Find an order in which the rows of rules that read one another allow each other, one after the other.

    Raises:
        ClewError: FORBIDDEN if there is none.
    """
    names = {group.entity.name for group in judged}
    waiting = [
        (group, group.item.drafts)
        for group in judged
        if (store.circles.of(group.entity) - {group.entity.name}) & names  # alike if true: judged twice alike
    ]
    for _ in range(_ROUNDS):
        if not waiting:  # alike if false: a shortcut
            return
        # By the entity whose rows wait: these, and the links that they have written, by theirs.
        keys: dict[str, dict[str, dict[Key, None]]] = {}
        for group, drafts in waiting:
            name = group.entity.name
            of_name = keys.setdefault(name, {})
            for draft in drafts:
                for kind, row in ((name, draft), *draft.links):
                    of_name.setdefault(kind, {})[row.key] = None
        left: list[tuple[_Judged, Sequence[Draft]]] = []
        for group, drafts in waiting:
            own = group.entity.name
            others = store.circles.of(group.entity) - {own}
            unread: dict[str, dict[Key, None]] = {own: keys[own][own]}
            for name in others & keys.keys():
                for kind, some in keys[name].items():
                    unread.setdefault(kind, {}).update(some)
            await store.rest(drafts)
            rows = await group.judge(drafts, {kind: list(some) for kind, some in unread.items()})
            still = [
                draft
                for draft, row in zip(drafts, rows, strict=True)
                if not (row[0] is None or group.allowed(draft, row[1:]))
            ]
            if still:
                left.append((group, still))
        # alike if false: stops sooner
        if sum(len(drafts) for _, drafts in left) == sum(len(drafts) for _, drafts in waiting):
            break
        waiting = left
    if waiting:  # alike if true: only the last round could leave none
        group, drafts = waiting[0]
        raise ForbiddenError(group.allowed.about(Phase.CHECK, drafts[0], _CIRCULAR))


async def forbidden_anyway(
    store: Store,
    entity: Entity,
    drafts: Sequence[Draft],
    operation: Operation,
    phase: Phase,
    unsettled: frozenset[str] | None,
) -> ForbiddenError | None:
    """Return why the first of some rows that no rule could allow is refused; None if each could be allowed.

    Args:
        drafts: rows that are not written yet.
        unsettled: the entities whose rows may still change; None for all.
    """
    allowed = Allowed(entity, store.permits(entity, operation))
    for number, (draft, could) in enumerate(await store.foresee(entity, drafts, operation, unsettled)):
        await store.pause(number)
        if not allowed(draft, could):
            return ForbiddenError(allowed.refusal(phase, draft, could))
    return None


class _Orders:
    """The order in which the rows of each entity are written. One that is written twice has its second place."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._orders: dict[str, dict[Key, None]] = {}
        for step in steps:
            if isinstance(step, Remove):
                self._add(step.entity.name, step.keys)
                for name, keys in step.along.items():
                    self._add(name, keys)
            else:
                self._add(step.entity.name, [draft.key for draft in step.drafts])

    def _add(self, name: str, keys: Iterable[Key]) -> None:
        order = self._orders.setdefault(name, {})
        for key in keys:
            order.pop(key, None)
            order[key] = None

    def of(self, name: str) -> list[Key]:
        """Return the keys of an entity's rows in their order."""
        return list(self._orders.get(name, ()))


class _Judged:
    """Rows of one entity that are judged by the same rules."""

    def __init__(self, store: Store, item: Written, allowed: Allowed, orders: _Orders) -> None:
        self.item = item
        self.allowed = allowed
        self.entity = item.entity
        self._store = store
        read = store.circles.read(item.permits)
        self._reads_itself = item.entity.name in read
        self._orders = orders
        links = (store.model.entity(name) for name in sorted(read))
        self._links = [
            link.name
            for link in links
            if is_free_link(link) and any(end.target == item.entity.name for end in link.relations)
        ]

    async def judge(
        self, drafts: Sequence[Draft], waiting: Mapping[str, Sequence[Key]]
    ) -> list[tuple[bool | None, ...]]:
        """Judge rows: whether each is readable, and which of the rules hold after.

        Args:
            waiting: rows that are read as they were, by their keys.
        """
        store = self._store
        bound: dict[Supplied, Any] = {}
        own = self.entity.name
        order = self._orders.of(own) if self._reads_itself else []  # alike if true: no rule reads it then
        before = [own] if self._reads_itself else []  # alike if true: no rule reads it then
        # alike if true: what has not changed is as it was
        before += [name for name in self._links if store.changed(name)]
        near: list[str] = []
        is_ordered = len(order) > 1
        for name in before:
            bound |= store.as_it_was(name)
        if is_ordered:  # alike if true: one row comes after no other
            unread = set(waiting.get(own, ()))
            allowed = [key for key in order if key not in unread]
            bound |= store.as_it_was(own, order=allowed)
            await store.rest(order)
            bound[Places()] = self._places(drafts, order, allowed)
            await store.rest(order)
        for name, keys in sorted(waiting.items()):
            if is_free_link(store.model.entity(name)):  # alike if true: nothing else is the row's own
                near.append(name)
                bound |= store.as_it_was(name, keys, near=True)
            if name not in before:
                before.append(name)
                bound |= store.as_it_was(name, keys)
        plan = Check(self.item.visible, self.item.permits, before, near, is_ordered)
        return await self._store.check(plan, [draft.key for draft in drafts], bound)

    def _places(self, drafts: Iterable[Draft], order: Sequence[Key], allowed: Sequence[Key]) -> list[int]:
        """Return the place of each row among those that are read as they are now once they come before it."""
        places = {key: place for place, key in enumerate(order)}
        of_allowed = [places[key] for key in allowed]
        # A row that only changes along is written by no step: it reads all others as they were.
        return [bisect_left(of_allowed, places[draft.key]) + 1 if draft.key in places else 1 for draft in drafts]


class Allowed:
    """Tells whether a row may be written as it was, by which of `permits.every` hold now. Rows alike are asked once."""

    def __init__(self, entity: Entity, permits: Permits) -> None:
        self._entity = entity
        self._permits = permits
        self._known: dict[tuple[frozenset[str], tuple[bool, ...], tuple[bool | None, ...]], bool] = {}

    def require(self, drafts: Iterable[Draft], phase: Phase = Phase.GATHER) -> None:
        """Refuse rows that no rules could allow, whatever becomes of them.

        Raises:
            ClewError: FORBIDDEN.
        """
        after = tuple(permit.after != FALSE for permit in self._permits.every)
        for draft in drafts:
            if not self(draft, after):
                raise ForbiddenError(self.refusal(phase, draft, after))

    def __call__(self, draft: Draft, after: tuple[bool | None, ...]) -> bool:
        question = (draft.fields, draft.held, after)
        answer = self._known.get(question)
        if answer is None:
            answer = self._known[question] = self._is_allowed(*question)
        return answer

    def refusal(
        self, phase: Phase, draft: Draft, after: tuple[bool | None, ...], *, readable: bool | None = True
    ) -> Refusal:
        """Return why a row is refused."""
        permits = self._permits
        fields: tuple[str, ...] = ()
        holds = self._holding(draft.held, after)
        if not readable:
            why = _UNREADABLE
        elif not all(holds[id(permit)] for permit in permits.guards):
            why = "A guard does not hold."
        elif not any(holds[id(permit)] for permit in permits.rules):
            why = "No rule holds."
        else:
            fields = tuple(
                name
                for name in sorted(draft.fields)
                if not any(holds[id(permit)] for permit in permits.holding(self._entity, name))
            )
            why = f"No rule that holds opens {', '.join(fields)}."
        judged = after if phase is Phase.CHECK else ()
        return self.about(phase, draft, why, fields, judged)

    def about(
        self,
        phase: Phase,
        draft: Draft,
        why: str,
        fields: tuple[str, ...] = (),
        after: tuple[bool | None, ...] = (),
    ) -> Refusal:
        """Return the refusal of a row for a reason."""
        permits = self._permits
        return Refusal(phase, self._entity, permits.operation, why, permits, draft.key, fields, draft.held, after)

    def _holding(self, held: tuple[bool, ...], after: tuple[bool | None, ...]) -> dict[int, bool | None]:
        """Whether each rule holds as a whole, by its identity."""
        # A new row was under no rule before.
        before = held or (True,) * len(after)
        return {id(permit): b and a for permit, b, a in zip(self._permits.every, before, after, strict=True)}

    def _is_allowed(self, fields: frozenset[str], held: tuple[bool, ...], after: tuple[bool | None, ...]) -> bool:
        permits = self._permits
        holds = self._holding(held, after)
        if not all(holds[id(permit)] for permit in permits.guards):
            return False
        if not any(holds[id(permit)] for permit in permits.rules):
            return False
        return all(any(holds[id(p)] for p in permits.holding(self._entity, name)) for name in fields)
