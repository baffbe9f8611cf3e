"""Keys and values that a statement gets when it runs, as rows.

They come as arrays, one parameter for each column. So the SQL does not depend on the number of rows, except that a
statement for exactly one row takes its values out of the arrays. Postgres plans and runs that in half the time, for it
joins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.selectable import Subquery, TableValuedAlias

from clew.access.types import Keys, Operand, Past, Source
from clew.model.types import Column, Entity, ValueType
from clew.sql.binds import Binds, compared_type
from clew.sql.scope import Scope, free_alias, free_name
from clew.sql.sources import unnested
from clew.sql.types import sql_type

_FIRST: ColumnElement[int] = sa.literal_column("1", sa.BigInteger())


@dataclass(frozen=True, slots=True)
class Given:
    """Rows made of arrays. `source` is the FROM item, and `position` counts its rows from 1.

    `keys` are its key columns. `values` are the columns of other operands, by their sources.
    """

    source: TableValuedAlias | Subquery
    keys: tuple[ColumnElement[Any], ...]
    values: Mapping[Source, ColumnElement[Any]]
    position: ColumnElement[Any]


def given_keys(entity: Entity, binds: Binds, of: str | Past | None = None) -> Given:
    """Return the keys of `Keys` operands, as rows beside rows of the entity.

    Args:
        of: which of the keys that the statement is given.
    """
    return given_rows(entity, binds, keys=entity.key_columns, of=of)


def given_rows(
    beside: Entity,
    binds: Binds,
    *,
    keys: Sequence[Column] = (),
    of: str | Past | None = None,
    values: Sequence[Operand] = (),
) -> Given:
    """Return rows of the keys and values of operands.

    Args:
        beside: the entity whose table stands beside these rows. Their names differ from its table and columns.
        keys: the key columns of any entity.
        of: which of the keys that the statement is given.
        values: arrays with one value a row.
    """
    arrays: list[ColumnElement[Any]] = []
    columns: list[sa.ColumnClause[Any]] = []

    def add(name: str, operand: Operand) -> None:
        arrays.append(binds.add(operand))
        columns.append(sa.column(free_name(name, beside), sql_type(compared_type(operand.type.item))))

    for number, column in enumerate(keys):
        of_items = ValueType(column.type.name, column.type.sql, column.type.is_enum, is_list=True)
        add(f"clew_key{number}", Operand(Keys(column.name, of), of_items, column.name))
    for number, operand in enumerate(values):
        add(f"clew_value{number}", operand)
    position = free_name("clew_position", beside)
    name = free_alias("clew_given", beside)
    source: TableValuedAlias | Subquery
    if binds.one_row and of is None:
        first = (
            sa.type_coerce(Grouping(array), sa.ARRAY(column.type))[_FIRST]
            for array, column in zip(arrays, columns, strict=True)
        )
        row = (value.label(column.name) for value, column in zip(first, columns, strict=True))
        source = sa.select(*row, _FIRST.label(position)).subquery(name)
    else:
        source = unnested(sa.func.unnest(*arrays), *columns, name=name, with_ordinality=position)
    names = [column.name for column in columns]
    return Given(
        source,
        tuple(source.c[name] for name in names[: len(keys)]),
        {operand.source: source.c[label] for operand, label in zip(values, names[len(keys) :], strict=True)},
        source.c[position],
    )


def same_key(scope: Scope, given: Given) -> list[ColumnElement[bool]]:
    """Return the conditions that a row of `scope` has the key."""
    return [scope.column(column) == key for column, key in zip(scope.entity.key_columns, given.keys, strict=True)]
