"""One statement that runs a read plan for many members at once.

The members of a plan differ only in the values of its operands. These come as rows, and the plan's statement stands
beside them as a LATERAL subquery. So Postgres parses, plans and answers once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clew.access.types import Logged, Operand
from clew.model.types import Column, Model
from clew.plan.types import Changes, ReadPlan
from clew.sql.binds import Binds, compared_type
from clew.sql.changes import ChangesCompiler, changes_statement
from clew.sql.cursors import Cursors
from clew.sql.read import bounded, read_statement
from clew.sql.statement import Statement, compiled
from clew.sql.tables import Tables
from clew.sql.types import bound_type, sql_text, sql_type

# No alias of a statement begins like this.
_MEMBERS = "clew_member"


@dataclass(frozen=True, slots=True)
class MemberStatement:
    """SQL that returns, for each member with a result, its number from 1 and the columns of the plan's statement.

    `positions` are those of its operands among the arguments of the plan's own statement, None for an operand that
    stands nowhere in its text. `lists` says which operands are lists, and `shared` which are the same for all members.
    """

    sql: str
    positions: tuple[int | None, ...]
    lists: tuple[bool, ...]
    shared: tuple[bool, ...]

    def bind(self, members: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the arguments.

        Args:
            members: for each member, the arguments of the plan's own statement.
        """
        found: list[Any] = []
        for position, is_list, is_shared in zip(self.positions, self.lists, self.shared, strict=True):
            values = [None if position is None else arguments[position] for arguments in members]
            if is_shared:
                found.append(values[0])
                continue
            if not is_list:
                found.append(values)
                continue
            # An array of arrays would be one array of two dimensions, so the lists are slices of a flat array.
            flat: list[Any] = []
            starts: list[int | None] = []
            ends: list[int | None] = []
            for value in values:
                starts.append(None if value is None else len(flat) + 1)
                flat += value or ()
                ends.append(None if value is None else len(flat))
            found += (flat, starts, ends)
        return found


def arguments_key(value: Any) -> Any:
    """Return a key of a statement's arguments. To Python True equals 1, which is another argument."""
    if isinstance(value, list | tuple):
        return tuple(map(arguments_key, value))
    return type(value), value


class _MemberBinds(Binds):
    """Takes the operands of a statement from the columns of the members' rows."""

    def __init__(self) -> None:
        super().__init__()
        # The FROM item's arguments and columns, and the number of the last parameter.
        self.arrays: list[str] = []
        self.columns: list[str] = []
        self._last = 0
        self._made: dict[str, ColumnElement[Any]] = {}

    def _parameter(self, name: str, operand: Operand) -> ColumnElement[Any]:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._column(operand)
        return made

    def _column(self, operand: Operand) -> ColumnElement[Any]:
        type_ = compared_type(operand.type)
        # `TEXT::DATE`: Postgres reads the text.
        sent, *cast = sql_text(bound_type(type_)).split("::", 1)
        if isinstance(operand.source, Logged):
            text = f"${self._number()}::{sent}"
        elif operand.type.is_list:
            values = f"${self._number()}::{sent}"
            bounds = self._add("INTEGER"), self._add("INTEGER")
            text = f"(({values})[{bounds[0]}:{bounds[1]}])"
        else:
            text = self._add(sent)
        return sa.literal_column("::".join((text, *cast)), sql_type(type_))

    def _add(self, sent: str) -> str:
        column = f"a{len(self.columns)}"
        self.columns.append(column)
        self.arrays.append(f"${self._number()}::{sent}[]")
        return f"{_MEMBERS}.{column}"

    def _number(self) -> int:
        self._last += 1
        return self._last


def compile_members(
    plan: ReadPlan, own: Statement, model: Model, tables: Tables, cursors: Cursors, *, is_bounded: bool
) -> MemberStatement | None:
    """Compile the statement of a plan for many members. Return None if the plan has no operands.

    Args:
        own: the plan's own statement.
        is_bounded: as it was compiled.
    """
    binds = _MemberBinds()
    select = read_statement(plan, model, tables, binds)
    one = compiled(bounded(select, binds) if is_bounded else select, binds, cursors)
    return _of_members(one, own, binds)


def compile_change_members(
    changes: Changes,
    shown: Iterable[Column],
    before: Iterable[str],
    own: Statement,
    model: Model,
    tables: Tables,
    cursors: Cursors,
) -> MemberStatement | None:
    """Compile the statement that judges the same changes for many members. Return None if they do not differ.

    Args:
        shown, before: as for `clew.sql.changes.changes_statement`.
        own: the statement for one member.
    """
    binds = _MemberBinds()
    select = changes_statement(changes, shown, before, ChangesCompiler(model, tables, binds))
    return _of_members(compiled(select, binds, cursors), own, binds)


def _of_members(one: Statement, own: Statement, binds: _MemberBinds) -> MemberStatement | None:
    if not binds.columns:
        return None
    position = {name: index for index, name in enumerate(own.names)}
    members = f"unnest({', '.join(binds.arrays)}) WITH ORDINALITY AS {_MEMBERS}({', '.join(binds.columns)}, i)"
    sql = f"SELECT {_MEMBERS}.i, clew_result.* FROM {members} CROSS JOIN LATERAL ({one.sql}) AS clew_result"  # noqa: S608 (compiled SQL)
    operands = tuple(binds.names.values())
    return MemberStatement(
        sql,
        tuple(position.get(name) for name in binds.names),
        tuple(operand.type.is_list for operand in operands),
        tuple(isinstance(operand.source, Logged) for operand in operands),
    )
