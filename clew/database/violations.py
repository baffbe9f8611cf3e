"""The error that a client gets for a violated constraint: its kind, its place, and its message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import asyncpg
from asyncpg import exceptions
from graphql import GraphQLSchema
from sqlalchemy.exc import DBAPIError

from clew.database.errors import client_error
from clew.errors import ClewError, Code
from clew.sql.constraints import ConstraintInfo, Kind
from clew.sql.tables import Tables


class ViolationError(ClewError):
    """The error for a violated constraint. It is the same whether the row in the way is visible or hidden.

    Args:
        kind: None for a constraint that Clew does not know, such as one of a trigger.
        entity: the name of the entity whose constraint it is, if the viewer's schema has it.
        fields: fields of that entity.
    """

    def __init__(
        self, kind: Kind | None, entity: str | None = None, fields: Sequence[str] = (), message: str | None = None
    ) -> None:
        named = {"kind": kind, "entity": entity, "fields": list(fields)}
        told = "A database constraint was violated."
        if kind is Kind.REFERENCE and fields:
            told = f"`{fields[0]}` leads to no row."
        super().__init__(
            message or told,
            code=Code.CONSTRAINT_VIOLATION,
            extensions={name: value for name, value in named.items() if value},
        )

    def at(self, path: Sequence[str | int]) -> Self:
        """Name the row: the path to its values within the arguments of the root field."""
        self.extensions["path"] = list(path)
        return self


# The errors of Postgres, the more special ones first.
_KINDS: Sequence[tuple[type[Exception], Kind]] = (
    (exceptions.UniqueViolationError, Kind.UNIQUE),
    (exceptions.ForeignKeyViolationError, Kind.REFERENCE),
    (exceptions.RestrictViolationError, Kind.REFERENCE),
    (exceptions.CheckViolationError, Kind.CHECK),
    (exceptions.NotNullViolationError, Kind.REQUIRED),
    (exceptions.ExclusionViolationError, Kind.EXCLUSION),
)


class KeyTakenError(ViolationError):
    """Another row has the unique key. It may have been written a moment ago."""


def refined(error: ClewError, tables: Tables, schema: GraphQLSchema) -> ClewError:
    """Return the error with the fields and the message of the constraint that caused it, if one did."""
    return from_database(error.__cause__, tables, schema) or error


def cause_of(error: BaseException | None, tables: Tables, schema: GraphQLSchema) -> BaseException | None:
    """Return the error that a client gets for a fault on `info.context.connection` or the driver's connection below.

    Returns:
        the error itself if it is another kind of fault, or is a ClewError already.
    """
    cause = _of_driver(error)
    if cause is None or isinstance(error, ClewError):
        return error
    mapped = client_error(cause)
    return error if mapped.code is Code.INTERNAL else from_database(cause, tables, schema) or mapped


def from_database(error: BaseException | None, tables: Tables, schema: GraphQLSchema) -> ClewError | None:
    """Return the error for a violated constraint, or None if Postgres raised another fault.

    Args:
        schema: the viewer's. The error names only fields in it.
    """
    if not isinstance(error, exceptions.IntegrityConstraintViolationError):
        return None
    kind = next((kind for raised, kind in _KINDS if isinstance(error, raised)), None)
    violation = KeyTakenError if kind is Kind.UNIQUE else ViolationError
    details = error.as_dict()
    place = (details.get("schema_name") or "public", details.get("table_name") or "")
    info = tables.constraints.get((*place, details.get("constraint_name") or ""))
    if info is not None:
        return violation(kind, *_named(info, schema), _told(info, schema))
    if isinstance(error, exceptions.NotNullViolationError):
        table = next((t for t in tables.metadata.tables.values() if (t.schema or "public", t.name) == place), None)
        column = None if table is None else table.columns.get(details.get("column_name") or "")
        if table is not None and column is not None and "column" in column.info:
            entity = table.info["entity"].name
            return violation(kind, *_named(ConstraintInfo(entity, (column.info["column"].name,)), schema))
    return violation(kind)


def reference(entity: str, relation: str, message: str | None, schema: GraphQLSchema) -> ViolationError:
    """Return the error for a to-one that leads to no row, or to a hidden one."""
    info = ConstraintInfo(entity, (relation,), message)
    return ViolationError(Kind.REFERENCE, *_named(info, schema), _told(info, schema))


def _told(info: ConstraintInfo, schema: GraphQLSchema) -> str | None:
    """Return the message of a constraint. One about hidden fields alone is not told."""
    return info.message if not info.fields or known(info.fields, info.entity, schema) else None


def _named(info: ConstraintInfo, schema: GraphQLSchema) -> tuple[str | None, list[str]]:
    """Return the entity and the fields of a constraint that the viewer's schema has."""
    entity = info.entity if info.entity in schema.type_map else None
    return entity, known(info.fields, info.entity, schema)


def _of_driver(error: BaseException | None) -> BaseException | None:
    """Return the driver's error, also if Clew's own layers or SQLAlchemy wrapped it."""
    if isinstance(error, DBAPIError):
        error = error.orig
    if isinstance(error, asyncpg.PostgresError):
        return error
    cause = error.__cause__ if error is not None else None
    return cause if isinstance(cause, asyncpg.PostgresError) else None


def known(fields: Iterable[str], entity: str, schema: GraphQLSchema) -> list[str]:
    """Return the entity's fields that the viewer may read or write."""
    types = (schema.type_map.get(name) for name in (entity, f"{entity}CreateInput", f"{entity}SetInput"))
    known = {name for type_ in types if type_ is not None for name in type_.fields}  # type: ignore[attr-defined]  # types of these names have fields
    return [name for name in fields if name in known]
