"""What a statement reads, by its text: a second opinion on what the result of a query depends on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from clew.model.types import Model
from clew.plan.dependencies import Dependency

# As the compiler writes them: `FROM threads AS t0`, and `t0.owner_id` or `t0."order"`.
_ALIAS = re.compile(r'\b(?:FROM|JOIN) ("(?:[^"]|"")++"|\w+)(?:\.("(?:[^"]|"")++"|\w+))? AS (t\d+)\b')
_COLUMN = re.compile(r'\b(t\d+)\.("(?:[^"]|"")++"|\w+\b)(?! AS \2[,\s])')
# A subquery hands columns on under their names, those too that nothing outside of it uses.
_HANDED_ON = re.compile(r'\b(\w+)\.("(?:[^"]|"")++"|\w+) AS \2[,\s]')
_OUTSIDE = re.compile(r'\b((?!t\d)[a-z]+\d+)\.("(?:[^"]|"")++"|\w+\b)(?! AS \2[,\s])')

_NOTHING: AbstractSet[str] = frozenset()


def mentioned(sql: str) -> set[tuple[str, str]]:
    """Return the tables and columns that a statement of a read uses."""
    tables = {alias: _plain(second or first) for first, second, alias in _ALIAS.findall(sql)}
    handed_on = {
        (name, column): (alias, column)
        for name, inside in _subqueries(sql).items()
        for alias, column in _HANDED_ON.findall(inside)
    }
    used = {*_COLUMN.findall(sql), *_OUTSIDE.findall(sql)}
    while more := {handed_on[place] for place in used if place in handed_on} - used:
        used |= more
    return {(tables[alias], _plain(column)) for alias, column in used if alias in tables}


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _subqueries(sql: str) -> dict[str, str]:
    """Return the text of each subquery that has a name, by it, without the subqueries within."""
    found: dict[str, str] = {}
    texts: list[list[str]] = [[]]
    last = ""
    for part in re.split(r"([()])", sql):
        if part == "(":
            texts.append([])
        elif part == ")":
            closed = "".join(texts.pop())
            texts[-1].append("\0")
            last = closed
        else:
            if texts[-1] and texts[-1][-1] == "\0" and (name := re.match(r" AS ([a-z]+\d+)\b", part)):
                found[name[1]] = last
            texts[-1].append(part)
    return found


def missed(sql: str, dependencies: Iterable[Dependency], model: Model) -> set[tuple[str, str]]:
    """Return what a statement mentions and the dependencies do not have."""
    known: dict[str, AbstractSet[str] | None] = {}
    for dependency in dependencies:
        table = model.entity(dependency.entity).table
        before = known.setdefault(table, _NOTHING)
        columns = dependency.columns
        known[table] = None if before is None or columns is None else before | columns
    vectors = {entity.table: entity.search for entity in model.entities.values() if entity.search}
    read = mentioned(sql)
    # The vector of a table is made of other columns of its own.
    for table, parts in vectors.items():
        if (table, "search_vector") in read:
            read.remove((table, "search_vector"))
            read |= {(table, part.column) for part in parts}
    return {
        (table, column)
        for table, column in read
        if (own := known.get(table, _NOTHING)) is not None and column not in own
    }
