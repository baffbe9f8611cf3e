"""The statements of the plans in `clew.plan.write`, each one for any number of rows.

Keys and values come as arrays, from operands that are `clew.access.types.Supplied`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ColumnElement, Select
from sqlalchemy.sql.selectable import LateralFromClause

from clew.access.types import (
    TRUE,
    Change,
    Images,
    Moment,
    Operand,
    Past,
    Places,
    Predicate,
    Rows,
    Values,
    Visible,
)
from clew.model.types import Column, Entity, Model, ValueType
from clew.model.writing import is_free_link
from clew.plan.write import (
    Check,
    Delete,
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
from clew.sql.binds import Binds
from clew.sql.filters import condition
from clew.sql.given import Given, given_keys, given_rows, same_key
from clew.sql.json import key_value
from clew.sql.literals import quote_name, quote_text, quote_type
from clew.sql.pages import Pages
from clew.sql.relations import join
from clew.sql.scope import Scope, free_alias, free_name
from clew.sql.sources import lateral, unnested
from clew.sql.tables import Tables, default_sql
from clew.sql.types import sql_type
from clew.sql.views import read_by

_ONE: ColumnElement[Any] = sa.literal_column("1")
_TEXTS = ValueType("String", "text", is_list=True)
_PLACES = ValueType("BigInt", "bigint", is_list=True)
# The place of the judged row.
_AT, _PLACE = "clew_at", "clew_place"


class WriteCompiler(Pages):
    """Builds one statement of a write.

    Args:
        before: entities that conditions read through a relation as they were before the root field. The statement
            leaves out the rows with the keys of their `Past`, and reads its images of the changed rows instead. Views
            of these entities read the same. For generated links this holds only beyond the row of `judged_row`.
        near: generated links that are read as they were even for the row's own links, by separate operands.
    """

    def __init__(self, model: Model, tables: Tables, binds: Binds, before: Iterable[str] = ()) -> None:
        super().__init__(model, tables, binds)
        self.before = frozenset(before)
        self.near: frozenset[str] = frozenset()
        self.judged_row: Scope | None = None
        # The place of the judged row, if earlier written rows of its entity are read as they are now.
        self.place: str | None = None

    def scope(self, entity_name: str, outer: Scope | None, *, links: bool = False) -> Scope:
        if not self.before:
            return super().scope(entity_name, outer)
        assert outer is not None, "rows are read as they were from the row that is judged"
        entity = self.model.entity(entity_name)
        if entity_name in self.before:
            # Whether these are the links of the judged row's own many-to-many.
            is_own = links and is_free_link(entity) and outer.outer is self.judged_row
            if is_own and entity_name not in self.near:
                return super().scope(entity_name, outer)
            rows = self.past_rows(entity, near=is_own)
            return Scope(entity, rows.subquery(f"t{self.number()}"), outer)
        # alike without `entity.view_sql is not None`: a table reads no other
        if entity.view_sql is not None and (ctes := self._past_tables(entity)):
            view = _view(entity).add_cte(*ctes, nest_here=True)
            return Scope(entity, view.subquery(f"t{self.number()}"), outer)
        return super().scope(entity_name, outer)

    def past_rows(self, entity: Entity, *, near: bool = False) -> sa.CompoundSelect[Any]:
        past = Past(entity.name, near)
        table = self.tables.of(entity.name)
        now = table.alias(f"n{self.number()}")
        changed = given_keys(entity, self.binds, past)
        is_changed = sa.select(_ONE).select_from(changed.source).where(*same_key(Scope(entity, now), changed))
        after = self.place if self.judged_row is not None and self.judged_row.entity is entity else None
        if after is not None:
            is_changed = is_changed.where(changed.position >= sa.literal_column(after))
        unchanged = sa.select(now).where(sa.not_(sa.exists(is_changed.correlate(now))))
        images = self.binds.add(Operand(Images(past), _TEXTS, "were"))
        image: sa.ColumnClause[Any] = sa.column("image")
        place = "place" if after else None
        texts = unnested(sa.func.unnest(images), image, name=f"w{self.number()}", with_ordinality=place)
        row: ColumnElement[Any] = sa.literal_column(f"CAST({texts.name}.image AS {quoted(table)})").label("image")
        images_of = sa.select(row).select_from(texts)
        if after is not None:
            # New rows have no image.
            images_of = images_of.where(texts.c.image.is_not(None), texts.c.place >= sa.literal_column(after))
        # OFFSET 0: Postgres reads each image once, not once for each column.
        were = images_of.offset(sa.literal_column("0")).subquery(f"r{self.number()}")
        columns = [
            sa.literal_column(f"({were.name}.image).{quote_name(column.name)}", column.type).label(column.name)
            for column in table.columns
        ]
        return sa.union_all(unchanged, sa.select(*columns).select_from(were))

    def _past_tables(self, view: Entity) -> list[sa.CTE]:
        """Return CTEs that replace the changed tables and views that a view reads, under their names."""
        replaced: dict[str, sa.CTE] = {}
        for entity in read_by(view, self.model):
            if entity.name in self.before:
                rows: Any = self.past_rows(entity)
            elif replaced and entity.view_sql is not None:
                rows = _view(entity)
            else:
                continue
            replaced[entity.name] = rows.cte(entity.table, nesting=True)
        return list(replaced.values())

    def judged(self, predicate: Predicate, scope: Scope) -> ColumnElement[bool]:
        """Return whether a rule's condition is true of the row of `scope`."""
        return condition(predicate, scope, self, self.binds, scope).is_(sa.true())

    def is_open(self, visible: Visible, field: str, scope: Scope) -> ColumnElement[bool]:
        """Return whether a field is open on the row of `scope`."""
        mask = visible.masks.get(field)
        return sa.true() if mask is None else self.judged(mask, scope)  # alike if false: a shortcut

    def shown(self, visible: Visible, columns: Iterable[Column], scope: Scope) -> list[ColumnElement[bool]]:
        """Require the columns to be open on the row of `scope`: a client must not find a row by a masked value."""
        # alike if true: a shortcut
        return [self.is_open(visible, column.name, scope) for column in columns if column.name in visible.masks]


