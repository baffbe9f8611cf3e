"""The statements that writing takes. What they write and which rows comes in as arrays: `Keys` operands by name.

Rows are locked and judged, written, and judged again, each in one statement for all rows alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, Select

from clew.model.types import Column, Entity, Model, Relation, ValueType
from clew.plan.types import TRUE, Keys, Operand, Predicate, Rows, Visible
from clew.plan.visible import Permits
from clew.sql.binds import Binds
from clew.sql.filters import condition
from clew.sql.given import given_keys, given_rows, same_key
from clew.sql.literals import quote_name, quote_text, quote_type
from clew.sql.read import Compiler
from clew.sql.relations import join
from clew.sql.scope import Scope, free_alias, free_name
from clew.sql.tables import Tables, default_sql
from clew.sql.types import sql_type
from clew.sql.views import read_by

_ONE: ColumnElement[Any] = sa.literal_column("1")
_TEXTS = ValueType("String", "text", is_list=True)

# The names of operands: of the values that are written, and of what rows were.
VALUE, INCREASE, APPENDED = "set.", "inc.", "append."
COUNT = "*"
CREATED, WERE = "created.", "were."


class WriteCompiler(Compiler):
    """Builds one statement of a write.

    Args:
        before: entities that conditions read, where they come to them by a relation, as they were before the
            root field: the rows with the keys `created.*` left out, those of the images `were.*` as these are.
            Views of them are read over these, too.
    """

    def __init__(self, model: Model, tables: Tables, binds: Binds, before: Iterable[str] = ()) -> None:
        super().__init__(model, tables, binds)
        self.before = frozenset(before)

    def scope(self, entity_name: str, outer: Scope | None) -> Scope:
        if outer is None or not self.before:
            return super().scope(entity_name, outer)
        entity = self.model.entity(entity_name)
        if entity_name in self.before:
            return Scope(entity, self._as_it_was(entity).subquery(f"t{self.number()}"), outer)
        if entity.view_sql is not None and (ctes := self._tables_as_they_were(entity)):
            view = _view(entity).add_cte(*ctes, nest_here=True)
            return Scope(entity, view.subquery(f"t{self.number()}"), outer)
        return super().scope(entity_name, outer)

    def _as_it_was(self, entity: Entity) -> sa.CompoundSelect[Any]:
        table = self.tables.of(entity.name)
        now = table.alias(f"n{self.number()}")
        changed = given_keys(entity, self.binds, f"{CREATED}{entity.name}.")
        is_changed = sa.select(_ONE).select_from(changed.source).where(*same_key(Scope(entity, now), changed))
        unchanged = sa.select(now).where(sa.not_(sa.exists(is_changed.correlate(now))))
        images = self.binds.add(Operand(Keys(f"{WERE}{entity.name}"), _TEXTS, "were"))
        texts = sa.func.unnest(images).table_valued(sa.column("image")).render_derived(name=f"w{self.number()}")
        row: ColumnElement[Any] = sa.literal_column(f"CAST({texts.name}.image AS {_quoted(table)})").label("image")
        # OFFSET 0: each is read once, not once a column.
        were = sa.select(row).select_from(texts).offset(sa.literal_column("0")).subquery(f"r{self.number()}")
        columns = [
            sa.literal_column(f"({were.name}.image).{quote_name(column.name)}", column.type).label(column.name)
            for column in table.columns
        ]
        return sa.union_all(unchanged, sa.select(*columns).select_from(were))

    def _tables_as_they_were(self, view: Entity) -> list[sa.CTE]:
        """What stands for the tables and views that a view reads, by their names, where those are not as they were."""
        replaced: dict[str, sa.CTE] = {}
        for entity in read_by(view, self.model):
            if entity.name in self.before:
                rows: Any = self._as_it_was(entity)
            elif replaced and entity.view_sql is not None:
                rows = _view(entity)
            else:
                continue
            replaced[entity.name] = rows.cte(entity.table, nesting=True)
        return list(replaced.values())

    def judged(self, predicate: Predicate, scope: Scope) -> ColumnElement[bool]:
        """Whether a rule's condition is true of the row of `scope`."""
        return condition(predicate, scope, self, self.binds, scope).is_(sa.true())

    def shown(self, visible: Visible, columns: Iterable[Column], scope: Scope) -> list[ColumnElement[bool]]:
        """That the columns are open on the row of `scope`: nobody knows a row by what is masked on it."""
        masks = (visible.masks.get(column.name) for column in columns)
        return [self.judged(mask, scope) for mask in masks if mask is not None]


