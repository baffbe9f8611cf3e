"""Run the first phase of a root field: read the inputs, level by level, and lock every existing row that they touch.

This phase writes nothing. It decides every refusal from the rows as they were before the root field, so an error cannot
reveal a state that no rule has allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from graphql import GraphQLInputObjectType

from clew.access.conditions import unmasked
from clew.access.permits import Permits
from clew.access.types import Visible
from clew.errors import ClewError
from clew.model.types import Column, Entity, OnDelete, Operation, Relation, RelationKind
from clew.model.writing import is_free_link, owner_of, unique_keys
from clew.plan.write import Lock
from clew.sql.keys import Key
from clew.writes.check import Allowed, forbidden_anyway
from clew.writes.drafts import InputReader, column_of
from clew.writes.errors import ForbiddenError, GuardedError, NoSuchRowError, not_in_list
from clew.writes.hooks import Hooks
from clew.writes.store import Store, parts
from clew.writes.types import Change, Create, Draft, Item, Locked, Nested, Remove, Source, Step, ToMany, Written
from clew.writes.witness import Phase, Refusal

# The most rows that one root field writes, with nested rows.
MOST_ROWS = 10_000

# Actions on rows that belong to a to-many already.
_OF_MEMBERS = ("delete", "disconnect", "update")


class RowCount:
    """Count the rows in the inputs of one root field."""

    def __init__(self) -> None:
        self.number = 0

    def check(self, more: int, place: str) -> None:
        """Refuse more rows than a root field may write.

        Raises:
            ClewError: BAD_USER_INPUT.
        """
        if self.number + more > MOST_ROWS:
            message = f"`{place}` is too long: one field writes at most {MOST_ROWS} rows."
            raise ClewError(message, hint="Write them in several requests.")


class Gatherer:
    """Collect the steps of one root field, in the order in which they write, and the rows to check after them.

    Args:
        rows: counts the rows of the whole root field. Several gatherers share it if each row is gathered by itself.
        hooks: hooks of the application. They may set required fields that the inputs of new rows leave out.
    """

    def __init__(self, store: Store, inputs: InputReader, rows: RowCount, hooks: Hooks | None) -> None:
        self.steps: list[Step] = []
        self.written: list[Written] = []
        self._model = store.model
        self._store = store
        self._inputs = inputs
        self._rows = rows
        self._hooks = hooks
        self._changed: dict[str, dict[Key, str]] = {}
        self._removed: dict[str, set[Key]] = {}

    # --- new rows ---------------------------------------------------------------------

    async def create(
        self,
        entity: Entity,
        inputs: Sequence[tuple[Mapping[str, Any], str]],
        sources: Sequence[Sequence[Source]] = (),
    ) -> list[Draft]:
        """Read new rows of one level, and everything nested in them.

        Args:
            inputs: each input with its place.
            sources: for each input the rows that it is nested in.
        """
        if not inputs:
            return []
        self.count(len(inputs), inputs[0][1].removesuffix(".0"))
        drafts: list[Draft] = []
        nested: Nested = {}
        for part in parts(range(len(inputs))):
            for number in part:
                given, place = inputs[number]
                draft = Draft(place)
                drafts.append(draft)
                self._inputs.take(entity, draft, given, nested)
                for source in sources[number] if sources else ():
                    self._inputs.take_key(entity, draft, source, given)
            await self._store.rest(part)
        await self._to_ones(entity, nested)
        await self._store.in_parts(drafts, partial(self._inputs.preset, entity, operation=Operation.CREATE))
        if self._hooks is None or not self._hooks.of("before", entity, Operation.CREATE):
            await self._store.in_parts(drafts, partial(self._inputs.require, entity))
        permits = self._store.permits(entity, Operation.CREATE)
        await self._store.in_parts(drafts, Allowed(entity, permits).require)
        late = await self._refuse_hidden(entity, drafts, Operation.CREATE)
        if is_free_link(entity):
            await self._guard_linked(entity, drafts)
        self.steps.append(Create(entity, drafts, late))
        self._judge_after(entity, permits, drafts)
        await self._to_manys(entity, nested)
        return drafts

    async def _to_ones(self, entity: Entity, nested: Nested) -> None:
        """Create or find the rows that to-ones lead to. Fill their keys into the drafts."""
        for name, entries in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is not RelationKind.TO_ONE:
                continue
            target = self._model.entity(relation.target)
            columns = _pointing(entity, relation, target)
            to_ones = frozenset([name])
            for way in ("create", "connect"):
                asked = [(draft, value[way], f"{draft.at(name)}.{way}") for draft, value in entries if way in value]
                placed = [(given, place) for _, given, place in asked]
                await self._store.rest(asked)
                if way == "create":
                    rows = await self.create(
                        target, placed, [_shared(entity, relation, target, draft) for draft, _, _ in asked]
                    )
                else:
                    rows = await self._connected(target, placed, new=True)
                await self._store.rest(asked)
                compared = any(draft.gives(column) for draft, _, _ in asked for column, _ in columns)
                await self._store.rest(asked)
                places = [place for _, _, place in asked]
                await self._refuse_telling(entity, columns, target, rows, places, compared=compared)
                for number, ((draft, _, _), row) in enumerate(zip(asked, rows, strict=True)):
                    await self._store.pause(number)
                    self._inputs.take_key(entity, draft, Source(row, columns, to_ones, name))

    async def _refuse_telling(
        self,
        entity: Entity,
        columns: Iterable[tuple[str, int]],
        target: Entity,
        rows: Sequence[Draft],
        places: Sequence[str],
        *,
        compared: bool = False,
    ) -> None:
        """Refuse rows of `target` whose keys are masked, if columns of `entity` would reveal the keys to the viewer.

        Args:
            columns: columns of `entity` that the keys fill.
            compared: whether the input also sets these columns. Then an error about a difference would reveal the key.

        Raises:
            ClewError: BAD_USER_INPUT.
        """
        known = [number for number, row in enumerate(rows) if row.key]
        # alike without `known`: a shortcut, for there is no key to check
        if known and (compared or self._store.tells(entity, [name for name, _ in columns])):
            shown = await self._store.shows(target, target.primary_key, [rows[number].key for number in known])
            for number, is_shown in zip(known, shown, strict=True):
                if not is_shown:
                    raise NoSuchRowError(places[number])

    async def _refuse_hidden(self, entity: Entity, drafts: Sequence[Draft], operation: Operation) -> list[Draft]:
        """Refuse to-ones whose keys lead to a row that is neither readable nor created by this field.

        Returns:
            The drafts to check again when the keys of new rows are known.

        Raises:
            ClewError: CONSTRAINT_VIOLATION.
        """
        late, astray = await self._store.leads(entity, drafts, operation)
        for draft, relation in await self.led_astray(entity, drafts, astray):
            if forbidden := await forbidden_anyway(self._store, entity, [draft], operation, Phase.GATHER, None):
                raise forbidden
            raise self._store.hidden(entity, relation).at(draft.path)
        return late

    async def led_astray(
        self, entity: Entity, drafts: Sequence[Draft], astray: Sequence[tuple[Draft, Relation]]
    ) -> list[tuple[Draft, Relation]]:
        """Return those of some to-ones that lead to no row which this field creates.

        Args:
            drafts: the rows that are written together with those of the to-ones.
            astray: the to-ones, each with its row. They lead to no readable row.
        """
        made: dict[str, dict[Key, Draft]] = {}
        found: list[tuple[Draft, Relation]] = []
        for number, (draft, relation) in enumerate(astray):
            await self._store.pause(number)
            target = self._model.entity(relation.target)
            names = {target.key_columns[place].name: name for name, place in _pointing(entity, relation, target)}
            if relation.name not in made:  # alike if true: a cache
                made[relation.name] = await self._made(target, [*names], drafts if target is entity else ())
            new = made[relation.name].get(tuple(draft.values.get(name) for name in names.values()))
            if new is None or new is draft:
                found.append((draft, relation))
        return found

    # --- rows that are there ----------------------------------------------------------

    async def change(
        self,
        entity: Entity,
        rows: Sequence[Locked],
        drafts: Sequence[Draft],
        sets: Sequence[Mapping[str, Any] | None],
    ) -> None:
        """Read changes of locked rows, and everything nested in them.

        Args:
            sets: for each row its `set` input, or None. Only the relations in it are read here.
        """
        if not rows:  # alike if false: a shortcut
            return
        refuse_twice(rows, drafts)
        changed = self._changed.setdefault(entity.name, {})
        nested: Nested = {}
        for number, (row, draft, given) in enumerate(zip(rows, drafts, sets, strict=True)):
            await self._store.pause(number)
            changed[row.key] = draft.place
            draft.key, draft.held_before = row.key, row.held_before
            # Adding to a hidden value would reveal it: a client could search for the increase that overflows.
            if not row.masked.isdisjoint((*draft.increases, *draft.appends)):
                fields = tuple(sorted(row.masked & {*draft.increases, *draft.appends}))
                why = f"`inc` and `append` need to read {', '.join(fields)}, which no READ rule opens on the row."
                raise ForbiddenError(Refusal(Phase.GATHER, entity, Operation.UPDATE, why, key=row.key, fields=fields))
            values = given or {}
            # alike if true: columns are read again
            relations = {name: value for name, value in values.items() if entity.column(name) is None}
            if relations:  # alike if true: a shortcut
                self._inputs.refuse_twice_given(entity, values, draft.at(""))
                self._inputs.take(entity, draft, relations, nested, is_new=False)
        await self._close(entity, nested)
        await self._keep(entity, nested)
        await self._to_ones(entity, nested)
        await self._store.in_parts(drafts, partial(self._inputs.preset, entity, operation=Operation.UPDATE))
        permits = self._store.permits(entity, Operation.UPDATE)
        await self._store.in_parts(drafts, Allowed(entity, permits).require)
        late = await self._refuse_hidden(entity, drafts, Operation.UPDATE)
        self.steps.append(Change(entity, drafts, late))
        self._judge_after(entity, permits, drafts)
        await self._to_manys(entity, nested)

    async def _keep(self, entity: Entity, nested: Nested) -> None:
        """Keep the columns that new to-ones of existing rows share with something else.

        Raises:
            ClewError: CONSTRAINT_VIOLATION if such a column is masked on its row. An error about a difference would
                reveal the value.
        """
        set_by: dict[int, set[str]] = {}
        for name, entries in nested.items():
            for draft, _ in entries:
                set_by.setdefault(id(draft), set()).update(entity.own_key(name))
        for name, entries in nested.items():
            shared = self._inputs.kept(entity, entity.shared_key(name))
            # Do not keep a column that another to-one of the input sets.
            keeping = [
                (draft, names)
                for draft, _ in entries
                if (names := [n for n in shared if n not in {*draft.values, *set_by[id(draft)]}])
            ]
            if keeping:
                columns = [column_of(entity, name) for name in entity.shared_key(name)]
                plan = self.lock_of(entity, Operation.UPDATE, opened=entity.shared_key(name), columns=columns)
                locked = await self._store.lock(plan, keys=[draft.key for draft, _ in keeping])
                for number, row in enumerate(locked):
                    await self._store.pause(number)
                    draft, names = keeping[row.position - 1]
                    self._kept(entity, name, draft, names, row)

    def _kept(self, entity: Entity, name: str, draft: Draft, names: Iterable[str], row: Locked) -> None:
        """Keep the row's own values in some columns of the key of its to-one `name`.

        Args:
            names: the columns to keep.
        """
        relation = entity.relation(name)
        assert relation is not None
        of_row = dict(zip(entity.shared_key(name), row.columns, strict=True))
        if not row.masked.isdisjoint(names):
            raise self._store.hidden(entity, relation)
        draft.values.update((name, of_row[name]) for name in names)
        draft.kept |= frozenset(names)

    def lock_of(
        self,
        entity: Entity,
        operation: Operation,
        drafts: Iterable[Draft] = (),
        opened: Iterable[str] = (),
        **options: Any,
    ) -> Lock:
        """Return the plan that locks visible rows under the rules for an operation.

        Args:
            drafts: the changes to come. Fields that they increase or append to must be open.
            opened: more fields that must be open.
            options: further arguments of the plan.
        """
        names = {*opened, *(name for draft in drafts for name in (*draft.increases, *draft.appends))}
        visible, permits = self._store.visible(entity), self._store.permits(entity, operation)
        return Lock(visible, permits, opened=sorted(names & visible.masks.keys()), **options)

    async def delete(self, entity: Entity, keys: Sequence[Key]) -> None:
        """Delete the locked rows that a root field names. If they are links, the guards of both ends must hold."""
        if is_free_link(entity):
            for end in entity.relations:
                await self._guard_ends(entity, end, keys)
        await self.remove(entity, keys)

    async def remove(self, entity: Entity, keys: Sequence[Key]) -> None:
        """Delete locked rows. The guards of all rows that this deletes or changes along must hold."""
        if not keys:  # alike if false: a shortcut
            return
        self._removed.setdefault(entity.name, set()).update(keys)
        along: dict[str, list[Key]] = {}
        async for child, relation, reached in self._store.referencing_rows(entity, keys):
            along.setdefault(child.name, []).extend(reached)
            if relation.on_delete is not OnDelete.CASCADE:
                permits = self._store.guarding(child, Operation.UPDATE)
                held = (True,) * len(permits.every)
                drafts = [Draft("", key=key, held_before=held) for key in reached]
                self._guard_after(child, permits, drafts)
            elif is_free_link(child):
                for end in child.relations:
                    if end.name != relation.name:
                        await self._guard_ends(child, end, reached)
        self.steps.append(Remove(entity, keys, along))

    async def _guard_ends(self, link: Entity, end: Relation, links: Sequence[Key]) -> None:
        """Check the guards of rows whose links are deleted along with the row at the other end.

        Args:
            end: the end of the links at which the rows to check are.
            links: the keys of the links.
        """
        target = self._model.entity(end.target)
        places = {name: place for place, name in enumerate(link.primary_key)}
        names = _end_names(link, end, target)
        if not await self._guarded(target, (tuple(key[places[name]] for name in names) for key in links)):
            permits = self._store.guarding(target, Operation.UPDATE)
            why = f"Links to rows of {target.name} go along, and a guard for UPDATE does not hold of one."
            raise GuardedError(Refusal(Phase.GATHER, target, Operation.UPDATE, why, permits))

    async def _guard_linked(self, link: Entity, drafts: Sequence[Draft]) -> None:
        """Check the guards of the existing rows that new links lead to. Foreign keys tell of rows that are absent.

        Raises:
            GuardedError: with the path to the link's input.
        """
        for end in link.relations:
            target = self._model.entity(end.target)
            names = _end_names(link, end, target)
            ends: dict[Key, Draft] = {}
            for number, draft in enumerate(drafts):
                await self._store.pause(number)
                # A row that is new, too, has no key yet, so none is found. Its guards for CREATE are checked.
                ends.setdefault(tuple(draft.values.get(name) for name in names), draft)
            held = await self._held(target, ends)
            refused = [key for key in ends if key not in held]
            every = self._store.access.every_row(target)
            for number, _ in await self._store.find(target, target.key_columns, refused, among=every):
                permits = self._store.guarding(target, Operation.UPDATE)
                why = f"A link would lead to a row of {target.name}, and a guard for UPDATE does not hold of it."
                refusal = Refusal(Phase.GATHER, target, Operation.UPDATE, why, permits, refused[number])
                raise GuardedError(refusal).at(ends[refused[number]].path)

    async def _guarded(self, entity: Entity, keys: Iterable[Key]) -> bool:
        """Return whether the guards for UPDATE hold for rows whose links change."""
        unique = dict.fromkeys(keys)
        return len(await self._held(entity, unique)) == len(unique)

    async def _held(self, entity: Entity, keys: Collection[Key]) -> Collection[Key]:
        """Return the keys of those rows for which the guards for UPDATE hold. They must hold afterwards, too."""
        permits = self._store.guarding(entity, Operation.UPDATE)
        if not permits.guards:  # alike if false: a shortcut, for the rows at the ends of links are there
            return keys
        asked = list(keys)
        locked = await self._store.lock(Lock(self._store.access.every_row(entity), permits), keys=asked)
        self._guard_after(entity, permits, [Draft("", key=row.key, held_before=row.held_before) for row in locked])
        return {asked[row.position - 1] for row in locked}

    # --- to-many ----------------------------------------------------------------------

    async def _close(self, entity: Entity, nested: Nested) -> None:
        """Note which lists are masked on their rows."""
        for name, entries in nested.items():
            # alike if true: checks more, and nothing uses the result
            asked = [draft for draft, value in entries if any(value.get(way) for way in _OF_MEMBERS)]
            if asked:  # alike if true: a shortcut
                shown = await self._store.shows(entity, [name], [draft.key for draft in asked])
                for draft, is_shown in zip(asked, shown, strict=True):
                    if not is_shown:
                        draft.closed |= {name}

    async def _to_manys(self, entity: Entity, nested: Nested) -> None:
        for name, entries in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is RelationKind.TO_ONE:
                continue
            through = relation.through
            # These make new rows, which are counted where they are read.
            created = {"create"}
            if through is not None and not is_free_link(self._model.entity(through.entity)):
                created.add("connect")
            items: dict[str, list[Item]] = {way: [] for way in (*_OF_MEMBERS, "create", "connect")}
            for draft, value in entries:
                for way, of_way in items.items():
                    count = self._rows.check if way in created else self.count
                    count(len(value.get(way) or ()), f"{draft.at(name)}.{way}")
                    for number, given in enumerate(value.get(way) or ()):
                        await self._store.pause(len(of_way))
                        of_way.append(Item(draft, given, f"{draft.at(name)}.{way}.{number}"))
            for way in _OF_MEMBERS:
                for item in items[way]:
                    if name in item.draft.closed:
                        raise not_in_list(item.place, name)
            if relation.through is None:
                await self._owned(entity, relation, items)
            else:
                await self._linked(entity, relation, items)

    async def _owned(self, entity: Entity, relation: Relation, items: ToMany) -> None:
        """Read changes of a to-many whose rows lead to `entity` by a to-one of their own."""
        target = self._model.entity(relation.target)
        owner = owner_of(self._model, relation)
        columns = _pointing(target, owner, entity)
        to_ones = frozenset([owner.name])
        await self._owned_members(relation, owner, target, columns, items)
        filling = [*items["create"], *items["connect"]]
        places = [item.place for item in filling]
        await self._refuse_telling(target, columns, entity, [item.draft for item in filling], places)
        sources = [[Source(item.draft, columns, to_ones)] for item in items["create"]]
        await self._store.rest(sources)
        await self.create(target, [(item.given, item.place) for item in items["create"]], sources)
        connected = items["connect"]
        if not connected:
            return
        found = await self._connected(target, [(item.given, item.place) for item in connected])
        # Connecting a row twice is the same as connecting it once.
        pairs: dict[tuple[Key, int], Item] = {}
        for row, item in zip(found, connected, strict=True):
            pairs.setdefault((row.key, id(item.draft)), item)
        keys, chosen = [key for key, _ in pairs], list(pairs.values())
        await self._store.rest(chosen)
        own, shared = target.own_key(owner.name), target.shared_key(owner.name)
        drafts: list[Draft] = []
        for number, item in enumerate(chosen):
            await self._store.pause(number)
            drafts.append(self._repointed(item, own, owner))
        plan = self.lock_of(
            target, Operation.UPDATE, opened=shared, columns=[column_of(target, name) for name in shared]
        )
        rows = {row.position: row for row in await self._store.lock(plan, keys=keys)}
        for number, (draft, item) in enumerate(zip(drafts, chosen, strict=True)):
            await self._store.pause(number)
            if number + 1 not in rows:
                raise NoSuchRowError(item.place)
            self._kept(target, owner.name, draft, self._inputs.kept(target, shared), rows[number + 1])
            self._inputs.take_key(target, draft, Source(item.draft, columns, to_ones, ""))
        await self.change(target, [rows[n + 1] for n in range(len(chosen))], drafts, [None] * len(chosen))

    async def _owned_members(
        self,
        relation: Relation,
        owner: Relation,
        target: Entity,
        columns: tuple[tuple[str, int], ...],
        items: ToMany,
    ) -> None:
        key_columns = [column_of(target, name) for name, _ in columns]
        # A client may know that a row belongs here only if it may read the to-one that leads here.
        opened = [owner.name, *owner.key]
        for way in _OF_MEMBERS:
            asked = items[way]
            if not asked:  # alike if false: a shortcut
                continue
            operation = Operation.DELETE if way == "delete" else Operation.UPDATE
            drafts = await self._drafts(way, target, owner, asked)
            keys = await self._keys(way, target, asked)
            plan = self.lock_of(target, operation, drafts, opened, named=way == "update", columns=key_columns)
            rows = {row.position: row for row in await self._store.lock(plan, keys=keys)}
            ordered: list[Locked] = []
            for number, item in enumerate(asked):
                await self._store.pause(number)
                row = rows.get(number + 1)
                expected = tuple(item.draft.key[place] for _, place in columns)
                if row is None or row.columns != expected or not row.masked.isdisjoint(opened):
                    raise not_in_list(item.place, relation.name)
                ordered.append(row)
            if way == "delete":
                await self.remove(target, list(dict.fromkeys(row.key for row in ordered)))
            else:
                # alike if true: nothing else has a `set`
                sets = [item.given.get("set") if way == "update" else None for item in asked]
                await self.change(target, ordered, drafts, sets)

    async def _drafts(self, way: str, target: Entity, owner: Relation | None, items: Sequence[Item]) -> list[Draft]:
        """Return the changes that entries of a to-many make to the listed rows themselves.

        Args:
            owner: the to-one of the listed rows that leads back; None for a many-to-many.
        """
        if way == "update":
            changes: list[Draft] = []
            for number, item in enumerate(items):
                await self._store.pause(number)
                changes.append(self._inputs.changes(target, item.given, f"{item.place}."))
            return changes
        if way == "disconnect" and owner is not None:
            emptied = target.emptied(owner.name)
            drafts = [self._repointed(item, emptied, owner) for item in items]
            for draft in drafts:
                draft.values.update(dict.fromkeys(emptied))
            return drafts
        return []

    def _repointed(self, item: Item, names: Iterable[str], owner: Relation) -> Draft:
        """Return the draft of a row whose to-one `owner` is written from its other end, in the columns `names`."""
        return Draft(item.place, fields=frozenset(names), to_ones=frozenset([owner.name]))

    async def _keys(self, way: str, target: Entity, items: Sequence[Item]) -> list[Key]:
        """Return the keys of the rows that entries of a to-many name."""
        if way == "update":
            keys: list[Key] = []
            for number, item in enumerate(items):
                await self._store.pause(number)
                keys.append(self._inputs.key(target, item.given, f"{item.place}."))
            return keys
        return [row.key for row in await self._connected(target, [(item.given, item.place) for item in items])]

    # --- many-to-many -----------------------------------------------------------------

    async def _linked(self, entity: Entity, relation: Relation, items: ToMany) -> None:
        """Read changes of a many-to-many. They write its links. The rules of the field decide on generated links."""
        assert relation.through is not None
        target, link = self._model.entity(relation.target), self._model.entity(relation.through.entity)
        here = tuple((_by_sql(link, theirs).name, _place(entity, ours)) for ours, theirs in relation.through.local)
        there = tuple((_by_sql(link, ours).name, _place(target, theirs)) for ours, theirs in relation.through.remote)
        await self._linked_members(relation, target, link, here, there, items)
        made = await self.create(target, [(item.given, item.place) for item in items["create"]])
        found = await self._connected(target, [(item.given, item.place) for item in items["connect"]], new=True)
        ends = [*zip(items["create"], made, strict=True), *zip(items["connect"], found, strict=True)]
        ends = await self._not_yet_linked(link, here, there, ends)
        if not ends:
            return
        names = {name for name, _ in (*here, *there)}
        to_ones = frozenset(
            r.name
            for r in link.relations
            if r.key and r.target in (entity.name, target.name) and names.issuperset(r.key)
        )
        sources = [(Source(item.draft, here, to_ones), Source(row, there, to_ones)) for item, row in ends]
        await self._store.rest(sources)
        if not is_free_link(link):
            places = [item.place for item, _ in ends]
            await self._refuse_telling(link, here, entity, [item.draft for item, _ in ends], places)
            await self._refuse_telling(link, there, target, [row for _, row in ends], places)
            await self.create(link, [({}, item.place) for item, _ in ends], sources)
            return
        if not await self._guarded(target, [row.key for _, row in ends if row.key]):
            raise NoSuchRowError(next(item.place for item, row in ends if row.key))
        drafts = [Draft(item.place, to_ones=to_ones) for item, _ in ends]
        for number, (draft, pair) in enumerate(zip(drafts, sources, strict=True)):
            await self._store.pause(number)
            for source in pair:
                self._inputs.take_key(link, draft, source)
        for (item, _), draft in zip(ends, drafts, strict=True):
            item.draft.links += ((link.name, draft),)
        self.steps.append(Create(link, drafts, once=True))

    async def _not_yet_linked(
        self,
        link: Entity,
        here: tuple[tuple[str, int], ...],
        there: tuple[tuple[str, int], ...],
        ends: Sequence[tuple[Item, Draft]],
    ) -> list[tuple[Item, Draft]]:
        """Drop repeated pairs of rows, and pairs that a visible link joins already."""
        unique: dict[Any, tuple[Item, Draft]] = {}
        for item, row in ends:
            unique.setdefault((id(item.draft), row.key or id(row)), (item, row))
        pairs = list(unique.values())
        known = [number for number, (item, row) in enumerate(pairs) if item.draft.key and row.key]
        await self._store.rest(pairs)
        if is_free_link(link) or not known:
            return pairs
        links = {n: _link(here, pairs[n][0].draft.key, there, pairs[n][1].key) for n in known}
        gone = self._removed.get(link.name, set())
        linked = {n for n, key in await self._links(link, links) if key not in gone}
        return [pair for number, pair in enumerate(pairs) if number not in linked]

    async def _links(
        self, link: Entity, wanted: Mapping[int, Mapping[str, Any] | None], *, among: Visible | None = None
    ) -> list[tuple[int, Key]]:
        """Find links by their columns. Return their keys, each with its number in `wanted`.

        Args:
            wanted: the columns of each link; None for a link that cannot exist.
            among: the links to search, instead of the visible links.
        """
        asked = {number: values for number, values in wanted.items() if values is not None}
        if not asked:
            return []
        numbers = list(asked)
        columns = [column_of(link, name) for name in asked[numbers[0]]]
        await self._store.rest(numbers)
        found = await self._store.find(link, columns, [tuple(asked[n].values()) for n in numbers], among=among)
        return [(numbers[n], key) for n, key in found]

    async def _linked_members(
        self,
        relation: Relation,
        target: Entity,
        link: Entity,
        here: tuple[tuple[str, int], ...],
        there: tuple[tuple[str, int], ...],
        items: ToMany,
    ) -> None:
        for way in _OF_MEMBERS:
            asked = items[way]
            if not asked:  # alike if false: a shortcut
                continue
            drafts = await self._drafts(way, target, None, asked)
            keys = await self._keys(way, target, asked)
            wanted: dict[int, dict[str, Any] | None] = {}
            for number, (item, key) in enumerate(zip(asked, keys, strict=True)):
                await self._store.pause(number)
                wanted[number] = _link(here, item.draft.key, there, key)
            # Between two rows there may be several links of the application's own type.
            # A generated link is found unmasked: both of its ends are checked, and only the field decides on it.
            among = unmasked(link) if is_free_link(link) else None
            found = await self._links(link, wanted, among=among)
            linked = {number for number, _ in found}
            rows: dict[int, Locked] = {}
            if way != "disconnect":  # alike if true: locks rows, and nothing uses them
                operation = Operation.DELETE if way == "delete" else Operation.UPDATE
                plan = self.lock_of(target, operation, drafts, named=way == "update")
                rows = {row.position: row for row in await self._store.lock(plan, keys=keys)}
            for number, item in enumerate(asked):
                if number not in linked or (way != "disconnect" and number + 1 not in rows):
                    raise not_in_list(item.place, relation.name)
            if way == "update":
                sets = [item.given.get("set") for item in asked]
                await self.change(target, [rows[n + 1] for n in range(len(asked))], drafts, sets)
                continue
            if way == "disconnect" and is_free_link(link) and not await self._guarded(target, keys):
                raise not_in_list(asked[0].place, relation.name)
            await self._unlink(link, list(dict.fromkeys(key for _, key in found)))
            if is_free_link(link):
                for number, key in found:
                    asked[number].draft.links += ((link.name, Draft(asked[number].place, key=key)),)
            if way == "delete":
                await self.remove(target, list(dict.fromkeys(rows[n + 1].key for n in range(len(asked)))))

    async def _unlink(self, link: Entity, keys: Sequence[Key]) -> None:
        if not is_free_link(link):
            locked = await self._store.lock(self.lock_of(link, Operation.DELETE), keys=keys)
            if len(locked) < len(keys):
                permits = self._store.permits(link, Operation.DELETE)
                why = "No rule for DELETE lets a link between the rows go."
                raise ForbiddenError(Refusal(Phase.GATHER, link, Operation.DELETE, why, permits))
        elif self._store.keeps_images(link):
            # Lock the links only to take their images.
            every, permits = self._store.access.every_row(link), self._store.guarding(link, Operation.DELETE)
            await self._store.lock(Lock(every, permits), keys=keys)
        await self.remove(link, keys)

    # --- rows to check ----------------------------------------------------------------

    def _judge_after(self, entity: Entity, permits: Permits, drafts: Sequence[Draft]) -> None:
        self.written.append(Written(entity, self._store.visible(entity), permits, drafts))

    def _guard_after(self, entity: Entity, permits: Permits, drafts: Sequence[Draft]) -> None:
        """Note rows that change along with others. Only their guards are checked afterwards."""
        every = self._store.access.every_row(entity)
        self.written.append(Written(entity, every, permits, drafts, may_be_gone=True))

    def finish(self) -> None:
        """Refuse an input that both changes and deletes a row.

        Raises:
            ClewError: BAD_USER_INPUT.
        """
        for name, keys in self._removed.items():
            for key, place in self._changed.get(name, {}).items():
                if key in keys:
                    message = f"`{place or 'set'}` changes a row that the same field deletes."
                    raise ClewError(message, hint="Either change it or delete it.")

    # --- values -----------------------------------------------------------------------

    async def _connected(
        self, entity: Entity, wanted: Sequence[tuple[Mapping[str, Any], str]], *, new: bool = False
    ) -> list[Draft]:
        """Return the visible rows that inputs name, each by one unique key.

        Args:
            new: whether an input may also name a row that an entry before it creates.
        """
        rows: dict[int, Draft] = {}
        by_key: dict[tuple[str, ...], list[int]] = {}
        by_fields = {frozenset(key): key for key in reversed(unique_keys(entity).values())}
        for number, (given, place) in enumerate(wanted):
            await self._store.pause(number)
            name = by_fields.get(frozenset(given))
            if name is None:
                options = " or ".join("{" + ", ".join(key) + "}" for key in self._known_keys(entity))
                raise ClewError(f"`{place}` must have the fields of one key.", hint=f"Give {options}.")
            by_key.setdefault(name, []).append(number)
        for names, numbers in by_key.items():
            columns = [column_of(entity, name) for name in names]
            values: list[Key] = []
            for index, number in enumerate(numbers):
                await self._store.pause(index)
                values.append(self._inputs.unique(entity, names, *wanted[number]))
            found = dict(await self._store.find(entity, columns, values))
            # A key that the rules may mask tells nobody of a row.
            shown = self._store.visible(entity).masks.keys().isdisjoint(names)
            # alike without `len(found) < len(numbers)`: a shortcut
            made = await self._made(entity, names) if new and shown and len(found) < len(numbers) else {}
            for index, number in enumerate(numbers):
                await self._store.pause(index)
                place = wanted[number][1]
                if index in found:
                    rows[number] = Draft(place, key=found[index])
                elif (row := made.get(values[index])) and _is_before(row.path, Draft(place).path):
                    rows[number] = row
                else:
                    raise NoSuchRowError(place)
        return [rows[number] for number in range(len(wanted))]

    async def _made(self, entity: Entity, names: Sequence[str], together: Sequence[Draft] = ()) -> dict[Key, Draft]:
        """Return the new rows of the field whose key is given, by its values.

        Args:
            together: more new rows, which are written together with those that lead to them.
        """
        steps = [step.drafts for step in self.steps if isinstance(step, Create) and step.entity is entity]
        made: dict[Key, Draft] = {}
        for number, draft in enumerate(chain(*steps, together)):
            await self._store.pause(number)
            if draft.values.keys() >= set(names):
                made.setdefault(tuple(draft.values[name] for name in names), draft)
        return made

    def _known_keys(self, entity: Entity) -> list[tuple[str, ...]]:
        """Return the unique keys whose fields are all in the viewer's schema."""
        type_ = self._store.schema.type_map[f"{entity.name}UniqueInput"]
        assert isinstance(type_, GraphQLInputObjectType)
        return [key for key in unique_keys(entity).values() if type_.fields.keys() >= set(key)]

    def count(self, more: int, place: str) -> None:
        """Count rows of the input.

        Raises:
            ClewError: BAD_USER_INPUT if there are too many.
        """
        self._rows.check(more, place)
        self._rows.number += more


