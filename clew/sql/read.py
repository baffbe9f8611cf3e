"""Build the one statement of a `ReadPlan`. It returns one row with a JSON column for each root read.

Postgres builds the JSON text of each root field. Python passes it on.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, Select

from clew.access.types import MOST_BYTES, Operand, Rows, Visible
from clew.model.types import Model, ValueType
from clew.plan.types import Read, ReadPlan, RootMany
from clew.sql.binds import Binds
from clew.sql.documents import Documents
from clew.sql.given import given_keys, same_key
from clew.sql.json import JsonArray, JsonIf
from clew.sql.pages import Pages
from clew.sql.scope import Scope
from clew.sql.tables import Tables

_ONE: ColumnElement[Any] = sa.literal_column("1")
_NOTHING: ColumnElement[Any] = sa.literal_column("0")
_UTF8: ColumnElement[Any] = sa.literal_column("'UTF8'")


def read_statement(plan: ReadPlan, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """Select one row with a column for each of `plan.reads`, in order: JSON as UTF-8 bytes, or null for no row.

    They are bytes because the driver would decode text, and Clew would encode it again. `binds` collects the operands
    of the statement and the orders of its cursors.
    """
    documents = Documents(Pages(model, tables, binds))
    columns: list[ColumnElement[Any]] = []
    for index, root in enumerate(plan.reads):
        value = documents.rows(root.read) if isinstance(root, RootMany) else documents.one(root.read)
        columns.append(sa.func.convert_to(value, _UTF8).label(f"r{index}"))
    return sa.select(*columns)


def rows_statement(read: Read, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """Select the rows with the given keys, as one JSON array in their order. A missing row is null.

    The keys are `Keys` operands: a list for each column of the entity's key, named after the column.
    """
    pages = Pages(model, tables, binds)
    entity = read.rows.visible.entity
    keys = given_keys(entity, binds)
    scope = pages.scope(entity.name, Scope(entity, keys.source))
    row, is_there = pages.joined(read, scope, same_key(scope, keys), entity.key_columns[0].column)
    json, source = Documents(pages).object(read.output, row, keys.source.outerjoin(row.source, sa.true()))
    rows = JsonArray(JsonIf(is_there, json), [keys.position])
    return sa.select(sa.func.convert_to(rows, _UTF8).label("r0")).select_from(source)


def order_statement(rows: Rows, model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """Select the positions (from 1) of the given keys, in the order of their rows.

    The keys are `Keys` operands, as for `rows_statement`.
    """
    pages = Pages(model, tables, binds)
    entity = rows.visible.entity
    keys = given_keys(entity, binds)
    scope = pages.scope(entity.name, Scope(entity, keys.source))
    order = [pages.directed(pages.follow(key.value, scope), key) for key in rows.order]
    joined = keys.source.outerjoin(scope.source, sa.and_(*same_key(scope, keys)))
    return sa.select(keys.position).select_from(joined).order_by(*order)


def bounded(select: Select[Any], binds: Binds) -> Select[Any]:
    """Return the one row of a statement of JSON columns, or no row if they have too many bytes.

    The database counts the bytes, so it sends nothing then. This bounds only the bytes that it sends: it has built the
    JSON by then. It builds the JSON once, because OFFSET keeps the two levels apart.
    """
    whole = select.offset(_NOTHING).subquery("whole")
    sizes = [sa.func.coalesce(sa.func.octet_length(column), _NOTHING, type_=sa.BigInteger) for column in whole.c]
    most = binds.add(Operand(MOST_BYTES, ValueType("BigInt", "bigint"), "bytes"))
    return sa.select(*whole.c).where(reduce(operator.add, sizes) <= most)


def row_argument_statement(checks: Mapping[str, Visible], model: Model, tables: Tables, binds: Binds) -> Select[Any]:
    """Select one row with a column for each check: whether all its keys have a row that the check asks for.

    The keys are `Keys` operands. The name of a check tells its keys from those of others.
    """
    pages = Pages(model, tables, binds)
    columns: list[ColumnElement[Any]] = []
    for index, (name, rows) in enumerate(checks.items()):
        keys = given_keys(rows.entity, binds, name)
        scope = pages.scope(rows.entity.name, Scope(rows.entity, keys.source))
        found = pages.select([_ONE], Rows(rows), scope, same_key(scope, keys))
        missing = sa.select(_ONE).select_from(keys.source).where(sa.not_(sa.exists(found))).correlate(None)
        columns.append(sa.not_(sa.exists(missing)).label(f"r{index}"))
    return sa.select(*columns)
