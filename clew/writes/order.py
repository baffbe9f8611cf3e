"""Decide whether the rows of a plural field can be written together.

A plural field must have the same result as one field for each row, in order (docs/writes.md). Rows can be written
together if no written row can change how another is found, where its to-ones lead, or whether the rules allow it.
Otherwise each row is written and checked by itself, after the rows before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clew.access.permits import Permits
from clew.access.reach import reads
from clew.access.sight import Sight
from clew.access.types import Predicate
from clew.access.visible import Access
from clew.model.types import Entity, Model, Operation, Relation, RelationKind, WriteKind
from clew.model.writing import is_free_link, taken_along, unique_keys
from clew.sql.tables import default_sql
from clew.sql.views import with_views
from clew.writes.hooks import Hooks

_Given = Mapping[str, Any]

_OF_MEMBERS = ("connect", "disconnect", "update", "delete")


class Order:
    """Collect what the inputs of one field may write, and what is read to find and check those rows.

    Only the names of fields count, not their values. So inputs with the same fields have the same result.

    Args:
        hooks: hooks of the application. They may set fields that the inputs leave out.
    """

    def __init__(self, access: Access, sight: Sight, hooks: Hooks | None = None) -> None:
        self._access = access
        self._sight = sight
        self._hooks = hooks
        self._model: Model = access.model
        # By entity name. `_written`: operations that rules judge. `_along`: changes caused by other rows (such as
        # cascades), which only guards judge.
        self._written: dict[str, set[Operation]] = {}
        self._along: dict[str, set[Operation]] = {}
        # The entities at the ends of generated links, whose rules decide on the links.
        self._ends: set[str] = set()
        # Entities whose rows inputs name by key. Entities that to-ones lead to, with the columns that they refer to.
        self._found: set[str] = set()
        self._led: dict[str, set[str]] = {}

    @property
    def written(self) -> Mapping[str, frozenset[Operation]]:
        """The operations that are done under rules, by the names of entities."""
        return {name: frozenset(operations) for name, operations in self._written.items()}

    def asked(self) -> Iterator[tuple[Entity, Operation]]:
        """Yield the entities whose rules decide, each with its operations.

        A written row must be readable in the end. The rules of the field, or those of its ends, decide on a generated
        link.
        """
        for name in [*self._written, *sorted(self._found - self._written.keys())]:
            entity = self._model.entity(name)
            if not is_free_link(entity):
                operations = sorted(self._written.get(name, ()))
                yield from ((entity, operation) for operation in (Operation.READ, *operations))

    def matters(self, *, unless_found: bool = False) -> bool:
        """Return whether a row that the field writes could matter to another.

        Args:
            unless_found: whether to assume that inputs name only rows that exist already, not rows that the field
                creates.
        """
        written = self._written.keys() | self._along.keys()
        found = self._found - self._new() if unless_found else self._found
        return not written.isdisjoint((*found, *self._led)) or not written.isdisjoint(self._read())

    def _new(self) -> set[str]:
        """Return the entities that only get new rows: none of their rows is changed or deleted."""
        created = {name for name, operations in self._written.items() if operations == {Operation.CREATE}}
        return created - self._along.keys()

    # --- what is written --------------------------------------------------------------

    def writes(self, entity: Entity, kind: WriteKind, arguments: _Given) -> None:
        """Note what a generated field writes, given its arguments."""
        match kind:
            case WriteKind.CREATE | WriteKind.CREATE_MANY:
                self.creates(entity, _inputs(arguments))
            case WriteKind.UPSERT | WriteKind.UPSERT_MANY:
                self.creates(entity, _inputs(arguments))
                self.changes(entity, [{"set": given} for given in _inputs(arguments)])
            case WriteKind.UPDATE | WriteKind.UPDATE_WHERE:
                self.changes(entity, [arguments])
            case WriteKind.UPDATE_EACH:
                self.changes(entity, arguments["updates"])
            case _:
                self.removes(entity)

    def creates(
        self, entity: Entity, inputs: Sequence[_Given], owner: Relation | None = None, shared: Iterable[str] = ()
    ) -> None:
        """Note new rows, and everything nested in them.

        Args:
            owner: the to-one that leads to the row around the new rows.
            shared: the columns that the new rows take over from the row around them.
        """
        if inputs:
            self._writes(entity, Operation.CREATE)
            names = self._nested(entity, inputs)
            without = {column.name for column in entity.columns if default_sql(column) or column.preset}
            self._leads(entity, names | without | set(shared) | self._hooked(entity, Operation.CREATE), owner)

    def changes(self, entity: Entity, entries: Sequence[_Given]) -> None:
        """Note changes of rows, each with `set` and `inc`, and everything nested in them."""
        self._writes(entity, Operation.UPDATE)
        names = self._nested(entity, [entry.get("set") or {} for entry in entries], are_there=True)
        names |= set[str]().union(*(entry.get("inc") or () for entry in entries))
        names |= self._hooked(entity, Operation.UPDATE)
        self._leads(entity, names | {column.name for column in entity.columns if column.preset})

    def _hooked(self, entity: Entity, operation: Operation) -> set[str]:
        """Return the columns that hooks may set: all columns if there is a hook, otherwise none."""
        is_hooked = self._hooks is not None and self._hooks.of("before", entity, operation)
        return {column.name for column in entity.columns} if is_hooked else set()

    def removes(self, entity: Entity) -> None:
        """Note deletions, and all rows that they delete or change along."""
        self._writes(entity, Operation.DELETE)
        for name, operations in taken_along(self._model, entity).items():
            self._along.setdefault(name, set()).update(operations)
            self._ends.update(self._ends_of(self._model.entity(name)))

    def _writes(self, entity: Entity, operation: Operation) -> None:
        self._written.setdefault(entity.name, set()).add(operation)
        self._ends.update(self._ends_of(entity))

    def _ends_of(self, link: Entity) -> Iterable[str]:
        return (end.target for end in link.relations) if is_free_link(link) else ()

    def _leads(self, entity: Entity, names: Iterable[str], owner: Relation | None = None) -> None:
        given = set(names).difference(owner.key if owner is not None else ())
        # A to-one that fills a column also moves every other to-one that shares the column.
        filling = {r.name: r.key for r in entity.relations if r.key and (r is owner or r.name in given)}
        for relation in entity.relations:
            others = {column for name, key in filling.items() if name != relation.name for column in key}
            if relation.kind is RelationKind.TO_ONE and not (given | others).isdisjoint(relation.key):
                there = {remote for _, remote in relation.on}
                target = self._model.entity(relation.target)
                keys = {column.name for column in target.columns if column.column in there}
                self._led.setdefault(target.name, set()).update(keys)

    def _nested(self, entity: Entity, inputs: Sequence[_Given], *, are_there: bool = False) -> set[str]:
        """Note everything nested in inputs. Return the names of all fields that the inputs set."""
        names: set[str] = set().union(*inputs)
        for name in names:
            relation = entity.relation(name)
            if relation is None:
                continue
            values = [given[name] for given in inputs if given.get(name)]
            if relation.kind is RelationKind.TO_ONE:
                target = self._model.entity(relation.target)
                inputs_ = [value["create"] for value in values if value.get("create") is not None]
                theirs = {theirs for ours, theirs in relation.on if _name(entity, ours) in entity.shared_key(name)}
                self.creates(target, inputs_, shared=(_name(target, column) for column in theirs))
                if any("connect" in value for value in values):
                    self._found.add(target.name)
            else:
                self._to_many(relation, values, are_there=are_there)
        return names

    def _to_many(self, relation: Relation, values: Sequence[_Given], *, are_there: bool) -> None:
        target = self._model.entity(relation.target)
        items = {way: [item for value in values for item in value.get(way) or ()] for way in ("create", *_OF_MEMBERS)}
        if any(items[way] for way in _OF_MEMBERS):
            self._found.add(target.name)
        if relation.through is not None:
            link = self._model.entity(relation.through.entity)
            if items["create"] or items["connect"]:
                self.creates(link, [{}])
            if items["connect"] and are_there and not is_free_link(link):
                self._found.add(link.name)
            if items["disconnect"] or items["delete"]:
                self._found.add(link.name)
                self.removes(link)
            self.creates(target, items["create"])
        else:
            owner = target.relation(relation.inverse or "")
            self.creates(target, items["create"], owner)
            if items["connect"] or items["disconnect"]:
                self._writes(target, Operation.UPDATE)
        if items["update"]:
            self.changes(target, items["update"])
        if items["delete"]:
            self.removes(target)

    # --- what is read -----------------------------------------------------------------

    def _read(self) -> frozenset[str]:
        """Return the entities that rules, masks and guards read beside the row that they are about."""
        found = (name for condition in self._conditions() for name in reads(condition, self._model))
        return with_views(found, self._model)

    def _conditions(self) -> Iterable[Predicate]:
        access, sight = self._access, self._sight
        for name, operations in self._written.items():
            entity = self._model.entity(name)
            visible = access.visible(entity, sight)
            yield visible.where
            if operations != {Operation.CREATE}:
                yield from visible.masks.values()
            for operation in operations:
                yield from _judging(access.permits(entity, sight, operation))
        for name, operations in (*self._along.items(), *((name, {Operation.UPDATE}) for name in self._ends)):
            for operation in operations:
                yield from _judging(access.guarding(self._model.entity(name), sight, operation))
        for name in self._found:
            entity = self._model.entity(name)
            yield from self._seen(entity, {column for key in unique_keys(entity).values() for column in key})
        for name, columns in self._led.items():
            yield from self._seen(self._model.entity(name), columns)

    def _seen(self, entity: Entity, columns: Iterable[str]) -> Iterable[Predicate]:
        visible = self._access.visible(entity, self._sight)
        yield visible.where
        for name in columns:
            if name in visible.masks:
                yield visible.masks[name]


def _inputs(arguments: _Given) -> Sequence[_Given]:
    return arguments["inputs"] if "inputs" in arguments else [arguments["input"]]


def _name(entity: Entity, sql: str) -> str:
    column = entity.column_by_sql(sql)
    assert column is not None, f"{entity.name}: {sql}"
    return column.name


def _judging(permits: Permits) -> Iterable[Predicate]:
    """Yield the conditions that are checked: a new row has no old state, a deleted row has no new state."""
    for permit in permits.every:
        if permits.operation is not Operation.CREATE:
            yield permit.before
        if permits.operation is not Operation.DELETE:
            yield permit.after
