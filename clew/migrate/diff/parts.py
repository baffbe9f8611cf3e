"""Changes of constraints, indexes, foreign keys and triggers.

They are dropped in one phase and made in a later one, so that columns can change in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from clew.migrate import ddl
from clew.migrate.change import Change
from clew.migrate.diff.context import Context
from clew.migrate.triggers import ignore_changes, log_changes

_Item = TypeVar("_Item")


def _renamed(old: Mapping[str, _Item], new: Mapping[str, _Item]) -> dict[str, str]:
    """Return the new names of items that change only their name, by the old name."""
    free = [(name, item) for name, item in new.items() if name not in old]
    renamed: dict[str, str] = {}
    for name, item in old.items():
        if name in new:
            continue
        match = next((other for other, other_item in free if other_item == item), None)
        if match is not None:
            renamed[name] = match
            free = [pair for pair in free if pair[0] != match]
    return renamed


def drop_foreign_keys(context: Context) -> Iterator[Change]:
    for key, old, new in context.kept:
        renamed = _renamed(old.foreign_keys, new.foreign_keys)
        for name, foreign in old.foreign_keys.items():
            down = ddl.add_constraint(key, name, ddl.foreign_key_text(foreign))
            forced = context.foreign_key_is_forced(key, foreign)
            same = new.foreign_keys.get(renamed.get(name, name)) == foreign
            if forced or not same:
                summary = "" if same else f"drop foreign key {name}"
                yield Change((ddl.drop_constraint(key, name),), (down,), summary)
            elif name in renamed:
                yield _rename_constraint(key, name, renamed[name])
    for key, table in context.dropped.items():
        for name, foreign in table.foreign_keys.items():
            if is_dropped_apart(context, key, foreign.references):
                down = ddl.add_constraint(key, name, ddl.foreign_key_text(foreign))
                yield Change((ddl.drop_constraint(key, name),), (down,))


def is_dropped_apart(context: Context, key: str, references: str) -> bool:
    """Return whether a dropped table's foreign key must go before the table, because its target changes too."""
    if references == key:
        return False
    return references in context.dropped or references in context.rekeyed or bool(context.touched(references))


def add_foreign_keys(context: Context) -> Iterator[Change]:
    for key, table in context.new.tables.items():
        old = context.old.tables.get(key)
        before = old.foreign_keys if old is not None else {}
        renamed = {new: old for old, new in _renamed(before, table.foreign_keys).items()}
        for name, foreign in table.foreign_keys.items():
            same = before.get(renamed.get(name, name)) == foreign
            if not same or context.foreign_key_is_forced(key, foreign):
                up = ddl.add_constraint(key, name, ddl.foreign_key_text(foreign))
                summary = "" if same or old is None else f"add foreign key {name}"
                yield Change((up,), (ddl.drop_constraint(key, name),), summary)


def _rename_constraint(key: str, old: str, new: str) -> Change:
    return Change((ddl.rename_constraint(key, old, new),), (ddl.rename_constraint(key, new, old),))


def drop_indexes(context: Context) -> Iterator[Change]:
    for key, old, new in context.kept:
        renamed = _renamed(old.indexes, new.indexes)
        for name, text in old.indexes.items():
            same = new.indexes.get(renamed.get(name, name)) == text
            if context.index_is_forced(key, text) or not same:
                down = ddl.create_index(key, name, text)
                summary = "" if same else f"drop index {name}"
                yield Change((ddl.drop_index(new.schema, name),), (down,), summary)
            elif name in renamed:
                up = ddl.rename_index(new.schema, name, renamed[name])
                yield Change((up,), (ddl.rename_index(new.schema, renamed[name], name),))


def add_indexes(context: Context) -> Iterator[Change]:
    for key, old, new in context.kept:
        renamed = {new: old for old, new in _renamed(old.indexes, new.indexes).items()}
        for name, text in new.indexes.items():
            same = old.indexes.get(renamed.get(name, name)) == text
            if not same or context.index_is_forced(key, text):
                summary = "" if same else f"add index {name}"
                yield Change((ddl.create_index(key, name, text),), (ddl.drop_index(new.schema, name),), summary)


def drop_constraints(context: Context) -> Iterator[Change]:
    for key, old, new in context.kept:
        renamed = _renamed(old.constraints, new.constraints)
        for name, text in old.constraints.items():
            same = new.constraints.get(renamed.get(name, name)) == text
            if context.constraint_is_forced(key, text) or not same:
                down = ddl.add_constraint(key, name, text)
                summary = "" if same else f"drop constraint {name}"
                yield Change((ddl.drop_constraint(key, name),), (down,), summary)
            elif name in renamed:
                yield _rename_constraint(key, name, renamed[name])


def add_constraints(context: Context) -> Iterator[Change]:
    for key, old, new in context.kept:
        renamed = {new: old for old, new in _renamed(old.constraints, new.constraints).items()}
        for name, text in new.constraints.items():
            same = old.constraints.get(renamed.get(name, name)) == text
            if not same or context.constraint_is_forced(key, text):
                summary = "" if same else f"add constraint {name}"
                yield Change((ddl.add_constraint(key, name, text),), (ddl.drop_constraint(key, name),), summary)


def drop_triggers(context: Context) -> Iterator[Change]:
    """Drop triggers. This runs before renames, so the keys and texts are the old ones."""
    for old_key, old in context.before.tables.items():
        new = context.new.tables.get(context.renames.table(old_key))
        if new is None:
            continue  # they are dropped with their table
        for name, text in old.triggers.items():
            if new.triggers.get(name) != text:
                yield Change((ddl.drop_trigger(old_key, name),), (text,), f"drop trigger {name}")
        if old.logged and not new.logged:
            yield Change((ignore_changes(old_key),), (log_changes(old_key),), f"log no changes of {old_key}")


def add_triggers(context: Context) -> Iterator[Change]:
    before = {context.renames.table(key): table for key, table in context.before.tables.items()}
    for key, new in context.new.tables.items():
        old = before.get(key)
        for name, text in new.triggers.items():
            if old is None or old.triggers.get(name) != text:
                summary = "" if old is None else f"add trigger {name}"
                yield Change((text,), (ddl.drop_trigger(key, name),), summary)
        if new.logged and (old is None or not old.logged):
            summary = "" if old is None else f"log changes of {key}"
            yield Change((log_changes(key),), (ignore_changes(key),), summary)