def _view(entity: Entity) -> Select[Any]:
    """Return the rows of a view's SQL. Its colons do not begin parameters."""
    sql = (entity.view_sql or "").rstrip("; \n").replace(":", "\\:") + "\n"
    # Nest it in a query: the view's own WITH cannot stand beside another.
    return sa.select(sa.text(sql).columns(*(sa.column(c.column) for c in entity.columns)).subquery("clew_view"))


def _image(alias: str) -> ColumnElement[str]:
    """Return a row as Postgres writes it. The type of the row reads it again without loss."""
    # Not the bare name: a column may have it too.
    return sa.cast(sa.literal_column(f"ROW({alias}.*)"), sa.Text())


def quoted(table: sa.Table | Entity) -> str:
    """Return the name of a table, which is also that of its row type."""
    name = table.table if isinstance(table, Entity) else table.name
    return ".".join(quote_type(part) for part in (table.schema, name) if part is not None)


def _array(type_: ValueType) -> ValueType:
    """Return the array with one value a row. In it a list is the text of a JSON array."""
    return _TEXTS if type_.is_list else ValueType(type_.name, type_.sql, type_.is_enum, is_list=True)


def _arrays(change: Change, columns: Sequence[Column]) -> list[Operand]:
    """Return the arrays of the columns' values."""
    return [Operand(Values(column.name, change), _array(column.type), column.name) for column in columns]


def _given(given: Given, column: Column, change: Change = Change.SET) -> ColumnElement[Any]:
    """Return the given value of a column, in the column's type."""
    return _value(given.values[Values(column.name, change)], column.type)


