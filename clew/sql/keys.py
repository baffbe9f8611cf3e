"""Read keys of rows that the user's own code and clients give."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLEnumType, GraphQLError, GraphQLSchema

from clew.access.types import Keys, Past, Supplied
from clew.document.inputs import enum_names
from clew.errors import ClewError
from clew.model.types import Column, Entity
from clew.schema.scalars import SCALARS
from clew.sql.arguments import key_value

# The values of a key's columns in their order, as asyncpg takes them.
Key = tuple[Any, ...]


def key_reader(entity: Entity, schema: GraphQLSchema) -> Callable[[Any], Key]:
    """Return a function that reads the keys that a resolver returned.

    It takes, for a key of one column, its value as Python or JSON has it. For a composite key, it takes a dict of these
    values by the names of the key's fields. It raises TypeError for a value that is not a key of the entity. That is a
    fault of the resolver.
    """
    columns = entity.key_columns

    def read(value: Any) -> Key:
        try:
            return _read(value, entity, columns, schema, entity.name)
        except (ClewError, GraphQLError, ValueError, TypeError) as error:
            names = ", ".join(entity.primary_key)
            expected = f"a dict of {names}" if len(columns) > 1 else f"its {names}"
            raise TypeError(f"{value!r} is not a key of {entity.name}: return {expected}") from error

    return read


def read_key(value: Any, entity: Entity, schema: GraphQLSchema, place: str) -> Key:
    """Read a key. Its values may be those of variables, or Python's.

    Raises:
        ClewError: BAD_USER_INPUT, naming `place`, for a value that Postgres cannot take.
        GraphQLError, TypeError: it does not have the form of a key.
    """
    return _read(value, entity, entity.key_columns, schema, place)


def _read(value: Any, entity: Entity, columns: Sequence[Column], schema: GraphQLSchema, place: str) -> Key:
    if len(columns) == 1:
        return (_value(value, columns[0], schema, place),)
    if not isinstance(value, Mapping) or set(value) != set(entity.primary_key):
        raise TypeError("not a dict of the key's fields")
    return tuple(_value(value[column.name], column, schema, f"{place}.{column.name}") for column in columns)


def bound_keys(entity: Entity, keys: Sequence[Key], of: str | Past | None = None) -> dict[Supplied, Any]:
    """Return keys as the lists that a statement binds, one for each key column.

    Args:
        of: which of the given keys of the statement these are.
    """
    return {Keys(column.name, of): [key[number] for key in keys] for number, column in enumerate(entity.key_columns)}


def _value(value: Any, column: Column, schema: GraphQLSchema, place: str) -> Any:
    type_ = column.type
    if type_.is_enum:
        enum = schema.type_map[type_.name]
        assert isinstance(enum, GraphQLEnumType)
        value = enum_names(value, enum)
    elif isinstance(value, uuid.UUID):
        value = str(value)
    elif not isinstance(value, str | int | float):
        value = SCALARS[type_.name].coerce_output_value(value)
    return key_value(value, type_, place)
