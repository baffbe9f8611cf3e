"""Keys that are given when a statement runs, as rows of it.

Arrays, one for each column of the key: their number is no part of the SQL, and any number is one parameter a column.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.selectable import TableValuedAlias

from clew.model.types import Entity, ValueType
from clew.plan.types import Keys, Operand
from clew.sql.binds import Binds, compared_type
from clew.sql.scope import Scope
from clew.sql.types import sql_type


def given_keys(entity: Entity, binds: Binds, prefix: str = "") -> TableValuedAlias:
    """The keys as a FROM item: columns `k0`, `k1`, ... and `position`, which counts them.

    Args:
        prefix: what the names of the `Keys` operands begin with, before that of the key's column.
    """
    arrays: list[ColumnElement[Any]] = []
    columns: list[sa.ColumnClause[Any]] = []
    for number, column in enumerate(entity.key_columns):
        name = prefix + column.name
        of_items = ValueType(column.type.name, column.type.sql, column.type.is_enum, is_list=True)
        arrays.append(binds.add(Operand(Keys(name), of_items, name)))
        columns.append(sa.column(f"k{number}", sql_type(compared_type(column.type))))
    unnested = sa.func.unnest(*arrays).table_valued(*columns, with_ordinality="position")
    return unnested.render_derived(name="keys")


def same_key(scope: Scope, keys: TableValuedAlias) -> list[ColumnElement[bool]]:
    """That a row of `scope` has the key."""
    return [scope.column(column) == keys.c[f"k{number}"] for number, column in enumerate(scope.entity.key_columns)]
