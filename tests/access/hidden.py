"""Changes to a database that a viewer must not notice, found by the naive mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

import asyncpg

from clew.model.types import Column, Entity, Model, Relation, RelationKind
from clew.sql.literals import quote_name
from tests.access.masked import MaskedReference
from tests.access.rules import Eyes
from tests.properties.models import Case, Row, value_of
from tests.reference import Tables, in_order, table_sql

# How often a key is looked for that leaves a row in its place.
TRIES = 40


@dataclass(frozen=True)
class Change:
    """What changes what is hidden, or tries to: statements, and the columns of an entity that they are about.

    `rekeys`: it gives another key to a row that the viewer sees.
    """

    entity: str
    columns: frozenset[str]
    statements: tuple[tuple[str, tuple[Any, ...]], ...]
    rekeys: bool = False


def shown(model: Model, open_: Model, eyes: Eyes, tie_key: str, tables: Tables) -> str:
    """Everything that a viewer may see, as a text: the visible rows in their order, each field's value or rows.

    A row is known by its place, as its key may be hidden. Where that decides about the place it does so by a digest,
    which is as good as chance: two databases are alike where chance is the same in both. Deleted rows are visible to
    who may ask for them, by themselves and among the others.

    Args:
        open_: the entities and fields that the viewer's roles have in their schema.
        tie_key: the viewer's.
    """
    reference = MaskedReference(model, tables, "", eyes, tie_key)

    def ways(entity: Entity) -> tuple[str | None, ...]:
        return (None, "ONLY", "INCLUDE") if eyes.may_ask_for_deleted(entity) else (None,)

    listed: dict[tuple[str, str | None], list[Row]] = {}
    for name in open_.entities:
        entity = model.entity(name)
        for way in ways(entity):
            placed = in_order([(reference.ties(entity, row), row) for row in reference.visible(entity, way)])
            listed[name, way] = [row for _, row in placed]
    places = {(key, id(row)): place for key, rows in listed.items() for place, row in enumerate(rows)}
    found: list[Any] = []
    for (name, deleted), rows in listed.items():
        ruled = model.entity(name)
        for row in rows:
            fields: list[Any] = [
                reference.value(column, row) for column in open_.entity(name).columns if not column.hidden
            ]
            for relation in open_.entity(name).relations:
                target = model.entity(relation.target)
                for way in ways(target):
                    others = reference.related(ruled, relation, row, way)
                    fields.append(sorted(places[(target.name, way), id(other)] for other in others))
            found.append((name, deleted, fields))
    return "\n".join(map(repr, found))


def key_of(entity: Entity, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.column] for column in entity.key_columns)


@dataclass
class Changes:
    """Random changes to a case's rows that are likely to be hidden from a viewer."""

    random: Random
    case: Case
    model: Model
    reference: MaskedReference

    def draw(self, count: int) -> list[Change]:
        entities = [entity for entity in self.model.entities.values() if self.case.rows.get(entity.name)]
        found = [self.change(self.random.choice(entities)) for _ in range(count)]
        return [change for change in found if change is not None]

    def change(self, entity: Entity) -> Change | None:
        if self.unkeyed and self.random.randrange(2):
            return self.update(*self.random.choice(self.unkeyed), in_key=True)
        row = self.random.choice(self.case.rows[entity.name])
        seen = self.seen(entity).get(key_of(entity, row))
        kind = self.random.randrange(10)
        if kind < 2:
            return self.insert(entity, row)
        if kind < 4:
            return None if seen else self.delete(entity, row)
        return self.update(entity, row, seen)

    def seen(self, entity: Entity) -> dict[tuple[Any, ...], Row]:
        """The visible rows by key."""
        return {key_of(entity, row): row for row in self.reference.visible(entity)}

    @cached_property
    def unkeyed(self) -> list[tuple[Entity, Row, Row]]:
        """The rows that the viewer sees without the whole of their keys, each as it is and as it is seen."""
        return [
            (entity, row, seen)
            for entity in self.model.entities.values()
            for row in self.case.rows.get(entity.name, ())
            if (seen := self.seen(entity).get(key_of(entity, row))) is not None
            if not all(self.reference.is_field_open(entity, seen, name) for name in entity.primary_key)
        ]

    def insert(self, entity: Entity, like: Row) -> Change:
        row = dict(like)
        for column in entity.columns:
            in_key = column.name in entity.primary_key
            if column.computed is None and column.relation is None and (in_key or self.random.randrange(2)):
                row[column.column] = self.value(column)
        for relation in _to_ones(entity):
            if self.random.randrange(2):
                row.update(self.pointing(relation))
        sql = f"INSERT INTO {table_sql(entity)} ({_names(row)}) VALUES ({_marks(row)})"
        return Change(entity.name, _all(entity), ((sql, tuple(row.values())),))

    def delete(self, entity: Entity, row: Row) -> Change:
        where, key = _where({name: row[name] for name in _key(entity)}, 0)
        return Change(entity.name, _all(entity), ((f"DELETE FROM {table_sql(entity)} WHERE {where}", key),))

    def update(self, entity: Entity, row: Row, seen: Row | None, *, in_key: bool = False) -> Change | None:
        """Other values in one or two cells: of a hidden row any, of a visible one those that are masked.

        Args:
            in_key: one of them is in the primary key.
        """

        def is_open(name: str) -> bool:
            member: Any = entity.column(name) or entity.relation(name)
            return seen is not None and not member.hidden and self.reference.is_field_open(entity, seen, name)

        def values() -> Row:
            found: Row = {}
            for column in entity.columns:
                kept = seen is not None and column.soft_delete
                if column.computed is None and column.relation is None and not kept and not is_open(column.name):
                    found[column.column] = self.value(column)
            for relation in _to_ones(entity):
                if not any(map(is_open, (relation.name, *relation.key))):
                    found.update(self.pointing(relation))
            return found

        names, key = list(values()), {name: row[name] for name in _key(entity)}
        if not names:
            return None
        first = self.random.choice([name for name in names if not in_key or name in key])
        for _ in range(TRIES):
            found = values()
            chosen = {name: found[name] for name in (first, self.random.choice(names))}
            rekeyed = {**key, **{name: value for name, value in chosen.items() if name in key}}
            if seen is None or rekeyed == key or self.place(entity, row) == self.place(entity, rekeyed):
                break
        else:
            # Another place is what the viewer sees.
            return None
        statements = [_update(entity, chosen, key), *self.followed(entity, key, rekeyed)]
        # What is computed may be computed of them.
        changed = frozenset(column.name for column in entity.columns if column.computed or column.column in chosen)
        return Change(entity.name, changed, tuple(statements), seen is not None and rekeyed != key)

    def place(self, entity: Entity, row: Row) -> int:
        """How many of the visible rows' keys come before that of a row, by their digests."""
        digest = self.reference.digest
        own = digest(entity, row)
        return sum(digest(entity, other) < own for other in self.reference.visible(entity))

    def followed(self, entity: Entity, old: Row, new: Row) -> Iterable[tuple[str, tuple[Any, ...]]]:
        """What lets rows that lead to one lead there still, when these of its columns have other values."""
        if old == new:
            return
        for other in self.model.entities.values():
            if other.view_sql is not None:
                continue
            for relation in _to_ones(other):
                if relation.target != entity.name:
                    continue
                before = {own: old[theirs] for own, theirs in relation.on if theirs in old}
                after = {own: new[theirs] for own, theirs in relation.on if theirs in old}
                if before == after:
                    continue
                yield _update(other, after, before)
                if not set(before).isdisjoint(_key(other)):
                    yield from self.followed(other, before, after)

    def value(self, column: Column) -> Any:
        if column.nullable and self.random.randrange(4) == 0:
            return None
        # A value that stands elsewhere meets more conditions than a new one.
        others = [row[column.column] for row in self.case.rows.get(self.owner(column), ())]
        return self.random.choice(others) if others and self.random.randrange(3) == 0 else self.new(column)

    def new(self, column: Column) -> Any:
        value = value_of(self.random, column.type)
        if column.name == "id" and isinstance(value, int):
            return self.random.randrange(100, 1000)
        return f"{value}{self.random.randrange(1000)}" if isinstance(value, str) and not column.type.is_enum else value

    def owner(self, column: Column) -> str:
        return next(name for name, entity in self.model.entities.items() if any(c is column for c in entity.columns))

    def pointing(self, relation: Relation) -> Row:
        targets = self.case.rows.get(relation.target) or ()
        if not targets or (relation.nullable and self.random.randrange(4) == 0):
            return {own: None for own, _ in relation.on}
        target = self.random.choice(targets)
        return {own: target[other] for own, other in relation.on}


