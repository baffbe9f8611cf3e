"""One generated root field of a mutation, from its arguments to the keys of the rows that it has written."""

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
from clew.model.types import Entity, Operation, RelationKind
from clew.model.writing import unique_keys
from clew.plan.filters import filter_predicate, is_empty
from clew.plan.write import Lock
from clew.sql.keys import Key
from clew.writes.check import check_written
from clew.writes.drafts import InputReader, column_of
from clew.writes.gather import Gatherer
from clew.writes.store import Store
from clew.writes.types import Change, Create, Draft, Locked
from clew.writes.witness import Phase, Refusal

_Inputs = Sequence[Mapping[str, Any]]

# How often an upsert looks for rows of others that are in its way, before it takes them for hidden ones.
_TRIES = 4


class Writer:
    """Runs one root field: gathers what it touches, writes, and with `finish` judges what has been written."""

    def __init__(self, store: Store, inputs: InputReader) -> None:
        self._store = store
        self._inputs = inputs
        self._gathered = Gatherer(store, inputs)

    # --- root fields ------------------------------------------------------------------

    async def create(self, entity: Entity, inputs: _Inputs, place: str, *, listed: bool) -> list[Key]:
        """Create rows; return their keys in the inputs' order."""
        drafts = await self._gathered.create(
            entity, [(given, f"{place}.{n}" if listed else place) for n, given in enumerate(inputs)]
        )
        await self._write()
        return [draft.key for draft in drafts]

    async def update_one(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Change the row with a key; return None if there is none that the viewer may change."""
        key = self._inputs.key(entity, arguments)
        draft = self._inputs.changes(entity, arguments, "")
        version = [column for column in entity.columns if column.version]
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
        """Change all rows for which a filter holds."""
        where = await self._where(entity, arguments)
        nested = [name for name in arguments.get("set") or () if entity.column(name) is None]
        many = [name for name in nested if (r := entity.relation(name)) and r.kind is not RelationKind.TO_ONE]
        if many:
            raise ClewError(f"`set.{many[0]}` can only be set for one row.", hint="Update the rows one by one.")
        # Validate values even if no row matches.
        draft = self._inputs.changes(entity, arguments, "")
        rows = await self._store.lock(self._gathered.lock_of(entity, Operation.UPDATE, [draft], where=where))
        drafts = [replace(draft, values=dict(draft.values)) for _ in rows]
        await self._gathered.change(entity, rows, drafts, [arguments.get("set")] * len(rows))
        await self._write()
        return [row.key for row in rows]

    async def update_each(self, entity: Entity, updates: _Inputs, place: str) -> list[Key]:
        """Change rows, each in its own way; leave out those that are not there."""
        self._gathered.count(len(updates), place)
        keys: list[Key] = []
        drafts: list[Draft] = []
        for n, update in enumerate(updates):
            await self._store.pause(n)
            keys.append(self._inputs.key(entity, update, f"{place}.{n}."))
            drafts.append(self._inputs.changes(entity, update, f"{place}.{n}."))
        plan = self._gathered.lock_of(entity, Operation.UPDATE, drafts, named=True)
        rows = {row.position: row for row in await self._store.lock(plan, keys=keys)}
        there = [n for n in range(len(keys)) if n + 1 in rows]
        await self._gathered.change(
            entity, [rows[n + 1] for n in there], [drafts[n] for n in there], [updates[n].get("set") for n in there]
        )
        await self._write()
        return [rows[n + 1].key for n in there]

    async def upsert(
        self, entity: Entity, inputs: _Inputs, on: str, update: Sequence[str] | None, place: str, *, listed: bool
    ) -> list[Key]:
        """Create rows, or change those that have their keys already; return their keys in the inputs' order."""
        names = unique_keys(entity)[on]
        columns = [column_of(entity, name) for name in names]
        places = [f"{place}.{n}" if listed else place for n in range(len(inputs))]
        wanted: list[Key] = []
        for n, (given, at) in enumerate(zip(inputs, places, strict=True)):
            await self._store.pause(n)
            self._inputs.refuse_twice_given(entity, given, f"{at}.")
            wanted.append(self._inputs.new_unique(entity, names, given, at))
        if len(set(wanted)) < len(wanted):
            raise ClewError(f"`{place}` has the same key twice.", hint="Send each row once.")
        refused = KeyTakenError(known(names, entity.name, self._store.schema))
        for _ in range(_TRIES):
            self._store.phase = Phase.GATHER
            self._gathered = Gatherer(self._store, self._inputs)
            found = dict(await self._store.find(entity, columns, wanted))
            there = [n for n in range(len(inputs)) if n in found]
            still = [[wanted[n][index] for n in there] for index in range(len(names))]
            plan = self._gathered.lock_of(entity, Operation.UPDATE, still=columns)
            rows = {
                row.position: row for row in await self._store.lock(plan, keys=[found[n] for n in there], still=still)
            }
            if len(rows) < len(there):
                # As for a hidden row, whose key an INSERT would hit; unless it has just gone, or has another key now.
                continue
            old = {n: rows[index + 1] for index, n in enumerate(there)}
            drafts = await self._upsert(entity, inputs, names, update, places, old)
            try:
                if len(old) == len(inputs):
                    await self._write()
                else:
                    async with self._store.undone_if_taken():
                        await self._write()
            except KeyTakenError as error:
                # Perhaps by another transaction, after the look: the next one finds its row.
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
        """Gather the changes of the locked rows `old`, by the place of their inputs, and the rows to create."""
        changing = set(update) if update is not None else None
        fixed = {*names, *entity.primary_key}
        drafts: dict[int, Draft] = {}
        sets: list[Mapping[str, Any]] = []
        for n in old:
            await self._store.pause(n)
            given = {
                name: value
                for name, value in inputs[n].items()
                if fixed.isdisjoint(written := _written_by(entity, name))
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
        """Lock the rows to delete, which are read before `delete`; return their keys."""
        lock_of = self._gathered.lock_of
        if where:
            where_ = await self._where(entity, arguments)
            rows = await self._store.lock(lock_of(entity, Operation.DELETE, where=where_))
        else:
            plan = lock_of(entity, Operation.DELETE, named=True)
            rows = await self._store.lock(plan, keys=[self._inputs.key(entity, arguments)])
        keys = [row.key for row in rows]
        await self._gathered.remove(entity, keys)
        return keys

    async def delete(self) -> None:
        """Delete the rows that `to_delete` has locked."""
        await self._write()

    async def restore(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Bring a deleted row back, and what was deleted with it; return None if there is none."""
        deleted = entity.soft_delete
        assert deleted is not None
        visible = self._store.access.visible(entity, self._store.sight, "ONLY")
        permits = self._store.permits(entity, Operation.DELETE)
        key = self._inputs.key(entity, arguments)
        rows = await self._store.lock(Lock(visible, permits, named=True, columns=[deleted]), keys=[key])
        if not rows:
            return None
        at = rows[0].columns[0]
        async for _ in self._store.reach(entity, [rows[0].key], restored=at):
            pass
        self._store.phase = Phase.WRITE
        await self._store.mark(entity, [rows[0].key], at)
        return rows[0].key

    # --- phases -----------------------------------------------------------------------

    async def _write(self) -> None:
        """Do what has been gathered: nothing is found out any more, so nothing that is refused here tells of a row."""
        self._gathered.finish()
        store = self._store
        store.phase = Phase.WRITE
        for step in self._gathered.steps:
            if isinstance(step, Create | Change):
                operation = Operation.CREATE if isinstance(step, Create) else Operation.UPDATE
                self._inputs.settle(step.entity, step.drafts, operation)
                _, astray = await store.leads(step.entity, step.late, operation)
                if astray:
                    raise store.hidden(step.entity, astray[0][1])
                if isinstance(step, Create):
                    await store.insert(step.entity, step.drafts, once=step.once)
                else:
                    await store.update(step.entity, step.drafts)
            elif step.entity.soft_delete is None:
                await store.delete(step.entity, step.keys)
            else:
                await store.mark(step.entity, step.keys)

    async def finish(self) -> None:
        """Judge all that has been written.

        Raises:
            ClewError: FORBIDDEN.
        """
        self._store.phase = Phase.CHECK
        await check_written(self._store, self._gathered.written)

    async def refused(self, refusal: Refusal) -> None:
        """Tell whoever wants to know why the root field is refused, while its transaction is as it was then."""
        await self._store.refused(refusal)

    async def _where(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        work = partial(self._filter, entity, arguments)
        # alike if true or false: in another thread
        return await self._store.aside.run(work, begun=True) if is_large(arguments["where"]) else work()

    def _filter(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        where = arguments["where"]
        if not arguments.get("all") and is_empty(entity, where, self._store.model):
            raise ClewError(
                "`where` is empty, or contains an empty condition.", hint="Set all: true if you mean all rows."
            )
        type_ = self._store.schema.type_map[f"{entity.name}Filter"]
        return filter_predicate(self._store.access, self._store.sight, entity, value_tree(where, type_), "where")  # type: ignore[arg-type]


def _written_by(entity: Entity, name: str) -> tuple[str, ...]:
    """The columns that a field of an input writes."""
    relation = entity.relation(name)
    return relation.key if relation is not None and relation.key else (name,)
