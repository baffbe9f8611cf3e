"""What a client learns of a constraint that a write has hit: its fields, and the message that the SDL gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from asyncpg import exceptions

from clew.errors import ClewError, Code
from clew.sql.tables import Tables


def violation(fields: Sequence[str] = (), message: str | None = None) -> ClewError:
    """The one error for a constraint, whether the row in the way is visible or hidden."""
    extensions = {"fields": list(fields)} if fields else None
    return ClewError(message or "The data do not allow this.", code=Code.CONSTRAINT_VIOLATION, extensions=extensions)


def from_database(
    error: BaseException | None, tables: Tables, shown: Callable[[str, Iterable[str]], Sequence[str]]
) -> ClewError | None:
    """The error for what Postgres raised, None if that was no constraint.

    Args:
        shown: those of an entity's fields, by its name, that the client's schema has.
    """
    if not isinstance(error, exceptions.IntegrityConstraintViolationError):
        return None
    found = error.as_dict()
    place = (found.get("schema_name") or "public", found.get("table_name") or "")
    info = tables.constraints.get((*place, found.get("constraint_name") or ""))
    if info is not None:
        return violation(shown(info.entity, info.fields), info.message)
    if isinstance(error, exceptions.NotNullViolationError):
        table = next((t for t in tables.metadata.tables.values() if (t.schema or "public", t.name) == place), None)
        column = None if table is None else table.columns.get(found.get("column_name") or "")
        if table is not None and column is not None and "column" in column.info:
            return violation(shown(table.info["entity"].name, [column.info["column"].name]))
    return violation()
