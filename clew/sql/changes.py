"""Judge the rows of the change log: which of them a viewer sees before and after each change.

A row of the log takes the place of the entity's table, so that the same rules and filters judge it. Conditions on
other rows read them as they are now. Otherwise a change of a field that the viewer does not see could become an event,
because something else had changed at the same time. A row that is taken away is judged once more: as it was before the
batch, with the other rows as they were then. So a deletion that takes rows along is seen by those who saw these rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ColumnElement, FromClause, Select
from sqlalchemy.sql.selectable import LateralFromClause

from clew.access.types import Logged, LogPart, Operand, Visible
from clew.model.types import Column, Entity, Model, ValueType
from clew.plan.types import Changes, Value
from clew.sql.binds import Binds, bare_type
from clew.sql.documents import Documents
from clew.sql.json import key_value
from clew.sql.literals import quote_name, quote_text
from clew.sql.scope import Scope, free_alias, free_name
from clew.sql.sources import lateral, unnested
from clew.sql.tables import Tables
from clew.sql.types import sql_type
from clew.sql.views import read_by
from clew.sql.write import WriteCompiler, quoted

_ONE: ColumnElement[Any] = sa.literal_column("1")
_ZERO: ColumnElement[Any] = sa.literal_column("0")
_TEXT = sa.Text()
_TEXTS = ValueType("String", "text", is_list=True)


class ChangesCompiler(WriteCompiler):
    """Builds the statement that judges changes. `read` are the names of the entities that its conditions read."""

    def __init__(self, model: Model, tables: Tables, binds: Binds) -> None:
        super().__init__(model, tables, binds)
        self.read: set[str] = set()
        self._lists: dict[Logged, ColumnElement[Any]] = {}

    def scope(self, entity_name: str, outer: Scope | None, *, links: bool = False) -> Scope:
        self.read.add(entity_name)
        entity = self.model.entity(entity_name)
        if entity.view_sql is not None:
            self.read.update(other.name for other in read_by(entity, self.model))
        return super().scope(entity_name, outer, links=links)

    def listed(self, entity: Entity, part: LogPart) -> ColumnElement[Any]:
        """Return the bound list of rows of the log. It is one value, however often it is used."""
        source = Logged(entity.name, part)
        if source not in self._lists:
            self._lists[source] = self.binds.add(Operand(source, _TEXTS, part))
        return self._lists[source]

    def logged(self, entity: Entity, text: str) -> FromClause[Any]:
        """Return the row of a JSON text of the log, as a FROM item.

        Args:
            text: SQL.
        """
        table = self.tables.of(entity.name)
        name = f"l{self.number()}"
        nested = [column for column in entity.columns if _is_nested(column)]
        json = f"CAST({text} AS json)"
        if nested:
            # Postgres would take a list of JSON arrays for an array of more dimensions.
            without = ", ".join(quote_text(column.column) for column in nested)
            json = f"(SELECT json_object_agg(key, value) FROM json_each({json}) WHERE key NOT IN ({without}))"  # noqa: S608 (quoted texts)
        populated = sa.func.json_populate_record(sa.literal_column(f"NULL::{quoted(table)}"), sa.literal_column(json))
        columns = [sa.column(column.name, column.type) for column in table.columns]
        if not nested:
            return populated.table_valued(*columns, name=name)
        row = populated.table_valued(*columns, name=f"{name}r")
        items = {column.column: _items(column, text).label(column.column) for column in nested}
        found = [items.get(column.name, row.c[column.name]) for column in table.columns]
        return lateral(sa.select(*found).select_from(row), name)

    def past_rows(self, entity: Entity, *, near: bool = False) -> sa.CompoundSelect[Any]:
        """Return all rows of an entity as they were before the changes of the batch."""
        table = self.tables.of(entity.name)
        now = table.alias(f"n{self.number()}")
        touched, row = self._listed_rows(entity, LogPart.TOUCHED)
        keys = sa.select(*(row.c[column.column] for column in entity.key_columns)).select_from(touched).correlate(None)
        own = sa.tuple_(*(now.c[column.column] for column in entity.key_columns))
        unchanged = sa.select(now).where(own.not_in(keys))
        were, row = self._listed_rows(entity, LogPart.WERE)
        return sa.union_all(unchanged, sa.select(*row.c).select_from(were))

    def _listed_rows(self, entity: Entity, part: LogPart) -> tuple[FromClause[Any], FromClause[Any]]:
        """Return the rows of a list of the log, as a FROM item and as the part of it that has their columns."""
        image: sa.ColumnClause[Any] = sa.column("image", _TEXT)
        texts = unnested(sa.func.unnest(self.listed(entity, part)), image, name=f"w{self.number()}")
        row = self.logged(entity, f"{texts.name}.image")
        return texts.join(row, sa.true()), row


def _is_nested(column: Column) -> bool:
    return column.type.is_list and bare_type(column.type.sql).lower() in ("json", "jsonb")


def _items(column: Column, text: str) -> ColumnElement[Any]:
    """Return the list of JSON values of a column in a JSON text."""
    name, kind = quote_text(column.column), bare_type(column.type.sql).lower()
    json = f"CAST({text} AS {kind}) -> {name}"
    items = f"ARRAY(SELECT {kind}_array_elements({json}))"
    return sa.literal_column(f"CASE WHEN {kind}_typeof({json}) = 'array' THEN {items} END", sql_type(column.type))


def changes_statement(
    changes: Changes, shown: Iterable[Column], before: Iterable[str], compiler: ChangesCompiler
) -> Select[Any]:
    """Select the changes that are events for the viewer, in their order.

    Each has its number (from 1); `was` and `is`, whether the row is one of the viewer's before and after; `same`,
    whether the key as the viewer sees it stays; and `first`, whether the row was one before the batch. Then come for
    each of these rows the key's values in the form that can be bound, and the JSON of each `Value` of the output. A row
    of which the viewer sees no change is no event.

    Args:
        shown: the columns that the viewer may see on some row.
        before: the entities that conditions read as they were, about the rows of `LogPart.FIRST`.
    """
    entity = changes.rows.visible.entity
    past = frozenset(before)
    parts = (LogPart.OLD, LogPart.NEW, LogPart.FIRST) if past else (LogPart.OLD, LogPart.NEW)
    names = {part: free_name(f"clew_{part}", entity) for part in parts}
    position = free_name("clew_position", entity)
    given = unnested(
        sa.func.unnest(*(compiler.listed(entity, part) for part in parts)),
        *(sa.column(name, _TEXT) for name in names.values()),
        name=free_alias("clew_given", entity),
        with_ordinality=position,
    )
    source: Any = given
    sides: dict[LogPart, LateralFromClause] = {}
    for part, name in names.items():
        compiler.before = past if part is LogPart.FIRST else frozenset()
        scope = Scope(entity, compiler.logged(entity, f"{given.name}.{quote_name(name)}"), Scope(entity, given))
        side = sides[part] = _side(changes, list(shown), scope, compiler, given.c[name])
        source = source.outerjoin(side, sa.true())
    old, new = sides[LogPart.OLD].c, sides[LogPart.NEW].c
    was, is_ = old.there.is_not(None), new.there.is_not(None)
    first = sides[LogPart.FIRST].c.there.is_not(None) if past else sa.false()
    changed = sa.or_(was != is_, sa.and_(was, old.shown.is_distinct_from(new.shown)))
    statement = sa.select(
        given.c[position].label("position"),
        was.label("was"),
        is_.label("is"),
        old.key_shown.is_not_distinct_from(new.key_shown).label("same"),
        first.label("first"),
        *(
            column.label(f"{part}_{column.name}")
            for part, side in sides.items()
            for column in side.c
            if column.name not in ("there", "shown", "key_shown")
        ),
    )
    return statement.select_from(source).where(sa.or_(changed, first)).order_by(given.c[position])


def _side(
    changes: Changes, columns: Sequence[Column], scope: Scope, compiler: ChangesCompiler, text: ColumnElement[Any]
) -> LateralFromClause:
    """Return a row of the log if it is one of the viewer's: `there`, what the viewer sees of it, and its key."""
    visible, entity = changes.rows.visible, scope.entity
    documents = Documents(compiler)
    values = [output for output in changes.output if isinstance(output, Value)]
    found: list[ColumnElement[Any]] = [
        _ONE.label("there"),
        _texts([_seen(visible, column, scope, compiler) for column in columns]).label("shown"),
        _texts([_seen(visible, c, scope, compiler) for c in entity.key_columns if c in columns]).label("key_shown"),
        *(key_value(scope.column(c), c.type).label(f"k{n}") for n, c in enumerate(entity.key_columns)),
        *(sa.cast(documents.output(value, scope), _TEXT).label(f"v{n}") for n, value in enumerate(values)),
    ]
    statement = sa.select(*found).select_from(scope.source).where(text.is_not(None))
    statement = statement.where(*compiler.conditions(changes.rows, scope))
    # OFFSET: Postgres judges a row before it computes anything of it, which could fail.
    return lateral(scope.correlate(statement.offset(_ZERO)), f"s{compiler.number()}")


def _seen(visible: Visible, column: Column, scope: Scope, compiler: ChangesCompiler) -> ColumnElement[Any]:
    return sa.cast(compiler.masked(scope.column(column), visible.masks.get(column.name), scope), _TEXT)


def _texts(texts: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    return sa.cast(postgresql.array(texts), sa.ARRAY(_TEXT))
