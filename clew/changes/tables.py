"""Which tables of the model a change in the log is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from clew.changes.types import Change, ChangeKind, TableName
from clew.model.types import Model
from clew.sql.literals import quote_name

_KINDS = {
    b"I": ChangeKind.INSERT,
    b"U": ChangeKind.UPDATE,
    b"D": ChangeKind.DELETE,
    b"R": ChangeKind.RESET,
}


def logged_tables(model: Model) -> tuple[TableName, ...]:
    """Return the tables of the model whose changes are logged."""
    return tuple(dict.fromkeys((e.schema, e.table) for e in model.entities.values() if e.logged))


def quoted(names: Iterable[TableName]) -> list[str]:
    """Return the names as SQL writes them."""
    return [
        quote_name(table) if schema is None else f"{quote_name(schema)}.{quote_name(table)}" for schema, table in names
    ]


class Relations:
    """The relations of the database that hold the rows of the model's tables.

    A statement is logged for the table that it names. A change of a partition is one of the partitioned table; a change
    of the partitioned table may be one of any partition.

    Args:
        names: the tables of the model.
        found: rows of `RELATIONS`: the number of a name, and the OID of its table (true) or of an heir of that (false).
    """

    def __init__(self, names: Sequence[TableName], found: Collection[Sequence[Any]]) -> None:
        self.roots: Mapping[TableName, int] = {
            names[number]: relation for number, relation, is_named in found if is_named
        }
        self._holds: dict[int, list[TableName]] = {}
        self._may_hold: dict[int, list[TableName]] = {}
        for number, relation, is_named in found:
            self._holds.setdefault(relation, []).append(names[number])
            if not is_named:
                above = self.roots[names[number]]
                self._may_hold.setdefault(above, []).extend(n for n, root in self.roots.items() if root == relation)

    def knows(self, relation: int) -> bool:
        return relation in self._holds

    def changes(self, rows: Iterable[Sequence[Any]], wanted: Collection[TableName] | None = None) -> Iterator[Change]:
        """Yield the changes of the model's tables, or of those that are wanted.

        Args:
            rows: of the log: id, relation, kind, the row before and after, and the time.
        """
        for id_, relation, kind, old, new, at in rows:
            for schema, table in self._holds.get(relation, ()):
                if wanted is None or (schema, table) in wanted:
                    yield Change(id_, schema, table, _KINDS[kind], old, new, at)
            for schema, table in self._may_hold.get(relation, ()):
                if wanted is None or (schema, table) in wanted:
                    yield Change(id_, schema, table, ChangeKind.RESET, at=at)
