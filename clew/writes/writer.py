"""Run one generated root field of a mutation, from its arguments to the keys of the rows that it has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from clew.access.types import Predicate
from clew.aside import is_large
from clew.database.violations import KeyTakenError, known
from clew.document.inputs import value_tree
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Operation, RelationKind, UniqueKey
from clew.model.writing import taken_along, unique_keys
from clew.plan.filters import filter_predicate, is_empty
from clew.plan.write import Lock
from clew.sql.constraints import Kind
from clew.sql.keys import Key
from clew.sql.words import identifiers
from clew.writes.check import check_written, forbidden_anyway
from clew.writes.drafts import InputReader, column_of
from clew.writes.errors import ForbiddenError, NoSuchRowError
from clew.writes.gather import Gatherer, RowCount, refuse_twice
from clew.writes.hooks import HookRunner
from clew.writes.order import Order
from clew.writes.store import Store
from clew.writes.types import Change, Create, Draft, Locked, Remove, Step
from clew.writes.witness import Phase, Refusal

_Inputs = Sequence[Mapping[str, Any]]

# How often an upsert looks for a row that holds its key. After that, it takes the row for a hidden one.
_TRIES = 4


class Writer:
    """Run one root field: gather the rows that it touches, write them, and check them with `finish`.

    Several rows go through the phases together if the result is the same as for one after the other
    (`clew.writes.order`). Otherwise each row goes through all phases before the next row begins.

    Args:
        hooks: runs the hooks of the application; None if there are none.
    """

    def __init__(self, store: Store, inputs: InputReader, hooks: HookRunner | None = None) -> None:
        self._store = store
        self._inputs = inputs
        self._hooks = hooks
        self._rows = RowCount()
        self._gathered = self._gatherer()
        # The entity and the columns of an upsert's key. This key is never deferred: the upsert must learn at once that
        # it is taken.
        self._at_once: tuple[str, tuple[str, ...]] | None = None
        # The rows to delete one after the other, if they cannot be deleted together.
        self._in_order: tuple[Entity, Sequence[Key]] | None = None

    # --- root fields ------------------------------------------------------------------

    async def create(self, entity: Entity, inputs: _Inputs, place: str, *, listed: bool) -> list[Key]:
        """Create rows. Return their keys in the inputs' order."""
        placed = [(given, f"{place}.{n}" if listed else place) for n, given in enumerate(inputs)]
        order = self._order()
        if len(inputs) > 1 or _nests(entity, inputs):  # a shortcut
            self._rows.check(len(inputs), place)
            await self._store.rest(placed)
            order.creates(entity, inputs)
            await self._store.rest(inputs)
            self._store.recall(order.written)
            if len(inputs) > 1 and order.matters(unless_found=True):
                return await self._create_in_order(entity, placed)
        try:
            drafts = await self._gathered.create(entity, placed)
        except NoSuchRowError:
            if not order.matters():
                raise
            self._anew(0)
            return await self._create_in_order(entity, placed)
        await self._write()
        return [draft.key for draft in drafts]

    async def _create_in_order(self, entity: Entity, placed: Sequence[tuple[Mapping[str, Any], str]]) -> list[Key]:
        """Create rows, one after the other."""
        keys: list[Key] = []
        for one in placed:
            await self._next()
            drafts = await self._gathered.create(entity, [one])
            await self._write()
            keys += [draft.key for draft in drafts]
        return keys

    async def update_one(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Change the row with a key. Return None if the viewer may change no such row."""
        key = self._inputs.key(entity, arguments)
        draft = self._inputs.changes(entity, arguments, "")
        version = [column for column in entity.columns if column.version]
        if _nests(entity, [arguments.get("set") or {}]):  # a shortcut
            order = self._order()
            order.changes(entity, [arguments])
            self._store.recall(order.written)
        plan = self._gathered.lock_of(entity, Operation.UPDATE, [draft], named=True, columns=version)
        rows = await self._store.lock(plan, keys=[key])
        if not rows:
            return None
        expected = arguments.get("ifVersion")
        if expected is not None and rows[0].columns[0] != expected:
            raise ClewError(
                "The row has changed in the meantime.", code=Code.CONFLICT, hint="Read the row again, then decide."
            )
        await self._gathered.change(entity, rows, [draft], [arguments.get("set")])
        await self._write()
        return rows[0].key

    async def update_where(self, entity: Entity, arguments: Mapping[str, Any]) -> list[Key]:
        """Change all rows that a filter matches."""
        where = await self._where(entity, arguments)
        nested = [name for name in arguments.get("set") or () if entity.column(name) is None]
        many = [name for name in nested if (r := entity.relation(name)) and r.kind is not RelationKind.TO_ONE]
        if many:
            raise ClewError(f"`set.{many[0]}` can only be set for one row.", hint="Update the rows one by one.")
        # Validate values even if no row matches.
        draft = self._inputs.changes(entity, arguments, "")
        order = self._order()
        order.changes(entity, [arguments])
        self._store.recall(order.written)
        rows = await self._store.lock(self._gathered.lock_of(entity, Operation.UPDATE, [draft], where=where))
        if len(rows) > 1 and order.matters():
            return await self._update_after(entity, arguments, draft, [row.key for row in rows])
        drafts: list[Draft] = []
        for number in range(len(rows)):
            await self._store.pause(number)
            drafts.append(replace(draft, values=dict(draft.values)))
        await self._gathered.change(entity, rows, drafts, [arguments.get("set")] * len(rows))
        await self._write()
        return [row.key for row in rows]

    async def _update_after(
        self, entity: Entity, arguments: Mapping[str, Any], draft: Draft, keys: Sequence[Key]
    ) -> list[Key]:
        """Make one change to several rows, one after the other. Skip rows on which no rule allows it any more."""
        plan = self._gathered.lock_of(entity, Operation.UPDATE, [draft])
        changed: list[Key] = []
        for key in keys:
            await self._next()
            rows = await self._store.lock(plan, keys=[key])
            drafts = [replace(draft, values=dict(draft.values)) for _ in rows]
            await self._gathered.change(entity, rows, drafts, [arguments.get("set")] * len(rows))
            await self._write()
            changed += [row.key for row in rows]
        return changed

    async def update_each(self, entity: Entity, updates: _Inputs, place: str) -> list[Key]:
        """Change several rows, each in its own way. Skip rows that do not exist for the viewer."""
        self._gathered.count(len(updates), place)
        keys: list[Key] = []
        drafts: list[Draft] = []
        for n, update in enumerate(updates):
            await self._store.pause(n)
            keys.append(self._inputs.key(entity, update, f"{place}.{n}."))
            drafts.append(self._inputs.changes(entity, update, f"{place}.{n}."))
        order = self._order()
        order.changes(entity, updates)
        await self._store.rest(updates)
        self._store.recall(order.written)
        uniques = _unique_columns(entity, [update.get("set") or {} for update in updates])
        plan = self._gathered.lock_of(entity, Operation.UPDATE, drafts, named=True, columns=uniques)
        rows = {row.position: row for row in await self._store.lock(plan, keys=keys)}
        there = [n for n in range(len(keys)) if n + 1 in rows]
        old, changes = [rows[n + 1] for n in there], [drafts[n] for n in there]
        refuse_twice(old, changes)
        await self._store.rest(old)
        rows_before = self._rows.number
        if len(updates) > 1 and order.matters(unless_found=True):
            return await self._update_in_order(entity, updates, place)
        try:
            await self._gathered.change(entity, old, changes, [updates[n].get("set") for n in there])
            in_order = await self._pass_on(entity, uniques, changes, old)
        except NoSuchRowError:
            # An earlier entry may create the row.
            in_order = len(updates) > 1 and order.matters()
            if not in_order:
                raise
        if in_order:
            self._anew(rows_before)
            return await self._update_in_order(entity, updates, place)
        await self._write()
        return [row.key for row in old]

    async def _update_in_order(self, entity: Entity, updates: _Inputs, place: str) -> list[Key]:
        """Change rows, each in its own way, one after the other."""
        changed: list[Key] = []
        for n, update in enumerate(updates):
            await self._next()
            draft = self._inputs.changes(entity, update, f"{place}.{n}.")
            plan = self._gathered.lock_of(entity, Operation.UPDATE, [draft], named=True)
            rows = await self._store.lock(plan, keys=[self._inputs.key(entity, update, f"{place}.{n}.")])
            await self._gathered.change(entity, rows, [draft] * len(rows), [update.get("set")] * len(rows))
            await self._write()
            changed += [row.key for row in rows]
        return changed

    async def upsert(
        self, entity: Entity, inputs: _Inputs, on: str, update: Sequence[str] | None, place: str, *, listed: bool
    ) -> list[Key]:
        """Create rows, or change the rows that have their keys already. Return the keys in the inputs' order."""
        names = unique_keys(entity)[on]
        self._at_once = entity.name, names
        places = [f"{place}.{n}" if listed else place for n in range(len(inputs))]
        wanted: list[Key] = []
        for n, (given, at) in enumerate(zip(inputs, places, strict=True)):
            await self._store.pause(n)
            self._inputs.refuse_twice_given(entity, given, f"{at}.")
            wanted.append(self._inputs.new_unique(entity, names, given, at))
        if len(set(wanted)) < len(wanted):
            raise ClewError(f"`{place}` has the same key twice.", hint="Send each row once.")
        order = self._order()
        if len(inputs) > 1 or _nests(entity, inputs):  # a shortcut
            self._rows.check(len(inputs), place)
            order.creates(entity, inputs)
            await self._store.rest(inputs)
            order.changes(entity, [{"set": given} for given in inputs])
            await self._store.rest(inputs)
            self._store.recall(order.written)
            if len(inputs) > 1 and order.matters(unless_found=True):
                return await self._upsert_in_order(entity, inputs, names, wanted, update, places)
        try:
            return await self._upserted(entity, inputs, names, wanted, update, places)
        except NoSuchRowError:
            if not order.matters():
                raise
            self._anew(0)
            return await self._upsert_in_order(entity, inputs, names, wanted, update, places)

    async def _upsert_in_order(
        self,
        entity: Entity,
        inputs: _Inputs,
        names: Sequence[str],
        wanted: Sequence[Key],
        update: Sequence[str] | None,
        places: Sequence[str],
    ) -> list[Key]:
        """Create rows, or change them, one after the other."""
        keys: list[Key] = []
        for given, key, place in zip(inputs, wanted, places, strict=True):
            await self._next()
            keys += await self._upserted(entity, [given], names, [key], update, [place])
        return keys

    async def _upserted(
        self,
        entity: Entity,
        inputs: _Inputs,
        names: Sequence[str],
        wanted: Sequence[Key],
        update: Sequence[str] | None,
        places: Sequence[str],
    ) -> list[Key]:
        """Create rows, or change the rows that have the keys `wanted`."""
        columns = [column_of(entity, name) for name in names]
        uniques = _unique_columns(entity, inputs) if len(inputs) > 1 else []
        message = next((unique.message for unique in entity.uniques if unique.columns == tuple(names)), None)
        taken = partial(KeyTakenError, Kind.UNIQUE, entity.name, known(names, entity.name, self._store.schema), message)
        refused = taken()
        done = self._rows.number
        for _ in range(_TRIES):
            self._anew(done)
            found = dict(await self._store.find(entity, columns, wanted))
            there = [n for n in range(len(inputs)) if n in found]
            still = [[wanted[n][index] for n in there] for index in range(len(names))]
            plan = self._gathered.lock_of(entity, Operation.UPDATE, still=columns, columns=uniques)
            rows = {
                row.position: row for row in await self._store.lock(plan, keys=[found[n] for n in there], still=still)
            }
            if len(rows) < len(there):
                # The row is hidden, so refuse it as a taken key. Or it has just been deleted or got another key, so
                # look again first.
                hidden = next(n for index, n in enumerate(there) if index + 1 not in rows)
                refused = taken().at(Draft(places[hidden]).path)
                continue
            old = {n: rows[index + 1] for index, n in enumerate(there)}
            drafts = await self._upsert(entity, inputs, names, update, places, old)
            if await self._pass_on(entity, uniques, drafts, [old.get(n) for n in range(len(inputs))]):
                self._anew(done)
                return await self._upsert_in_order(entity, inputs, names, wanted, update, places)
            try:
                if len(old) == len(inputs):
                    await self._write()
                else:
                    async with self._store.rolled_back_if_taken():
                        await self._write()
            except KeyTakenError as error:
                # Another transaction may have taken the key since `find`. The next round finds its row.
                if len(old) == len(inputs):
                    raise
                refused = error
                continue
            return [draft.key for draft in drafts]
        raise refused

    async def _upsert(
        self,
        entity: Entity,
        inputs: _Inputs,
        names: Sequence[str],
        update: Sequence[str] | None,
        places: Sequence[str],
        old: Mapping[int, Locked],
    ) -> list[Draft]:
        """Gather the changes of the existing rows, and the rows to create.

        Args:
            old: the locked rows, by the number of their inputs.
        """
        changing = set(update) if update is not None else None
        fixed = {*names, *entity.primary_key}
        drafts: dict[int, Draft] = {}
        sets: list[Mapping[str, Any]] = []
        for n in old:
            await self._store.pause(n)
            given = {
                name: value
                for name, value in inputs[n].items()
                if fixed.isdisjoint(written := _changed_by(entity, name))
                and (changing is None or changing.issuperset(written))
            }
            drafts[n] = self._inputs.changes(entity, {"set": given}, "", place=places[n])
            sets.append(given)
        await self._gathered.change(entity, list(old.values()), list(drafts.values()), sets)
        new = [n for n in range(len(inputs)) if n not in old]
        made = await self._gathered.create(entity, [(inputs[n], places[n]) for n in new])
        drafts.update(zip(new, made, strict=True))
        return [drafts[n] for n in range(len(inputs))]

    async def to_delete(self, entity: Entity, arguments: Mapping[str, Any], *, where: bool) -> list[Key]:
        """Lock the rows to delete. Return their keys, so that the caller can read the rows before `delete`."""
        lock_of = self._gathered.lock_of
        order = self._order()
        order.removes(entity)
        self._store.recall(order.written)
        if where:
            where_ = await self._where(entity, arguments)
            rows = await self._store.lock(lock_of(entity, Operation.DELETE, where=where_))
        else:
            plan = lock_of(entity, Operation.DELETE, named=True)
            rows = await self._store.lock(plan, keys=[self._inputs.key(entity, arguments)])
        keys = [row.key for row in rows]
        if len(keys) > 1 and order.matters():
            # This is a trial that only finds the rows to delete, so hooks do not run.
            hooks, self._hooks = self._hooks, None
            async with self._store.rolled_back():
                keys = await self._delete_in_order(entity, keys)
                await self._judge()
            self._hooks = hooks
            self._anew()
            self._in_order = entity, keys
            return keys
        await self._gathered.delete(entity, keys)
        return keys

    async def delete(self) -> None:
        """Delete the rows that `to_delete` has locked."""
        if self._in_order is not None:
            await self._delete_in_order(*self._in_order)
        else:
            await self._write()

    async def _delete_in_order(self, entity: Entity, keys: Sequence[Key]) -> list[Key]:
        """Delete rows, one after the other. Return those that a rule still allows to delete when their turn comes."""
        plan = self._gathered.lock_of(entity, Operation.DELETE)
        deleted: list[Key] = []
        for key in keys:
            await self._next()
            rows = await self._store.lock(plan, keys=[key])
            await self._gathered.delete(entity, [row.key for row in rows])
            await self._write()
            deleted += [row.key for row in rows]
        return deleted

    async def restore(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Restore a deleted row, and the rows that were deleted with it. Return None if there is no such row."""
        deleted = entity.soft_delete
        assert deleted is not None
        visible = self._store.access.visible(entity, self._store.sight, "ONLY")
        permits = self._store.permits(entity, Operation.DELETE)
        key = self._inputs.key(entity, arguments)
        rows = await self._store.lock(Lock(visible, permits, named=True, columns=[deleted]), keys=[key])
        if not rows:
            return None
        at = rows[0].columns[0]
        async for _ in self._store.referencing_rows(entity, [rows[0].key], restored=at):
            pass
        self._store.phase = Phase.WRITE
        await self._store.mark(entity, [rows[0].key], at)
        return rows[0].key

    async def _pass_on(
        self, entity: Entity, columns: Sequence[Column], drafts: Sequence[Draft], rows: Sequence[Locked | None]
    ) -> bool:
        """Return whether a row may take over a unique key from another changed row. Then the order of writes matters.

        Args:
            columns: the columns that the locked rows have values of.
            rows: for each draft the row that it changes; None if it creates one.
        """
        if not columns or len(drafts) < 2:
            return False
        before = [dict(zip((c.name for c in columns), row.columns, strict=True)) if row else None for row in rows]
        for unique in entity.uniques:
            if unique.deferrable:
                continue
            names = _columns_of(entity, unique)
            filled = any((preset := column_of(entity, name).preset) and preset.sql for name in names)
            given = {name: number for number, name in enumerate(names)}
            moving: dict[tuple[Any, ...], int] = {}
            for number, (draft, was) in enumerate(zip(drafts, before, strict=True)):
                await self._store.pause(number)
                if was is not None and was.keys() >= given.keys() and (filled or any(map(draft.gives, names))):
                    moving[tuple(was[name] for name in names)] = number
                if was is not None and not given.keys().isdisjoint(draft.increases):
                    return True
            if moving and (unique.sql is not None or filled):
                return True
            for number, (draft, was) in enumerate(zip(drafts, before, strict=True)):
                await self._store.pause(number)
                values = {**(was or {}), **draft.values}
                if moving and any(name not in values for name in names):
                    return True
                if moving.get(tuple(values.get(name) for name in names), number) != number:
                    return True
        return False

    # --- phases -----------------------------------------------------------------------

    def _order(self) -> Order:
        hooks = self._hooks.hooks if self._hooks is not None else None
        return Order(self._store.access, self._store.sight, hooks)

    async def _next(self) -> None:
        """Check what has been written so far, and begin again with the next row."""
        await self._judge()
        self._anew()

    def _anew(self, rows: int | None = None) -> None:
        """Begin again with the first phase. What has been written counts as the old state from now on.

        Args:
            rows: reset the count of input rows to this, if some will be gathered again.
        """
        if rows is not None:
            self._rows.number = rows
        self._store.begin()
        self._gathered = self._gatherer()

    def _gatherer(self) -> Gatherer:
        return Gatherer(self._store, self._inputs, self._rows, self._hooks.hooks if self._hooks is not None else None)

    async def _write(self) -> None:
        """Run the gathered steps, and the hooks before and after them.

        Every existing row has been found before, so an error here reveals no row.
        """
        self._gathered.finish()
        if self._hooks is not None:
            await self._before(self._hooks)
        await self._write_steps()
        if self._hooks is not None:
            await self._after(self._hooks)

    async def _before(self, hooks: HookRunner) -> None:
        """Run the hooks before anything is written. They may change the drafts."""
        steps = self._gathered.steps
        for number, step in enumerate(steps):
            entity, operation = step.entity, _operation(step)
            if not hooks.hooks.of("before", entity, operation):
                continue
            if isinstance(step, Remove):
                await hooks.before(entity, operation, [Draft("", key=key) for key in step.keys])
                continue
            changed = await hooks.before(entity, operation, step.drafts)
            if isinstance(step, Create):
                await self._store.in_parts(step.drafts, partial(self._inputs.require, entity))
            if not changed:
                continue
            # Check where the to-ones that a hook sets lead, just as for the client's values.
            keys = {name for relation in entity.relations for name in relation.key}
            known = {id(draft) for draft in step.late}
            led = (step.drafts[place] for place, names in changed.items() if not keys.isdisjoint(names))
            late = [draft for draft in led if id(draft) not in known]
            step = replace(step, late=[*step.late, *late])
            if isinstance(step, Change):
                unique = {name for key in entity.uniques for name in _columns_of(entity, key)}
                step = replace(step, singly=any(not unique.isdisjoint(names) for names in changed.values()))
            steps[number] = step

    async def _after(self, hooks: HookRunner) -> None:
        """Check what has been written, then run the hooks after it. `finish` checks again what they leave."""
        steps = [
            (step, operation)
            for step in self._gathered.steps
            if hooks.hooks.of("after", step.entity, operation := _operation(step))
        ]
        if steps:
            await self._judge()
        for step, operation in steps:
            keys = step.keys if isinstance(step, Remove) else [draft.key for draft in step.drafts]
            await hooks.after(step.entity, operation, keys)

    async def _write_steps(self) -> None:
        store = self._store
        store.phase = Phase.WRITE
        await store.defer(self._deferrable())
        forbidden = await self._foresee()
        try:
            for step in self._gathered.steps:
                await self._write_step(step)
        except ForbiddenError:
            raise
        except ClewError as error:
            # Another error could reveal rows to a viewer that may not write these rows at all.
            if forbidden is None:
                raise
            raise forbidden from error

    async def _write_step(self, step: Step) -> None:
        store = self._store
        if isinstance(step, Create | Change):
            operation = _operation(step)
            await store.in_parts(step.drafts, partial(self._inputs.settle, step.entity, operation=operation))
            _, astray = await store.leads(step.entity, step.late, operation)
            for draft, relation in await self._gathered.led_astray(step.entity, step.drafts, astray):
                raise store.hidden(step.entity, relation).at(draft.path)
            if isinstance(step, Create):
                await store.insert(step.entity, step.drafts, once=step.once)
            else:
                # alike if true or false: except if a hook changes a unique value: tests/writes/test_hooks.py
                for drafts in ([draft] for draft in step.drafts) if step.singly else [step.drafts]:
                    await store.update(step.entity, drafts)
        elif step.entity.soft_delete is None:
            await store.delete(step.entity, step.keys)
        else:
            await store.mark(step.entity, step.keys)

    async def _foresee(self) -> ForbiddenError | None:
        """Return the refusal of the first row that no rule could allow. Nothing has been written yet."""
        steps = self._gathered.steps
        numbers: dict[str, int] = {}
        for step in steps:
            numbers[step.entity.name] = numbers.get(step.entity.name, 0) + _rows_of(step)
        written = {name for name, number in numbers.items() if number}
        model = self._store.model
        along = set[str]().union(*(taken_along(model, step.entity) for step in steps if isinstance(step, Remove)))
        alone = {name for name in written - along if numbers[name] == 1}
        for step in steps:
            # alike without `isinstance(step, Create) and step.once`: no rule is about such links
            if isinstance(step, Remove) or (isinstance(step, Create) and step.once):
                continue
            # If only one row of its entity is written, rules read that entity in its old state, which is known.
            unsettled = frozenset((written | along) - ({step.entity.name} & alone))
            operation = _operation(step)
            forbidden = await forbidden_anyway(self._store, step.entity, step.drafts, operation, Phase.WRITE, unsettled)
            if forbidden is not None:
                return forbidden
        return None

    def _deferrable(self) -> list[tuple[Entity, UniqueKey]]:
        """Return the deferrable keys of the written entities, without the key of an upsert."""
        entities = {step.entity.name: step.entity for step in self._gathered.steps if not isinstance(step, Remove)}
        return [
            (entity, key)
            for entity in entities.values()
            for key in entity.uniques
            if key.deferrable and (entity.name, key.columns) != self._at_once
        ]

    async def finish(self) -> None:
        """Check everything that has been written.

        Raises:
            ClewError: FORBIDDEN; CONSTRAINT_VIOLATION if a deferred key is taken.
        """
        await self._judge()
        await self._store.judge_keys()

    async def _judge(self) -> None:
        await check_written(self._store, self._gathered.steps, self._gathered.written)

    def close(self) -> None:
        """Note that the root field has ended."""
        self._store.close()

    async def refused(self, refusal: Refusal) -> None:
        """Report why the root field is refused. Call this before the transaction rolls back."""
        await self._store.refused(refusal)

    async def _where(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        work = partial(self._filter, entity, arguments)
        # alike if true or false: in another thread
        return await self._store.aside.run(work, begun=True) if is_large(arguments.get("where")) else work()

    def _filter(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        where = arguments.get("where") or {}  # alike without `{}`: null is no condition either
        if not arguments.get("all") and is_empty(entity, where, self._store.model):
            raise ClewError(
                "`where` is absent or empty, or contains an empty condition.",
                hint="Set all: true if you mean all rows.",
            )
        type_ = self._store.schema.type_map[f"{entity.name}Filter"]
        return filter_predicate(self._store.access, self._store.sight, entity, value_tree(where, type_), "where")  # type: ignore[arg-type]  # a type of this name is a filter


def _operation(step: Step) -> Operation:
    """Return the operation of a step."""
    if isinstance(step, Remove):
        return Operation.DELETE
    return Operation.CREATE if isinstance(step, Create) else Operation.UPDATE


def _rows_of(step: Step) -> int:
    """Return how many rows a step writes. A row that only has others nested in it does not count."""
    if isinstance(step, Remove):
        return len(step.keys)
    return len(step.drafts) if isinstance(step, Create) else sum(draft.writes for draft in step.drafts)


def _nests(entity: Entity, inputs: _Inputs) -> bool:
    """Return whether rows are nested in some of the inputs."""
    return any(entity.relation(name) is not None for given in inputs for name in given)


def _written_by(entity: Entity, name: str) -> tuple[str, ...]:
    """Return the columns that a field of an input writes."""
    relation = entity.relation(name)
    return relation.key if relation is not None and relation.key else (name,)


def _changed_by(entity: Entity, name: str) -> tuple[str, ...]:
    """Return the columns of an existing row that a field of an input changes."""
    relation = entity.relation(name)
    return entity.own_key(name) if relation is not None and relation.key else (name,)


def _unique_columns(entity: Entity, inputs: _Inputs) -> list[Column]:
    """Return the columns of every unique key of which the inputs write a part."""
    names: set[str] = set().union(*inputs)
    written = {column for name in names for column in _written_by(entity, name)}
    written |= {column.name for column in entity.columns if column.preset is not None}
    keys = (set(_columns_of(entity, unique)) for unique in entity.uniques)
    found: set[str] = set().union(*(key for key in keys if not key.isdisjoint(written)))
    return [column for column in entity.columns if column.name in found]


def _columns_of(entity: Entity, unique: UniqueKey) -> tuple[str, ...]:
    if unique.sql is None:
        return unique.columns
    named = identifiers(unique.sql)
    return tuple(column.name for column in entity.columns if column.column in named)
