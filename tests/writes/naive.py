"""A naive second implementation of writing under rules: rows in Python, judged one by one.

It shares the model and the rows with Clew, and none of what plans, compiles or runs a write.
"""

from __future__ import annotations

import copy
import itertools
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clew.model.types import AllowRule, Column, Entity, GuardRule, Model, OnDelete, Operation, Relation, RelationKind
from tests.access.masked import MISSING, MaskedReference
from tests.reference import COMPUTED, Row, Tables, parse_value

BAD, VIOLATION, FORBIDDEN = "BAD_USER_INPUT", "CONSTRAINT_VIOLATION", "FORBIDDEN"
GENERATED = 5_000_000

# Never those that the database has given already.
_NUMBERS = itertools.count(GENERATED + 1_000_000)
_PLACES = itertools.count(1)

Input = Mapping[str, Any]


class RefusedError(Exception):
    """A write that fails, with its code."""


@dataclass
class _Written:
    entity: Entity
    operation: Operation
    row: Row
    fields: set[str]
    held: set[int] | None


@dataclass
class _Beyond:
    """Rows as a rule finds them: the links of the judged row itself are read elsewhere than those beyond it."""

    row: Row
    near: Any
    far: Any

    def related(self, entity: Entity, relation: Relation, row: Row, deleted: str | None = None) -> list[Row]:
        is_own = row is self.row and relation.kind is RelationKind.MANY_TO_MANY
        rows: list[Row] = (self.near if is_own else self.far).related(entity, relation, row, deleted)
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.far, name)


