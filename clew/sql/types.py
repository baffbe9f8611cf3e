"""SQL types for columns and binds: one shared SQLAlchemy type for each Postgres type.

Binds carry values that asyncpg takes already (uuid.UUID, Decimal; JSON, moments and lists of decimals as text). So
these types cast (`$1::UUID`) and convert nothing. A cast has no length or precision: `$1::NUMERIC(10, 2)` would round
the operand of a comparison, and `price = 1.005` would find 1.01.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncpgARRAY,
    AsyncpgBoolean,
    AsyncpgFloat,
    AsyncpgString,
    PGDialect_asyncpg,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

from clew.model.types import ValueType

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here


class Text(AsyncpgString):
    """`text`, bound as `::TEXT` (SQLAlchemy's own is bound as `::VARCHAR`)."""

    __visit_name__ = "TEXT"


class Real(AsyncpgFloat):
    """`real`, bound as `real`: a `double precision` 0.1 would not equal a stored 0.1."""

    __visit_name__ = "REAL"


class Numeric(sa.NUMERIC[Any]):
    """`numeric(p,s)`, bound as plain `numeric`."""

    def adapt(self, cls: type[Any], **kw: Any) -> Any:
        return cls()


class Boolean(AsyncpgBoolean):
    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None


class Jsonb(pg.JSONB[Any]):
    """`jsonb` that is bound as JSON text."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        return None


class Json(pg.JSON[Any]):
    """`json` that is bound as JSON text."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        return None


class Array(AsyncpgARRAY):
    """An array that is bound as a list of values that asyncpg takes."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:  # type: ignore[override]  # None: values stay as they are
        return None


class OtherType(UserDefinedType[Any]):
    """Any other Postgres type by its SQL text: native enums, domains, `inet`, extensions' types."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def get_col_spec(self, **_: Any) -> str:
        return self.spec


_PLAIN: dict[str, TypeEngine[Any]] = {}
for _names, _type in (
    (("uuid",), pg.UUID(as_uuid=True)),
    (("text",), Text()),
    (("integer", "int", "int4"), sa.INTEGER()),
    (("bigint", "int8"), sa.BIGINT()),
    (("smallint", "int2"), sa.SMALLINT()),
    (("boolean", "bool"), Boolean()),
    (("double precision", "float8", "float"), pg.DOUBLE_PRECISION()),
    (("real", "float4"), Real()),
    (("numeric", "decimal"), Numeric()),
    (("varchar", "character varying"), sa.VARCHAR()),
    (("timestamptz", "timestamp with time zone"), pg.TIMESTAMP(timezone=True)),
    (("timestamp", "timestamp without time zone"), pg.TIMESTAMP()),
    (("date",), sa.DATE()),
    (("time", "time without time zone"), pg.TIME()),
    (("timetz", "time with time zone"), pg.TIME(timezone=True)),
    (("jsonb",), Jsonb()),
    (("json",), Json()),
    (("bytea",), pg.BYTEA()),
    (("tsvector",), pg.TSVECTOR()),
    (("interval",), pg.INTERVAL()),
    (("citext",), pg.CITEXT()),
):
    for _name in _names:
        _PLAIN[_name] = _type

_WITH_ARGUMENTS: tuple[tuple[re.Pattern[str], Callable[..., TypeEngine[Any]]], ...] = (
    (re.compile(r"(?:numeric|decimal) ?\( ?(\d+) ?(?:, ?(\d+) ?)?\)"), Numeric),
    (re.compile(r"(?:varchar|character varying) ?\( ?(\d+) ?\)"), sa.VARCHAR),
)


@cache
def _item_type(sql: str) -> TypeEngine[Any]:
    text = " ".join(sql.lower().split())
    if plain := _PLAIN.get(text):
        return plain
    for pattern, make in _WITH_ARGUMENTS:
        if match := pattern.fullmatch(text):
            return make(*(int(group) for group in match.groups() if group is not None))
    if text.endswith("[]"):
        return Array(_item_type(sql.strip()[:-2]))
    return OtherType(sql.strip())


@cache
def _array_type(sql: str) -> TypeEngine[Any]:
    return Array(_item_type(sql))


def sql_type(value_type: ValueType) -> TypeEngine[Any]:
    """Return the SQLAlchemy type of a column or bind of `value_type`. Equal SQL types give the same object.

    Args:
        value_type: `sql` is the Postgres type of one item. `is_list` makes it an array.
    """
    return _array_type(value_type.sql) if value_type.is_list else _item_type(value_type.sql)


# asyncpg reads these as Python's values. They are fewer than those of Postgres, and it mistakes some for others:
# 9999-12-31 for infinity.
_BOUND_AS_TEXT = frozenset({"DateTime", "Date", "Time"})


def is_list_of_decimals(value_type: ValueType) -> bool:
    """Return whether binds of a type are lists of decimals: as texts, for asyncpg would write digit by digit."""
    return value_type.is_list and value_type.name == "Decimal"


def sql_text(type_: TypeEngine[Any]) -> str:
    """Return the name of a type in SQL."""
    return type_.compile(_DIALECT)


@cache
def bound_type(value_type: ValueType) -> TypeEngine[Any]:
    """Return the SQLAlchemy type of a bind: that of `sql_type`, or one whose values are texts."""
    found = sql_type(value_type)
    if value_type.name not in _BOUND_AS_TEXT and not is_list_of_decimals(value_type):
        return found
    # Postgres reads the text: `$1::TEXT::DATE`.
    return OtherType(f"{'TEXT[]' if value_type.is_list else 'TEXT'}::{sql_text(found)}")
