"""The rows of the database as one root field of a mutation finds, locks and changes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import asyncpg
from graphql import GraphQLSchema
from graphql.execution.values import VariableValues

from clew.engine.aside import FEW_PARTS, Aside
from clew.engine.drafts import Draft, column_of, forbidden, sql_presets
from clew.engine.keys import Key, bound_keys
from clew.engine.slices import Slices
from clew.engine.violations import KeyTakenError, ViolationError, from_database, known
from clew.errors import ClewError
from clew.model.types import Column, Entity, Model, OnDelete, Operation, Relation, RelationKind
from clew.plan.conditions import predicate_weight
from clew.plan.reach import reaches
from clew.plan.types import TRUE, Keys, Predicate, Visible
from clew.plan.visible import Access, Permit, Permits, Sight
from clew.sql import write
from clew.sql.arguments import Claims
from clew.sql.statement import WriteStatements
from clew.sql.tables import Tables, default_sql
from clew.sql.views import read_by

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[asyncpg.Record]]]

_NO_VARIABLES = VariableValues({}, {})

# The columns that a draft sets, increases and appends to.
_Shape = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Locked:
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

    def note(self, key: Key, image: str) -> None:
        """Note a row as it is, unless it has been changed already."""
        if key not in self.keys:
            self.images[key] = image
        self.keys[key] = None


class Store:
    """Runs the statements of a write under the rules of one viewer.

    Args:
        schema: the viewer's: errors name nothing that is not in it.
        fetch: runs a statement in the operation's transaction.
        aside: where conditions of clients are compiled that take long.
        slices: between which others have their turn.
        weigh: refuses the operation if its conditions are too many, so many more counted.
    """

    def __init__(
        self,
        model: Model,
        tables: Tables,
        access: Access,
        statements: WriteStatements,
        schema: GraphQLSchema,
        sight: Sight,
        claims: Claims,
        fetch: Fetch,
        aside: Aside,
        slices: Slices,
        weigh: Callable[[int], None],
    ) -> None:
        self.model = model
        self.access = access
        self.schema = schema
        self.sight = sight
        self.claims = claims
        self._tables = tables
        self._statements = statements
        self._fetch = fetch
        self.aside = aside
        self.slices = slices
        self._weigh = weigh
        self._before: dict[str, _Before] = {}

    @asynccontextmanager
    async def undone_if_taken(self) -> AsyncIterator[None]:
        """What runs inside is undone where a unique key is taken, and the transaction goes on.

        Raises:
            KeyTakenError: all that the root field has done so far is undone.
        """
        await self._fetch("SAVEPOINT clew_upsert", ())
        try:
            yield
        except KeyTakenError:
            await self._fetch("ROLLBACK TO SAVEPOINT clew_upsert", ())
            self._before.clear()
            raise
        await self._fetch("RELEASE SAVEPOINT clew_upsert", ())

    async def lock(
        self,
        entity: Entity,
        operation: Operation,
        *,
        keys: Sequence[Key] | None = None,
        named: bool = False,
        still: Mapping[str, Sequence[Any]] = MappingProxyType({}),
        where: Predicate = TRUE,
        columns: Sequence[Column] = (),
        deleted: str | None = None,
    ) -> list[Locked]:
        """Lock the rows on which the operation is held, those of `keys` or all for which `where` holds.

        Args:
            named: a client gave the keys: a row whose key is masked is not known by it.
            still: what rows must still have in some columns, one value for each of the keys by which they were found:
                a lock may wait for who changes that.
        """
        if keys is not None and not keys:
            return []
        permits = self.access.permits(entity, self.sight, operation)
        if not permits.rules:
            return []
        visible = self.access.visible(entity, self.sight, deleted)
        image = self._keeps_images(entity)
        bound = bound_keys(entity, keys) if keys is not None else {}
        bound |= {Keys(write.VALUE + name): values for name, values in still.items()}
        conditions = predicate_weight(where).conditions
        self._weigh(conditions)
        found = await self.run(
            write.lock_statement,
            visible,
            permits,
            where,
            bound=bound,
            keep=where is TRUE,
            large=conditions > FEW_PARTS,
            by_key=keys is not None,
            named=named,
            still=[column_of(entity, name) for name in still],
            columns=columns,
            image=image,
        )
        rows: list[Locked] = []
        width, extra = len(entity.primary_key), len(columns)
        before = self._before.setdefault(entity.name, _Before())
        for record in found:
            position, *rest = record
            key = tuple(rest[:width])
            if image:
                before.note(key, rest[width + extra])
            held = rest[width + extra + (1 if image else 0) :]
            rows.append(Locked(position, key, tuple(rest[width : width + extra]), tuple(held)))
        return rows

    async def find(self, entity: Entity, columns: Sequence[Column], values: Sequence[Key]) -> dict[int, Key]:
        """The keys of visible rows by a unique key, by the place of the values."""
        return dict(await self.find_all(entity, columns, values))

    async def find_all(self, entity: Entity, columns: Sequence[Column], values: Sequence[Key]) -> list[tuple[int, Key]]:
        """The keys of visible rows that have some values, each with the place of these."""
        if not values:
            return []
        visible = self.visible(entity)
        bound = {
            Keys(write.VALUE + column.name): list(of_all)
            for column, of_all in zip(columns, zip(*values, strict=True), strict=True)
        }
        rows = await self.run(write.find_statement, visible, columns, bound=bound)
        return [(row[0] - 1, tuple(row)[1:]) for row in rows]

    async def shows(self, entity: Entity, field: str, keys: Sequence[Key]) -> list[bool]:
        """Whether the viewer sees a field of rows that are there and visible."""
        mask = self.visible(entity).masks.get(field)
        if mask is None:
            return [True] * len(keys)
        permits = Permits((Permit(mask, mask),), {}, ())
        bound = bound_keys(entity, keys)
        found = await self.run(write.judge_statement, self.visible(entity), permits, (), bound=bound, keep=False)
        return [row[1] for row in found]

    async def insert(self, entity: Entity, drafts: Sequence[Draft]) -> None:
        """Create rows, and note their keys in the drafts.

        Raises:
            ClewError: FORBIDDEN where a preset by SQL and what a row is nested in do not agree.
        """
        await self._refuse_hidden(entity, drafts, Operation.CREATE)
        shapes = _by_shape(drafts)
        if len(shapes) > 1:
            _fill_nulls(entity, drafts, {name for names, *_ in shapes for name in names})
            shapes = _by_shape(drafts)
        for shape, same in shapes.items():
            columns = [column_of(entity, name) for name in shape[0]]
            presets = sql_presets(entity, Operation.CREATE, shape[0] if self.sight.admin else ())
            bound = _arrays(write.VALUE, shape[0], [draft.values for draft in same])
            if not columns:
                presets = presets or [(column, write.made_sql(entity, column)) for column in entity.key_columns[:1]]
                bound[Keys(write.VALUE + write.COUNT)] = list(range(len(same)))
            rows = await self.run(write.insert_statement, entity, columns, presets, bound=bound)
            width = len(entity.primary_key)
            if presets and not all(all(row[width:]) for row in rows):
                raise forbidden()
            for draft, row in zip(same, rows, strict=True):
                draft.key = row[:width]
            await self._refuse_hidden_by_preset(entity, same, presets)
        before = self._before.setdefault(entity.name, _Before())
        before.keys.update(dict.fromkeys(draft.key for draft in drafts))

    async def update(self, entity: Entity, drafts: Sequence[Draft]) -> None:
        """Change locked rows."""
        await self._refuse_hidden(entity, drafts, Operation.UPDATE)
        changed = [draft for draft in drafts if draft.values or draft.increases or draft.appends]
        for shape, same in _by_shape(changed).items():
            sets_, increases, appends = ([column_of(entity, name) for name in names] for names in shape)
            given = [name for names in shape for name in names if self.sight.admin]
            presets = sql_presets(entity, Operation.UPDATE, given)
            bound = bound_keys(entity, [draft.key for draft in same])
            bound |= _arrays(write.VALUE, shape[0], [draft.values for draft in same])
            bound |= _arrays(write.INCREASE, shape[1], [draft.increases for draft in same])
            bound |= _arrays(write.APPENDED, shape[2], [draft.appends for draft in same])
            await self.run(write.update_statement, entity, sets_, increases, appends, presets, bound=bound)
            await self._refuse_hidden_by_preset(entity, same, presets)

    async def _refuse_hidden(self, entity: Entity, drafts: Sequence[Draft], operation: Operation) -> None:
        """Refuse to-ones that are set by their keys to no readable row.

        Before anything is written: what the database says of keys that lead nowhere must not depend
        on whether another one leads to a hidden row.
        """
        presets = {column.name for column, _ in sql_presets(entity, operation, ())}
        for relation in entity.relations:
            visible = self.visible(self.model.entity(relation.target))
            if relation.kind is not RelationKind.TO_ONE or visible.where == TRUE:
                continue
            by_columns: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Draft]] = {}
            for draft in drafts:
                filled = presets.intersection(relation.key)
                if filled and self.sight.admin:
                    filled -= {*draft.values, *draft.increases}
                # What SQL fills is asked of the written row.
                if relation.name not in draft.known and not filled:
                    set_ = tuple(name for name in relation.key if name in draft.values)
                    increased = tuple(name for name in relation.key if name in draft.increases)
                    if set_ or increased:
                        by_columns.setdefault((set_, increased), []).append(draft)
            for names, same in by_columns.items():
                columns, increases = ([column_of(entity, name) for name in some] for some in names)
                bound = _arrays(write.VALUE, names[0], [draft.values for draft in same])
                bound |= _arrays(write.INCREASE, names[1], [draft.increases for draft in same])
                of_rows = bool(same[0].key)
                if of_rows:
                    bound |= bound_keys(entity, [draft.key for draft in same])
                found = await self.run(
                    write.leads_statement, entity, relation, visible, columns, increases, bound=bound, of_rows=of_rows
                )
                if not all(row[0] for row in found):
                    raise ViolationError(known([relation.name], entity.name, self.schema))

    async def _refuse_hidden_by_preset(
        self, entity: Entity, drafts: Sequence[Draft], presets: Sequence[tuple[Column, str]]
    ) -> None:
        """Refuse to-ones that lead to no readable row by a part of their key that is given, and one that SQL fills.

        What the SQL makes is known of the written row only.
        """
        filled = {column.name for column, _ in presets}
        for relation in entity.relations:
            visible = self.visible(self.model.entity(relation.target))
            if relation.kind is not RelationKind.TO_ONE or visible.where == TRUE or filled.isdisjoint(relation.key):
                continue
            given = [d for d in drafts if not {*d.values, *d.increases}.isdisjoint(relation.key)]
            keys = [draft.key for draft in given if relation.name not in draft.known]
            if keys:
                bound = bound_keys(entity, keys)
                found = await self.run(
                    write.leads_statement, entity, relation, visible, (), (), bound=bound, of_rows=True
                )
                if not all(row[0] for row in found):
                    raise ViolationError(known([relation.name], entity.name, self.schema))

    async def delete(self, entity: Entity, keys: Sequence[Key]) -> None:
        """Delete locked rows, with what their cascades reach."""
        await self._note_reached(entity, keys, softly=False)
        await self.run(write.delete_statement, entity, bound=bound_keys(entity, keys))

    async def mark(self, entity: Entity, keys: Sequence[Key], at: Any, *, restores: bool) -> None:
        """Set or clear the time of deletion, here and of all that a cascade reaches."""
        if not restores:
            await self._note_reached(entity, keys, softly=True)
        bound = bound_keys(entity, keys) | {Keys("at"): at}
        await self.run(write.mark_statement, entity, None, bound=bound, restores=restores)
        pending = [(entity, list(keys))]
        while pending:
            parent, of = pending.pop()
            for child, relation in self._reached(parent, softly=True):
                bound = bound_keys(parent, of) | {Keys("at"): at}
                rows = await self.run(write.mark_statement, child, relation, bound=bound, restores=restores)
                if rows:
                    pending.append((child, [tuple(row) for row in rows]))

    def _reached(self, parent: Entity, *, softly: bool) -> list[tuple[Entity, Relation]]:
        """The to-ones by which rows go, or change, when one of `parent` is deleted."""
        ways = {OnDelete.CASCADE} if softly else {OnDelete.CASCADE, OnDelete.SET_NULL}
        return [
            (child, relation)
            for child, relation in self.model.references.get(parent.name, ())
            if relation.on_delete in ways and (child.soft_delete is not None if softly else child.view_sql is None)
        ]

    async def _note_reached(self, entity: Entity, keys: Sequence[Key], *, softly: bool) -> None:
        """Note the rows that a deletion reaches as they are, where rules read them as they were."""
        pending: list[tuple[Entity, Sequence[Key]]] = [(entity, keys)]
        seen: set[tuple[str, Key]] = set()
        while pending:
            parent, of = pending.pop()
            if not self._leads_to_images(parent, softly=softly):
                continue
            for child, relation in self._reached(parent, softly=softly):
                rows = await self.run(write.reached_statement, child, relation, bound=bound_keys(parent, of))
                new = [(tuple(key), image) for *key, image in rows if (child.name, tuple(key)) not in seen]
                seen.update((child.name, key) for key, _ in new)
                if self._keeps_images(child):
                    before = self._before.setdefault(child.name, _Before())
                    for key, image in new:
                        before.note(key, image)
                if new and relation.on_delete is OnDelete.CASCADE:
                    pending.append((child, [key for key, _ in new]))

    def _leads_to_images(self, entity: Entity, *, softly: bool) -> bool:
        """Whether a deletion may reach rows whose images are kept."""
        found, pending = {entity.name}, [entity]
        while pending:
            for child, _ in self._reached(pending.pop(), softly=softly):
                if self._keeps_images(child):
                    return True
                if child.name not in found:
                    found.add(child.name)
                    pending.append(child)
        return False

    def _keeps_images(self, entity: Entity) -> bool:
        """Whether a rule for writing the entity reads rows of it as they were."""
        writes = (self.access.permits(entity, self.sight, to) for to in (Operation.CREATE, Operation.UPDATE))
        return any(self.reads_itself(entity, permits) for permits in writes)

    def reads_itself(self, entity: Entity, permits: Permits) -> bool:
        """Whether a rule on rows of the entity reads other ones of it, or a view of them."""
        conditions = [permit.after for permit in permits.every if permit.after != TRUE]

        def reads(name: str) -> bool:
            return any(reaches(condition, name, self.model) for condition in conditions)

        return bool(conditions) and (
            reads(entity.name)
            or any(
                view.view_sql is not None and reads(view.name) and entity in read_by(view, self.model)
                for view in self.model.entities.values()
            )
        )

    def as_it_was(self, name: str) -> dict[Keys, Any]:
        """What a statement binds that reads the entity as it was before the root field."""
        entity = self.model.entity(name)
        before = self._before.get(name, _Before())
        bound = bound_keys(entity, list(before.keys), f"{write.CREATED}{name}.")
        return {**bound, Keys(f"{write.WERE}{name}"): list(before.images.values())}

    def visible(self, entity: Entity) -> Visible:
        """Which rows there are for the viewer."""
        return self.access.visible(entity, self.sight)

    async def run(
        self,
        make: Callable[..., Any],
        *parts: Any,
        bound: Mapping[Any, Any],
        keep: bool = True,
        large: bool = False,
        **options: Any,
    ) -> list[asyncpg.Record]:
        """Run the statement that one of `clew.sql.write` makes.

        Args:
            parts: its arguments before the model's.
            bound: the values of its `Keys` operands; those of claims are known.
            keep: False where a client's condition is part of it.
            large: whether to compile it takes long.

        Raises:
            ClewError: CONSTRAINT_VIOLATION; what else the database says is of the operation's connection.
        """
        work = partial(self._statements.get, make, parts, options, keep=keep)
        statement = await self.aside.run(work, begun=True) if large else work()
        values = {**self.claims, **bound}
        arguments = [compute(_NO_VARIABLES, values) for compute in statement.arguments]
        try:
            return await self._fetch(statement.sql, arguments)
        except ClewError as error:
            found = from_database(error.__cause__, self._tables, self.schema)
            if found is None:
                raise
            raise found from error


def _by_shape(drafts: Iterable[Draft]) -> dict[_Shape, list[Draft]]:
    """Rows that write the same columns are one statement, in whatever order their inputs name them."""
    as_given: dict[_Shape, list[Draft]] = {}
    for draft in drafts:
        given = (tuple(draft.values), tuple(draft.increases), tuple(draft.appends))
        as_given.setdefault(given, []).append(draft)
    shapes: dict[_Shape, list[Draft]] = {}
    for (values, increases, appends), same in as_given.items():
        shape = (tuple(sorted(values)), tuple(sorted(increases)), tuple(sorted(appends)))
        shapes.setdefault(shape, []).extend(same)
    return shapes


def _fill_nulls(entity: Entity, drafts: Iterable[Draft], given: Collection[str]) -> None:
    """Let new rows give the nulls that they leave out and others `given`: those that differ in these are one statement.

    Any choice of some ten columns, in each row another, would be as many statements as rows.
    """
    names = [
        column.name
        for column in entity.columns
        if column.name in given and column.nullable and column.preset is None and default_sql(column) is None
    ]
    for draft in drafts:
        for name in names:
            draft.values.setdefault(name, None)


def _arrays(prefix: str, names: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> dict[Any, Any]:
    return {Keys(prefix + name): [row[name] for row in rows] for name in names}