@dataclass
class NaiveWriter:
    """Runs one root field on its own copy of the rows, for a viewer who is no admin.

    Args:
        reference: the viewer's eyes, over any rows.
        start: the rows as they are.
        constrained: whether keys must be unique, and lead to rows.
    """

    model: Model
    reference: MaskedReference
    start: Tables
    constrained: bool = True
    rows: dict[str, list[Row]] = field(init=False)
    made: set[Any] = field(default_factory=set)
    written: list[_Written] = field(default_factory=list)
    removed: list[_Written] = field(default_factory=list)
    # The place of each row, by its identity, in the order in which rows are written; of its last write.
    places: dict[int, int] = field(default_factory=dict)
    # From which row each new link under the rules of its ends was written, and of which entity that is.
    linked: dict[int, tuple[str, int]] = field(default_factory=dict)
    # What each row was before the root field, by the identity of the row that is written to.
    were: dict[int, Row] = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin another root field, after those before it."""
        self.start = Tables(self.rows) if hasattr(self, "rows") else self.start
        for noted in (self.written, self.removed, self.places, self.linked):
            noted.clear()
        self.rows = {name: [dict(row) for row in rows] for name, rows in self.start.rows.items()}
        pairs = [
            (row, was) for name, rows in self.start.rows.items() for row, was in zip(self.rows[name], rows, strict=True)
        ]
        self.were = {id(row): was for row, was in pairs}
        self.now = {id(was): row for row, was in pairs}
        self.before = self.view(self.start.rows)

    # --- root fields ------------------------------------------------------------------

    def create(self, entity: Entity, inputs: Iterable[Input]) -> int:
        return len(self.create_rows(entity, [(given, {}, frozenset()) for given in inputs]))

    def update(self, entity: Entity, entries: Iterable[Input]) -> int:
        """Each entry has the row's key, `set` and `inc`."""
        found = self.to_change(entity, entries)
        self.change(entity, found)
        return len(found)

    def to_change(self, entity: Entity, entries: Iterable[Input]) -> list[tuple[Row, set[int], Input]]:
        """Find the rows that entries name by a key which the viewer may read; leave out those that no rule lets go."""
        found = []
        for entry in entries:
            row = self.by_key(entity, entry)
            held = None if row is None else self.held(entity, row, Operation.UPDATE)
            if row is not None and held is not None and self.knows(entity, row, entity.primary_key):
                found.append((row, held, entry))
        return found

    def refuse_twice(self, entity: Entity, entries: Iterable[Input]) -> None:
        """Refuse entries that name a row twice."""
        named = [id(row) for row, _, _ in self.to_change(entity, entries)]
        if len(set(named)) < len(named):
            raise RefusedError(BAD)

    def matching(self, entity: Entity, where: dict[str, Any], operation: Operation) -> list[Row]:
        """The keys of the rows for which a filter and a rule hold, in their order."""
        rows = [row for row in self.rows[entity.name] if self.before.holds(entity, self.were[id(row)], where) is True]
        found = [self.key_of(entity, row) for row in rows if self.held(entity, row, operation) is not None]
        return sorted(found, key=lambda key: tuple(key.values()))

    def key_of(self, entity: Entity, row: Row) -> Row:
        return {column.column: row[column.column] for column in entity.key_columns}

    def update_key(self, entity: Entity, key: Row, changes: Input) -> int:
        rows = [row for row in self.rows[entity.name] if self.key_of(entity, row) == key]
        found = [(row, held) for row in rows if (held := self.held(entity, row, Operation.UPDATE)) is not None]
        self.change(entity, [(row, held, changes) for row, held in found])
        return len(found)

    def delete_key(self, entity: Entity, key: Row) -> int:
        return self.delete(entity, lambda _, row: self.key_of(entity, row) == key)

    def delete(self, entity: Entity, where: Callable[[MaskedReference, Row], bool]) -> int:
        rows = [row for row in self.rows[entity.name] if where(self.before, self.were[id(row)])]
        found = [row for row in rows if self.held(entity, row, Operation.DELETE) is not None]
        self.remove(entity, found)
        return len(found)

    def upsert(self, entity: Entity, inputs: Iterable[Input], key: tuple[str, ...], update: list[str] | None) -> int:
        there, new, count = [], [], 0
        for given in inputs:
            count += 1
            row = self.find(entity, {name: self.of_key(entity, name, given) for name in key})
            if row is None:
                new.append((given, dict[str, Any](), frozenset[str]()))
                continue
            held = self.held(entity, row, Operation.UPDATE)
            if held is None:
                raise RefusedError(VIOLATION)
            changes = {}
            for name, value in given.items():
                relation = entity.relation(name)
                columns = relation.key if relation is not None and relation.key else (name,)
                if not {*key, *entity.primary_key} & set(columns) and (update is None or set(columns) <= set(update)):
                    changes[name] = value
            there.append((row, held, {"set": changes}))
        self.change(entity, there)
        self.create_rows(entity, new)
        return count

    def finish(self) -> None:
        """Judge what has been written: none vouches for itself, and no two for each other."""
        for item in (*self.written, *self.removed):
            self.recall(item)
        view = self.view()
        left = list(self.written)
        while left:
            waiting = {id(item.row) for item in left}
            still = [item for item in left if not self.is_permitted(item, waiting)]
            if len(still) == len(left):
                raise RefusedError(FORBIDDEN)
            left = still
        for item in self.written:
            if not view.is_open(item.entity, item.row) or not self.is_permitted(item, set()):
                raise RefusedError(FORBIDDEN)

    # --- rows -------------------------------------------------------------------------

    def create_rows(self, entity: Entity, inputs: list[tuple[Input, Row, frozenset[str]]]) -> list[Row]:
        """Create rows; with each come the columns that its parent fills, and the to-one that these are."""
        drafts = []
        for given, parent, known in inputs:
            values, fields, nested = self.read(entity, given)
            for name, value in parent.items():
                if name in fields:
                    raise RefusedError(BAD)
                values[name] = value
                fields.add(name)
            drafts.append((values, fields, nested, set(known)))
        for values, _, nested, leading in drafts:
            self.to_ones(entity, values, nested, leading)
        for values, fields, _, _ in drafts:
            self.presets(entity, values, fields, Operation.CREATE)
            for column in entity.columns:
                if column.relation and not column.nullable and not column.preset and column.name not in values:
                    raise RefusedError(BAD if self.could_give(entity, column) else VIOLATION)
            self.may(entity, fields, Operation.CREATE, None)
        for values, _, _, leading in drafts:
            self.leads(entity, values, leading, beside=[other for other, *_ in drafts if other is not values])
        rows = []
        for values, fields, _, _ in drafts:
            row: Row = {}
            for column in entity.columns:
                value = values.get(column.name)
                if value is None and column.name not in values and (column.uuid_key or column.identity):
                    value = self.generate(column)
                row[column.column] = value
            lacks = [c for c in entity.columns if row[c.column] is None and not c.nullable and not c.computed]
            if lacks and self.constrained:
                raise RefusedError(VIOLATION)
            self.compute(entity, row)
            self.rows[entity.name].append(row)
            self.place(row)
            rows.append(row)
            self.written.append(_Written(entity, Operation.CREATE, row, fields, None))
        self.constrain(entity)
        for row, (_, _, nested, _) in zip(rows, drafts, strict=True):
            self.to_manys(entity, row, nested)
        return rows

    def change(self, entity: Entity, entries: Sequence[tuple[Row, set[int], Input]]) -> None:
        if len({id(row) for row, _, _ in entries}) < len(entries):
            raise RefusedError(BAD)
        drafts = []
        for row, held, entry in entries:
            values, fields, nested = self.read(entity, entry.get("set") or {})
            for name, value in nested.items():
                if {"disconnect", "update", "delete"} & value.keys() and not self.knows(entity, row, [name]):
                    raise RefusedError(BAD)
            if not self.knows(entity, row, entry.get("inc") or {}):
                raise RefusedError(FORBIDDEN)
            increases = {name: int(value) for name, value in (entry.get("inc") or {}).items()}
            if fields & increases.keys():
                raise RefusedError(BAD)
            drafts.append((row, held, values, fields | increases.keys(), nested, increases))
        for row, held, values, fields, nested, increases in drafts:
            known: set[str] = set()
            self.to_ones(entity, values, nested, known)
            self.presets(entity, values, fields, Operation.UPDATE)
            self.may(entity, fields, Operation.UPDATE, held)
            self.leads(entity, values, known, row)
            self.apply(entity, row, values, increases)
            self.written.append(_Written(entity, Operation.UPDATE, row, fields, held))
        self.constrain(entity)
        for row, _, _, _, nested, _ in drafts:
            self.to_manys(entity, row, nested)

    def apply(self, entity: Entity, row: Row, values: Row, increases: Mapping[str, int]) -> None:
        for name, value in values.items():
            column = self.column(entity, name)
            if value is None and not column.nullable:
                raise RefusedError(BAD)
            row[column.column] = value
        for name, value in increases.items():
            column = self.column(entity, name)
            if row[column.column] is not None:
                row[column.column] += value
                if not -(2**31) <= row[column.column] < 2**31:
                    raise RefusedError(BAD)
        self.compute(entity, row)
        self.place(row)

    def place(self, row: Row) -> None:
        self.places[id(row)] = next(_PLACES)

    def remove(self, entity: Entity, rows: list[Row]) -> None:
        for row in rows:
            self.place(row)
            self.removed.append(_Written(entity, Operation.DELETE, row, set(), None))
        deleted = entity.soft_delete
        gone = {id(row) for row in rows}
        if deleted is not None:
            for row in rows:
                row[deleted.column] = datetime.now(UTC)
            return
        self.rows[entity.name] = [row for row in self.rows[entity.name] if id(row) not in gone]
        for other in self.model.entities.values():
            for relation in other.relations:
                if relation.target != entity.name or relation.kind is not RelationKind.TO_ONE or other.view_sql:
                    continue
                pointing = [
                    o for o in self.rows[other.name] if any(all(o[a] == r[b] for a, b in relation.on) for r in rows)
                ]
                if pointing and relation.on_delete is not OnDelete.CASCADE:
                    raise RefusedError(VIOLATION)
                for row in pointing:
                    if not self.is_guarded(other, row, Operation.DELETE):
                        raise RefusedError(VIOLATION)
                    self.place(row)
                left = {id(row) for row in pointing}
                self.rows[other.name] = [row for row in self.rows[other.name] if id(row) not in left]

    # --- inputs -----------------------------------------------------------------------

    def read(self, entity: Entity, given: Input) -> tuple[Row, set[str], dict[str, Any]]:
        values: Row = {}
        fields: set[str] = set()
        nested: dict[str, Any] = {}
        for name, value in given.items():
            column = entity.column(name)
            if column is not None:
                values[name] = stored(column, value)
                if value is None and not column.nullable:
                    raise RefusedError(BAD)
                fields.add(name)
                continue
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is RelationKind.TO_ONE:
                if set(relation.key) & set(given):
                    raise RefusedError(BAD)
                fields.update(relation.key)
            elif relation.through is not None and self.is_free(relation):
                fields.add(name)
            nested[name] = value
        return values, fields, nested

    def to_ones(self, entity: Entity, values: Row, nested: Mapping[str, Any], known: set[str]) -> None:
        for name, value in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is not RelationKind.TO_ONE:
                continue
            target = self.model.entity(relation.target)
            if "create" in value:
                (row,) = self.create_rows(target, [(value["create"], {}, frozenset())])
            else:
                row = self.connected(target, value["connect"])
                self.refuse_telling(entity, relation.key, target, row)
            values.update(self.pointing(entity, relation, row))
            known.add(name)

    def to_manys(self, entity: Entity, row: Row, nested: Mapping[str, Any]) -> None:
        for name, value in nested.items():
            relation = entity.relation(name)
            assert relation is not None
            if relation.kind is RelationKind.TO_ONE:
                continue
            target = self.model.entity(relation.target)
            if relation.through is not None:
                made = self.create_rows(target, [(given, {}, frozenset()) for given in value.get("create") or ()])
                made += [self.connected(target, given) for given in value.get("connect") or ()]
                self.link(entity, relation, row, made)
                continue
            assert relation.inverse is not None
            owner = target.relation(relation.inverse)
            assert owner is not None
            here = self.pointing(target, owner, row)
            for given in value.get("delete") or ():
                self.remove(target, [self.belonging(target, here, self.connected(target, given), Operation.DELETE)[0]])
            away = [
                self.belonging(target, here, self.connected(target, g), Operation.UPDATE)
                for g in value.get("disconnect") or ()
            ]
            self.repoint(target, owner, away, dict.fromkeys(here))
            changes = []
            for given in value.get("update") or ():
                other = self.by_key(target, given)
                if other is None or not self.knows(target, other, target.primary_key):
                    raise RefusedError(BAD)
                changes.append((*self.belonging(target, here, other, Operation.UPDATE), given))
            self.change(target, changes)
            if value.get("create") or value.get("connect"):
                self.refuse_telling(target, owner.key, entity, row)
            self.create_rows(target, [(given, here, frozenset({owner.name})) for given in value.get("create") or ()])
            near: list[tuple[Row, set[int]]] = []
            for given in value.get("connect") or ():
                other = self.connected(target, given)
                held = self.held(target, other, Operation.UPDATE)
                if held is None:
                    raise RefusedError(BAD)
                # To connect a row twice is to connect it.
                if all(other is not known for known, _ in near):
                    near.append((other, held))
            self.repoint(target, owner, near, here)

    def belonging(self, target: Entity, here: Row, row: Row, operation: Operation) -> tuple[Row, set[int]]:
        held = self.held(target, row, operation)
        if held is None or any(row[self.column(target, name).column] != value for name, value in here.items()):
            raise RefusedError(BAD)
        return row, held

    def repoint(self, target: Entity, owner: Relation, rows: list[tuple[Row, set[int]]], to: Row) -> None:
        if len({id(row) for row, _ in rows}) < len(rows):
            raise RefusedError(BAD)
        for row, held in rows:
            for name, value in to.items():
                if name in target.primary_key or (value is None and not self.column(target, name).nullable):
                    raise RefusedError(BAD)
            values, fields = dict(to), set(to)
            self.presets(target, values, fields, Operation.UPDATE)
            self.may(target, fields, Operation.UPDATE, held)
            self.leads(target, values, {owner.name}, row)
            self.apply(target, row, values, {})
            self.written.append(_Written(target, Operation.UPDATE, row, fields, held))
        self.constrain(target)

    def link(self, entity: Entity, relation: Relation, row: Row, others: list[Row]) -> None:
        assert relation.through is not None
        link, target = self.model.entity(relation.through.entity), self.model.entity(relation.target)
        for other in others:
            values = {self.by_sql(link, column).name: row[local] for local, column in relation.through.local}
            values |= {self.by_sql(link, column).name: other[remote] for column, remote in relation.through.remote}
            if self.is_free(relation):
                self.rows[link.name].append({self.column(link, name).column: value for name, value in values.items()})
                self.linked[id(self.rows[link.name][-1])] = (entity.name, id(row))
                self.constrain(link)
            else:
                for end, pairs in (
                    (row, relation.through.local),
                    (other, [(b, a) for a, b in relation.through.remote]),
                ):
                    names = [self.by_sql(link, column).name for _, column in pairs]
                    self.refuse_telling(link, names, entity if end is row else target, end)
                known = frozenset(r.name for r in link.relations if r.key and set(r.key) <= set(values))
                self.create_rows(link, [({}, values, known)])

    def is_free(self, relation: Relation) -> bool:
        assert relation.through is not None
        link = self.model.entity(relation.through.entity)
        return link.generated_link and not link.allow

    # --- keys -------------------------------------------------------------------------

    def connected(self, entity: Entity, given: Input) -> Row:
        row = self.find(entity, given)
        if row is None:
            raise RefusedError(BAD)
        return row

    def refuse_telling(self, entity: Entity, names: Iterable[str], target: Entity, row: Row) -> None:
        """A row that was there does not lend its key, where that is masked, to columns that would tell it."""
        masked = id(row) in self.were and not self.knows(target, row, target.primary_key)
        if masked and any(self.tells(entity, self.column(entity, name)) for name in names):
            raise RefusedError(BAD)

    def tells(self, entity: Entity, column: Column) -> bool:
        """Whether a column may be read by someone of these roles, or is given in another way too."""
        rules = [
            rule
            for rule in column.allow or entity.allow
            if Operation.READ in rule.to and self.reference.roles & set(rule.roles)
        ]
        names = {column.name, column.relation}
        opened = any(column.allow or rule.fields is None or names & rule.fields for rule in rules)
        others = [relation for relation in entity.relations if column.name in relation.key]
        is_listed = any(Operation.READ in rule.to and self.reference.roles & set(rule.roles) for rule in entity.allow)
        is_read = opened and is_listed and not column.hidden
        return is_read or column.relation is None or column.preset is not None or len(others) > 1

    def of_key(self, entity: Entity, name: str, given: Input) -> Any:
        """A part of an upsert's key: as it is given, or as a preset fills it."""
        column = self.column(entity, name)
        value = given.get(name)
        if value is None and column.preset is not None and Operation.CREATE in column.preset.on:
            value = self.preset_value(column)
        if value is None or value is MISSING:
            raise RefusedError(BAD)
        return value

    def find(self, entity: Entity, given: Input) -> Row | None:
        """The visible row that is known by these fields."""
        wanted = {self.column(entity, n).column: stored(self.column(entity, n), v) for n, v in given.items()}
        for was in self.before.visible(entity):
            row = self.now[id(was)]
            if all(was[name] == value for name, value in wanted.items()) and self.knows(entity, row, given):
                return row
        return None

    def by_key(self, entity: Entity, given: Input) -> Row | None:
        wanted = {column.column: stored(column, given[column.name]) for column in entity.key_columns}
        rows = self.before.visible(entity)
        return next(
            (self.now[id(row)] for row in rows if all(row[name] == value for name, value in wanted.items())), None
        )

    def knows(self, entity: Entity, row: Row, names: Iterable[str]) -> bool:
        return all(self.before.is_field_open(entity, self.were[id(row)], name) for name in names)

    def pointing(self, entity: Entity, relation: Relation, target: Row) -> Row:
        return {self.by_sql(entity, local).name: target[remote] for local, remote in relation.on}

    def leads(
        self,
        entity: Entity,
        values: Row,
        known: set[str],
        row: Row | None = None,
        beside: Sequence[Row] = (),
    ) -> None:
        """Refuse to-ones that lead to no row; `beside` are values of rows that are created together with this one."""
        for relation in entity.relations:
            names = [name for name in relation.key if name in values]
            if relation.kind is not RelationKind.TO_ONE or not names or relation.name in known:
                continue
            rest = row or {}
            wanted = {b: values.get(self.by_sql(entity, a).name, rest.get(a)) for a, b in relation.on}
            if None in wanted.values():
                continue
            target = self.model.entity(relation.target)
            keys = [self.by_sql(target, name).name for name in wanted]
            seen = [was for was in self.before.visible(target) if self.knows(target, self.now[id(was)], keys)]
            made = [item.row for item in self.written if item.entity is target and id(item.row) not in self.were]
            together = [
                {name: other.get(self.by_sql(target, name).name) for name in wanted}
                for other in (beside if target is entity else ())
            ]
            there = any(all(row[name] == value for name, value in wanted.items()) for row in (*seen, *made, *together))
            if self.constrained and not there:
                raise RefusedError(VIOLATION)

    def constrain(self, entity: Entity) -> None:
        if not self.constrained:
            return
        deleted = entity.soft_delete
        for names, partial in ((entity.primary_key, False), *((key.columns, True) for key in entity.uniques)):
            seen = []
            for row in self.rows[entity.name]:
                if partial and deleted is not None and row[deleted.column] is not None:
                    continue
                key = tuple(row[self.column(entity, name).column] for name in names)
                if None not in key:
                    seen.append(key)
            if len(set(seen)) < len(seen):
                raise RefusedError(VIOLATION)

    def generate(self, column: Column) -> Any:
        number = next(_NUMBERS)
        value = uuid.UUID(int=(0x019A << 112) + number) if column.uuid_key and column.type.sql == "uuid" else number
        self.made.add(value)
        return value

    def presets(self, entity: Entity, values: Row, fields: set[str], operation: Operation) -> None:
        for column in entity.columns:
            preset = column.preset
            if preset is None or operation not in preset.on:
                continue
            given = self.preset_value(column)
            if given is MISSING:
                raise RefusedError(FORBIDDEN)
            value = parse_value(column.type, given)
            if column.name in values and values[column.name] != value:
                raise RefusedError(FORBIDDEN)
            values[column.name] = value
            fields.discard(column.name)

    def preset_value(self, column: Column) -> Any:
        """What a preset by claim or value fills in, as JSON has it; MISSING without the claim."""
        assert column.preset is not None
        if column.preset.claim is None:
            return column.preset.value
        return self.reference.claim(f"$auth.{column.preset.claim}", column.type, False)

    # --- rules ------------------------------------------------------------------------

    def view(self, replaced: Mapping[str, list[Row]] | None = None) -> MaskedReference:
        """The viewer's eyes over the rows as they are now."""
        rows = {**self.rows, **(replaced or {})}
        for entity in self.model.entities.values():
            if entity.view_sql is not None:
                rows[entity.name] = self.rows_of_view(entity, rows)
        view = copy.copy(self.reference)
        view.raw = copy.copy(self.reference.raw)
        view.tables = view.raw.tables = Tables(rows)
        view.owner = {id(row): self.model.entity(name) for name, found in rows.items() for row in found}
        view.seen = {}
        return view

    def rows_of_view(self, entity: Entity, rows: Mapping[str, list[Row]]) -> list[Row]:
        base = self.model.entity(entity.relations[0].target)
        label = self.column(base, "label").column
        found = [{"of_id": row["id"], "note": row[label], "size": len(row[label])} for row in rows[base.name]]
        return [*found, *({"of_id": 1, "note": "twice", "size": 0} for row in rows[base.name] if row["id"] == 1)]

    def rules(self, rules: Iterable[Any], operation: Operation, entity: Entity) -> list[Any]:
        return [
            rule
            for rule in rules
            if operation in rule.to
            and (isinstance(rule, GuardRule) or self.reference.roles & set(rule.roles))
            and (isinstance(rule, GuardRule) or self.counts(entity, rule))
        ]

    def counts(self, entity: Entity, rule: AllowRule | GuardRule) -> bool:
        return self.reference.counts(entity, rule)

    def held(self, entity: Entity, row: Row, operation: Operation) -> set[int] | None:
        """Which rules hold before; None if the row is none for the operation."""
        row = self.were.get(id(row), {})
        if all(row is not other for other in self.before.visible(entity)):
            return None
        return self.held_beside(self.before, entity, row, operation)

    def is_guarded(self, entity: Entity, row: Row, operation: Operation) -> bool:
        """Whether the guards let a row go along, by what it was."""
        was = self.were.get(id(row), row)
        return all(
            self.counts(entity, guard)
            and (guard.where is None or self.before.rule(entity, was, guard.where, entity, was) is True)
            for guard in self.rules(entity.guards, operation, entity)
        )

    def recall(self, item: _Written) -> None:
        """Judge a row that was there as it was, beside the rows of its entity that were written before it."""
        row = self.were.get(id(item.row))
        if row is None:
            return
        view = self.view({**self.start.rows, item.entity.name: self.as_before(item, set())})
        held = self.held_beside(view, item.entity, row, item.operation)
        if held is None:
            raise RefusedError(FORBIDDEN)
        if item.held is not None:
            item.held &= held

    def held_beside(self, view: MaskedReference, entity: Entity, row: Row, operation: Operation) -> set[int] | None:
        def holds(rule: AllowRule | GuardRule) -> bool:
            if not self.counts(entity, rule):
                return False
            return rule.where is None or view.rule(entity, row, rule.where, entity, row) is True

        if not all(holds(guard) for guard in self.rules(entity.guards, operation, entity)):
            return None
        rules = [rule for rule in self.rules(entity.allow, operation, entity) if holds(rule)]
        if not rules:
            return None
        own = [r for member in members(entity) for r in self.rules(member.allow, operation, entity) if holds(r)]
        guards = self.rules(entity.guards, operation, entity)
        return {id(rule) for rule in (*rules, *own, *guards)}

    def may(self, entity: Entity, fields: set[str], operation: Operation, held: set[int] | None) -> None:
        """Refuse what no rule that held could allow."""

        def could(rule: AllowRule | GuardRule) -> bool:
            return self.counts(entity, rule) and (held is None or id(rule) in held)

        rules = [rule for rule in self.rules(entity.allow, operation, entity) if could(rule)]
        guards = self.rules(entity.guards, operation, entity)
        item = _Written(entity, operation, {}, fields, held)
        fields_may = all(self.is_field_permitted(entity, name, rules, could, item) for name in fields)
        if not rules or not all(map(could, guards)) or not fields_may:
            raise RefusedError(FORBIDDEN)

    def could_give(self, entity: Entity, column: Column) -> bool:
        """Whether a rule of the roles holds a column of new rows, whatever their claims: it is in the input."""

        def of_roles(rules: Iterable[AllowRule]) -> list[AllowRule]:
            return [r for r in rules if Operation.CREATE in r.to and self.reference.roles & set(r.roles)]

        if column.allow:
            return bool(of_roles(column.allow))
        names = {column.name, column.relation}
        return any(rule.fields is None or rule.fields & names for rule in of_roles(entity.allow))

    def is_permitted(self, item: _Written, waiting: set[int]) -> bool:
        """Whether the rules allow a row; those of `waiting` are not allowed yet, and read as they were."""
        entity = item.entity
        rows = {name: self.as_allowed(some, waiting) for name, some in self.rows.items()}
        # Ways that come back to the entity find what was written before the row, and all else as it was.
        rows[entity.name] = self.as_before(item, waiting)
        for link in self.model.entities.values():
            if link.generated_link and not link.allow:
                writers = ((row, self.linked.get(id(row), ("", 0))) for row in self.rows[link.name])
                rows[link.name] = [r for r, (name, of) in writers if name == entity.name or of not in waiting]
        # Beyond the row, links of the entity are as they were.
        ends = {
            name: self.start.rows[name]
            for name, link in self.model.entities.items()
            if link.generated_link and not link.allow and any(end.target == entity.name for end in link.relations)
        }
        view, near = self.view({**rows, **ends}), self.view(rows)
        beyond: Any = _Beyond(item.row, near.raw, view.raw)
        view.raw = beyond

        def holds(rule: AllowRule | GuardRule) -> bool:
            if not self.counts(entity, rule) or (item.held is not None and id(rule) not in item.held):
                return False
            after = rule.where if rule.check is None else rule.check
            return after is None or view.rule(entity, item.row, after, entity, item.row) is True

        if not all(holds(guard) for guard in self.rules(entity.guards, item.operation, entity)):
            return False
        rules = [rule for rule in self.rules(entity.allow, item.operation, entity) if holds(rule)]
        return bool(rules) and all(self.is_field_permitted(entity, name, rules, holds, item) for name in item.fields)

    def as_before(self, item: _Written, waiting: set[int]) -> list[Row]:
        name, place = item.entity.name, self.places[id(item.row)]

        def is_before(row: Row) -> bool:
            return id(row) not in waiting and self.places.get(id(row), place) < place

        there = {id(row) for row in self.rows[name]}
        were = ((self.now[id(was)], was) for was in self.start.rows[name])
        old = [row if is_before(row) else was for row, was in were if id(row) in there or not is_before(row)]
        new = [row for row in self.rows[name] if id(row) not in self.were and is_before(row)]
        return [dict(row) for row in (*old, *new)]

    def as_allowed(self, rows: list[Row], waiting: set[int]) -> list[Row]:
        read = (self.were.get(id(row)) if id(row) in waiting else row for row in rows)
        return [row for row in read if row is not None]

    def is_field_permitted(
        self, entity: Entity, name: str, rules: list[AllowRule], holds: Callable[[Any], bool], item: _Written
    ) -> bool:
        member: Any = entity.column(name) or entity.relation(name)
        if member.allow:
            return any(holds(rule) for rule in self.rules(member.allow, item.operation, entity))
        if isinstance(member, Column) and (member.uuid_key or member.identity):
            return any(rule.fields is not None and name in rule.fields for rule in rules)
        names = {name, member.relation} if isinstance(member, Column) else {name}
        return any(rule.fields is None or rule.fields & names for rule in rules)

    # --- columns ----------------------------------------------------------------------

    def column(self, entity: Entity, name: str) -> Column:
        column = entity.column(name)
        assert column is not None
        return column

    def by_sql(self, entity: Entity, name: str) -> Column:
        return next(column for column in entity.columns if column.column == name)

    def compute(self, entity: Entity, row: Row) -> None:
        """What the random models compute, of their field `label`."""
        label = entity.column("label")
        for column in entity.columns:
            if column.computed is not None and label is not None:
                text = row[label.column] or ""
                upper = "".join(c.upper() if c.isascii() else c for c in text) + "%(p0)s :x $1"
                row[COMPUTED + column.name] = upper if column.name == "loud" else len(text)


def members(entity: Entity) -> list[Any]:
    return [*entity.columns, *entity.relations]


def stored(column: Column, value: Any) -> Any:
    """A value of an input as the table has it."""
    if value is None:
        return None
    if column.type.name == "JSON":
        return [json.dumps(item) for item in value] if column.type.is_list else json.dumps(value)
    if column.type.is_list:
        return [None if item is None else parse_value(column.type.item, item) for item in value]
    return parse_value(column.type, value)