async def make_hidden(
    connection: asyncpg.Connection[Any], changes: Sequence[Change], model: Model, look: Callable[[Tables], str]
) -> list[Change]:
    """Make those of the changes that the viewer cannot see, in one transaction; give them back.

    Args:
        look: what the viewer sees of the rows.
    """
    made: list[Change] = []
    before = look(await Tables.read(connection, model))

    async def attempt(some: Sequence[Change]) -> None:
        savepoint = connection.transaction()
        await savepoint.start()
        try:
            for change in some:
                for sql, arguments in change.statements:
                    await connection.execute(sql, *arguments)
            unseen = look(await Tables.read(connection, model)) == before
        except asyncpg.PostgresError:
            # A key that is there already, a value that is too long.
            unseen = False
        if unseen:
            await savepoint.commit()
            made.extend(some)
            return
        await savepoint.rollback()
        if len(some) > 1:
            # A hidden cell may decide, by a rule, what else is hidden: without those that did.
            await attempt(some[: len(some) // 2])
            await attempt(some[len(some) // 2 :])

    async with connection.transaction():
        await attempt(changes)
    return made


async def rewrite(connection: asyncpg.Connection[Any], case: Case, random: Random) -> None:
    """Put the case's rows back as they were, each table's in another order on disk."""
    async with connection.transaction():
        for name, rows in case.rows.items():
            table = table_sql(case.model.entity(name))
            await connection.execute(f"DELETE FROM {table}")
            if rows:
                shuffled = [tuple(row.values()) for row in random.sample(rows, len(rows))]
                sql = f"INSERT INTO {table} ({_names(rows[0])}) VALUES ({_marks(rows[0])})"
                await connection.executemany(sql, shuffled)


def focused(open_: Model, changes: Iterable[Change]) -> Model:
    """What of a model to ask for in order to learn of the changes: their columns, keys, and relations."""
    columns: dict[str, set[str]] = {name: set(entity.primary_key) for name, entity in open_.entities.items()}
    for change in changes:
        columns.setdefault(change.entity, set()).update(change.columns)
    entities: dict[str, Entity] = {}
    for entity in open_.entities.values():
        kept = columns[entity.name]
        entities[entity.name] = replace(
            entity,
            columns=tuple(column for column in entity.columns if column.name in kept),
            uniques=tuple(unique for unique in entity.uniques if kept.issuperset(unique.columns)),
        )
    return replace(open_, entities=entities)


def _all(entity: Entity) -> frozenset[str]:
    return frozenset(column.name for column in entity.columns)


def _to_ones(entity: Entity) -> Iterable[Relation]:
    return (relation for relation in entity.relations if relation.kind is RelationKind.TO_ONE)


def _names(row: Row) -> str:
    return ", ".join(quote_name(name) for name in row)


def _marks(row: Row) -> str:
    return ", ".join(f"${index}" for index in range(1, len(row) + 1))


def _key(entity: Entity) -> tuple[str, ...]:
    """The SQL columns of the primary key."""
    return tuple(column.column for column in entity.key_columns)


def _update(entity: Entity, values: Row, of: Row) -> tuple[str, tuple[Any, ...]]:
    """Give these columns of the rows with those values others."""
    sets = ", ".join(f"{quote_name(name)} = ${index}" for index, name in enumerate(values, 1))
    where, key = _where(of, len(values))
    return f"UPDATE {table_sql(entity)} SET {sets} WHERE {where}", (*values.values(), *key)


def _where(of: Row, before: int) -> tuple[str, tuple[Any, ...]]:
    """Equality with these values as a condition whose operands come after `before` others."""
    marked = enumerate(of, before + 1)
    return " AND ".join(f"{quote_name(name)} = ${index}" for index, name in marked), tuple(of.values())