def refuse_twice(rows: Iterable[Locked], drafts: Iterable[Draft]) -> None:
    """Refuse several changes of one row.

    Raises:
        ClewError: BAD_USER_INPUT.
    """
    keys: set[Key] = set()
    for row, draft in zip(rows, drafts, strict=True):
        if row.key in keys:
            raise ClewError(f"`{draft.place}` names a row twice.", hint="Put its changes into one entry.")
        keys.add(row.key)


def _is_before(path: Sequence[str | int], other: Sequence[str | int]) -> bool:
    """Return whether one place is in an earlier entry of a nested list than another.

    The entries of the field's own list do not count: where one needs another, they are written one after the other.
    """
    for at, (one, two) in enumerate(zip(path, other, strict=False)):
        if one != two:
            return at > 1 and isinstance(one, int) and isinstance(two, int) and one < two
    return False


def _shared(entity: Entity, relation: Relation, target: Entity, draft: Draft) -> list[Source]:
    """Return the key columns that a new row takes over from the row around it.

    The row around it already sets them, in the columns of the to-one `relation` that leads to the new row.
    """
    given: list[Source] = []
    for name, place in _pointing(entity, relation, target):
        column = target.key_columns[place].name
        if name in draft.values:
            given.append(Source(Draft(draft.place, key=(draft.values[name],)), ((column, 0),), frozenset()))
            continue
        for source in draft.sources:
            at = [at for filled, at in source.columns if filled == name]
            given += [Source(source.row, ((column, number),), frozenset()) for number in at]
    return given


