"""A plan compiled to SQL text for asyncpg, once, to be run many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from clew.model.types import Model
from clew.plan.types import Operand, Read, ReadPlan, Visible
from clew.sql.arguments import Argument, argument
from clew.sql.binds import Binds
from clew.sql.cursors import Cursors
from clew.sql.read import held_statement, read_statement, rows_statement
from clew.sql.tables import Tables

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
# SQLAlchemy renames what is within 6 bytes of this, and columns may have all of Postgres' 63.
_DIALECT.max_identifier_length = 1000


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$1`...; `operands` and the functions that compute their values, in that order.

    `orders` are the orders of the cursors in the result: where there are any they are to be sealed.
    """

    sql: str
    operands: tuple[Operand, ...]
    arguments: tuple[Argument, ...]
    orders: tuple[str, ...] = ()


def compile_read(plan: ReadPlan, model: Model, tables: Tables, cursors: Cursors) -> Statement:
    """The one statement of a query operation with at least one generated root field.

    Args:
        cursors: opens those among the arguments.
    """
    binds = Binds()
    return compiled(read_statement(plan, model, tables, binds), binds, cursors)


def compile_rows(read: Read, model: Model, tables: Tables, cursors: Cursors) -> Statement:
    """The statement that reads rows by given keys: `clew.sql.read.rows_statement`."""
    binds = Binds()
    return compiled(rows_statement(read, model, tables, binds), binds, cursors)


def compile_held(checks: Mapping[str, Visible], model: Model, tables: Tables, cursors: Cursors) -> Statement:
    """The statement that judges given keys: `clew.sql.read.held_statement`."""
    binds = Binds()
    return compiled(held_statement(checks, model, tables, binds), binds, cursors)


def compiled(select: Executable, binds: Binds, cursors: Cursors) -> Statement:
    """The text of a statement whose operands are in `binds`."""
    text: SQLCompiler = select.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    operands = tuple(binds.names[name] for name in text.positiontup or ())
    return Statement(
        text.string, operands, tuple(argument(operand, cursors) for operand in operands), tuple(binds.orders)
    )
