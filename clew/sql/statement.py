"""Compile a plan once to SQL text for asyncpg, to run it many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from cachetools import LRUCache
from graphql.execution.values import VariableValues
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import AliasedReturnsRows, Join, SelectBase

from clew.access.types import Operand, Rows, Visible
from clew.model.types import Column, Entity, Model, Relation
from clew.plan.types import Changes, Read, ReadPlan
from clew.plan.write import Insert, Plan, Update
from clew.same import Same
from clew.sql.arguments import Argument, Effort, argument, operand_effort
from clew.sql.binds import Binds
from clew.sql.changes import ChangesCompiler, changes_statement
from clew.sql.cursors import Cursors
from clew.sql.effort import check_effort
from clew.sql.json import Json
from clew.sql.read import bounded, order_statement, read_statement, row_argument_statement, rows_statement
from clew.sql.repeated import Once
from clew.sql.tables import Tables
from clew.sql.write import write_statement

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
# SQLAlchemy renames identifiers within 6 bytes of this limit. Columns may use all 63 bytes of Postgres.
_DIALECT.max_identifier_length = 1000
# A statement with more characters of SQL than this is taken apart once its text is written.
_LARGE = 16 * 1024
# The most bytes of kept statements of writes.
_WRITES = 16 * 1024 * 1024
# The estimated bytes of an operand and the function that computes its value.
_BYTES_AN_OPERAND = 1200


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$1`..., its `operands`, and the functions that compute their values, in that order.

    `orders` are the orders of the cursors in the result. If there are any, the cursors must be sealed. `conditions` is
    the number of its conditions, if it runs in addition to an operation's main statement. `efforts` compute the work
    of comparing a row with the operands that may cause much, and have their places. `names` are those that the operands
    had while it was built. `reads` names the entities that conditions read, if it judges changes.
    """

    sql: str
    operands: tuple[Operand, ...]
    arguments: tuple[Argument, ...]
    orders: tuple[str, ...] = ()
    conditions: int = 0
    efforts: tuple[tuple[Effort, str], ...] = ()
    names: tuple[str, ...] = ()
    reads: frozenset[str] = frozenset()

    def bind(self, variables: VariableValues, given: Mapping[Any, Any]) -> list[Any]:
        """Return the values of its operands.

        Args:
            given: the values of claims and of `Supplied` operands.

        Raises:
            ClewError: BAD_USER_INPUT for a value that Postgres cannot take, LIMIT_EXCEEDED for operands that are too
                much work for one row.
        """
        if self.efforts:
            check_effort((compute(variables), place) for compute, place in self.efforts)
        return [compute(variables, given) for compute in self.arguments]

    @property
    def size(self) -> int:
        """The estimated bytes that it takes."""
        return len(self.sql) + _BYTES_AN_OPERAND * len(self.operands)


def compile_read(
    plan: ReadPlan, model: Model, tables: Tables, cursors: Cursors, *, is_bounded: bool = False
) -> Statement:
    """Compile the one statement of a query operation with at least one generated root field.

    Args:
        cursors: opens the cursors among the arguments.
        is_bounded: whether it returns no row if the row has more than `MOST_BYTES`.
    """
    binds = Binds()
    select = read_statement(plan, model, tables, binds)
    return compiled(bounded(select, binds) if is_bounded else select, binds, cursors)


def compile_rows(
    read: Read, model: Model, tables: Tables, cursors: Cursors, *, is_bounded: bool = False, one_row: bool = False
) -> Statement:
    """Compile `clew.sql.read.rows_statement`, which reads rows by given keys. Args as `compile_read` and `Binds`."""
    binds = Binds(one_row=one_row)
    select = rows_statement(read, model, tables, binds)
    return compiled(bounded(select, binds) if is_bounded else select, binds, cursors)


def compile_order(rows: Rows, model: Model, tables: Tables, cursors: Cursors) -> Statement:
    """Compile `clew.sql.read.order_statement`, which puts given keys in order."""
    binds = Binds()
    return compiled(order_statement(rows, model, tables, binds), binds, cursors)


def compile_row_argument_check(
    checks: Mapping[str, Visible], model: Model, tables: Tables, cursors: Cursors
) -> Statement:
    """Compile `clew.sql.read.row_argument_statement`, which judges given keys."""
    binds = Binds()
    return compiled(row_argument_statement(checks, model, tables, binds), binds, cursors)


def compile_changes(
    changes: Changes,
    shown: Iterable[Column],
    before: Iterable[str],
    model: Model,
    tables: Tables,
    cursors: Cursors,
) -> Statement:
    """Compile `clew.sql.changes.changes_statement`, which judges changes."""
    binds = Binds()
    compiler = ChangesCompiler(model, tables, binds)
    statement = compiled(changes_statement(changes, shown, before, compiler), binds, cursors)
    return replace(statement, reads=frozenset(compiler.read))


class WriteStatements:
    """The statements of write plans, each compiled once."""

    def __init__(self, model: Model, tables: Tables, cursors: Cursors) -> None:
        self._model = model
        self._tables = tables
        self._cursors = cursors
        self._kept: LRUCache[Any, Statement] = LRUCache(_WRITES, getsizeof=lambda statement: statement.size)

    def get(self, plan: Plan, *, keep: bool = True, one_row: bool = False) -> Statement:
        """Return the statement of a plan.

        Args:
            keep: False if the plan holds a client's condition, because no two such plans are alike.
            one_row: as for `Binds`.
        """
        key = (one_row, _key(plan)) if keep else None
        if key is not None and (found := self._kept.get(key)) is not None:
            return found
        binds = Binds(one_row=one_row)
        statement = compiled(write_statement(plan, self._model, self._tables, binds), binds, self._cursors)
        if key is not None:
            self._kept[key] = statement
        return statement


def _take_apart(select: Any) -> None:
    """Break the reference cycles of a compiled statement, so that Python frees it at once.

    SELECTs and their FROM items cache attributes, and each compared expression caches its comparator. These caches
    refer back to them. Otherwise the garbage collector would find all of them at one time, and block the process.
    """
    seen: set[int] = set()
    pending = [select]
    while pending:
        element = pending.pop()
        if id(element) not in seen:
            seen.add(id(element))
            pending.extend(element.parts() if isinstance(element, Once | Json) else element.get_children())
            element.__dict__.pop("comparator", None)
            # Only these are made for one statement, unlike tables and constants.
            if isinstance(element, SelectBase | AliasedReturnsRows | Join):
                element.__dict__.clear()


def _key(plan: Plan) -> Any:
    """Return a key that tells a plan from all others.

    It compares the conditions of rules by identity. `Access` makes them once, and comparing their content is slow.
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
    """Compile a statement whose operands are in `binds` to text."""
    text: SQLCompiler = select.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # every statement that Clew makes compiles
    operands = tuple(binds.names[name] for name in text.positiontup or ())
    if len(text.string) > _LARGE:
        _take_apart(select)
    efforts = ((operand_effort(operand), operand.place) for operand in operands)
    return Statement(
        text.string,
        operands,
        tuple(argument(operand, cursors) for operand in operands),
        tuple(binds.orders),
        efforts=tuple((compute, place) for compute, place in efforts if compute is not None),
        names=tuple(text.positiontup or ()),
    )