def _value(value: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
    """Convert a given value to its column's type."""
    if not type_.is_list:
        return value
    name = "jsonb_array_elements" if type_.name == "JSON" else "jsonb_array_elements_text"
    item: sa.ColumnClause[Any] = sa.column("item")
    items = getattr(sa.func, name)(sa.cast(value, sql_type(ValueType("JSON", "jsonb"))))
    found = sa.select(item).select_from(unnested(items, item, name="items"))
    return sa.case((value.is_not(None), sa.cast(sa.func.array(found.scalar_subquery()), sql_type(type_))))


def _keys(entity: Entity, scope: Scope) -> list[ColumnElement[Any]]:
    """Return the key of a row, in the form that can be bound again."""
    return [key_value(scope.column(column), column.type) for column in entity.key_columns]


def _same_row(table: sa.Table, entity: Entity, keys: Sequence[ColumnElement[Any]]) -> list[ColumnElement[bool]]:
    return [table.c[column.column] == key for column, key in zip(entity.key_columns, keys, strict=True)]


def _find(plan: Find, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    visible = plan.visible
    given = given_rows(visible.entity, binds, values=_arrays(Change.SET, plan.columns))
    scope = compiler.scope(visible.entity.name, None)
    same = [scope.column(column) == given.values[Values(column.name)] for column in plan.columns]
    statement = sa.select(given.position, *_keys(visible.entity, scope))
    statement = statement.select_from(given.source.join(scope.source, sa.and_(*same)))
    statement = statement.where(*compiler.shown(visible, plan.columns, scope))
    return statement.where(*compiler.conditions(Rows(visible), scope)).order_by(given.position)


def _lock(plan: Lock, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    visible, permits = plan.visible, plan.permits
    entity = visible.entity
    scope = compiler.scope(entity.name, None)
    before = [compiler.judged(permit.before, scope) for permit in permits.every]
    guards = before[len(before) - len(permits.guards) :]
    # One of these rules must hold. The rules of fields only open fields of such a row.
    rules = before[: len(permits.rules)]
    source: Any = scope.source
    position: ColumnElement[Any] = sa.literal_column("0")
    if plan.by_key:
        keys = given_rows(entity, binds, keys=entity.key_columns, values=_arrays(Change.SET, plan.still))
        same = [scope.column(column) == keys.values[Values(column.name)] for column in plan.still]
        # alike without `*same`: but while another transaction changes the key: tests/engine/test_concurrent_writers.py
        source = keys.source.join(scope.source, sa.and_(*same_key(scope, keys), *same))
        position = keys.position
    found = [position.label("position"), *_keys(entity, scope)]
    for column in plan.columns:
        # A client compares its version with the row's. If the row's is masked, no version matches.
        mask = visible.masks.get(column.name) if column.version else None
        found.append(compiler.masked(key_value(scope.column(column), column.type), mask, scope))
    found += [compiler.is_open(visible, field, scope).label(f"o{n}") for n, field in enumerate(plan.opened)]
    if plan.image:
        found.append(_image(scope.source.name).label("image"))  # type: ignore[attr-defined]  # a source that is written has a name
    statement = sa.select(*found, *(item.label(f"b{number}") for number, item in enumerate(before)))
    statement = statement.select_from(source).where(*compiler.conditions(Rows(visible, plan.where), scope), *guards)
    statement = statement.where(sa.or_(sa.false(), *rules))
    if plan.named:
        statement = statement.where(*compiler.shown(visible, entity.key_columns, scope))
    # All writers lock in one order. So they may wait for each other, but never deadlock.
    statement = statement.order_by(*(scope.column(column) for column in entity.key_columns))
    return statement.with_for_update(of=scope.source)


def _judge(plan: Judge, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    keys = given_keys(plan.entity, binds)
    scope = compiler.scope(plan.entity.name, Scope(plan.entity, keys.source))
    row = sa.select(compiler.judged(plan.condition, scope).label("holds")).select_from(scope.source)
    found = lateral(scope.correlate(row.where(*same_key(scope, keys))), "judged")
    return sa.select(*found.c).select_from(keys.source.outerjoin(found, sa.true())).order_by(keys.position)


def _reached(plan: Reached, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    target = model.entity(plan.relation.target)
    scope = compiler.scope(plan.entity.name, None)
    given = given_rows(plan.entity, binds, keys=target.key_columns)
    keys = {column.column: key for column, key in zip(target.key_columns, given.keys, strict=True)}
    same = [scope.key(local) == keys[remote] for local, remote in plan.relation.on]
    own = [scope.column(column) for column in plan.entity.key_columns]
    guards = [compiler.judged(guard.before, scope) for guard in plan.permits.guards]
    holds = sa.and_(sa.true(), *guards).label("holds")
    image = _image(scope.source.name)  # type: ignore[attr-defined]  # a source that is written has a name
    statement = sa.select(*_keys(plan.entity, scope), holds, image).select_from(
        given.source.join(scope.source, sa.and_(*same))
    )
    deleted = plan.entity.soft_delete
    if plan.softly:
        assert deleted is not None
        column = scope.column(deleted)
        at = binds.add(Operand(Moment(), deleted.type, "at")) if plan.restores else sa.null()
        statement = statement.where(column == at)
    return statement.order_by(*own).with_for_update(of=scope.source)


# --- rows as they will be -------------------------------------------------------------


def _given_to_insert(plan: Insert, binds: Binds) -> Given:
    # One array must tell the number of rows.
    places = Operand(Places(), _PLACES, "places")
    return given_rows(plan.entity, binds, values=_arrays(Change.SET, plan.columns) or [places])


def _given_to_update(plan: Update, binds: Binds) -> Given:
    arrays = [
        *_arrays(Change.SET, plan.sets),
        *_arrays(Change.INCREASE, plan.increases),
        *_arrays(Change.APPEND, plan.appends),
    ]
    return given_rows(plan.entity, binds, keys=plan.entity.key_columns, values=arrays)


def _inserted(plan: Insert, given: Given) -> dict[str, ColumnElement[Any]]:
    """Return the given values, by the SQL names of their columns."""
    return {column.column: _given(given, column) for column in plan.columns}


def _updated(plan: Update, given: Given, table: sa.Table) -> dict[str, ColumnElement[Any]]:
    """Return the new values of the columns that change, by SQL name. They read the row of `table` as it is."""
    values = {column.column: _given(given, column) for column in plan.sets}
    for column in plan.increases:
        values[column.column] = table.c[column.column] + _given(given, column, Change.INCREASE)
    for column in plan.appends:
        values[column.column] = table.c[column.column].op("||")(_given(given, column, Change.APPEND))
    for column in plan.entity.columns:
        if column.version:
            values[column.column] = table.c[column.column] + _ONE
    return values


def _new_rows(plan: Insert, given: Given, columns: Iterable[Column]) -> sa.Subquery:
    """Return the rows to insert: the given values, the defaults of the other `columns`, and the position."""
    values = _inserted(plan, given)
    named = [value.label(name) for name, value in values.items()]
    named += [
        sa.cast(sa.literal_column(default_sql(column) or "NULL"), sql_type(column.type)).label(column.column)
        for column in columns
        if column.column not in values and column.computed is None and not column.identity
    ]
    return sa.select(*named, given.position).select_from(given.source).subquery("given_rows")


def _changed_rows(plan: Update, given: Given, table: sa.Table, columns: Iterable[Column]) -> sa.Subquery:
    """Return the rows as they will be: `columns`, changed or not, and the keys and position of `given`."""
    values = _updated(plan, given, table)
    changed = [
        values.get(column.column, table.c[column.column]).label(column.column)
        for column in columns
        if column.computed is None
    ]
    source = given.source.join(table, sa.and_(*_same_row(table, plan.entity, given.keys)))
    return sa.select(*changed, *given.keys, given.position).select_from(source).subquery("changed_rows")


def _leads(plan: Leads, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    write, relation = plan.write, plan.relation
    entity = write.entity
    key = [_column(entity, name) for name in relation.key]
    # alike if true: the others fill no part of the key
    presets = {column.column: sql for column, sql in write.presets if column in key}
    # Presets may read any column.
    columns = entity.columns if presets else key  # alike if true: more than are needed
    if isinstance(write, Insert):
        given = _given_to_insert(write, binds)
        rows = _new_rows(write, given, columns)
    else:
        given = _given_to_update(write, binds)
        rows = _changed_rows(write, given, tables.of(entity.name), columns)
    position = rows.c[given.position.name]
    if presets:  # alike if true: nothing is filled
        # The expressions name columns. So they stand where there are these columns and nothing else.
        own = [
            sa.cast(sa.literal_column(f"({presets[c.column]})"), sql_type(c.type)).label(c.column)
            if c.column in presets
            else rows.c[c.column]
            for c in key
        ]
        rows = sa.select(*own, position).select_from(rows).subquery(free_alias("filled_rows", entity))
        position = rows.c[given.position.name]
    scope = Scope(entity, rows, None)
    inner = compiler.scope(relation.target, scope)
    target = sa.select(_ONE).select_from(inner.source)
    target = target.where(join(compiler, relation, scope, inner, None), *compiler.conditions(Rows(plan.visible), inner))
    there = {remote for _, remote in relation.on}
    known = [column for column in inner.entity.columns if column.column in there]
    target = target.where(*compiler.shown(plan.visible, known, inner))
    unset = sa.or_(*(scope.key(local).is_(None) for local, _ in relation.on))
    return sa.select(sa.or_(unset, sa.exists(inner.correlate(target)))).select_from(rows).order_by(position)


def _foresee(plan: Foresee, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    write, entity = plan.write, plan.write.entity
    if isinstance(write, Insert):
        given = _given_to_insert(write, binds)
        rows = _new_rows(write, given, [column for column in entity.columns if column.default is not None])
    else:
        given = _given_to_update(write, binds)
        rows = _changed_rows(write, given, tables.of(entity.name), entity.columns)
    # As the columns store the values: padded and rounded.
    typed: list[ColumnElement[Any]] = [
        sa.cast(rows.c[column.column], sql_type(column.type)).label(column.column)
        for column in entity.columns
        if column.column in rows.c
    ]
    rows = sa.select(*typed, rows.c[given.position.name]).select_from(rows).subquery("typed_rows")
    scope = Scope(entity, rows, None)
    judged: list[ColumnElement[Any]] = [
        compiler.judged(permit.after, scope).label(f"a{number}") for number, permit in enumerate(plan.permits.every)
    ]
    return sa.select(*judged).select_from(rows).order_by(rows.c[given.position.name])


# --- writing --------------------------------------------------------------------------


def _insert(plan: Insert, model: Model, tables: Tables, binds: Binds) -> Any:
    entity = plan.entity
    table = tables.of(entity.name)
    given = _given_to_insert(plan, binds)
    values = _inserted(plan, given)
    agreeing: list[tuple[Column, ColumnElement[Any]]] = [
        (column, sa.literal_column(f"({sql})")) for column, sql in plan.presets if column in plan.columns
    ]
    filled = [(column, sql) for column, sql in plan.presets if column not in plan.columns]
    order = given.position
    rows: Any = given.source
    if filled:
        # The expressions name columns, so they stand where the columns are. Defaults are stored as they read them.
        rows = _new_rows(plan, given, entity.columns)
        values = {column.name: column for column in rows.c if column.name != given.position.name}
        values |= {column.column: sa.literal_column(f"({sql})") for column, sql in filled}
        order = rows.c[given.position.name]
    selected = sa.select(*values.values()).select_from(rows).order_by(order)
    keys = [key_value(table.c[column.column], column.type) for column in entity.key_columns]
    if plan.once:
        once = postgresql.insert(table).from_select(list(values), selected, include_defaults=False)
        return once.on_conflict_do_nothing().returning(*keys)
    inserted = sa.insert(table).from_select(list(values), selected, include_defaults=False)
    # Compare instead of storing: a foreign-key error would reveal hidden rows.
    return inserted.returning(*keys, *(table.c[c.column].is_not_distinct_from(sql) for c, sql in agreeing))


def made_sql(entity: Entity, column: Column) -> str:
    """Return the SQL that makes a part of the key of a row that gets no values."""
    if not column.identity:
        return default_sql(column) or "NULL"
    return f"nextval(pg_get_serial_sequence({quote_text(quoted(entity))}, {quote_text(column.column)}))"


def _update(plan: Update, model: Model, tables: Tables, binds: Binds) -> Any:
    entity = plan.entity
    table = tables.of(entity.name)
    given = _given_to_update(plan, binds)
    values = _updated(plan, given, table)
    same = _same_row(table, entity, given.keys)
    agreeing: list[ColumnElement[Any]] = []
    if plan.presets:
        # The expressions name columns. So they stand where there are those of the changed row and nothing else.
        rows = _changed_rows(plan, given, table, entity.columns)
        filled: list[sa.Label[Any]] = [
            sa.literal_column(f"({sql})").label(free_name(f"clew_filled{n}", entity))
            for n, (_, sql) in enumerate(plan.presets)
        ]
        keys = [key.name for key in given.keys]
        known = [rows.c[name] for name in (*values, *keys)]
        found = sa.select(*known, *filled).select_from(rows).subquery(free_alias("filled_rows", entity))
        values = {name: found.c[name] for name in values}
        # As for `_insert`: what leads to a row agrees with the preset that fills the same column.
        agreeing = [
            table.c[column.column].is_not_distinct_from(values[column.column])
            for column, _ in plan.presets
            if column in plan.sets
        ]
        values |= {column.column: found.c[label.name] for (column, _), label in zip(plan.presets, filled, strict=True)}
        same = _same_row(table, entity, [found.c[name] for name in keys])
    updated = sa.update(table).values({table.c[name]: value for name, value in values.items()}).where(*same)
    return updated.returning(*agreeing) if agreeing else updated


def _delete(plan: Delete, model: Model, tables: Tables, binds: Binds) -> Any:
    table = tables.of(plan.entity.name)
    keys = given_keys(plan.entity, binds)
    return sa.delete(table).where(*_same_row(table, plan.entity, keys.keys))


def _mark(plan: Mark, model: Model, tables: Tables, binds: Binds) -> Any:
    entity, relation = plan.entity, plan.relation
    table = tables.of(entity.name)
    deleted = entity.soft_delete
    assert deleted is not None
    target = entity if relation is None else model.entity(relation.target)
    given = given_rows(entity, binds, keys=target.key_columns)
    moment = binds.add(Operand(Moment(), deleted.type, "at"))
    keys = {column.column: key for column, key in zip(target.key_columns, given.keys, strict=True)}
    pairs = [(c.column, c.column) for c in entity.key_columns] if relation is None else relation.on
    same = [table.c[local] == keys[remote] for local, remote in pairs]
    column = table.c[deleted.column]
    if plan.restores:
        marked = sa.update(table).values({column: sa.null()}).where(column == moment, *same)
    else:
        marked = sa.update(table).values({column: moment}).where(column.is_(None), *same)
    return marked.returning(*(key_value(table.c[c.column], c.type) for c in entity.key_columns))


def _hold(plan: Hold, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    keys = given_keys(plan.entity, binds)
    scope = compiler.scope(plan.entity.name, None)
    there = compiler.scope(plan.relation.target, None)
    deleted = there.entity.soft_delete
    assert deleted is not None
    leads = sa.and_(*(scope.key(ours) == there.key(theirs) for ours, theirs in plan.relation.on))
    source = keys.source.join(scope.source, sa.and_(*same_key(scope, keys))).join(there.source, leads)
    statement = sa.select(there.column(deleted).is_(None).label("there")).select_from(source)
    # All lock in one order, as in `_lock`. After waiting for a lock Postgres reads the row again.
    statement = statement.order_by(*(there.column(column) for column in there.entity.key_columns))
    return statement.with_for_update(read=True, of=there.source)


def _check(plan: Check, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds)
    visible, permits = plan.visible, plan.permits
    entity = visible.entity
    places = Operand(Places(), _PLACES, "places")
    keys = given_rows(entity, binds, keys=entity.key_columns, values=[places] if plan.ordered else ())
    scope = compiler.scope(entity.name, Scope(entity, keys.source))
    # Rules of reading see the rows as they are now.
    readable = sa.and_(sa.true(), *compiler.conditions(Rows(visible), scope)).is_(sa.true()).label("readable")
    compiler.before, compiler.near, compiler.judged_row = frozenset(plan.before), frozenset(plan.near), scope
    compiler.place = f"{_AT}.{free_name(_PLACE, entity)}" if plan.ordered else None
    after = [
        sa.true().label(f"a{number}")
        if permit.after == TRUE  # alike if false: a shortcut
        else compiler.judged(permit.after, scope).label(f"a{number}")
        for number, permit in enumerate(permits.every)
    ]
    judged: list[ColumnElement[Any]] = [readable, *after]
    row = sa.select(*judged).select_from(scope.source).where(*same_key(scope, keys))
    if plan.ordered:
        row = row.select_from(_place_of(keys, places, entity))
    found = lateral(scope.correlate(row), "judged")
    return sa.select(*found.c).select_from(keys.source.outerjoin(found, sa.true())).order_by(keys.position)


def _place_of(keys: Given, places: Operand, entity: Entity) -> LateralFromClause:
    """Return the place of the judged row, by a name that nothing within the conditions hides."""
    at = sa.select(keys.values[places.source].label(free_name(_PLACE, entity))).correlate(keys.source)
    return lateral(at, _AT)


def _recall(plan: Recall, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    compiler = WriteCompiler(model, tables, binds, plan.past)
    entity = plan.entity
    places = Operand(Places(), _PLACES, "places")
    keys = given_rows(entity, binds, keys=entity.key_columns, values=[places])
    outer = Scope(entity, keys.source)
    compiler.near = frozenset(plan.past)
    compiler.judged_row, compiler.place = outer, f"{_AT}.{free_name(_PLACE, entity)}"
    # Beside the place, which it refers to.
    scope = Scope(entity, lateral(compiler.past_rows(entity), f"t{compiler.number()}"), outer)
    compiler.judged_row = scope
    before = [
        compiler.judged(permit.before, scope).label(f"b{number}") for number, permit in enumerate(plan.permits.every)
    ]
    row: Any = sa.select(*before).select_from(_place_of(keys, places, entity)).select_from(scope.source)
    found = lateral(scope.correlate(row.where(*same_key(scope, keys))), "judged")
    return sa.select(*found.c).select_from(keys.source.outerjoin(found, sa.true())).order_by(keys.position)


def _column(entity: Entity, name: str) -> Column:
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column


_MAKERS: Mapping[type[Any], Callable[[Any, Model, Tables, Binds], Any]] = {
    Find: _find,
    Lock: _lock,
    Judge: _judge,
    Reached: _reached,
    Leads: _leads,
    Foresee: _foresee,
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    Mark: _mark,
    Hold: _hold,
    Check: _check,
    Recall: _recall,
}


def write_statement(plan: Plan, model: Model, tables: Tables, binds: Binds) -> Any:
    """Build the statement of a plan."""
    return _MAKERS[type(plan)](plan, model, tables, binds)
