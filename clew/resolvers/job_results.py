"""Whether a value of JSON is one of a type, as graphql-core would complete it.

So a handler's result is judged before it is kept, and again when it is read: an earlier version of the schema may have
had another type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    default_field_resolver,
    default_type_resolver,
    is_abstract_type,
)

from clew.model.types import Model
from clew.sql.keys import key_reader


def fitting(type_: Any, model: Model, schema: GraphQLSchema) -> Callable[[Any], bool]:
    """Return the function that tells whether a value of JSON is one of an output type. Null is one of a nullable type.

    For an entity that is a key. Fields with a resolver of the application's own are the resolver's to judge.

    Args:
        schema: the full one.
    """

    def fits(value: Any, type_: Any) -> bool:
        if isinstance(type_, GraphQLNonNull):
            return value is not None and fits(value, type_.of_type)
        if value is None:
            return True
        if isinstance(type_, GraphQLList):
            return isinstance(value, list | tuple) and all(fits(item, type_.of_type) for item in value)
        if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
            return _completes(type_.coerce_output_value, value)
        entity = model.entities.get(type_.name)
        if entity is not None:
            return _completes(key_reader(entity, schema), value)
        if not isinstance(value, Mapping):
            return False
        if is_abstract_type(type_):
            if type_.resolve_type not in (None, default_type_resolver):
                return True
            named = schema.type_map.get(str(value.get("__typename")))
            if not isinstance(named, GraphQLObjectType) or not schema.is_sub_type(type_, named):
                return False
            type_ = named
        return all(fits(value.get(name), field.type) for name, field in type_.fields.items() if _is_plain(field))

    return lambda value: fits(value, type_)


def _completes(complete: Callable[[Any], Any], value: Any) -> bool:
    try:
        complete(value)
    except Exception:
        # For graphql-core any exception says that the value does not fit.
        return False
    return True


def _is_plain(field: GraphQLField) -> bool:
    """Return whether a field is what the object holds by its name."""
    return getattr(field.resolve, "__wrapped__", field.resolve) in (None, default_field_resolver)
