"""A plan compiled to SQL text for asyncpg, once, to be run many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import AliasedReturnsRows, SelectBase

from clew.access.types import Operand, Rows, Visible
from clew.model.types import Column, Entity, Model, Relation
from clew.plan.types import Read, ReadPlan
from clew.plan.write import Insert, Plan, Update
from clew.same import Same
from clew.sql.arguments import Argument, argument
from clew.sql.binds import Binds
from clew.sql.cursors import Cursors
from clew.sql.json import Json
from clew.sql.once import Once
from clew.sql.read import bounded, held_statement, order_statement, read_statement, rows_statement
from clew.sql.tables import Tables
from clew.sql.write import write_statement

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
# SQLAlchemy renames what is within 6 bytes of this, and columns may have all of Postgres' 63.
_DIALECT.max_identifier_length = 1000
# Characters of SQL, from which on a statement is taken apart when it is written.
_LARGE = 16 * 1024
# Bytes of statements of writes that are kept.
_WRITES = 16 * 1024 * 1024
# About how many bytes an operand takes, with what computes its value.
_BYTES_AN_OPERAND = 1200


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$1`...; `operands` and the functions that compute their values, in that order.

    `orders` are the orders of the cursors in the result: where there are any they are to be sealed. `conditions`:
    how many it has, where it stands beside an operation's one statement.
    """

    sql: str
    operands: tuple[Operand, ...]
    arguments: tuple[Argument, ...]
    orders: tuple[str, ...] = ()
    conditions: int = 0

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.sql) + _BYTES_AN_OPERAND * len(self.operands)


def compile_read(
    plan: ReadPlan, model: Model, tables: Tables, cursors: Cursors, *, is_bounded: bool = False
) -> Statement:
    """The one statement of a query operation with at least one generated root field.

    Args:
        cursors: opens those among the arguments.
        is_bounded: whether it gives no row where that would have more than `MOST_BYTES`.
    """
    binds = Binds()
    select = read_statement(plan, model, tables, binds)
    return compiled(bounded(select, binds) if is_bounded else select, binds, cursors)


def compile_rows(read: Read, model: Model, tables: Tables, cursors: Cursors, *, is_bounded: bool = False) -> Statement:
    """The statement that reads rows by given keys: `clew.sql.read.rows_statement`. Args as `compile_read`."""
    binds = Binds()
    select = rows_statement(read, model, tables, binds)
    return compiled(bounded(select, binds) if is_bounded else select, binds, cursors)


def compile_order(rows: Rows, model: Model, tables: Tables, cursors: Cursors) -> Statement:
    """The statement that puts given keys in order: `clew.sql.read.order_statement`."""
    binds = Binds()
    return compiled(order_statement(rows, model, tables, binds), binds, cursors)


def compile_held(checks: Mapping[str, Visible], model: Model, tables: Tables, cursors: Cursors) -> Statement:
    """The statement that judges given keys: `clew.sql.read.held_statement`."""
    binds = Binds()
    return compiled(held_statement(checks, model, tables, binds), binds, cursors)


class WriteStatements:
    """The statements of write plans, each compiled once."""

    def __init__(self, model: Model, tables: Tables, cursors: Cursors) -> None:
        self._model = model
        self._tables = tables
        self._cursors = cursors
        self._kept: LRUCache[Any, Statement] = LRUCache(_WRITES, getsizeof=lambda statement: statement.size)

    def get(self, plan: Plan, *, keep: bool = True) -> Statement:
        """Return the statement of a plan.

        Args:
            keep: False where the plan holds a client's condition: no two are alike.
        """
        key = _key(plan) if keep else None
        if key is not None and (found := self._kept.get(key)) is not None:
            return found
        binds = Binds()
        statement = compiled(write_statement(plan, self._model, self._tables, binds), binds, self._cursors)
        if key is not None:
            self._kept[key] = statement
        return statement


def _take_apart(select: Any) -> None:
    """Break the circles in a statement that has been written, so that it goes at once.

    SELECTs and what they select from keep what they have been asked, and each expression that has been compared its
    comparator: these lead back to them. The garbage collector would find them all at one time, and stop everything else
    for as long.
    """
    seen: set[int] = set()
    pending = [select]
    while pending:
        element = pending.pop()
        if id(element) not in seen:
            seen.add(id(element))
            pending.extend(element.parts() if isinstance(element, Once | Json) else element.get_children())
            element.__dict__.pop("comparator", None)
            # Made for this statement alone, unlike tables and constants.
            if isinstance(element, SelectBase | AliasedReturnsRows):
                element.__dict__.clear()


def _key(plan: Plan) -> Any:
    """Return a key that tells a plan from all others.

    What rules say is told apart by identity: `Access` makes it once, and to compare conditions would take long.
    """
    return (type(plan), *(_part_key(getattr(plan, field.name)) for field in fields(plan)))


def _part_key(part: Any) -> Any:
    match part:
        case None | bool() | str():
            return part
        case Entity() | Column() | Relation():
            return part.name
        case list() | tuple():
            return tuple(map(_part_key, part))
        case Insert() | Update():
            return _key(part)
    return Same(part)


def compiled(select: Executable, binds: Binds, cursors: Cursors) -> Statement:
    """The text of a statement whose operands are in `binds`."""
    text: SQLCompiler = select.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    operands = tuple(binds.names[name] for name in text.positiontup or ())
    if len(text.string) > _LARGE:
        _take_apart(select)
    return Statement(
        text.string, operands, tuple(argument(operand, cursors) for operand in operands), tuple(binds.orders)
    )