def _view(entity: Entity) -> Select[Any]:
    """The rows of a view's SQL, whose colons begin no parameters."""
    sql = (entity.view_sql or "").rstrip("; \n").replace(":", "\\:") + "\n"
    # Within a query: a WITH of its own cannot stand beside another.
    return sa.select(sa.text(sql).columns(*(sa.column(c.column) for c in entity.columns)).subquery("clew_view"))


def _image(alias: str) -> ColumnElement[str]:
    """A row as Postgres writes it, which its type reads again without loss."""
    # Not the bare name, which a column may have too.
    return sa.cast(sa.literal_column(f"ROW({alias}.*)"), sa.Text())


def _quoted(table: sa.Table | Entity) -> str:
    """The name of a table, and of its rows' type."""
    name = table.table if isinstance(table, Entity) else table.name
    return ".".join(quote_type(part) for part in (table.schema, name) if part is not None)


def _array(type_: ValueType) -> ValueType:
    """The array that holds one value a row; a list is the text of a JSON array in it."""
    return _TEXTS if type_.is_list else ValueType(type_.name, type_.sql, type_.is_enum, is_list=True)


def _arrays(prefix: str, columns: Sequence[Column]) -> dict[str, Operand]:
    """The arrays of the columns' values, by the prefix and their API names."""
    return {
        prefix + column.name: Operand(Keys(prefix + column.name), _array(column.type), column.name)
        for column in columns
    }


