"""What a client learns of a constraint that a write has hit: its fields, and the message that the SDL gives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg
from asyncpg import exceptions
from graphql import GraphQLSchema
from sqlalchemy.exc import DBAPIError

from clew.database.errors import client_error
from clew.errors import ClewError, Code
from clew.sql.tables import Tables


class ViolationError(ClewError):
    """The one error for a constraint, whether the row in the way is visible or hidden."""

    def __init__(self, fields: Sequence[str] = (), message: str | None = None) -> None:
        super().__init__(
            message or "A database constraint was violated.",
            code=Code.CONSTRAINT_VIOLATION,
            extensions={"fields": list(fields)} if fields else None,
        )


class KeyTakenError(ViolationError):
    """Another row has the unique key; it may have come a moment ago."""


def refined(error: ClewError, tables: Tables, schema: GraphQLSchema) -> ClewError:
    """The error with what is known of the constraint that caused it, if one did."""
    return from_database(error.__cause__, tables, schema) or error


def cause_of(error: BaseException | None, tables: Tables, schema: GraphQLSchema) -> BaseException | None:
    """What a fault on `info.context.connection`, or on the driver's connection below it, means to the client.

    Returns:
        the error itself if it is no such fault, or the resolver's own.
    """
    cause = _of_driver(error)
    if cause is None or isinstance(error, ClewError):
        return error
    mapped = client_error(cause)
    return error if mapped.code is Code.INTERNAL else from_database(cause, tables, schema) or mapped


def from_database(error: BaseException | None, tables: Tables, schema: GraphQLSchema) -> ClewError | None:
    """The error for what Postgres raised, None if that was no constraint.

    Args:
        schema: the viewer's: a field that is not in it is not named.
    """
    if not isinstance(error, exceptions.IntegrityConstraintViolationError):
        return None
    raised = KeyTakenError if isinstance(error, exceptions.UniqueViolationError) else ViolationError
    found = error.as_dict()
    place = (found.get("schema_name") or "public", found.get("table_name") or "")
    info = tables.constraints.get((*place, found.get("constraint_name") or ""))
    if info is not None:
        return raised(known(info.fields, info.entity, schema), info.message)
    if isinstance(error, exceptions.NotNullViolationError):
        table = next((t for t in tables.metadata.tables.values() if (t.schema or "public", t.name) == place), None)
        column = None if table is None else table.columns.get(found.get("column_name") or "")
        if table is not None and column is not None and "column" in column.info:
            return raised(known([column.info["column"].name], table.info["entity"].name, schema))
    return raised()


def _of_driver(error: BaseException | None) -> BaseException | None:
    """What the driver raised, as our own layers and SQLAlchemy pass it on."""
    if isinstance(error, DBAPIError):
        error = error.orig
    if isinstance(error, asyncpg.PostgresError):
        return error
    cause = error.__cause__ if error is not None else None
    return cause if isinstance(cause, asyncpg.PostgresError) else None


def known(fields: Iterable[str], entity: str, schema: GraphQLSchema) -> list[str]:
    """Those of the entity's fields that the viewer may read or write."""
    types = (schema.type_map.get(name) for name in (entity, f"{entity}CreateInput", f"{entity}SetInput"))
    known = {name for type_ in types if type_ is not None for name in type_.fields}  # type: ignore[attr-defined]
    return [name for name in fields if name in known]
