"""Conditions that join the rows of one level to the level around it."""

from __future__ import annotations

from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, FromClause

from clew.access.types import Predicate, Rows, Visible
from clew.model.types import Relation
from clew.sql.scope import Scope


class Levels(Protocol):
    """A builder of a statement's levels: fresh aliases and the conditions of rows."""

    def scope(self, entity_name: str, outer: Scope | None, *, links: bool = False) -> Scope: ...

    def restricted(
        self, rows: Rows, scope: Scope, ruled: Scope | None = None
    ) -> tuple[FromClause[Any], list[ColumnElement[bool]]]: ...

    def opened(self, mask: Predicate, scope: Scope) -> ColumnElement[bool]: ...


def join(levels: Levels, relation: Relation, outer: Scope, inner: Scope, link: Visible | None) -> ColumnElement[bool]:
    """Return the condition that a row of `inner` is at the other end of `relation` from `outer`.

    A many-to-many is a semi-join. So two links to one row do not double it. The target also stays the only FROM item:
    computed expressions rely on that.
    """
    if relation.through is None:
        return sa.and_(*(inner.key(remote) == outer.key(local) for local, remote in relation.on))
    assert link is not None
    through = levels.scope(relation.through.entity, inner, links=True)
    conditions = [through.key(column) == outer.key(local) for local, column in relation.through.local]
    source, restrictions = levels.restricted(Rows(link), through)
    remote = relation.through.remote
    statement = sa.select(*(through.key(column) for column, _ in remote)).select_from(source)
    statement = through.correlate(statement.where(*conditions, *restrictions))
    if len(remote) == 1:  # alike if false: a tuple of one
        return inner.key(remote[0][1]).in_(statement)
    return sa.tuple_(*(inner.key(target) for _, target in remote)).in_(statement)


def local_columns(relation: Relation) -> tuple[str, ...]:
    """Return the SQL columns of the row that the relation starts from."""
    pairs = relation.on if relation.through is None else relation.through.local
    return tuple(local for local, _ in pairs)
