"""Find, lock, change and check the rows of one root field of a mutation, by statements on the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import asyncpg
from graphql import GraphQLSchema
from graphql.execution.values import VariableValues

from clew.access.permits import Permits
from clew.access.predicates import conjunction
from clew.access.reach import reads
from clew.access.sight import Sight
from clew.access.types import TRUE, Change, Images, Keys, Moment, Past, Places, Supplied, Values, Visible
from clew.access.visible import Access
from clew.aside import FEW_PARTS, Aside
from clew.collector import LargeWork
from clew.database.violations import KeyTakenError, ViolationError, from_database, reference
from clew.errors import ClewError
from clew.model.types import Column, Entity, Model, OnDelete, Operation, Relation, RelationKind, UniqueKey
from clew.moments import written
from clew.plan.weight import predicate_weight
from clew.plan.write import (
    Check,
    Delete,
    Filled,
    Find,
    Foresee,
    Hold,
    Insert,
    Judge,
    Leads,
    Lock,
    Mark,
    Plan,
    Reached,
    Recall,
    Update,
)
from clew.slices import Slices
from clew.sql.arguments import Claims
from clew.sql.constraints import Kind
from clew.sql.keys import Key, bound_keys
from clew.sql.literals import quote_name
from clew.sql.statement import Statement, WriteStatements
from clew.sql.tables import Tables, default_sql
from clew.sql.write import made_sql
from clew.writes.circles import Circles
from clew.writes.drafts import column_of, sql_presets
from clew.writes.errors import ForbiddenError, GuardedError
from clew.writes.types import Draft, Locked
from clew.writes.witness import Phase, Refusal, Witness

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[asyncpg.Record]]]
_Row = TypeVar("_Row")

_NO_VARIABLES = VariableValues({}, {})

# How many rows to work on before other requests get a turn. That takes a few milliseconds.
_ROWS_A_SLICE = 100

# How many savepoints of a root field may stay open until its transaction ends.
_MOST_SAVED = 16

# The columns that a draft sets, increases and appends to.
_Shape = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(slots=True)
class _Before:
    """The state of an entity before the root field.

    Args:
        keys: the keys of rows that the root field has locked or written.
        images: the old contents of those rows that existed before.
    """

    keys: dict[Key, None] = field(default_factory=dict)
    images: dict[Key, str] = field(default_factory=dict)

    def note(self, key: Key, image: str) -> None:
        """Note the image of a row, unless the root field has noted the row already."""
        if key not in self.keys:
            self.images[key] = image
        self.keys[key] = None


def parts(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """Return the parts of many rows that are worked on without a pause. Call `Store.rest` after each."""
    for begin in range(0, len(rows), _ROWS_A_SLICE):
        yield rows[begin : begin + _ROWS_A_SLICE]


class Store:
    """Run the statements of a write under the rules of one viewer.

    Args:
        schema: the schema of the viewer. Errors name only what is in it.
        fetch: runs a statement in the operation's transaction.
        aside: compiles large conditions of clients in another thread.
        slices: gives other requests a turn.
        weigh: counts conditions. It refuses the operation if there are too many.
        witness: receives a report of what happens, if somebody wants one.
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
        witness: Witness | None = None,
    ) -> None:
        self.phase = Phase.GATHER
        self.aside = aside
        self.slices = slices
        self._weigh = weigh
        self.model = model
        self.access = access
        self.schema = schema
        self.sight = sight
        self.circles = Circles(access, sight)
        self._claims = claims
        self._tables = tables
        self._statements = statements
        self._fetch = fetch
        self._witness = witness
        self._before: dict[str, _Before] = {}
        # The entities that `_recall` of `clew.writes.check` reads in their old state.
        self._recalled: frozenset[str] = frozenset()
        self._saved = 0
        # Whether the root field works on many rows.
        self._large = LargeWork()
        # The SQL names of the constraints that are checked at the end of the root field.
        self._deferred: dict[str, None] = {}

    @asynccontextmanager
    async def rolled_back_if_taken(self) -> AsyncIterator[None]:
        """Roll back what runs inside if a unique key is taken. The transaction goes on.

        Raises:
            KeyTakenError: the key is taken, and everything inside is rolled back.
        """
        await self._command("SAVEPOINT clew_upsert")
        try:
            yield
        except KeyTakenError:
            await self._command("ROLLBACK TO SAVEPOINT clew_upsert")
            self._before.clear()
            raise
        await self._command("RELEASE SAVEPOINT clew_upsert")

    @asynccontextmanager
    async def rolled_back(self) -> AsyncIterator[None]:
        """Roll back what runs inside, in any case."""
        await self._command("SAVEPOINT clew_tried")
        yield
        await self._command("ROLLBACK TO SAVEPOINT clew_tried")
        await self._command("RELEASE SAVEPOINT clew_tried")

    def begin(self) -> None:
        """Begin with the first phase. The state of rows now becomes their old state."""
        self.phase = Phase.GATHER
        self._before.clear()

    async def defer(self, keys: Iterable[tuple[Entity, UniqueKey]]) -> None:
        """Defer the check of deferrable keys until `judge_keys`."""
        names = [_constraint(entity, key) for entity, key in keys]
        if names:
            self._deferred.update(dict.fromkeys(names))
            await self._command(f"SET CONSTRAINTS {', '.join(names)} DEFERRED")

    async def judge_keys(self) -> None:
        """Check the keys that were deferred.

        Raises:
            ClewError: CONSTRAINT_VIOLATION if a key is taken.
        """
        if self._deferred:
            await self._command(f"SET CONSTRAINTS {', '.join(self._deferred)} IMMEDIATE")

    async def _command(self, sql: str) -> None:
        """Run a statement that controls the transaction: it sets a savepoint, or defers keys."""
        if self._witness is not None:
            self._witness.commands(sql)
        try:
            await self._fetch(sql, ())
        except ClewError as error:
            raise from_database(error.__cause__, self._tables, self.schema) or error from error

    def visible(self, entity: Entity) -> Visible:
        """Return the rows that the viewer may read."""
        return self.access.visible(entity, self.sight)

    def permits(self, entity: Entity, operation: Operation) -> Permits:
        """Return the rules and guards that bind the viewer for an operation."""
        return self.access.permits(entity, self.sight, operation)

    def guarding(self, entity: Entity, operation: Operation) -> Permits:
        """Return the guards that bind the viewer, without any rule."""
        return self.access.guarding(entity, self.sight, operation)

    async def pause(self, number: int) -> None:
        """Give other requests a turn after every hundred rows.

        Args:
            number: the number of the next row.
        """
        if number % _ROWS_A_SLICE == _ROWS_A_SLICE - 1:
            await self._turn()

    async def rest(self, rows: Sized) -> None:
        """Give others their turn after work on rows, where there are many."""
        if len(rows) >= _ROWS_A_SLICE:
            await self._turn()

    async def _turn(self) -> None:
        self._large.begin()
        await self.slices.turn()

    def close(self) -> None:
        """Note that the root field has ended."""
        self._large.end()

    async def in_parts(self, rows: Sequence[_Row], work: Callable[[Sequence[_Row]], object]) -> None:
        """Do work on rows. Where there are many, do it in parts, and give others their turn between the parts."""
        for part in parts(rows):
            work(part)
            await self.rest(part)

    # --- finding and locking ----------------------------------------------------------

    async def lock(
        self,
        plan: Lock,
        *,
        keys: Sequence[Key] | None = None,
        still: Sequence[Sequence[Any]] = (),
    ) -> list[Locked]:
        """Lock the rows of `keys`, or all rows that the plan's condition finds.

        Args:
            still: for each column of `plan.still` its expected values, one for each key. The statement may wait for
                another writer that changes them; then it leaves the row out.
        """
        # alike if false: a shortcut, for without keys or rules there is no row
        # alike without `not plan.permits.rules`: a shortcut
        # alike without `keys is not None and not keys`: a shortcut
        if (keys is not None and not keys) or not plan.permits.rules:
            return []
        entity = plan.visible.entity
        image = self.keeps_images(entity)
        plan = replace(plan, by_key=keys is not None, image=image)
        bound = bound_keys(entity, keys) if keys is not None else {}
        bound |= {Values(column.name): values for column, values in zip(plan.still, still, strict=True)}
        conditions = predicate_weight(plan.where).conditions
        self._weigh(conditions)
        keep, large = plan.where is TRUE, conditions > FEW_PARTS
        records = await self.run(plan, bound, keep=keep, large=large)
        # alike without `self._reads_others(plan)`: runs the statement again
        # alike without `records`: runs the statement again
        # alike if true or false: except after waiting for a lock: tests/writes/test_waiting.py
        if records and self._reads_others(plan):
            records = await self._judged_again(plan, records, keys, bound, keep=keep, large=large)
        rows: list[Locked] = []
        key_end = 1 + len(entity.primary_key)
        column_end = key_end + len(plan.columns)
        open_end = column_end + len(plan.opened)
        before = self._before.setdefault(entity.name, _Before())
        for number, record in enumerate(records):
            await self.pause(number)
            values = tuple(record)
            key = values[1:key_end]
            if image:  # alike if true: more images than are read
                before.note(key, values[open_end])
            masked = frozenset(
                name for name, is_open in zip(plan.opened, values[column_end:open_end], strict=True) if not is_open
            )
            held = values[open_end + (1 if image else 0) :]
            rows.append(Locked(values[0], key, values[key_end:column_end], masked, held))
        return rows

    def _reads_others(self, plan: Lock) -> bool:
        """Return whether the conditions of a lock read other rows than the locked ones."""
        visible = plan.visible
        masks = (visible.masks.get(name) for name in (*plan.opened, *visible.entity.primary_key))
        befores = (permit.before for permit in plan.permits.every)
        conditions = [visible.where, plan.where, *befores, *(mask for mask in masks if mask is not None)]
        return any(reads(condition, self.model) for condition in conditions)

    async def _judged_again(
        self,
        plan: Lock,
        records: Sequence[asyncpg.Record],
        keys: Sequence[Key] | None,
        bound: Mapping[Supplied, Any],
        *,
        keep: bool,
        large: bool,
    ) -> list[asyncpg.Record]:
        """Run the conditions on locked rows once more.

        The first statement may have waited for a lock. It read all other rows before it waited, so these may have
        changed. The second statement does not wait, because the rows are locked now.
        """
        entity = plan.visible.entity
        if keys is not None:
            # Bind all keys again, so that positions stay the same.
            locked = set(await self._keys(entity, records))
            again = await self.run(plan, bound, keep=keep, large=large)
            return [record for record, key in zip(again, await self._keys(entity, again), strict=True) if key in locked]
        found = await self._keys(entity, records)
        return await self.run(replace(plan, by_key=True), bound_keys(entity, found), keep=keep, large=large)

    async def _keys(self, entity: Entity, locked: Sequence[asyncpg.Record]) -> list[Key]:
        """Return the keys of rows that a lock has found."""
        end = 1 + len(entity.primary_key)
        keys: list[Key] = []
        for number, record in enumerate(locked):
            await self.pause(number)
            keys.append(record[1:end])
        return keys

    async def find(
        self, entity: Entity, columns: Sequence[Column], values: Sequence[Key], *, among: Visible | None = None
    ) -> list[tuple[int, Key]]:
        """Return the keys of rows that have some values in `columns`, each with the number of these values.

        Args:
            values: for each wanted row its values, in the order of `columns`.
            among: the rows to search, instead of the visible rows.
        """
        if not values:
            return []
        bound: dict[Supplied, Any] = {
            Values(column.name): list(of_all) for column, of_all in zip(columns, zip(*values, strict=True), strict=True)
        }
        records = await self.run(Find(among or self.visible(entity), columns), bound)
        return [(record[0] - 1, tuple(record)[1:]) for record in records]

    async def shows(self, entity: Entity, names: Iterable[str], keys: Sequence[Key]) -> list[bool]:
        """Return for each row whether the viewer may read all of the fields `names`. The rows must be visible."""
        masks = self.visible(entity).masks
        asked = conjunction(masks[name] for name in names if name in masks)
        # alike if false: a shortcut, for `asked` is true of every row
        # alike without `asked == TRUE`: a shortcut
        # alike without `not keys`: a shortcut
        if asked == TRUE or not keys:
            return [True] * len(keys)
        records = await self.run(Judge(entity, asked), bound_keys(entity, keys))
        return [record[0] for record in records]

    async def leads(
        self, entity: Entity, drafts: Iterable[Draft], operation: Operation
    ) -> tuple[list[Draft], list[tuple[Draft, Relation]]]:
        """Find the to-ones whose keys lead to no readable row.

        A foreign-key error would tell a hidden row from an absent one. So call this before anything is written.

        Returns:
            The drafts to check later, because they wait for the key of a new row. Then the drafts that lead to no
            readable row, each with the to-one.
        """
        waiting: list[Draft] = []
        astray: list[tuple[Draft, Relation]] = []
        for relation in entity.relations:
            if relation.kind is not RelationKind.TO_ONE:  # alike if false: a shortcut, for the others have no key here
                continue
            visible = self.visible(self.model.entity(relation.target))
            if visible.where == TRUE and not visible.masks.keys() & set(self._keyed(relation)):
                continue
            fills = self._fills(entity, relation, operation)
            asked: list[Draft] = []
            for number, draft in enumerate(drafts):
                await self.pause(number)
                # A preset by SQL may replace the key of a known row.
                if relation.name in draft.to_ones and not fills:
                    continue
                filled = (name for source in draft.sources for name, _ in source.columns)
                if any(name in relation.key and name not in draft.kept for name in filled):
                    waiting.append(draft)
                elif fills or draft.sets(relation.key):
                    asked.append(draft)
            of = None if fills else relation.key  # alike if true: binds more columns
            for shape, same in await self._by_shape(asked, of=of):
                plan = self._plan(entity, shape, operation)
                records = await self.run(Leads(plan, relation, visible), self._bound(plan, same))
                astray += [(draft, relation) for draft, record in zip(same, records, strict=True) if not record[0]]
                await self.rest(same)
        return waiting, astray

    def tells(self, entity: Entity, names: Collection[str]) -> bool:
        """Return whether a viewer may learn values that a to-one fills into columns.

        The viewer may read such a column, or something else sets it too, so that an error reveals a difference.
        """
        readable = getattr(self.schema.type_map.get(entity.name), "fields", {})
        return any(
            name in readable
            or column_of(entity, name).relation is None
            or column_of(entity, name).preset is not None
            or sum(name in relation.key for relation in entity.relations) > 1
            for name in names
        )

    def hidden(self, entity: Entity, relation: Relation) -> ViolationError:
        """Return the error for a to-one that leads to a hidden row. It equals the error for an absent row."""
        return reference(entity.name, relation.name, relation.message, self.schema)

    def _keyed(self, relation: Relation) -> list[str]:
        """Return the API names of the target's columns that a to-one's key refers to."""
        target = self.model.entity(relation.target)
        there = {remote for _, remote in relation.on}
        return [column.name for column in target.columns if column.column in there]

    def _fills(self, entity: Entity, relation: Relation, operation: Operation) -> bool:
        """Return whether a preset in SQL fills a part of a to-one's key."""
        return any(column.name in relation.key for column, _ in sql_presets(entity, operation, ()))

    # --- writing ----------------------------------------------------------------------

    async def insert(self, entity: Entity, drafts: Sequence[Draft], *, once: bool = False) -> None:
        """Create rows, and note their keys in the drafts.

        Args:
            once: whether to leave existing rows alone, instead of failing.

        Raises:
            ClewError: FORBIDDEN if a preset by SQL and the row around set different values.
        """
        shapes = await self._by_shape(drafts)
        if len(shapes) > 1:
            given = {name for (names, _, _), _ in shapes for name in names}
            await self.in_parts(drafts, partial(_fill_nulls, entity, given=given))
            shapes = await self._by_shape(drafts)
            if len(shapes) > 1 and await self._lead_to_one_another(entity, drafts):
                # In their order, so that a row comes after the one that it leads to.
                shapes = [(shape, [*same]) for shape, same in groupby(drafts, _shape)]
        width = len(entity.primary_key)
        before = self._before.setdefault(entity.name, _Before())
        for shape, same in shapes:
            plan = self._plan(entity, shape, Operation.CREATE)
            assert isinstance(plan, Insert)
            if once:
                made = await self._located(replace(plan, once=True), same)
                before.keys.update(dict.fromkeys(tuple(record) for record in made))
                for draft in same:
                    draft.key = tuple(draft.values[name] for name in entity.primary_key)
                continue
            records = await self._located(plan, same)
            if plan.presets and not all(all(record[width:]) for record in records):
                why = "A @preset by SQL and the row around it do not agree."
                raise ForbiddenError(Refusal(Phase.WRITE, entity, Operation.CREATE, why))
            for part, found in zip(parts(same), parts(records), strict=True):
                for draft, record in zip(part, found, strict=True):
                    draft.key = record[:width]
                    before.keys[draft.key] = None
                await self.rest(part)
        for relation in self._goes_with(entity):
            await self._hold(entity, relation, drafts)

    async def _lead_to_one_another(self, entity: Entity, drafts: Sequence[Draft]) -> bool:
        """Return whether a key in one of some new rows leads to another of them."""
        names = {column.column: column.name for column in entity.columns}
        leading = [
            {names[theirs]: names[ours] for ours, theirs in relation.on}
            for relation in entity.relations
            if relation.key and relation.target == entity.name
        ]
        given: set[Key] = set()
        led: set[Key] = set()
        for number, draft in enumerate(drafts if leading else ()):
            await self.pause(number)
            given.add(tuple(draft.values.get(name) for name in entity.primary_key))
            led.update(tuple(draft.values.get(ours[name]) for name in entity.primary_key) for ours in leading)
        return any(None not in key for key in given & led)

    async def update(self, entity: Entity, drafts: Sequence[Draft]) -> None:
        """Change locked rows.

        Raises:
            ClewError: FORBIDDEN if a preset by SQL and a to-one set different values.
        """
        changed = [draft for draft in drafts if draft.writes]
        await self.rest(changed)
        for shape, same in await self._by_shape(changed):
            plan = self._plan(entity, shape, Operation.UPDATE)
            if not all(all(record) for record in await self._located(plan, same)):
                why = "A @preset by SQL and a to-one do not agree."
                raise ForbiddenError(Refusal(Phase.WRITE, entity, Operation.UPDATE, why))
        for relation in self._goes_with(entity):
            if self._fills(entity, relation, Operation.UPDATE):
                led = changed
            else:
                led = [draft for draft in changed if draft.sets(relation.key)]
                await self.rest(changed)
            await self._hold(entity, relation, led)

    async def _located(self, plan: Insert | Update, drafts: Sequence[Draft]) -> list[asyncpg.Record]:
        """Write rows by one statement. If a constraint is violated, find the first row at fault.

        Raises:
            ViolationError: with the path of the row.
        """
        if len(drafts) == 1:
            try:
                return await self.run(plan, self._bound(plan, drafts))
            except ViolationError as error:
                raise error.at(drafts[0].path) from error.__cause__
        await self._command("SAVEPOINT clew_rows")
        try:
            records = await self.run(plan, self._bound(plan, drafts))
        except ViolationError as error:
            await self._command("ROLLBACK TO SAVEPOINT clew_rows")
            draft, located = await self._find_fault(plan, drafts, error)
            raise located.at(draft.path) from error.__cause__
        # Postgres keeps one level for each open savepoint. A few levels cost less than a statement that releases them.
        if self._saved < _MOST_SAVED:
            self._saved += 1
        else:
            await self._command("RELEASE SAVEPOINT clew_rows")
        return records

    async def _find_fault(
        self, plan: Insert | Update, drafts: Sequence[Draft], error: ViolationError
    ) -> tuple[Draft, ViolationError]:
        """Find the first row that violates a constraint. Return it with its error.

        Halve the rows until one is left. The rows before it get written on the way.
        """
        while len(drafts) > 1:
            half = len(drafts) // 2
            await self._command("SAVEPOINT clew_rows")
            try:
                await self.run(plan, self._bound(plan, drafts[:half]))
                drafts = drafts[half:]
            except ViolationError as found:
                await self._command("ROLLBACK TO SAVEPOINT clew_rows")
                drafts, error = drafts[:half], found
        return drafts[0], error

    async def foresee(
        self, entity: Entity, drafts: Sequence[Draft], operation: Operation, unsettled: frozenset[str] | None
    ) -> list[tuple[Draft, tuple[bool, ...]]]:
        """Find which rules could hold for rows that are not written yet.

        Args:
            unsettled: the entities whose rows may still change; None for all.

        Returns:
            The drafts, each with one flag for each rule for the operation. Drafts for which every rule could hold may
            be left out.
        """
        found: list[tuple[Draft, tuple[bool, ...]]] = []
        # Then no foreseen rule has a condition either.
        if all(permit.after == TRUE for permit in self.permits(entity, operation).every):
            return found
        for shape, same in await self._by_shape(drafts):
            plan = self._plan(entity, shape, operation)
            known, changed = self._known(plan), self._changed(plan)
            permits = self.access.foreseen(
                entity, self.sight, operation, known, changed, unsettled, lambda part: self.circles.read_by([part])
            )
            if any(permit.after != TRUE for permit in permits.every):
                records = await self.run(Foresee(plan, permits), self._bound(plan, same))
                found += [(draft, tuple(record)) for draft, record in zip(same, records, strict=True)]
        return found

    def _known(self, plan: Insert | Update) -> frozenset[str]:
        """Return the columns whose stored values are known before the row is written."""
        filled = {column.name for column, _ in plan.presets}
        if isinstance(plan, Insert):
            given = {column.name for column in plan.columns}
            given |= {column.name for column in plan.entity.columns if _is_constant(column)}
        else:
            given = {column.name for column in plan.entity.columns if not column.version and not column.updated_at}
        return frozenset(name for name in given - filled if column_of(plan.entity, name).computed is None)

    def _changed(self, plan: Insert | Update) -> frozenset[str]:
        """Return the columns whose values an update may change."""
        if isinstance(plan, Insert):
            return frozenset()
        columns = (*plan.sets, *plan.increases, *plan.appends, *(column for column, _ in plan.presets))
        along = (c for c in plan.entity.columns if c.version or c.updated_at or c.computed is not None)
        return frozenset(column.name for column in (*columns, *along))

    def _goes_with(self, entity: Entity) -> list[Relation]:
        """Return the to-ones of an entity that pass on a soft deletion: the row is deleted with its target."""
        return [
            relation
            for relation in entity.relations
            if entity.soft_delete is not None
            and relation.kind is RelationKind.TO_ONE
            and relation.on_delete is OnDelete.CASCADE
            and self.model.entity(relation.target).soft_delete is not None
        ]

    async def _hold(self, entity: Entity, relation: Relation, drafts: Sequence[Draft]) -> None:
        """Lock the rows that written rows lead to, so that nobody deletes them until the transaction ends.

        The keys are written already. An earlier deletion has not seen them, but it has marked its row before this
        statement gets the lock. A later deletion waits, and then deletes the written row too.

        Raises:
            ClewError: CONSTRAINT_VIOLATION if one of the rows is deleted.
        """
        if not drafts:  # alike if false: a shortcut, for there is no row to lock
            return
        keys = [draft.key for draft in drafts]
        if not all(record[0] for record in await self.run(Hold(entity, relation), bound_keys(entity, keys))):
            raise self.hidden(entity, relation)

    def _plan(self, entity: Entity, shape: _Shape, operation: Operation) -> Insert | Update:
        """Return the plan that writes the columns of a shape."""
        sets, increases, appends = ([column_of(entity, name) for name in names] for names in shape)
        given = [name for names in shape for name in names] if self.sight.admin else []
        presets: list[Filled] = sql_presets(entity, operation, given)
        if operation is Operation.UPDATE:
            return Update(entity, sets, increases, appends, presets)
        if not sets and not presets:
            presets = [(column, made_sql(entity, column)) for column in entity.key_columns[:1]]
        return Insert(entity, sets, presets)

    async def _by_shape(
        self, drafts: Sequence[Draft], *, of: Collection[str] | None = None
    ) -> Collection[tuple[_Shape, list[Draft]]]:
        """Group rows that write the same columns, in whatever order their inputs name them.

        Args:
            of: only these columns count.
        """
        as_given: dict[_Shape, list[Draft]] = {}
        for part in parts(drafts):
            for draft in part:
                given = (tuple(draft.values), tuple(draft.increases), tuple(draft.appends))
                as_given.setdefault(given, []).append(draft)
            await self.rest(part)
        shapes: dict[_Shape, list[Draft]] = {}
        for number, (given, same) in enumerate(as_given.items()):
            await self.pause(number)
            values, increases, appends = (
                tuple(sorted(names if of is None else (name for name in names if name in of))) for names in given
            )
            shapes.setdefault((values, increases, appends), []).extend(same)
        return shapes.items()

    def _bound(self, plan: Insert | Update, drafts: Sequence[Draft]) -> dict[Supplied, Any]:
        if isinstance(plan, Insert):
            if not plan.columns:
                return {Places(): list(range(len(drafts)))}
            return _arrays(Change.SET, plan.columns, [draft.values for draft in drafts])
        bound = bound_keys(plan.entity, [draft.key for draft in drafts])
        bound |= _arrays(Change.SET, plan.sets, [draft.values for draft in drafts])
        bound |= _arrays(Change.INCREASE, plan.increases, [draft.increases for draft in drafts])
        bound |= _arrays(Change.APPEND, plan.appends, [draft.appends for draft in drafts])
        return bound

    async def delete(self, entity: Entity, keys: Sequence[Key]) -> None:
        """Delete locked rows. The database then deletes the rows that refer to them, or clears their keys."""
        await self.run(Delete(entity), bound_keys(entity, keys))

    async def mark(self, entity: Entity, keys: Sequence[Key], at: str | None = None) -> None:
        """Set or clear the time of deletion, on these rows and on all rows that a cascade reaches.

        Args:
            at: the time of the deletion to undo; None to delete.

        Raises:
            ClewError: CONSTRAINT_VIOLATION if a row would come back while another row that it belongs to is deleted.
        """
        restores = at is not None
        bound = bound_keys(entity, keys) | {Moment(): at or written(datetime.now(UTC))}
        await self.run(Mark(entity, None, restores), bound)
        pending = [(entity, list(keys))]
        marked: list[tuple[Entity, list[Key]]] = []
        while pending:
            parent, of = pending.pop()
            marked.append((parent, of))
            for child, relation in self._pointing(parent, softly=True):
                bound = bound_keys(parent, of) | {Moment(): bound[Moment()]}
                records = await self.run(Mark(child, relation, restores), bound)
                if records:
                    pending.append((child, [tuple(record) for record in records]))
        for back, of in marked if restores else ():
            for relation in self._goes_with(back):
                await self._hold(back, relation, [Draft("", key=key) for key in of])

    # --- what a deletion reaches ------------------------------------------------------

    def _pointing(self, parent: Entity, *, softly: bool) -> list[tuple[Entity, Relation]]:
        """Return the to-ones that lead to `parent` and act when a row of it is deleted, each with its entity.

        Args:
            softly: whether the deletion is a soft one.
        """
        ways = {OnDelete.CASCADE} if softly else {OnDelete.CASCADE, OnDelete.SET_NULL}
        return [
            (child, relation)
            for child, relation in self.model.references.get(parent.name, ())
            if relation.on_delete in ways and (child.soft_delete is not None if softly else child.view_sql is None)
        ]

    async def referencing_rows(
        self, entity: Entity, keys: Sequence[Key], restored: str | None = None
    ) -> AsyncIterator[tuple[Entity, Relation, list[Key]]]:
        """Find and lock the rows that a deletion of `keys` will delete or change along.

        Check the guards of these rows. Keep their images if rules read them in their old state.

        Args:
            restored: the time of the deletion to undo, if this is for a restore.

        Yields:
            An entity, the to-one that leads from its rows to a deleted row, and the keys of its rows.

        Raises:
            GuardedError: a guard forbids the change. The error reveals nothing about the rows.
        """
        softly = entity.soft_delete is not None
        pending: list[tuple[Entity, Sequence[Key]]] = [(entity, keys)]
        seen: set[tuple[str, Key]] = set()
        while pending:
            parent, of = pending.pop()
            # endless if false: rows may go with each other in a circle
            # endless without `not of`: as above
            # alike without `not self._matters(parent, softly=softly)`: looks at rows that have no guards
            if not of or not self._matters(parent, softly=softly):
                continue
            for child, relation in self._pointing(parent, softly=softly):
                cascades = relation.on_delete is OnDelete.CASCADE
                permits = self.guarding(child, Operation.DELETE if cascades else Operation.UPDATE)
                plan = Reached(child, relation, permits, softly, restored is not None)
                reached = bound_keys(parent, of) | {Moment(): restored}
                records = await self.run(plan, reached)
                # alike without `records`: runs the statement again
                # alike without `any(reads(guard.before, self.model) for guard in permits.guards)`: runs it again
                # alike with all: runs the statement again
                # alike if true or false: except after waiting for a lock: tests/writes/test_waiting.py
                if records and any(reads(guard.before, self.model) for guard in permits.guards):
                    # The statement may have waited for a lock, as in `_judged_again`.
                    records = await self.run(plan, reached)
                rows = [(tuple(key), holds, image) for *key, holds, image in records]
                await self.rest(rows)
                key = next((key for key, holds, _ in rows if not holds), None)
                if key is not None:
                    why = f"The row would go or change along by {relation.name}, and a guard does not hold of it."
                    raise GuardedError(Refusal(Phase.GATHER, child, permits.operation, why, permits, key))
                # endless if true: as above
                new = [(key, image) for key, _, image in rows if (child.name, key) not in seen]
                if cascades:
                    seen.update((child.name, key) for key, _ in new)  # endless without it: as above
                    pending.append((child, [key for key, _ in new]))
                if self.keeps_images(child):  # alike if true: more images than are read
                    before = self._before.setdefault(child.name, _Before())
                    for key, image in new:
                        before.note(key, image)
                if new:  # alike if true: nothing is done with no rows
                    yield child, relation, [key for key, _ in new]

    def _matters(self, entity: Entity, *, softly: bool) -> bool:
        """Return whether a deletion of `entity` may reach rows that matter.

        Rows matter if they have guards, if they link to rows that have guards, or if their images are needed.
        """
        found, pending = {entity.name}, [entity]
        while pending:
            for child, relation in self._pointing(pending.pop(), softly=softly):
                to = Operation.DELETE if relation.on_delete is OnDelete.CASCADE else Operation.UPDATE
                if self.keeps_images(child) or self.guarding(child, to).guards:
                    return True
                ends = [self.model.entity(end.target) for end in child.relations] if child.generated_link else []
                if any(self.guarding(end, Operation.UPDATE).guards for end in ends):
                    return True
                if child.name not in found:
                    found.add(child.name)
                    pending.append(child)
        return False

    # --- checks -----------------------------------------------------------------------

    def recall(self, operations: Mapping[str, Iterable[Operation]]) -> None:
        """Keep the images that `check_written` needs to check the old state of rows again.

        Args:
            operations: the operations that the root field may do, by the names of entities.
        """
        self._recalled = frozenset().union(
            *(
                self.circles.recalled(self.model.entity(name), operation)
                for name, of_name in operations.items()
                for operation in of_name
                if operation is not Operation.CREATE  # alike if true: more images than are read
            )
        )

    def keeps_images(self, entity: Entity) -> bool:
        """Return whether rules may read rows of an entity as they were before the root field."""
        return entity.name in self._recalled or bool(self.circles.of(entity))

    def changed(self, name: str) -> bool:
        """Return whether the root field has changed rows of an entity."""
        return bool(self._before.get(name, _Before()).keys)

    def bind_past(
        self,
        name: str,
        keys: Collection[Key] | None = None,
        *,
        near: bool = False,
        order: Sequence[Key] | None = None,
    ) -> dict[Supplied, Any]:
        """Return the values to bind for a statement that reads an entity as it was before the root field.

        Args:
            keys: read only the rows with these keys in their old state; None for all rows.
            near: see `Past`.
            order: bind the rows in this order, followed by all other written rows. A new row has no image.
        """
        entity = self.model.entity(name)
        before = self._before.get(name, _Before())
        past = Past(name, near)
        if order is not None:
            written = list(dict.fromkeys((*order, *before.keys)))
            texts = [before.images.get(key) for key in written]
            return {**bound_keys(entity, written, past), Images(past): texts}
        written = [key for key in (before.keys if keys is None else keys) if key in before.keys]
        images = [before.images[key] for key in written if key in before.images]
        return {**bound_keys(entity, written, past), Images(past): images}

    async def check(self, plan: Check, keys: Sequence[Key], bound: Mapping[Supplied, Any]) -> list[tuple[Any, ...]]:
        """Return for each row whether it is readable, then whether each rule holds. All are None for a deleted row."""
        records = await self.run(plan, {**bound_keys(plan.visible.entity, keys), **bound})
        return [tuple(record) for record in records]

    async def held_after_others(
        self, entity: Entity, permits: Permits, keys: Sequence[Key], order: Sequence[Key]
    ) -> list[tuple[bool, ...]]:
        """Check the old state of rows, among the new states of the rows that were written before them.

        Args:
            order: the keys of all written rows of the entity, in order.

        Returns:
            For each row one flag for each of `permits.every`: whether it holds.
        """
        # alike if true: an entity that has not changed is as it was
        past = sorted(name for name in self.circles.recalled(entity, permits.operation) if self.changed(name))
        bound = bound_keys(entity, keys)
        for name in past:
            bound |= self.bind_past(name)
        places = {key: place for place, key in enumerate(order, start=1)}
        bound |= self.bind_past(entity.name, order=order) | {Places(): [places[key] for key in keys]}
        records = await self.run(Recall(entity, permits, past), bound)
        return [tuple(record) for record in records]

    async def run(
        self, plan: Plan, bound: Mapping[Supplied, Any], *, keep: bool = True, large: bool = False
    ) -> list[asyncpg.Record]:
        """Run the statement of a plan.

        Args:
            bound: the values of its `Supplied` operands. The values of claims are added here.
            keep: whether to keep the compiled statement. False if a client's condition is part of it.
            large: whether it takes long to compile.

        Raises:
            ClewError: CONSTRAINT_VIOLATION. The operation's connection raises the other errors of the database.
        """
        work = partial(self._statements.get, plan, keep=keep, one_row=_is_one_row(bound))
        statement = await self.aside.run(work, begun=True) if large else work()
        await self._rest_after(bound)
        arguments = self._arguments(statement, bound)
        if self._witness is not None:
            await self._witness.begins(self.phase, plan, statement, arguments)
        try:
            records = await self._fetch(statement.sql, arguments)
        except ClewError as error:
            violation = from_database(error.__cause__, self._tables, self.schema)
            if violation is None:
                raise
            if isinstance(plan, Insert) and self.sight.admin:
                violation.hint = _how_to_fill(plan.entity, violation)
            # The rows that prevent a deletion may be hidden, so the error reveals nothing about them.
            raise (ViolationError(Kind.REFERENCE) if isinstance(plan, Delete) else violation) from error
        if self._witness is not None:
            await self._witness.ran(self, plan, bound, records)
        await self.rest(records)
        return records

    async def _rest_after(self, bound: Mapping[Supplied, Any]) -> None:
        """Give others their turn after values are gathered for a statement, and before the driver writes them."""
        await self.rest(max((value for value in bound.values() if isinstance(value, list)), key=len, default=()))

    def _arguments(self, statement: Statement, bound: Mapping[Supplied, Any]) -> list[Any]:
        values = {**self._claims, **bound}
        return statement.bind(_NO_VARIABLES, values)

    async def probe(self, plan: Plan, bound: Mapping[Supplied, Any]) -> list[asyncpg.Record]:
        """Run the statement of a plan that changes nothing, without a report. If it fails, the transaction goes on.

        Raises:
            ClewError: an error of the operation's connection.
        """
        statement = self._statements.get(plan, keep=False)
        arguments = self._arguments(statement, bound)
        await self._fetch("SAVEPOINT clew_probe", ())
        try:
            return await self._fetch(statement.sql, arguments)
        finally:
            await self._fetch("ROLLBACK TO SAVEPOINT clew_probe", ())
            await self._fetch("RELEASE SAVEPOINT clew_probe", ())

    async def refused(self, refusal: Refusal) -> None:
        """Report the refusal of the root field to the witness, if there is one."""
        if self._witness is not None:
            await self._witness.refused(self, refusal)


