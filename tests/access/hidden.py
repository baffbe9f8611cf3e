"""Changes to a database that a viewer must not notice, found by the naive mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import asyncpg

from clew.model.types import Column, Entity, Model, Relation, RelationKind
from clew.sql.literals import quote_name
from tests.access.masked import MaskedReference
from tests.access.rules import Eyes
from tests.properties.models import Case, Row, value_of
from tests.reference import Tables, table_sql


@dataclass(frozen=True)
class Change:
    """A statement that changes what is hidden, or tries to: these columns of an entity."""

    entity: str
    columns: frozenset[str]
    sql: str
    arguments: tuple[Any, ...]


def shown(model: Model, open_: Model, tables: Tables, eyes: Eyes) -> str:
    """Everything that a viewer may see, as a text: the visible rows by key, each field's value or rows.

    Deleted rows are visible to who may ask for them.

    Args:
        open_: the entities and fields that the viewer's roles have in their schema.
    """
    reference = MaskedReference(model, tables, "", eyes)

    def ways(entity: Entity) -> tuple[str | None, ...]:
        return (None, "ONLY") if eyes.may_ask_for_deleted(entity) else (None,)

    found: list[Any] = []
    for entity in open_.entities.values():
        ruled = model.entity(entity.name)
        for deleted in ways(ruled):
            for row in reference.visible(ruled, deleted):
                fields: list[Any] = [reference.value(column, row) for column in entity.columns if not column.hidden]
                for relation in entity.relations:
                    target = model.entity(relation.target)
                    for way in ways(target):
                        rows = reference.related(ruled, relation, row, way)
                        fields.append(sorted(repr(key_of(target, other)) for other in rows))
                found.append((entity.name, deleted, key_of(ruled, row), fields))
    return "\n".join(sorted(map(repr, found)))


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
        row = self.random.choice(self.case.rows[entity.name])
        visible = {key_of(entity, other): other for other in self.reference.visible(entity)}
        seen = visible.get(key_of(entity, row))
        kind = self.random.randrange(10)
        if kind < 2:
            return self.insert(entity, row)
        if kind < 4:
            return None if seen else self.delete(entity, row)
        return self.update(entity, row, seen)

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
        return Change(entity.name, _all(entity), sql, tuple(row.values()))

    def delete(self, entity: Entity, row: Row) -> Change:
        where, key = _where(entity, row, 0)
        return Change(entity.name, _all(entity), f"DELETE FROM {table_sql(entity)} WHERE {where}", key)

    def update(self, entity: Entity, row: Row, seen: Row | None) -> Change | None:
        """Other values in one or two cells: of a hidden row any, of a visible one those that are masked."""

        def is_open(name: str) -> bool:
            member: Any = entity.column(name) or entity.relation(name)
            return seen is not None and not member.hidden and self.reference.is_field_open(entity, seen, name)

        values: Row = {}
        for column in entity.columns:
            kept = seen is not None and (column.name in entity.primary_key or column.soft_delete)
            if column.computed is None and column.relation is None and not kept and not is_open(column.name):
                values[column.column] = self.value(column)
        for relation in _to_ones(entity):
            in_key = not set(relation.key).isdisjoint(entity.primary_key)
            if not (seen is not None and in_key) and not any(map(is_open, (relation.name, *relation.key))):
                values.update(self.pointing(relation))
        if not values:
            return None
        chosen = {name: values[name] for name in self.random.sample(list(values), min(len(values), 2))}
        sets = ", ".join(f"{quote_name(name)} = ${index}" for index, name in enumerate(chosen, 1))
        where, key = _where(entity, row, len(chosen))
        # What is computed may be computed of them.
        changed = frozenset(column.name for column in entity.columns if column.computed or column.column in chosen)
        sql = f"UPDATE {table_sql(entity)} SET {sets} WHERE {where}"
        return Change(entity.name, changed, sql, (*chosen.values(), *key))

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
                await connection.execute(change.sql, *change.arguments)
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


def _where(entity: Entity, row: Row, before: int) -> tuple[str, tuple[Any, ...]]:
    """The row's key as a condition whose operands come after `before` others."""
    marked = enumerate(entity.key_columns, before + 1)
    return " AND ".join(f"{quote_name(column.column)} = ${index}" for index, column in marked), key_of(entity, row)
