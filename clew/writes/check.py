"""Check that the rules allow the rows that a root field has written, in their new state.

A row is never its own proof. While a row is checked, its rules read its entity in a mixed state: rows written before it
in their new state; the row itself, and rows written after it, as they were before the root field.

Two rows do not prove each other either. Where the rules of two entities read each other, the new state of a row counts
for the other entity only once that row is allowed.

A generated link belongs to the row that the client writes it from. The rules of that row read its own links in their
new state. They read all other links as they were before the root field. Links of a row that is not allowed yet prove
nothing.
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

# How many rounds of checks to run on rows that depend on each other. A chain, in which each row is allowed by the one
# before, may need one round for each row.
_ROUNDS = 20

_UNREADABLE = "No READ rule would show the row as it is now."
_CIRCULAR = "It would be allowed only because of other rows that this field writes, which are not allowed themselves."


async def check_written(store: Store, steps: Sequence[Step], written: Iterable[Written]) -> None:
    """Check written rows: each must be readable, every guard must hold, and each field needs one rule.

    That rule must have held before the write, and must hold after it.

    Args:
        steps: everything that the root field has written, in order.

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
            # Only the fields of a row can still fail.
            # alike without it: also checked when the rows were read
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
    """Check the old state of rows again, if their rules read rows of the same entity.

    This time the rules read the rows that were written earlier in their new state. Without this check, a rule such as
    "another owner exists" would let one root field remove both of two owners.

    Raises:
        ClewError: FORBIDDEN.
    """
    for step in steps:
        if isinstance(step, Create):
            continue
        order = orders.of(step.entity.name)
        if len(order) < 2:  # alike if false: asks again
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
            # A rule must hold in both checks: among the old rows, and among the rows written earlier.
            draft.held_before = tuple(a and b for a, b in zip(draft.held_before or held, held, strict=True))
        await store.in_parts(drafts, partial(allowed.require, phase=Phase.RECALL))


async def _vouch(store: Store, judged: Sequence[_Judged]) -> None:
    """Find an order in which rows can be allowed one after the other, where their rules read each other.

    Raises:
        ClewError: FORBIDDEN if there is no such order.
    """
    names = {group.entity.name for group in judged}
    waiting = [
        (group, group.item.drafts)
        for group in judged
        if (store.circles.of(group.entity) - {group.entity.name}) & names  # alike if true: checked twice
    ]
    for _ in range(_ROUNDS):
        if not waiting:  # alike if false: a shortcut
            return
        # The keys of the waiting rows and of the links that they have written. The outer name is the entity of the
        # waiting row, the inner name is the entity of the key.
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
    """The order in which the rows of each entity are written. A row that is written twice has its second place."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._orders: dict[str, dict[Key, None]] = {}

    def of(self, name: str) -> list[Key]:
        """Return the keys of the written rows of an entity, in order."""
        order = self._orders.get(name)
        if order is None:
            order = self._orders[name] = {}
            for step in self._steps:
                for key in _keys_of(step, name):
                    order.pop(key, None)
                    order[key] = None
        return list(order)


def _keys_of(step: Step, name: str) -> Iterable[Key]:
    """Return the keys of the rows of an entity that a step writes, in order."""
    if isinstance(step, Remove):
        return [*(step.keys if step.entity.name == name else ()), *step.along.get(name, ())]
    return [draft.key for draft in step.drafts] if step.entity.name == name else ()


class _Judged:
    """Rows of one entity that the same rules decide on."""

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
        """Return for each row whether it is readable, then for each rule whether it holds for the new state.

        Args:
            waiting: the keys of rows that rules read as they were before the root field, by entity.
        """
        store = self._store
        bound: dict[Supplied, Any] = {}
        own = self.entity.name
        order = self._orders.of(own) if self._reads_itself else []  # alike if true: no rule reads the entity then
        before = [own] if self._reads_itself else []  # alike if true: no rule reads the entity then
        # alike if true: an entity that has not changed is as it was
        before += [name for name in self._links if store.changed(name)]
        near: list[str] = []
        is_ordered = len(order) > 1
        for name in before:
            bound |= store.bind_past(name)
        if is_ordered:  # alike if true: a single row has no row before it
            unread = set(waiting.get(own, ()))
            allowed = [key for key in order if key not in unread]
            bound |= store.bind_past(own, order=allowed)
            await store.rest(order)
            bound[Places()] = self._places(drafts, order, allowed)
            await store.rest(order)
        for name, keys in sorted(waiting.items()):
            if is_free_link(store.model.entity(name)):  # alike if true: only links belong to the row
                near.append(name)
                bound |= store.bind_past(name, keys, near=True)
            if name not in before:
                before.append(name)
                bound |= store.bind_past(name, keys)
        plan = Check(self.item.visible, self.item.permits, before, near, is_ordered)
        return await self._store.check(plan, [draft.key for draft in drafts], bound)

    def _places(self, drafts: Iterable[Draft], order: Sequence[Key], allowed: Sequence[Key]) -> list[int]:
        """Return for each row how many allowed rows come before it, plus one. Its rules read these in their new state.

        Args:
            allowed: the keys of `order` whose new state counts.
        """
        places = {key: place for place, key in enumerate(order)}
        of_allowed = [places[key] for key in allowed]
        # No step writes a row that only changes along with another. Its rules read all rows as they were.
        return [bisect_left(of_allowed, places[draft.key]) + 1 if draft.key in places else 1 for draft in drafts]


class Allowed:
    """Decide whether a row may be written, given which of `permits.every` held before and hold now.

    Equal cases are decided once.
    """

    def __init__(self, entity: Entity, permits: Permits) -> None:
        self._entity = entity
        self._permits = permits
        self._known: dict[tuple[frozenset[str], tuple[bool, ...], tuple[bool | None, ...]], bool] = {}

    def require(self, drafts: Iterable[Draft], phase: Phase = Phase.GATHER) -> None:
        """Refuse rows that no rule can allow, whatever their new state is.

        Raises:
            ClewError: FORBIDDEN.
        """
        after = tuple(permit.after != FALSE for permit in self._permits.every)
        allowed: set[tuple[frozenset[str], tuple[bool, ...]]] = set()
        for draft in drafts:
            case = (draft.fields, draft.held_before)
            if case not in allowed:  # alike if true: asks again
                if not self(draft, after):
                    raise ForbiddenError(self.refusal(phase, draft, after))
                allowed.add(case)  # alike without it: asks again

    def __call__(self, draft: Draft, after: tuple[bool | None, ...]) -> bool:
        question = (draft.fields, draft.held_before, after)
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
        holds = self._holding(draft.held_before, after)
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
        return Refusal(
            phase, self._entity, permits.operation, why, permits, draft.key, fields, draft.held_before, after
        )

    def _holding(self, held: tuple[bool, ...], after: tuple[bool | None, ...]) -> dict[int, bool | None]:
        """Return for each rule, by its `id`, whether it held before and holds now."""
        # A new row has no old state.
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
