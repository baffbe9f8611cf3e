"""Changes of views. A changed view is dropped and made again, and so is each view that uses it.

`CREATE OR REPLACE VIEW` can only append columns, and a view blocks changes of the columns that it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clew.migrate import ddl
from clew.migrate.change import Change
from clew.migrate.diff.context import Context
from clew.migrate.snapshot import View
from clew.sql.words import identifiers


def _in_order(views: Mapping[str, View]) -> list[str]:
    """Return the keys of views, each after the views that its query names."""
    ordered: list[str] = []
    waiting: set[str] = set()

    def visit(key: str) -> None:
        if key in ordered or key in waiting:
            return
        waiting.add(key)
        words = identifiers(views[key].sql)
        for other in sorted(views):
            if other != key and views[other].name in words:
                visit(other)
        ordered.append(key)

    for key in sorted(views):
        visit(key)
    return ordered


def _changed_columns(context: Context) -> dict[str, frozenset[str] | None]:
    """Return the columns that are removed or changed, by old table name. None stands for a whole removed table."""
    changed: dict[str, frozenset[str] | None] = {table.name: None for table in context.dropped.values()}
    for old_key, table in context.before.tables.items():
        key = context.renames.table(old_key)
        if key in context.dropped:
            continue
        old, new = context.old.tables[key], context.new.tables[key]
        columns = context.touched(key) | {name for name in old.columns if name not in new.columns}
        if columns:
            changed[table.name] = columns
    return changed


def _stands_on(view: View, changed: Mapping[str, frozenset[str] | None]) -> bool:
    words = identifiers(view.sql)
    for name in words & changed.keys():
        columns = changed[name]
        # A star may stand for any column. A multiplication looks like such a star, which is harmless.
        if columns is None or "*" in view.sql or not words.isdisjoint(columns):
            return True
    return False


def _same(old: View | None, new: View | None) -> bool:
    return old is not None and new is not None and old.sql == new.sql


def _remade(context: Context) -> list[str]:
    """Return the old views that must be dropped, each after the views that it uses."""
    changed = _changed_columns(context)
    remade = []
    for key in _in_order(context.before.views):
        view = context.before.views[key]
        if not _same(view, context.new.views.get(key)) or _stands_on(view, changed):
            remade.append(key)
            changed[view.name] = None
    return remade


def drop_views(context: Context) -> Iterator[Change]:
    for key in reversed(_remade(context)):
        view = context.before.views[key]
        summary = f"drop view {key}" if key not in context.new.views else ""
        yield Change((ddl.drop_view(key),), ddl.create_view(key, view), summary)


def create_views(context: Context) -> Iterator[Change]:
    remade = set(_remade(context))
    for key in _in_order(context.new.views):
        new, old = context.new.views[key], context.before.views.get(key)
        if old is None or key in remade:
            changed = "" if _same(old, new) else f"change view {key}"
            summary = f"create view {key}" if old is None else changed
            yield Change(ddl.create_view(key, new), (ddl.drop_view(key),), summary)
        elif old.comment != new.comment:
            yield Change(
                (ddl.comment("VIEW", key, new.comment),),
                (ddl.comment("VIEW", key, old.comment),),
                f"change the comment of {key}",
            )