def _value(value: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
    """A given value as its column's type has it."""
    if not type_.is_list:
        return value
    name = "jsonb_array_elements" if type_.name == "JSON" else "jsonb_array_elements_text"
    item: sa.ColumnClause[Any] = sa.column("item")
    items = getattr(sa.func, name)(sa.cast(value, sql_type(ValueType("JSON", "jsonb"))))
    found = sa.select(item).select_from(items.table_valued(item).render_derived(name="items"))
    return sa.case((value.is_not(None), sa.cast(sa.func.array(found.scalar_subquery()), sql_type(type_))))


def _same_row(table: sa.Table, entity: Entity, keys: Sequence[ColumnElement[Any]]) -> list[ColumnElement[bool]]:
    return [table.c[column.column] == key for column, key in zip(entity.key_columns, keys, strict=True)]


def lock_statement(
    visible: Visible,
    permits: Permits,
    where: Predicate,
    model: Model,
    tables: Tables,
    binds: Binds,
    *,
    by_key: bool,
    named: bool = False,
    still: Sequence[Column] = (),
    columns: Sequence[Column] = (),
    image: bool = False,
) -> Select[Any]:
    """Lock the rows that the operation is held on: by given keys, or all for which `where` holds.

    Gives `position` (of the key among those given, else 0), the key, `columns`, perhaps the row's image
    and for each of `permits.every` whether it holds before.

    Args:
        named: the given keys are those of a client, who knows no row by a key that is masked on it.
        still: columns whose values must be those of the arrays `set.*`, one for each key, when the row is locked.
    """
    compiler = WriteCompiler(model, tables, binds)
    entity = visible.entity
    scope = compiler.scope(entity.name, None)
    before = [compiler.judged(permit.before, scope) for permit in permits.every]
    guards = before[len(before) - len(permits.guards) :]
    # Not those of fields: they open a field of a row that is open.
    rules = before[: len(permits.rules)]
    source: Any = scope.source
    position: ColumnElement[Any] = sa.literal_column("0")
    if by_key:
        keys = given_rows(entity, binds, keys=entity.key_columns, values=_arrays(VALUE, still))
        same = [scope.column(column) == keys.values[VALUE + column.name] for column in still]
        source = keys.source.join(scope.source, sa.and_(*same_key(scope, keys), *same))
        position = keys.position
    found = [position.label("position"), *(scope.column(column) for column in entity.key_columns)]
    for column in columns:
        # A client compares its version with the row's: where that is masked, none is right.
        mask = visible.masks.get(column.name) if column.version else None
        found.append(compiler.masked(scope.column(column), mask, scope))
    if image:
        found.append(_image(scope.source.name).label("image"))  # type: ignore[attr-defined]
    statement = sa.select(*found, *(item.label(f"b{number}") for number, item in enumerate(before)))
    statement = statement.select_from(source).where(*compiler.conditions(Rows(visible, where), scope), *guards)
    statement = statement.where(sa.or_(sa.false(), *rules))
    if named:
        statement = statement.where(*compiler.shown(visible, entity.key_columns, scope))
    statement = statement.order_by(*(scope.column(column) for column in entity.key_columns))
    return statement.with_for_update(of=scope.source)


def insert_statement(
    entity: Entity,
    columns: Sequence[Column],
    presets: Sequence[tuple[Column, str]],
    model: Model,
    tables: Tables,
    binds: Binds,
) -> Any:
    """Insert rows with these columns given, the rest by default; presets are SQL over the row's columns.

    Gives the keys in order, and beside each, for each preset of a given column, whether it agrees.
    """
    table = tables.of(entity.name)
    # Something must say how many rows there are.
    count = {VALUE + COUNT: Operand(Keys(VALUE + COUNT), ValueType("BigInt", "bigint", is_list=True), COUNT)}
    given = given_rows(entity, binds, values=_arrays(VALUE, columns) or count)
    values = {column.column: _value(given.values[VALUE + column.name], column.type) for column in columns}
    agreeing: list[tuple[Column, ColumnElement[Any]]] = [
        (column, sa.literal_column(f"({sql})")) for column, sql in presets if column in columns
    ]
    presets = [(column, sql) for column, sql in presets if column not in columns]
    order = given.position
    rows: Any = given.source
    if presets:
        # The expressions name columns: they stand where those are.
        named = [value.label(name) for name, value in values.items()]
        named += [
            sa.cast(sa.literal_column(default_sql(column) or "NULL"), sql_type(column.type)).label(column.column)
            for column in entity.columns
            if column.column not in values and column.computed is None and not column.identity
        ]
        rows = sa.select(*named, given.position).select_from(given.source).subquery("given_rows")
        # Defaults too: what an expression has seen of them is what is stored.
        values = {value.name: rows.c[value.name] for value in named}
        values |= {column.column: sa.literal_column(f"({sql})") for column, sql in presets}
        order = rows.c[given.position.name]
    inserted = sa.insert(table).from_select(
        list(values), sa.select(*values.values()).select_from(rows).order_by(order), include_defaults=False
    )
    keys = [table.c[column.column] for column in entity.key_columns]
    # Compared, not stored: a key that leads nowhere would tell so.
    return inserted.returning(*keys, *(table.c[c.column].is_not_distinct_from(sql) for c, sql in agreeing))


def made_sql(entity: Entity, column: Column) -> str:
    """How the database makes a part of the key of a row of which nothing is given."""
    if not column.identity:
        return default_sql(column) or "NULL"
    return f"nextval(pg_get_serial_sequence({quote_text(_quoted(entity))}, {quote_text(column.column)}))"


def update_statement(
    entity: Entity,
    sets: Sequence[Column],
    increases: Sequence[Column],
    appends: Sequence[Column],
    presets: Sequence[tuple[Column, str]],
    model: Model,
    tables: Tables,
    binds: Binds,
) -> Any:
    """Change rows by given keys, one value a row for each column; presets are SQL over the changed row's columns."""
    table = tables.of(entity.name)
    ways = ((VALUE, sets), (INCREASE, increases), (APPENDED, appends))
    arrays = {name: array for prefix, columns in ways for name, array in _arrays(prefix, columns).items()}
    given = given_rows(entity, binds, keys=entity.key_columns, values=arrays)
    values: dict[str, ColumnElement[Any]] = {}
    for prefix, columns in ways:
        for column in columns:
            value = _value(given.values[prefix + column.name], column.type)
            if prefix == INCREASE:
                value = table.c[column.column] + value
            elif prefix == APPENDED:
                value = table.c[column.column].op("||")(value)
            values[column.column] = value
    for column in entity.columns:
        if column.version:
            values[column.column] = table.c[column.column] + _ONE
    same = _same_row(table, entity, given.keys)
    if presets:
        # The expressions name columns: they stand where those of the changed row are, and nothing else.
        changed = [
            values.get(column.column, table.c[column.column]).label(column.column)
            for column in entity.columns
            if column.computed is None
        ]
        source = given.source.join(table, sa.and_(*same))
        rows = sa.select(*changed, *given.keys).select_from(source).subquery("changed_rows")
        filled: list[sa.Label[Any]] = [
            sa.literal_column(f"({sql})").label(free_name(f"clew_filled{n}", entity))
            for n, (_, sql) in enumerate(presets)
        ]
        keys = [key.name for key in given.keys]
        known = [rows.c[name] for name in (*values, *keys)]
        found = sa.select(*known, *filled).select_from(rows).subquery(free_alias("filled_rows", entity))
        values = {name: found.c[name] for name in values}
        values |= {column.column: found.c[label.name] for (column, _), label in zip(presets, filled, strict=True)}
        same = _same_row(table, entity, [found.c[name] for name in keys])
    return sa.update(table).values({table.c[name]: value for name, value in values.items()}).where(*same)


def leads_statement(
    entity: Entity,
    relation: Relation,
    visible: Visible,
    columns: Sequence[Column],
    increases: Sequence[Column],
    model: Model,
    tables: Tables,
    binds: Binds,
    *,
    of_rows: bool,
) -> Select[Any]:
    """For each of the values that a to-one's key is set to, in order: whether it is null or leads to a visible row.

    Args:
        columns: those of the key that are set, as arrays `set.*`.
        increases: those that are added to, as arrays `inc.*`.
        of_rows: the rest of the key is what rows with given keys have; else it is its columns' defaults.
    """
    compiler = WriteCompiler(model, tables, binds)
    table = tables.of(entity.name)
    arrays = _arrays(VALUE, columns) | _arrays(INCREASE, increases)
    given = given_rows(entity, binds, keys=entity.key_columns if of_rows else (), values=arrays)
    values: dict[str, ColumnElement[Any]] = {c.column: given.values[VALUE + c.name] for c in columns}
    values |= {c.column: table.c[c.column] + given.values[INCREASE + c.name] for c in increases}
    source: Any = given.source
    if of_rows:
        source = given.source.join(table, sa.and_(*_same_row(table, entity, given.keys)))
    for name in relation.key:
        column = _column(entity, name)
        if of_rows:
            values.setdefault(column.column, table.c[column.column])
        else:
            default: ColumnElement[Any] = sa.literal_column(default_sql(column) or "NULL")
            values.setdefault(column.column, sa.cast(default, sql_type(column.type)))
    named = [value.label(name) for name, value in values.items()]
    rows = sa.select(*named, given.position).select_from(source).subquery("given_rows")
    scope = Scope(entity, rows, None)
    inner = compiler.scope(relation.target, scope)
    target = sa.select(_ONE).select_from(inner.source)
    target = target.where(join(compiler, relation, scope, inner, None), *compiler.conditions(Rows(visible), inner))
    unset = sa.or_(*(scope.key(local).is_(None) for local, _ in relation.on))
    return (
        sa.select(sa.or_(unset, sa.exists(inner.correlate(target))))
        .select_from(rows)
        .order_by(rows.c[given.position.name])
    )


def judge_statement(
    visible: Visible,
    permits: Permits,
    before: Iterable[str],
    model: Model,
    tables: Tables,
    binds: Binds,
) -> Select[Any]:
    """For each given key in order, whether its row is readable, and which of `permits.every` hold after."""
    compiler = WriteCompiler(model, tables, binds)
    entity = visible.entity
    keys = given_keys(entity, binds)
    scope = compiler.scope(entity.name, Scope(entity, keys.source))
    readable = sa.and_(sa.true(), *compiler.conditions(Rows(visible), scope)).is_(sa.true()).label("readable")
    # From here on: reading sees what is there now.
    compiler.before = frozenset(before)
    after = [
        sa.true().label(f"a{number}")
        if permit.after == TRUE
        else compiler.judged(permit.after, scope).label(f"a{number}")
        for number, permit in enumerate(permits.every)
    ]
    judged: list[ColumnElement[Any]] = [readable, *after]
    row = sa.select(*judged).select_from(scope.source).where(*same_key(scope, keys))
    found = scope.correlate(row).lateral("judged")
    return sa.select(*found.c).select_from(keys.source.outerjoin(found, sa.true())).order_by(keys.position)


def delete_statement(entity: Entity, model: Model, tables: Tables, binds: Binds) -> Any:
    """Delete the rows with the given keys."""
    table = tables.of(entity.name)
    keys = given_keys(entity, binds)
    return sa.delete(table).where(*_same_row(table, entity, keys.keys))


def reached_statement(entity: Entity, relation: Relation, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """Lock the rows that `relation` leads from to rows with the given keys. Gives their keys, and images."""
    target = model.entity(relation.target)
    table = tables.of(entity.name).alias("t0")
    given = given_rows(entity, binds, keys=target.key_columns)
    keys = {column.column: key for column, key in zip(target.key_columns, given.keys, strict=True)}
    same = [table.c[local] == keys[remote] for local, remote in relation.on]
    own = [table.c[column.column] for column in entity.key_columns]
    statement = sa.select(*own, _image(table.name)).select_from(given.source.join(table, sa.and_(*same)))
    return statement.order_by(*own).with_for_update(of=table)


def mark_statement(
    entity: Entity, relation: Relation | None, model: Model, tables: Tables, binds: Binds, *, restores: bool
) -> Any:
    """Set or clear the time of deletion of rows: of those with the given keys, or that `relation` leads to such from.

    The operands are `Keys`: the key's columns of the rows, or of those at the relation's other end, and `at`:
    the time to set, or that of the deletion to undo. Gives their keys.
    """
    table = tables.of(entity.name)
    deleted = entity.soft_delete
    assert deleted is not None
    target = entity if relation is None else model.entity(relation.target)
    given = given_rows(entity, binds, keys=target.key_columns)
    moment = binds.add(Operand(Keys("at"), deleted.type, "at"))
    keys = {column.column: key for column, key in zip(target.key_columns, given.keys, strict=True)}
    pairs = [(c.column, c.column) for c in entity.key_columns] if relation is None else relation.on
    same = [table.c[local] == keys[remote] for local, remote in pairs]
    column = table.c[deleted.column]
    if restores:
        marked = sa.update(table).values({column: sa.null()}).where(column == moment, *same)
    else:
        marked = sa.update(table).values({column: moment}).where(column.is_(None), *same)
    return marked.returning(*(table.c[c.column] for c in entity.key_columns))


def find_statement(
    visible: Visible, columns: Sequence[Column], model: Model, tables: Tables, binds: Binds
) -> Select[Any]:
    """Find visible rows by the arrays `set.*` of some columns. Gives `position` and the key."""
    compiler = WriteCompiler(model, tables, binds)
    given = given_rows(visible.entity, binds, values=_arrays(VALUE, columns))
    scope = compiler.scope(visible.entity.name, None)
    same = [scope.column(column) == given.values[VALUE + column.name] for column in columns]
    statement = sa.select(given.position, *(scope.column(column) for column in visible.entity.key_columns))
    statement = statement.select_from(given.source.join(scope.source, sa.and_(*same)))
    statement = statement.where(*compiler.shown(visible, columns, scope))
    return statement.where(*compiler.conditions(Rows(visible), scope)).order_by(given.position)


def _column(entity: Entity, name: str) -> Column:
    column = entity.column(name)
    assert column is not None, f"{entity.name}.{name}"
    return column