def _is_one_row(bound: Mapping[Supplied, Any]) -> bool:
    """Return whether a statement gets the keys and values of exactly one row, beside the old state of any rows."""
    lists = [
        values
        for source, values in bound.items()
        if isinstance(source, Values | Places) or (isinstance(source, Keys) and source.of is None)
    ]
    return bool(lists) and all(len(values) == 1 for values in lists)


def _is_constant(column: Column) -> bool:
    return column.default is not None and column.default.sql is None


def _how_to_fill(entity: Entity, violation: ClewError) -> str | None:
    """Return the hint for a new row of an admin, who needs no claim of a @preset and may lack it."""
    if violation.extensions.get("kind") is Kind.REQUIRED:
        for name in violation.extensions.get("fields", ()):
            preset = column_of(entity, name).preset
            if preset is not None and preset.claim is not None:
                claim = preset.claim.removeprefix("$auth.")
                return (
                    f"Its @preset needs the claim {claim}. Give {name} in the input, or act as a viewer who has the"
                    " claim: X-Clew-Role and X-Clew-Claims."
                )
    return None


def _constraint(entity: Entity, key: UniqueKey) -> str:
    name = quote_name(key.name)
    return f"{quote_name(entity.schema)}.{name}" if entity.schema else name


def _shape(draft: Draft) -> _Shape:
    """Return what a new row writes."""
    return tuple(sorted(draft.values)), (), ()


def _fill_nulls(entity: Entity, drafts: Iterable[Draft], given: Collection[str]) -> None:
    """Write explicit nulls for `given` columns that a new row leaves out, so that rows share one statement.

    Otherwise rows that each set another selection of ten columns could need one statement for each row.
    """
    names = [
        column.name
        for column in entity.columns
        if column.name in given and column.nullable and column.preset is None and default_sql(column) is None
    ]
    for draft in drafts:
        for name in names:
            draft.values.setdefault(name, None)


def _arrays(change: Change, columns: Iterable[Column], rows: Sequence[Mapping[str, Any]]) -> dict[Supplied, Any]:
    return {Values(column.name, change): [row[column.name] for row in rows] for column in columns}