def _link(
    here: Iterable[tuple[str, int]], key: Key, there: Iterable[tuple[str, int]], other: Key
) -> dict[str, Any] | None:
    """Return the columns of a link between two rows. Return None if the two ends need different values in a column."""
    values = {name: key[place] for name, place in here}
    if any(values.setdefault(name, other[place]) != other[place] for name, place in there):
        return None
    return values


def _by_sql(entity: Entity, name: str) -> Column:
    column = entity.column_by_sql(name)
    assert column is not None, f"{entity.name}: {name}"
    return column


def _place(entity: Entity, name: str) -> int:
    """Return the place of a column in the entity's key. `name` is its SQL name."""
    return next(place for place, column in enumerate(entity.key_columns) if column.column == name)


def _end_names(link: Entity, end: Relation, target: Entity) -> list[str]:
    """Return the columns of a link that lead to one end, in the order of the key there."""
    return [name for name, _ in sorted(_pointing(link, end, target), key=lambda column: column[1])]


def _pointing(entity: Entity, relation: Relation, target: Entity) -> tuple[tuple[str, int], ...]:
    """Return the API names of a to-one's key columns, each with the place of its value in the key of `target`."""
    return tuple((_by_sql(entity, local).name, _place(target, remote)) for local, remote in relation.on)
