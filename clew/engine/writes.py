"""One generated root field of a mutation: rows locked, written, and judged by the rules (SPEC 4, 6).

Inputs are taken level by level, the rows of one level together: a to-one's new rows before the rows that
point to them, the rows of a to-many after. Each level is a few statements, however many rows it has. When
all is written every row is judged: readable, and each written field under one rule that held before and
holds after. An error anywhere leaves the whole mutation undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from clew.engine.aside import is_large
from clew.engine.drafts import Draft, InputReader, Nested, column_of, forbidden, is_free_link
from clew.engine.keys import Key
from clew.engine.store import Locked, Store
from clew.engine.verdict import Written, judge_written
from clew.engine.violations import KeyTakenError, known
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Operation, Relation, RelationKind
from clew.model.writing import is_required, owner_of, unique_keys
from clew.plan.filters import filter_predicate, is_empty
from clew.plan.inputs import value_tree
from clew.plan.types import Predicate

_Inputs = Sequence[Mapping[str, Any]]

# Rows of one root field, nested ones included.
MOST_ROWS = 10_000

# What is done with rows of a to-many that belong to it already.
_OF_MEMBERS = ("delete", "disconnect", "update")

# Rows whose input is taken without a pause, in a few milliseconds.
_ROWS_A_SLICE = 100

# How often an upsert looks for rows of others that are in its way, before it takes them for hidden ones.
_TRIES = 4


class Writer:
    """Runs one root field; `finish` judges what it has written."""

    def __init__(self, store: Store, inputs: InputReader) -> None:
        self.model = store.model
        self._store = store
        self._inputs = inputs
        self._rows = 0
        self._written: list[Written] = []
        # The rows that are in it, by entity; and the links that were made or removed under the rules of their ends.
        self._keys: dict[str, set[Key]] = {}

    # --- root fields ------------------------------------------------------------------

    async def create(self, entity: Entity, inputs: _Inputs, place: str, *, listed: bool) -> list[Key]:
        """Create rows; their keys in the inputs' order."""
        return await self._create(
            entity, [(given, f"{place}.{n}" if listed else place) for n, given in enumerate(inputs)]
        )

    async def update_one(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Change the row with a key; None if there is none that the viewer may change."""
        key = self._inputs.key(entity, arguments)
        draft = self._inputs.changes(entity, arguments, "")
        rows = await self._store.lock(entity, Operation.UPDATE, keys=[key], named=True, columns=self._version(entity))
        if not rows:
            return None
        expected = arguments.get("ifVersion")
        if expected is not None and rows[0].columns[0] != expected:
            raise ClewError(
                "The row has changed in the meantime.", code=Code.CONFLICT, hint="Read it again, and decide anew."
            )
        await self._update(entity, rows, [draft], [arguments.get("set")])
        return rows[0].key

    async def update_where(self, entity: Entity, arguments: Mapping[str, Any]) -> list[Key]:
        """Change all rows for which a filter holds."""
        where = await self._where(entity, arguments)
        nested = [name for name in arguments.get("set") or () if entity.column(name) is None]
        many = [name for name in nested if (r := entity.relation(name)) and r.kind is not RelationKind.TO_ONE]
        if many:
            raise ClewError(f"`set.{many[0]}` can only be given for one row.", hint="Update the rows one by one.")
        # What is wrong with the values is wrong whatever rows there are.
        draft = self._inputs.changes(entity, arguments, "")
        rows = await self._store.lock(entity, Operation.UPDATE, where=where)
        drafts = [replace(draft, values=dict(draft.values)) for _ in rows]
        await self._update(entity, rows, drafts, [arguments.get("set")] * len(rows))
        return [row.key for row in rows]

    async def update_each(self, entity: Entity, updates: _Inputs, place: str) -> list[Key]:
        """Change rows, each in its own way; those that are not there are left out."""
        self._count(len(updates), place)
        keys: list[Key] = []
        drafts: list[Draft] = []
        for n, update in enumerate(updates):
            await self._pause(n)
            keys.append(self._inputs.key(entity, update, f"{place}.{n}."))
            drafts.append(self._inputs.changes(entity, update, f"{place}.{n}."))
        rows = await self._store.lock(entity, Operation.UPDATE, keys=keys, named=True)
        found = {row.position: row for row in rows}
        there = [n for n in range(len(keys)) if n + 1 in found]
        await self._update(
            entity, [found[n + 1] for n in there], [drafts[n] for n in there], [updates[n].get("set") for n in there]
        )
        return [found[n + 1].key for n in there]

    async def upsert(
        self, entity: Entity, inputs: _Inputs, on: str, update: Sequence[str] | None, place: str, *, listed: bool
    ) -> list[Key]:
        """Create rows, or change those that have their keys already; their keys in the inputs' order."""
        names = unique_keys(entity)[on]
        columns = [column_of(entity, name) for name in names]
        places = [f"{place}.{n}" if listed else place for n in range(len(inputs))]
        wanted: list[Key] = []
        for n, (given, at) in enumerate(zip(inputs, places, strict=True)):
            await self._pause(n)
            self._inputs.refuse_twice_given(entity, given, f"{at}.")
            wanted.append(self._inputs.new_unique(entity, names, given, at))
        if len(set(wanted)) < len(wanted):
            raise ClewError(f"`{place}` has the same key twice.", hint="Send each row once.")
        refused = KeyTakenError(known(names, entity.name, self._store.schema))
        for _ in range(_TRIES):
            found = await self._store.find(entity, columns, wanted)
            there = [n for n in range(len(inputs)) if n in found]
            still = {name: [wanted[n][index] for n in there] for index, name in enumerate(names)}
            rows = await self._store.lock(entity, Operation.UPDATE, keys=[found[n] for n in there], still=still)
            if len(rows) < len(there):
                # As for a hidden row, whose key an INSERT would hit; unless it has just gone, or has another key now.
                continue
            by_position = {row.position: row for row in rows}
            old = {n: by_position[index + 1] for index, n in enumerate(there)}
            if len(old) == len(inputs):
                return await self._upsert(entity, inputs, names, update, places, old)
            try:
                async with self._store.undone_if_taken():
                    return await self._upsert(entity, inputs, names, update, places, old)
            except KeyTakenError as error:
                # Perhaps by another transaction, after the look: the next one finds its row.
                refused = error
                self._rows = 0
                self._written.clear()
                self._keys.clear()
        raise refused

    async def _upsert(
        self,
        entity: Entity,
        inputs: _Inputs,
        names: Sequence[str],
        update: Sequence[str] | None,
        places: Sequence[str],
        old: Mapping[int, Locked],
    ) -> list[Key]:
        """Change the locked rows `old`, by the place of their inputs, and create the others."""
        changing = set(update) if update is not None else None
        fixed = {*names, *entity.primary_key}
        drafts: list[Draft] = []
        sets: list[Mapping[str, Any]] = []
        for n in old:
            await self._pause(n)
            given = {
                name: value
                for name, value in inputs[n].items()
                if fixed.isdisjoint(written := _written_by(entity, name))
                and (changing is None or changing.issuperset(written))
            }
            drafts.append(self._inputs.changes(entity, {"set": given}, "", place=places[n]))
            sets.append(given)
        await self._update(entity, list(old.values()), drafts, sets)
        new = [n for n in range(len(inputs)) if n not in old]
        made = await self._create(entity, [(inputs[n], places[n]) for n in new])
        keys = {n: row.key for n, row in old.items()} | dict(zip(new, made, strict=True))
        return [keys[n] for n in range(len(inputs))]

    async def to_delete(self, entity: Entity, arguments: Mapping[str, Any], *, where: bool) -> list[Key]:
        """Lock what is to be deleted, for it is read before: the keys for `delete`."""
        if where:
            rows = await self._store.lock(entity, Operation.DELETE, where=await self._where(entity, arguments))
        else:
            rows = await self._store.lock(
                entity, Operation.DELETE, keys=[self._inputs.key(entity, arguments)], named=True
            )
        return [row.key for row in rows]

    async def delete(self, entity: Entity, keys: Sequence[Key]) -> None:
        """Delete locked rows; with @softDelete mark them, and what goes with them."""
        if keys:
            if entity.soft_delete is None:
                await self._store.delete(entity, keys)
            else:
                await self._store.mark(entity, keys, datetime.now(UTC), restores=False)

    async def restore(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Bring a deleted row back, and what was deleted with it; None if there is none."""
        deleted = entity.soft_delete
        assert deleted is not None
        key = self._inputs.key(entity, arguments)
        rows = await self._store.lock(
            entity, Operation.DELETE, keys=[key], named=True, columns=[deleted], deleted="ONLY"
        )
        if not rows:
            return None
        await self._store.mark(entity, [rows[0].key], rows[0].columns[0], restores=True)
        return rows[0].key

    # --- creating ---------------------------------------------------------------------

    async def _create(
        self,
        entity: Entity,
        inputs: Sequence[tuple[Mapping[str, Any], str]],
        parents: Sequence[Mapping[str, Any]] | None = None,
        known: frozenset[str] = frozenset(),
    ) -> list[Key]:
        """Create rows of one level and all that is nested in them.

        Args:
            inputs: each with its place.
            parents: for each, what the row that it is nested in fills.
            known: the to-ones that lead there.
        """
        if inputs:
            self._count(len(inputs), inputs[0][1].removesuffix(".0"))
        drafts: list[Draft] = []
        nested: Nested = {}
        for number, (given, place) in enumerate(inputs):
            await self._pause(number)
            draft = Draft(place)
            drafts.append(draft)
            self._inputs.take(entity, draft, given, nested)
            if parents is not None:
                self._inputs.fill(entity, draft, parents[number], known)
        await self._to_ones(entity, nested)
        self._inputs.preset(entity, drafts, Operation.CREATE)
        for column in entity.columns:
            if column.relation is None or not is_required(entity, column):
                continue
            for draft in drafts:
                if column.name not in draft.values:
                    raise ClewError(f"`{draft.at(column.relation)}` is required.", hint=f"Give {column.name}.")
        await self._store.insert(entity, drafts)
        self._note(entity, Operation.CREATE, drafts)
        await self._to_manys(entity, nested)
        return [draft.key for draft in drafts]

    async def _to_ones(self, entity: Entity, nested: Nested) -> None:
        """Create or find what to-ones lead to, and fill their keys."""
        for name, entries in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is not RelationKind.TO_ONE:
                continue
            target = self.model.entity(relation.target)
            new = [(draft, value["create"]) for draft, value in entries if "create" in value]
            keys = await self._create(target, [(given, f"{draft.at(name)}.create") for draft, given in new])
            for (draft, _), key in zip(new, keys, strict=True):
                self._inputs.point(draft, relation, _pointing(entity, relation, target, key))
            old = [(draft, value["connect"]) for draft, value in entries if "connect" in value]
            keys = await self._connected(target, [(given, f"{draft.at(name)}.connect") for draft, given in old])
            for (draft, _), key in zip(old, keys, strict=True):
                self._inputs.point(draft, relation, _pointing(entity, relation, target, key))

    async def _update(
        self,
        entity: Entity,
        rows: Sequence[Locked],
        drafts: Sequence[Draft],
        sets: Sequence[Mapping[str, Any] | None],
    ) -> None:
        """Change locked rows, and what is nested in their changes."""
        keys: set[Key] = set()
        for row, draft in zip(rows, drafts, strict=True):
            if row.key in keys:
                raise ClewError(f"`{draft.place}` names a row twice.", hint="Put its changes into one entry.")
            keys.add(row.key)
        await self._judge_between(entity, keys)
        nested: Nested = {}
        for row, draft, given in zip(rows, drafts, sets, strict=True):
            draft.key, draft.held = row.key, row.held
            relations = {name: value for name, value in (given or {}).items() if entity.column(name) is None}
            if relations:
                self._inputs.refuse_twice_given(entity, given or {}, draft.at(""))
                self._inputs.take(entity, draft, relations, nested)
        await self._close(entity, nested)
        await self._to_ones(entity, nested)
        self._inputs.preset(entity, drafts, Operation.UPDATE)
        await self._store.update(entity, drafts)
        self._note(entity, Operation.UPDATE, drafts)
        await self._to_manys(entity, nested)

    # --- to-many ----------------------------------------------------------------------

    async def _close(self, entity: Entity, nested: Nested) -> None:
        """Note which lists are hidden on their rows, before anything is written that might open them."""
        for name, entries in nested.items():
            asked = [draft for draft, value in entries if any(value.get(way) for way in _OF_MEMBERS)]
            if asked:
                shown = await self._store.shows(entity, name, [draft.key for draft in asked])
                for draft, is_shown in zip(asked, shown, strict=True):
                    if not is_shown:
                        draft.closed |= {name}

    async def _to_manys(self, entity: Entity, nested: Nested) -> None:
        for name, entries in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is RelationKind.TO_ONE:
                continue
            inputs = {
                way: [
                    (draft, item, f"{draft.at(name)}.{way}.{n}")
                    for draft, value in entries
                    for n, item in enumerate(value.get(way) or ())
                ]
                for way in (*_OF_MEMBERS, "create", "connect")
            }
            for way in _OF_MEMBERS:
                for draft, _, place in inputs[way]:
                    if name in draft.closed:
                        raise _not_in_list(place, name)
            if relation.through is None:
                await self._owned(entity, relation, inputs)
            else:
                await self._linked(entity, relation, inputs)

    async def _owned(
        self, entity: Entity, relation: Relation, inputs: Mapping[str, list[tuple[Draft, Mapping[str, Any], str]]]
    ) -> None:
        """Rows that point here by their own to-one."""
        target = self.model.entity(relation.target)
        owner = owner_of(self.model, relation)
        fill = [_pointing(target, owner, entity, draft.key) for draft, _, _ in inputs["create"]]
        await self._change_owned(entity, relation, owner, target, inputs)
        new = [(given, place) for _, given, place in inputs["create"]]
        await self._create(target, new, fill, frozenset([owner.name]))
        await self._point(
            target,
            owner,
            inputs["connect"],
            [_pointing(target, owner, entity, draft.key) for draft, _, _ in inputs["connect"]],
        )

    async def _change_owned(
        self,
        entity: Entity,
        relation: Relation,
        owner: Relation,
        target: Entity,
        inputs: Mapping[str, list[tuple[Draft, Mapping[str, Any], str]]],
    ) -> None:
        columns = [column_of(target, name) for name in owner.key]
        for way, operation in (
            ("delete", Operation.DELETE),
            ("disconnect", Operation.UPDATE),
            ("update", Operation.UPDATE),
        ):
            entries = inputs[way]
            if not entries:
                continue
            if way == "update":
                keys = [self._inputs.key(target, given, f"{place}.") for _, given, place in entries]
            else:
                keys = await self._connected(target, [(given, place) for _, given, place in entries])
            locked = await self._store.lock(target, operation, keys=keys, named=way == "update", columns=columns)
            rows = {row.position: row for row in locked}
            ordered: list[Locked] = []
            for number, (draft, _, place) in enumerate(entries):
                row = rows.get(number + 1)
                expected = tuple(_pointing(target, owner, entity, draft.key)[name] for name in owner.key)
                if row is None or row.columns != expected:
                    raise _not_in_list(place, relation.name)
                ordered.append(row)
            if way == "delete":
                await self.delete(target, [row.key for row in ordered])
            elif way == "update":
                drafts = [self._inputs.changes(target, given, f"{place}.") for _, given, place in entries]
                await self._update(target, ordered, drafts, [given.get("set") for _, given, _ in entries])
            else:
                await self._set_keys(target, owner, ordered, [dict.fromkeys(owner.key) for _ in ordered], entries)

    async def _point(
        self,
        target: Entity,
        owner: Relation,
        entries: Sequence[tuple[Draft, Mapping[str, Any], str]],
        fill: Sequence[Mapping[str, Any]],
    ) -> None:
        """Let rows that are there point here: their to-one is written, under their own rules."""
        if not entries:
            return
        keys = await self._connected(target, [(given, place) for _, given, place in entries])
        rows = {row.position: row for row in await self._store.lock(target, Operation.UPDATE, keys=keys)}
        for number, (_, _, place) in enumerate(entries):
            if number + 1 not in rows:
                raise _no_such_row(place)
        await self._set_keys(target, owner, [rows[n + 1] for n in range(len(entries))], fill, entries)

    async def _set_keys(
        self,
        target: Entity,
        relation: Relation,
        rows: Sequence[Locked],
        values: Sequence[Mapping[str, Any]],
        entries: Sequence[tuple[Draft, Mapping[str, Any], str]],
    ) -> None:
        """Write the to-one of rows that are there."""
        drafts = []
        for found, (_, _, place) in zip(values, entries, strict=True):
            draft = Draft(place, values=dict(found), fields=frozenset(found), known=frozenset([relation.name]))
            drafts.append(draft)
        await self._update(target, rows, drafts, [None] * len(drafts))

    async def _linked(
        self, entity: Entity, relation: Relation, inputs: Mapping[str, list[tuple[Draft, Mapping[str, Any], str]]]
    ) -> None:
        """A many-to-many: its links are written; of a generated link under the rules of the field."""
        assert relation.through is not None
        target, link = self.model.entity(relation.target), self.model.entity(relation.through.entity)
        if inputs["update"] or inputs["delete"]:
            await self._change_linked(entity, relation, target, link, inputs)
        made = await self._create(target, [(given, place) for _, given, place in inputs["create"]])
        found = await self._connected(target, [(given, place) for _, given, place in inputs["connect"]])
        pairs = [*zip(inputs["create"], made, strict=True), *zip(inputs["connect"], found, strict=True)]
        if pairs:
            links = [self._link(entity, relation, target, link, draft.key, key) for (draft, _, _), key in pairs]
            places = [place for (_, _, place), _ in pairs]
            ends = (entity.name, target.name)
            known = frozenset(r.name for r in link.relations if r.key and r.target in ends and {*r.key} <= {*links[0]})
            if is_free_link(link):
                await self._judge_links(link, [tuple(values[name] for name in link.primary_key) for values in links])
                drafts = [Draft(place, values=values, known=known) for place, values in zip(places, links, strict=True)]
                await self._store.insert(link, drafts)
            else:
                await self._create(link, [({}, place) for place in places], links, known)
        if inputs["disconnect"]:
            gone = await self._connected(target, [(given, place) for _, given, place in inputs["disconnect"]])
            values = [
                self._link(entity, relation, target, link, draft.key, key)
                for (draft, _, _), key in zip(inputs["disconnect"], gone, strict=True)
            ]
            await self._unlink(relation, link, values, [place for _, _, place in inputs["disconnect"]])

    async def _change_linked(
        self,
        entity: Entity,
        relation: Relation,
        target: Entity,
        link: Entity,
        inputs: Mapping[str, list[tuple[Draft, Mapping[str, Any], str]]],
    ) -> None:
        for way, operation in (("delete", Operation.DELETE), ("update", Operation.UPDATE)):
            entries = inputs[way]
            if not entries:
                continue
            if way == "update":
                keys = [self._inputs.key(target, given, f"{place}.") for _, given, place in entries]
            else:
                keys = await self._connected(target, [(given, place) for _, given, place in entries])
            values = [
                self._link(entity, relation, target, link, draft.key, key)
                for (draft, _, _), key in zip(entries, keys, strict=True)
            ]
            columns = [column_of(link, name) for name in values[0]]
            wanted = [tuple(value[column.name] for column in columns) for value in values]
            linked = await self._store.find(link, columns, wanted)
            locked = await self._store.lock(target, operation, keys=keys, named=way == "update")
            rows = {row.position: row for row in locked}
            for number, (_, _, place) in enumerate(entries):
                if number not in linked or number + 1 not in rows:
                    raise _not_in_list(place, relation.name)
            ordered = [rows[number + 1] for number in range(len(entries))]
            if way == "delete":
                await self._unlink(relation, link, values, [place for _, _, place in entries])
                await self.delete(target, [row.key for row in ordered])
            else:
                drafts = [self._inputs.changes(target, given, f"{place}.") for _, given, place in entries]
                await self._update(target, ordered, drafts, [given.get("set") for _, given, _ in entries])

    def _link(
        self, entity: Entity, relation: Relation, target: Entity, link: Entity, here: Key, there: Key
    ) -> dict[str, Any]:
        """The columns of a link between two rows, by API name."""
        assert relation.through is not None
        ours = {column.column: value for column, value in zip(entity.key_columns, here, strict=True)}
        theirs = {column.column: value for column, value in zip(target.key_columns, there, strict=True)}
        found = {column: ours[local] for local, column in relation.through.local}
        found |= {column: theirs[remote] for column, remote in relation.through.remote}
        return {_by_sql(link, name).name: value for name, value in found.items()}

    async def _unlink(
        self, relation: Relation, link: Entity, values: Sequence[Mapping[str, Any]], places: Sequence[str]
    ) -> None:
        columns = [column_of(link, name) for name in values[0]]
        wanted = [tuple(value[column.name] for column in columns) for value in values]
        # Of an entity of the application's own there may be several between two rows.
        found = await self._store.find_all(link, columns, wanted)
        linked = {number for number, _ in found}
        for number, place in enumerate(places):
            if number not in linked:
                raise _not_in_list(place, relation.name)
        keys = list(dict.fromkeys(key for _, key in found))
        if is_free_link(link):
            await self._judge_links(link, keys)
        else:
            rows = await self._store.lock(link, Operation.DELETE, keys=keys)
            if len(rows) < len(keys):
                raise forbidden()
        await self.delete(link, keys)

    # --- the rules --------------------------------------------------------------------

    async def finish(self) -> None:
        """Judge all that has been written.

        Raises:
            ClewError: FORBIDDEN.
        """
        await judge_written(self._store, self._written)

    def _note(self, entity: Entity, operation: Operation, drafts: Sequence[Draft]) -> None:
        """Note what is to be judged."""
        if drafts:
            self._written.append((entity, operation, list(drafts)))
            self._keys.setdefault(entity.name, set()).update(draft.key for draft in drafts)

    async def _judge_between(self, entity: Entity, keys: set[Key]) -> None:
        """Judge those of the rows that have been written already, before they are changed once more.

        Rules may have been asked of other rows, and of these, by what they are now: `finish` would not see it.

        Raises:
            ClewError: FORBIDDEN.
        """
        again = keys & self._keys.get(entity.name, set())
        if again:
            so_far = [
                (entity, operation, [draft for draft in drafts if draft.key in again])
                for written, operation, drafts in self._written
                if written is entity
            ]
            await judge_written(self._store, so_far)

    async def _judge_links(self, link: Entity, keys: Sequence[Key]) -> None:
        """Judge what has been written, before a link that it made goes again, or one that went is made again."""
        changed = self._keys.setdefault(link.name, set())
        if not changed.isdisjoint(keys):
            await judge_written(self._store, self._written)
        changed.update(keys)

    # --- values -----------------------------------------------------------------------

    def _version(self, entity: Entity) -> list[Column]:
        return [column for column in entity.columns if column.version]

    async def _connected(self, entity: Entity, wanted: Sequence[tuple[Mapping[str, Any], str]]) -> list[Key]:
        """The keys of visible rows that inputs name by one unique key each."""
        keys: dict[int, Key] = {}
        by_key: dict[tuple[str, ...], list[int]] = {}
        for number, (given, place) in enumerate(wanted):
            name = next((n for n in unique_keys(entity).values() if set(n) == set(given)), None)
            if name is None:
                options = " or ".join("{" + ", ".join(key) + "}" for key in unique_keys(entity).values())
                raise ClewError(f"`{place}` must have the fields of one key.", hint=f"Give {options}.")
            by_key.setdefault(name, []).append(number)
        for names, numbers in by_key.items():
            columns = [column_of(entity, name) for name in names]
            values = [self._inputs.unique(entity, names, *wanted[number]) for number in numbers]
            found = await self._store.find(entity, columns, values)
            for index, number in enumerate(numbers):
                if index not in found:
                    raise _no_such_row(wanted[number][1])
                keys[number] = found[index]
        return [keys[number] for number in range(len(wanted))]

    async def _where(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        work = partial(self._filter, entity, arguments)
        return await self._store.aside.run(work, begun=True) if is_large(arguments["where"]) else work()

    def _filter(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        where = arguments["where"]
        if not arguments.get("all") and is_empty(entity, where, self.model):
            raise ClewError("`where` leaves no condition, or part of it.", hint="Say all: true if all rows are meant.")
        type_ = self._store.schema.type_map[f"{entity.name}Filter"]
        return filter_predicate(self._store.access, self._store.sight, entity, value_tree(where, type_), "where")  # type: ignore[arg-type]

    async def _pause(self, number: int) -> None:
        """Before the row of this number: let others have their turn where there have been many."""
        if number % _ROWS_A_SLICE == _ROWS_A_SLICE - 1:
            await self._store.slices.turn()

    def _count(self, more: int, place: str) -> None:
        self._rows += more
        if self._rows > MOST_ROWS:
            message = f"`{place}` is too long: one field writes at most {MOST_ROWS} rows."
            raise ClewError(message, hint="Write them in several requests.")


def _no_such_row(place: str) -> ClewError:
    return ClewError(f"`{place}` is no such row.", hint="It may be hidden, or have been deleted.")


def _not_in_list(place: str, name: str) -> ClewError:
    """For a row of another's list, and for any row where the list is hidden."""
    return ClewError(f"`{place}` is no row of `{name}`.")


def _by_sql(entity: Entity, name: str) -> Column:
    column = entity.column_by_sql(name)
    assert column is not None, f"{entity.name}: {name}"
    return column


def _pointing(entity: Entity, relation: Relation, target: Entity, key: Key) -> dict[str, Any]:
    """The values of a to-one's key columns, by API name, that lead to the row of `target` with this key."""
    values = {column.column: value for column, value in zip(target.key_columns, key, strict=True)}
    return {_by_sql(entity, local).name: values[remote] for local, remote in relation.on}


def _written_by(entity: Entity, name: str) -> tuple[str, ...]:
    """The columns that a field of an input writes."""
    relation = entity.relation(name)
    return relation.key if relation is not None and relation.key else (name,)
