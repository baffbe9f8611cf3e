"""One generated root field of a mutation: rows locked, written, and judged by the rules (SPEC 4, 6).

Inputs are taken level by level, the rows of one level together: a to-one's new rows before the rows that
point to them, the rows of a to-many after. Each level is a few statements, however many rows it has. When
all is written every row is judged: readable, and each written field under one rule that held before and
holds after. An error anywhere leaves the whole mutation undone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from graphql import GraphQLEnumType, GraphQLSchema
from graphql.execution.values import VariableValues

from clew.engine.keys import Key, bound_keys
from clew.engine.violations import from_database, known, violation
from clew.errors import ClewError, Code
from clew.model.types import Column, Entity, Model, OnDelete, Operation, Relation, RelationKind
from clew.model.writing import is_required, owner_of, unique_keys
from clew.plan.filters import filter_predicate
from clew.plan.inputs import value_tree
from clew.plan.types import (
    TRUE,
    Aggregated,
    AllOf,
    AnyOf,
    Claim,
    Compare,
    Exists,
    IsTrue,
    Keys,
    Not,
    Operand,
    Predicate,
    Ruled,
    Visible,
)
from clew.plan.visible import Access, Permits, Sight
from clew.sql import write
from clew.sql.arguments import Claims, constant_value, usable_claims
from clew.sql.binds import Binds
from clew.sql.cursors import Cursors
from clew.sql.statement import compiled
from clew.sql.stored import preset_value, stored_value
from clew.sql.tables import Tables
from clew.viewer import Viewer

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[asyncpg.Record]]]
_Inputs = Sequence[Mapping[str, Any]]

# Rows of one root field, nested ones included.
MOST_ROWS = 10_000
_NO_VARIABLES = VariableValues({}, {})


@dataclass(slots=True)
class _Draft:
    """A row that is being written. `fields` are those that a rule must hold; `place` names it in errors."""

    place: str
    values: dict[str, Any] = field(default_factory=dict)
    increases: dict[str, Any] = field(default_factory=dict)
    appends: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, None] = field(default_factory=dict)
    key: Key = ()
    held: tuple[bool, ...] = ()
    # To-ones that lead to a row which this root field has made, or found readable.
    known: set[str] = field(default_factory=set)

    @property
    def shape(self) -> tuple[tuple[str, ...], ...]:
        """The columns that it writes: rows of one shape are one statement."""
        return tuple(self.values), tuple(self.increases), tuple(self.appends)


@dataclass(frozen=True, slots=True)
class _Locked:
    """A row that is there, locked: its place among the keys asked for, and which rules held before."""

    position: int
    key: Key
    columns: tuple[Any, ...]
    held: tuple[bool, ...]


@dataclass(slots=True)
class _Before:
    """An entity before the root field: the keys written since, and the images of rows that were there."""

    keys: dict[Key, None] = field(default_factory=dict)
    images: dict[Key, str] = field(default_factory=dict)


class Writer:
    """Runs one root field; `finish` judges what it has written.

    Args:
        schema: the viewer's, for enums whose values the application has bound.
        fetch: runs a statement in the operation's transaction.
    """

    def __init__(
        self,
        model: Model,
        tables: Tables,
        access: Access,
        cursors: Cursors,
        schema: GraphQLSchema,
        viewer: Viewer,
        sight: Sight,
        claims: Claims,
        fetch: Fetch,
    ) -> None:
        self.model = model
        self._tables = tables
        self._access = access
        self._cursors = cursors
        self._schema = schema
        self._viewer = viewer
        self._sight = sight
        self._claims = claims
        self._fetch = fetch
        self._rows = 0
        self._written: list[tuple[Entity, Operation, list[_Draft]]] = []
        self._before: dict[str, _Before] = {}

    # --- root fields ------------------------------------------------------------------

    async def create(self, entity: Entity, inputs: _Inputs, place: str, *, listed: bool) -> list[Key]:
        """Create rows; their keys in the inputs' order."""
        return await self._create(
            entity, [(given, f"{place}.{n}" if listed else place) for n, given in enumerate(inputs)]
        )

    async def update_one(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Change the row with a key; None if there is none that the viewer may change."""
        key = self._key(entity, arguments)
        draft = self._changes(entity, arguments, "")
        rows = await self._lock(entity, Operation.UPDATE, keys=[key], named=True, columns=self._version(entity))
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
        where = self._where(entity, arguments)
        nested = [name for name in arguments.get("set") or () if entity.column(name) is None]
        many = [name for name in nested if (r := entity.relation(name)) and r.kind is not RelationKind.TO_ONE]
        if many:
            raise ClewError(f"`set.{many[0]}` can only be given for one row.", hint="Update the rows one by one.")
        # What is wrong with the values is wrong whatever rows there are.
        self._changes(entity, arguments, "")
        rows = await self._lock(entity, Operation.UPDATE, where=where)
        drafts = [self._changes(entity, arguments, "") for _ in rows]
        await self._update(entity, rows, drafts, [arguments.get("set")] * len(rows))
        return [row.key for row in rows]

    async def update_each(self, entity: Entity, updates: _Inputs, place: str) -> list[Key]:
        """Change rows, each in its own way; those that are not there are left out."""
        self._count(len(updates), place)
        keys = [self._key(entity, update, f"{place}.{n}.") for n, update in enumerate(updates)]
        drafts = [self._changes(entity, update, f"{place}.{n}.") for n, update in enumerate(updates)]
        rows = await self._lock(entity, Operation.UPDATE, keys=keys, named=True)
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
        columns = [_column(entity, name) for name in unique_keys(entity)[on]]
        places = [f"{place}.{n}" if listed else place for n in range(len(inputs))]
        wanted = [self._unique(columns, given, at) for given, at in zip(inputs, places, strict=True)]
        if len(set(wanted)) < len(wanted):
            raise ClewError(f"`{place}` has the same key twice.", hint="Send each row once.")
        found = await self._find(entity, columns, wanted)
        keys: dict[int, Key] = {}
        there = [n for n in range(len(inputs)) if n in found]
        if there:
            changing = set(update) if update is not None else None
            rows = await self._lock(entity, Operation.UPDATE, keys=[found[n] for n in there])
            if len(rows) < len(there):
                # As for a hidden row, whose key an INSERT would hit.
                raise violation(known([column.name for column in columns], entity.name, self._schema))
            by_position = {row.position: row for row in rows}
            drafts: list[_Draft] = []
            sets: list[Any] = []
            for n in there:
                names = {c.name for c in columns} | set(entity.primary_key)
                given = {
                    name: value
                    for name, value in inputs[n].items()
                    if name not in names and (changing is None or changing.issuperset(_written_by(entity, name)))
                }
                drafts.append(self._changes(entity, {"set": given}, "", place=places[n]))
                sets.append(given)
            ordered = [by_position[index + 1] for index in range(len(there))]
            await self._update(entity, ordered, drafts, sets)
            keys.update(zip(there, (row.key for row in ordered), strict=True))
        new = [n for n in range(len(inputs)) if n not in found]
        made = await self._create(entity, [(inputs[n], places[n]) for n in new])
        keys.update(zip(new, made, strict=True))
        return [keys[n] for n in range(len(inputs))]

    async def to_delete(self, entity: Entity, arguments: Mapping[str, Any], *, where: bool) -> list[Key]:
        """Lock what is to be deleted, for it is read before: the keys for `delete`."""
        if where:
            rows = await self._lock(entity, Operation.DELETE, where=self._where(entity, arguments))
        else:
            rows = await self._lock(entity, Operation.DELETE, keys=[self._key(entity, arguments)], named=True)
        return [row.key for row in rows]

    async def delete(self, entity: Entity, keys: Sequence[Key]) -> None:
        """Delete locked rows; with @softDelete mark them, and what goes with them."""
        if keys:
            if entity.soft_delete is None:
                await self._run(write.delete_statement, entity, bound=bound_keys(entity, keys))
            else:
                await self._mark(entity, keys, datetime.now(UTC), restores=False)

    async def restore(self, entity: Entity, arguments: Mapping[str, Any]) -> Key | None:
        """Bring a deleted row back, and what was deleted with it; None if there is none."""
        deleted = entity.soft_delete
        assert deleted is not None
        key = self._key(entity, arguments)
        rows = await self._lock(entity, Operation.DELETE, keys=[key], named=True, columns=[deleted], deleted="ONLY")
        if not rows:
            return None
        await self._mark(entity, [rows[0].key], rows[0].columns[0], restores=True)
        return rows[0].key

    # --- creating ---------------------------------------------------------------------

    async def _create(
        self,
        entity: Entity,
        inputs: Sequence[tuple[Mapping[str, Any], str]],
        parents: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Key]:
        """Create rows of one level and all that is nested in them.

        Args:
            inputs: each with its place.
            parents: for each, what the row that it is nested in fills.
        """
        if inputs:
            self._count(len(inputs), inputs[0][1].removesuffix(".0"))
        drafts: list[_Draft] = []
        nested: dict[str, list[tuple[_Draft, Mapping[str, Any]]]] = {}
        for number, (given, place) in enumerate(inputs):
            draft = _Draft(place)
            drafts.append(draft)
            self._take(entity, draft, given, nested)
            if parents is not None:
                self._fill(entity, draft, parents[number])
        await self._to_ones(entity, nested)
        for draft in drafts:
            self._preset(entity, draft, Operation.CREATE)
            for column in entity.columns:
                if column.relation is not None and is_required(entity, column) and column.name not in draft.values:
                    raise ClewError(f"`{draft.place}.{column.relation}` is required.", hint=f"Give {column.name}.")
        await self._insert(entity, drafts)
        self._written.append((entity, Operation.CREATE, drafts))
        await self._to_manys(entity, nested, setting=False)
        return [draft.key for draft in drafts]

    def _fill(self, entity: Entity, draft: _Draft, values: Mapping[str, Any]) -> None:
        """Give a new row what the one that it is nested in says."""
        for name, value in values.items():
            if name in draft.fields:
                column = _column(entity, name)
                given = name if name in draft.values or column.relation is None else column.relation
                raise ClewError(f"`{draft.place}.{given}` is given by what it is nested in.", hint="Leave it out.")
            draft.values[name] = value
            draft.fields[name] = None
        # That row is there and readable, or will be, or nothing is written.
        draft.known.update(r.name for r in entity.relations if r.key and values.keys() >= set(r.key))

    def _take(
        self,
        entity: Entity,
        draft: _Draft,
        given: Mapping[str, Any],
        nested: dict[str, list[tuple[_Draft, Mapping[str, Any]]]],
        prefix: str = "",
    ) -> None:
        """Read one input: columns into the draft, relations into `nested`."""
        for name, value in given.items():
            place = f"{draft.place}.{prefix}{name}" if draft.place else f"{prefix}{name}"
            column = entity.column(name)
            if column is not None:
                draft.values[name] = self._stored(column, value, place)
                draft.fields[name] = None
                continue
            relation = entity.relation(name)
            assert relation is not None, place
            if value is None:
                raise ClewError(f"`{place}` must not be null.", hint="Leave it out.")
            if relation.kind is RelationKind.TO_ONE:
                if any(key in given for key in relation.key):
                    raise ClewError(f"`{place}` and its key are both given.", hint="Give one of the two.")
                if len(value) != 1 or next(iter(value.values())) is None:
                    raise ClewError(f"`{place}` takes create or connect.")
                draft.fields.update(dict.fromkeys(relation.key))
            elif relation.through is not None and _is_free_link(self.model.entity(relation.through.entity)):
                draft.fields[name] = None
            nested.setdefault(name, []).append((draft, value))

    async def _to_ones(self, entity: Entity, nested: Mapping[str, list[tuple[_Draft, Mapping[str, Any]]]]) -> None:
        """Create or find what to-ones lead to, and fill their keys."""
        for name, entries in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is not RelationKind.TO_ONE:
                continue
            target = self.model.entity(relation.target)
            new = [(draft, value["create"]) for draft, value in entries if "create" in value]
            keys = await self._create(target, [(given, f"{draft.place}.{name}.create") for draft, given in new])
            for (draft, _), key in zip(new, keys, strict=True):
                draft.values.update(_pointing(entity, relation, target, key))
            old = [(draft, value["connect"]) for draft, value in entries if "connect" in value]
            keys = await self._connected(target, [(given, f"{draft.place}.{name}.connect") for draft, given in old])
            for (draft, _), key in zip(old, keys, strict=True):
                draft.values.update(_pointing(entity, relation, target, key))
            for draft, _ in entries:
                draft.known.add(name)

    async def _insert(self, entity: Entity, drafts: Sequence[_Draft]) -> None:
        await self._refuse_hidden(entity, drafts)
        for shape, same in _by_shape(drafts).items():
            columns = [_column(entity, name) for name in shape[0]]
            presets = self._presets(entity, Operation.CREATE, same)
            bound = _values(write.VALUE, same, shape[0], "values")
            if not columns:
                presets = presets or [(column, _generated(entity, column)) for column in entity.key_columns[:1]]
                bound[Keys(write.VALUE + write.COUNT)] = list(range(len(same)))
            rows = await self._run(write.insert_statement, entity, columns, presets, bound=bound)
            for draft, row in zip(same, rows, strict=True):
                draft.key = tuple(row)
        before = self._before.setdefault(entity.name, _Before())
        before.keys.update(dict.fromkeys(draft.key for draft in drafts))

    async def _refuse_hidden(self, entity: Entity, drafts: Sequence[_Draft]) -> None:
        """Refuse to-ones that are set by their keys to no readable row.

        Before anything is written: what the database says of keys that lead nowhere must not depend
        on whether another one leads to a hidden row.
        """
        for relation in entity.relations:
            visible = self._visible(self.model.entity(relation.target))
            if relation.kind is not RelationKind.TO_ONE or visible.where == TRUE:
                continue
            by_columns: dict[tuple[str, ...], list[_Draft]] = {}
            for draft in drafts:
                names = tuple(name for name in relation.key if name in draft.values)
                if names and relation.name not in draft.known:
                    by_columns.setdefault(names, []).append(draft)
            for names, same in by_columns.items():
                columns = [_column(entity, name) for name in names]
                bound = {**self._claims, **_values(write.VALUE, same, names, "values")}
                of_rows = bool(same[0].key)
                if of_rows:
                    bound |= bound_keys(entity, [draft.key for draft in same])
                found = await self._run(
                    write.leads_statement, entity, relation, visible, columns, bound=bound, of_rows=of_rows
                )
                if not all(row[0] for row in found):
                    raise violation(known([relation.name], entity.name, self._schema))

    # --- changing ---------------------------------------------------------------------

    def _changes(
        self, entity: Entity, arguments: Mapping[str, Any], prefix: str, *, place: str | None = None
    ) -> _Draft:
        """`set`, `inc` and `append` but for what is nested in `set`."""
        draft = _Draft(prefix.rstrip(".") if place is None else place)
        where = f"{prefix}set." if place is None else f"{place}."
        for name, value in (arguments.get("set") or {}).items():
            column = entity.column(name)
            if column is not None:
                draft.values[name] = self._stored(column, value, where + name)
                draft.fields[name] = None
        for argument, target in (("inc", draft.increases), ("append", draft.appends)):
            for name, value in (arguments.get(argument) or {}).items():
                here = f"{prefix}{argument}.{name}"
                if value is None:
                    raise ClewError(f"`{here}` must not be null.", hint="Leave it out.")
                if name in draft.fields:
                    raise ClewError(f"`{here}` is changed in another way too.", hint="Change it in one way.")
                target[name] = self._stored(_column(entity, name), value, here)
                draft.fields[name] = None
        return draft

    async def _update(
        self,
        entity: Entity,
        rows: Sequence[_Locked],
        drafts: Sequence[_Draft],
        sets: Sequence[Mapping[str, Any] | None],
    ) -> None:
        """Change locked rows, and what is nested in their changes."""
        keys: set[Key] = set()
        for row, draft in zip(rows, drafts, strict=True):
            if row.key in keys:
                raise ClewError(f"`{draft.place}` names a row twice.", hint="Put its changes into one entry.")
            keys.add(row.key)
        nested: dict[str, list[tuple[_Draft, Mapping[str, Any]]]] = {}
        for row, draft, given in zip(rows, drafts, sets, strict=True):
            draft.key, draft.held = row.key, row.held
            relations = {name: value for name, value in (given or {}).items() if entity.column(name) is None}
            if relations:
                both = {k: v for k, v in (given or {}).items() if entity.column(k) is not None}
                for name in relations:
                    relation = entity.relation(name)
                    if relation is not None and any(key in both for key in relation.key):
                        raise ClewError(f"`set.{name}` and its key are both given.", hint="Give one of the two.")
                self._take(entity, draft, relations, nested, "set.")
        await self._to_ones(entity, nested)
        for draft in drafts:
            self._preset(entity, draft, Operation.UPDATE)
        await self._refuse_hidden(entity, drafts)
        changed = [draft for draft in drafts if any(draft.shape)]
        for shape, same in _by_shape(changed).items():
            sets_, increases, appends = ([_column(entity, name) for name in names] for names in shape)
            presets = self._presets(entity, Operation.UPDATE, same)
            bound = bound_keys(entity, [draft.key for draft in same])
            bound |= _values(write.VALUE, same, shape[0], "values")
            bound |= _values(write.INCREASE, same, shape[1], "increases")
            bound |= _values(write.APPENDED, same, shape[2], "appends")
            await self._run(write.update_statement, entity, sets_, increases, appends, presets, bound=bound)
        if drafts:
            self._written.append((entity, Operation.UPDATE, list(drafts)))
        await self._to_manys(entity, nested, setting=True)

    # --- to-many ----------------------------------------------------------------------

    async def _to_manys(
        self, entity: Entity, nested: Mapping[str, list[tuple[_Draft, Mapping[str, Any]]]], *, setting: bool
    ) -> None:
        for name, entries in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is RelationKind.TO_ONE:
                continue
            inputs = {
                way: [
                    (draft, item, f"{draft.place}.{'set.' if setting else ''}{name}.{way}.{n}".lstrip("."))
                    for draft, value in entries
                    for n, item in enumerate(value.get(way) or ())
                ]
                for way in ("delete", "disconnect", "update", "create", "connect")
            }
            if relation.through is None:
                await self._owned(entity, relation, inputs)
            else:
                await self._linked(entity, relation, inputs)

    async def _owned(
        self, entity: Entity, relation: Relation, inputs: Mapping[str, list[tuple[_Draft, Mapping[str, Any], str]]]
    ) -> None:
        """Rows that point here by their own to-one."""
        target = self.model.entity(relation.target)
        owner = owner_of(self.model, relation)
        fill = [_pointing(target, owner, entity, draft.key) for draft, _, _ in inputs["create"]]
        await self._change_owned(entity, relation, owner, target, inputs)
        await self._create(target, [(given, place) for _, given, place in inputs["create"]], fill)
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
        inputs: Mapping[str, list[tuple[_Draft, Mapping[str, Any], str]]],
    ) -> None:
        columns = [_column(target, name) for name in owner.key]
        for way, operation in (
            ("delete", Operation.DELETE),
            ("disconnect", Operation.UPDATE),
            ("update", Operation.UPDATE),
        ):
            entries = inputs[way]
            if not entries:
                continue
            if way == "update":
                keys = [self._key(target, given, f"{place}.") for _, given, place in entries]
            else:
                keys = await self._connected(target, [(given, place) for _, given, place in entries])
            locked = await self._lock(target, operation, keys=keys, named=way == "update", columns=columns)
            rows = {row.position: row for row in locked}
            ordered: list[_Locked] = []
            for number, (draft, _, place) in enumerate(entries):
                row = rows.get(number + 1)
                expected = tuple(_pointing(target, owner, entity, draft.key)[name] for name in owner.key)
                if row is None or row.columns != expected:
                    raise ClewError(f"`{place}` is no row of `{relation.name}`.")
                ordered.append(row)
            if way == "delete":
                await self.delete(target, [row.key for row in ordered])
            elif way == "update":
                drafts = [self._changes(target, given, f"{place}.") for _, given, place in entries]
                await self._update(target, ordered, drafts, [given.get("set") for _, given, _ in entries])
            else:
                await self._set_keys(target, owner, ordered, [dict.fromkeys(owner.key) for _ in ordered], entries)

    async def _point(
        self,
        target: Entity,
        owner: Relation,
        entries: Sequence[tuple[_Draft, Mapping[str, Any], str]],
        fill: Sequence[Mapping[str, Any]],
    ) -> None:
        """Let rows that are there point here: their to-one is written, under their own rules."""
        if not entries:
            return
        keys = await self._connected(target, [(given, place) for _, given, place in entries])
        rows = {row.position: row for row in await self._lock(target, Operation.UPDATE, keys=keys)}
        for number, (_, _, place) in enumerate(entries):
            if number + 1 not in rows:
                raise _no_such_row(place)
        await self._set_keys(target, owner, [rows[n + 1] for n in range(len(entries))], fill, entries)

    async def _set_keys(
        self,
        target: Entity,
        relation: Relation,
        rows: Sequence[_Locked],
        values: Sequence[Mapping[str, Any]],
        entries: Sequence[tuple[_Draft, Mapping[str, Any], str]],
    ) -> None:
        """Write the to-one of rows that are there."""
        drafts = []
        for found, (_, _, place) in zip(values, entries, strict=True):
            draft = _Draft(place, dict(found))
            draft.fields.update(dict.fromkeys(found))
            draft.known.add(relation.name)
            for name, value in found.items():
                if name in target.primary_key:
                    raise ClewError(f"`{place}` would change the row's key.", hint="Delete it, and create another.")
                if value is None and not _column(target, name).nullable:
                    raise ClewError(f"`{place}` cannot be without it.", hint="Delete it, or connect it elsewhere.")
            drafts.append(draft)
        await self._update(target, rows, drafts, [None] * len(drafts))

    async def _linked(
        self, entity: Entity, relation: Relation, inputs: Mapping[str, list[tuple[_Draft, Mapping[str, Any], str]]]
    ) -> None:
        """A many-to-many: its links are written; of a generated link under the rules of the field."""
        assert relation.through is not None
        target, link = self.model.entity(relation.target), self.model.entity(relation.through.entity)
        if inputs["update"] or inputs["delete"]:
            await self._change_linked(entity, relation, target, link, inputs)
        made = await self._create(target, [(given, place) for _, given, place in inputs["create"]])
        found = await self._connected(target, [(given, place) for _, given, place in inputs["connect"]])
        pairs = [*zip(inputs["create"], made, strict=True), *zip(inputs["connect"], found, strict=True)]
        links = [self._link(entity, relation, target, link, draft.key, key) for (draft, _, _), key in pairs]
        places = [place for (_, _, place), _ in pairs]
        if links and _is_free_link(link):
            known = {end.name for end in link.relations}
            drafts = [_Draft(place, values, known=known) for place, values in zip(places, links, strict=True)]
            await self._insert(link, drafts)
        elif links:
            await self._create(link, [({}, place) for place in places], links)
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
        inputs: Mapping[str, list[tuple[_Draft, Mapping[str, Any], str]]],
    ) -> None:
        for way, operation in (("delete", Operation.DELETE), ("update", Operation.UPDATE)):
            entries = inputs[way]
            if not entries:
                continue
            if way == "update":
                keys = [self._key(target, given, f"{place}.") for _, given, place in entries]
            else:
                keys = await self._connected(target, [(given, place) for _, given, place in entries])
            values = [
                self._link(entity, relation, target, link, draft.key, key)
                for (draft, _, _), key in zip(entries, keys, strict=True)
            ]
            columns = [_column(link, name) for name in values[0]]
            wanted = [tuple(value[column.name] for column in columns) for value in values]
            linked = await self._find(link, columns, wanted)
            locked = await self._lock(target, operation, keys=keys, named=way == "update")
            rows = {row.position: row for row in locked}
            for number, (_, _, place) in enumerate(entries):
                if number not in linked or number + 1 not in rows:
                    raise ClewError(f"`{place}` is no row of `{relation.name}`.")
            ordered = [rows[number + 1] for number in range(len(entries))]
            if way == "delete":
                await self._unlink(relation, link, values, [place for _, _, place in entries])
                await self.delete(target, [row.key for row in ordered])
            else:
                drafts = [self._changes(target, given, f"{place}.") for _, given, place in entries]
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
        columns = [_column(link, name) for name in values[0]]
        wanted = [tuple(value[column.name] for column in columns) for value in values]
        found = await self._find(link, columns, wanted)
        for number, place in enumerate(places):
            if number not in found:
                raise ClewError(f"`{place}` is no row of `{relation.name}`.")
        keys = [found[number] for number in range(len(values))]
        if not _is_free_link(link):
            rows = await self._lock(link, Operation.DELETE, keys=keys)
            if len(rows) < len(keys):
                raise _forbidden()
        await self.delete(link, keys)

    # --- deleting ---------------------------------------------------------------------

    async def _mark(self, entity: Entity, keys: Sequence[Key], at: Any, *, restores: bool) -> None:
        """Set or clear the time of deletion, here and of all that a cascade reaches."""
        bound = bound_keys(entity, keys) | {Keys("at"): at}
        await self._run(write.mark_statement, entity, None, bound=bound, restores=restores)
        pending = [(entity, list(keys))]
        while pending:
            parent, of = pending.pop()
            for child in self.model.entities.values():
                for relation in child.relations:
                    cascades = relation.kind is RelationKind.TO_ONE and relation.on_delete is OnDelete.CASCADE
                    if relation.target != parent.name or not cascades or child.soft_delete is None:
                        continue
                    bound = bound_keys(parent, of) | {Keys("at"): at}
                    rows = await self._run(write.mark_statement, child, relation, bound=bound, restores=restores)
                    if rows:
                        pending.append((child, [tuple(row) for row in rows]))

    # --- the rules --------------------------------------------------------------------

    async def finish(self) -> None:
        """Judge all that has been written.

        Raises:
            ClewError: FORBIDDEN.
        """
        for entity, operation, drafts in self._written:
            permits = self._access.permits(entity, self._sight, operation)
            visible = self._visible(entity)
            unruled = all(permit.after == TRUE and permit.before == TRUE for permit in permits.every)
            if (unruled and visible.where == TRUE and self._sight.admin) or not drafts:
                continue
            before = [entity.name] if self._returns(entity, permits) else []
            bound = {**self._claims, **bound_keys(entity, [draft.key for draft in drafts])}
            for name in before:
                bound |= self._as_it_was(name)
            found = await self._run(write.judge_statement, visible, permits, before, bound=bound)
            for draft, row in zip(drafts, found, strict=True):
                if not row[0] or not self._is_permitted(entity, permits, draft, tuple(row)[1:]):
                    raise _forbidden()

    def _is_permitted(self, entity: Entity, permits: Permits, draft: _Draft, after: Sequence[bool]) -> bool:
        every = permits.every
        before = draft.held or (True,) * len(every)
        holds = {id(permit): b and a for permit, b, a in zip(every, before, after, strict=True)}
        if not all(holds[id(permit)] for permit in permits.guards):
            return False
        if not any(holds[id(permit)] for permit in permits.rules):
            return False
        return all(any(holds[id(p)] for p in permits.holding(entity, name)) for name in draft.fields)

    def _returns(self, entity: Entity, permits: Permits) -> bool:
        return any(_reaches(permit.after, entity.name, self.model) for permit in permits.every)

    def _as_it_was(self, name: str) -> dict[Keys, Any]:
        entity = self.model.entity(name)
        before = self._before.get(name, _Before())
        bound = bound_keys(entity, list(before.keys), f"{write.CREATED}{name}.")
        return {**bound, Keys(f"{write.WERE}{name}"): f"[{','.join(before.images.values())}]"}

    async def _lock(
        self,
        entity: Entity,
        operation: Operation,
        *,
        keys: Sequence[Key] | None = None,
        named: bool = False,
        where: Predicate = TRUE,
        columns: Sequence[Column] = (),
        deleted: str | None = None,
    ) -> list[_Locked]:
        """Lock the rows on which the operation is held, those of `keys` or all for which `where` holds.

        Args:
            named: a client gave the keys: a row whose key is masked is not known by it.
        """
        if keys is not None and not keys:
            return []
        permits = self._access.permits(entity, self._sight, operation)
        if not permits.rules:
            return []
        visible = self._access.visible(entity, self._sight, deleted)
        writes = [self._access.permits(entity, self._sight, to) for to in (Operation.CREATE, Operation.UPDATE)]
        image = any(self._returns(entity, found) for found in writes)
        bound: dict[Any, Any] = dict(self._claims)
        if keys is not None:
            bound |= bound_keys(entity, keys)
        found = await self._run(
            write.lock_statement,
            visible,
            permits,
            where,
            bound=bound,
            by_key=keys is not None,
            named=named,
            columns=columns,
            image=image,
        )
        rows: list[_Locked] = []
        width, extra = len(entity.primary_key), len(columns)
        before = self._before.setdefault(entity.name, _Before())
        for record in found:
            position, *rest = record
            key = tuple(rest[:width])
            if image:
                if key not in before.keys:
                    before.images[key] = rest[width + extra]
                before.keys[key] = None
            held = rest[width + extra + (1 if image else 0) :]
            rows.append(_Locked(position, key, tuple(rest[width : width + extra]), tuple(held)))
        return rows

    # --- values -----------------------------------------------------------------------

    def _stored(self, column: Column, value: Any, place: str) -> Any:
        enum = self._schema.type_map.get(column.type.name) if column.type.is_enum else None
        assert enum is None or isinstance(enum, GraphQLEnumType)
        return stored_value(column, value, place, enum)

    def _preset(self, entity: Entity, draft: _Draft, operation: Operation) -> None:
        """Fill what @preset gives by claim or value; a parent's value must agree with it."""
        for column in entity.columns:
            preset = column.preset
            if preset is None or operation not in preset.on or preset.sql is not None:
                continue
            if self._sight.admin and column.name in draft.values:
                continue
            value: Any = None
            if preset.claim is not None:
                claim = Claim(tuple(preset.claim.removeprefix("$auth.").split(".")), column.type)
                found = usable_claims([claim], {**self._viewer.claims, "sub": self._viewer.id})
                if claim not in found:
                    if self._sight.admin:
                        continue
                    raise _forbidden()
                value = preset_value(column, found[claim])
            else:
                value = preset_value(column, constant_value(preset.value, column.type))
            if column.name in draft.values and draft.values[column.name] != value:
                raise _forbidden()
            draft.values[column.name] = value
            draft.fields.pop(column.name, None)

    def _presets(self, entity: Entity, operation: Operation, drafts: Sequence[_Draft]) -> list[tuple[Column, str]]:
        """The columns that @preset fills by SQL, but for those that an admin gives, or a row's parent."""
        names = {name for draft in drafts for name in (*draft.values, *draft.increases, *draft.appends)}
        return [
            (column, column.preset.sql)
            for column in entity.columns
            if column.preset and column.preset.sql and operation in column.preset.on and column.name not in names
        ]

    def _key(self, entity: Entity, given: Mapping[str, Any], prefix: str = "") -> Key:
        return tuple(
            self._stored(column, given[column.name], f"{prefix}{column.name}") for column in entity.key_columns
        )

    def _version(self, entity: Entity) -> list[Column]:
        return [column for column in entity.columns if column.version]

    def _unique(self, columns: Sequence[Column], given: Mapping[str, Any], place: str) -> Key:
        missing = [column.name for column in columns if given.get(column.name) is None]
        if missing:
            raise ClewError(f"`{place}.{missing[0]}` is required: it is part of the key.")
        return tuple(self._stored(column, given[column.name], f"{place}.{column.name}") for column in columns)

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
            columns = [_column(entity, name) for name in names]
            values = [self._unique(columns, *wanted[number]) for number in numbers]
            found = await self._find(entity, columns, values)
            for index, number in enumerate(numbers):
                if index not in found:
                    raise _no_such_row(wanted[number][1])
                keys[number] = found[index]
        return [keys[number] for number in range(len(wanted))]

    async def _find(self, entity: Entity, columns: Sequence[Column], values: Sequence[Key]) -> dict[int, Key]:
        """The keys of visible rows by a unique key, by the place of the values."""
        if not values:
            return {}
        visible = self._visible(entity)
        bound: dict[Any, Any] = dict(self._claims)
        for column, of_all in zip(columns, zip(*values, strict=True), strict=True):
            bound[Keys(write.VALUE + column.name)] = list(of_all)
        rows = await self._run(write.find_statement, visible, columns, bound=bound)
        return {row[0] - 1: tuple(row)[1:] for row in rows}

    def _where(self, entity: Entity, arguments: Mapping[str, Any]) -> Predicate:
        where = arguments["where"]
        if not arguments.get("all") and _is_empty(entity, where, self.model):
            raise ClewError("`where` leaves no condition, or part of it.", hint="Say all: true if all rows are meant.")
        type_ = self._schema.type_map[f"{entity.name}Filter"]
        return filter_predicate(self._access, self._sight, entity, value_tree(where, type_), "where")  # type: ignore[arg-type]

    # --- running ----------------------------------------------------------------------

    def _visible(self, entity: Entity) -> Visible:
        return self._access.visible(entity, self._sight)

    def _count(self, more: int, place: str) -> None:
        self._rows += more
        if self._rows > MOST_ROWS:
            message = f"`{place}` is too long: one field writes at most {MOST_ROWS} rows."
            raise ClewError(message, hint="Write them in several requests.")

    async def _run(
        self, make: Callable[..., Any], *parts: Any, bound: Mapping[Any, Any], **options: Any
    ) -> list[asyncpg.Record]:
        binds = Binds()
        statement = compiled(make(*parts, self.model, self._tables, binds, **options), binds, self._cursors)
        arguments = [compute(_NO_VARIABLES, {**self._claims, **bound}) for compute in statement.arguments]
        try:
            return await self._fetch(statement.sql, arguments)
        except ClewError as error:
            found = from_database(error.__cause__, self._tables, self._schema)
            if found is None:
                raise
            raise found from error


def _forbidden() -> ClewError:
    return ClewError("This is not allowed.", code=Code.FORBIDDEN)


def _no_such_row(place: str) -> ClewError:
    return ClewError(f"`{place}` is no such row.", hint="It may be hidden, or have been deleted.")


def _column(entity: Entity, name: str) -> Column:
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column


def _by_sql(entity: Entity, name: str) -> Column:
    column = entity.column_by_sql(name)
    assert column is not None, f"{entity.name}: {name}"
    return column


def _generated(entity: Entity, column: Column) -> str:
    """How the database makes a key, for a row of which nothing is given."""
    if column.uuid_key:
        return "clew.uuid_v7()"
    table = f"{entity.schema}.{entity.table}" if entity.schema else entity.table
    return f"nextval(pg_get_serial_sequence('\"{table}\"', '{column.column}'))"


def _by_shape(drafts: Iterable[_Draft]) -> dict[tuple[tuple[str, ...], ...], list[_Draft]]:
    shapes: dict[tuple[tuple[str, ...], ...], list[_Draft]] = {}
    for draft in drafts:
        draft.values = dict(sorted(draft.values.items()))
        shapes.setdefault(draft.shape, []).append(draft)
    return shapes


def _values(prefix: str, drafts: Sequence[_Draft], names: Iterable[str], part: str) -> dict[Any, Any]:
    return {Keys(prefix + name): [getattr(draft, part)[name] for draft in drafts] for name in names}


def _pointing(entity: Entity, relation: Relation, target: Entity, key: Key) -> dict[str, Any]:
    """The values of a to-one's key columns, by API name, that lead to the row of `target` with this key."""
    values = {column.column: value for column, value in zip(target.key_columns, key, strict=True)}
    return {_by_sql(entity, local).name: values[remote] for local, remote in relation.on}


def _is_empty(entity: Entity, where: Mapping[str, Any], model: Model) -> bool:
    """Whether a filter, or a part of it that should say something, says nothing."""
    return not where or any(value is not None and _says_nothing(entity, n, value, model) for n, value in where.items())


def _says_nothing(entity: Entity, name: str, value: Any, model: Model) -> bool:
    if not value or entity.column(name) is not None:
        return not value
    if name in ("and", "or", "not"):
        items = value if isinstance(value, list) else [value]
        return any(_is_empty(entity, item, model) for item in items if item is not None)
    relation = entity.relation(name)
    if relation is None:
        return all(not condition for condition in value.values())
    target = model.entity(relation.target)
    if not relation.to_many:
        return _is_empty(target, value, model)
    # `{comments: {some: {}}}` says something: that there is one.
    return any(inner and _is_empty(target, inner, model) for inner in value.values())


def _is_free_link(link: Entity) -> bool:
    """Whether a link is written under the rules of the field that it is written from: it has none of its own."""
    return link.generated_link and not link.allow


def _written_by(entity: Entity, name: str) -> tuple[str, ...]:
    """The columns that a field of an input writes."""
    relation = entity.relation(name)
    return relation.key if relation is not None and relation.key else (name,)


def _reaches(predicate: Predicate, entity: str, model: Model) -> bool:
    """Whether a condition reads rows of the entity by a relation."""
    match predicate:
        case AllOf(items) | AnyOf(items):
            return any(_reaches(item, entity, model) for item in items)
        case Not(item) | IsTrue(item):
            return _reaches(item, entity, model)
        case Exists(relation=relation, rows=rows) | Aggregated(relation=relation, rows=rows):
            through = relation.through is not None and relation.through.entity == entity
            if relation.target == entity or through or _reaches(rows.where, entity, model):
                return True
    return any(isinstance(o.source, Ruled) and _leads(o.source, entity, model) for o in _operands(predicate))


def _operands(predicate: Predicate) -> list[Operand]:
    match predicate:
        case Compare(operand=operand):
            return [operand]
        case Aggregated(conditions=conditions):
            return [operand for _, _, operand in conditions]
    return []


def _leads(source: Ruled, entity: str, model: Model) -> bool:
    """Whether the to-ones of `$row.folder.owner.name` come to the entity."""
    here = source.entity
    for name in source.path[:-1]:
        relation = here.relation(name)
        assert relation is not None, source.path
        if relation.target == entity:
            return True
        here = model.entity(relation.target)
    return False
