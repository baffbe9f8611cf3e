"""Arguments and results of jobs as JSON, in the API's form, and back as Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    coerce_input_value,
    get_named_type,
    is_composite_type,
)
from graphql.utilities.coerce_input_value import coerce_default_value

from clew.json_numbers import Written
from clew.model.names import snake_case
from clew.model.types import Entity, Model
from clew.resolvers.job_results import fitting
from clew.sql.keys import key_reader


def arguments_json(field: GraphQLField, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call as JSON values by their GraphQL names. An absent argument stays absent.

    Args:
        arguments: as resolvers get them.
    """
    found: dict[str, Any] = {}
    for name, argument in field.args.items():
        key = argument.out_name or name
        if key in arguments:
            found[name] = _input_json(arguments[key], argument.type)
    return found


def decoder(field: GraphQLField) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return the function that turns the arguments back into those of a handler: Python values by names in snake case.

    It raises ValueError if a value does not fit. So it does if an earlier version of the schema had other arguments.
    """

    def decode(arguments: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, argument in field.args.items():
            given = name in arguments
            value = coerce_input_value(arguments[name], argument.type) if given else coerce_default_value(argument)
            if value is not Undefined:
                found[snake_case(name)] = value
            elif given or isinstance(argument.type, GraphQLNonNull):
                raise ValueError(f"the argument {name!r} does not fit {argument.type}")
        return found

    return decode


def encoder(field: GraphQLField, model: Model, schema: GraphQLSchema) -> Callable[[Any], Any]:
    """Return the function that turns a handler's result into a JSON value of the field's declared type.

    It raises TypeError or ValueError if the result is not of that type.

    Args:
        field: `result` of the job's type.
        schema: the full one.
    """

    entity = model.entities.get(get_named_type(field.type).name)
    key = None if entity is None else _key_writer(entity, schema)
    fits = fitting(field.type, model, schema) if is_composite_type(get_named_type(field.type)) else None

    def encode(value: Any) -> Any:
        try:
            found = _result_json(value, field.type, key)
        except GraphQLError as error:
            raise ValueError(error.message) from error
        if fits is not None and not fits(found):
            raise ValueError(f"not a value of {field.type}")
        return found

    return encode


def _input_json(value: Any, type_: GraphQLInputType) -> Any:
    if value is None:
        return None
    if isinstance(type_, GraphQLNonNull):
        return _input_json(value, type_.of_type)
    if isinstance(type_, GraphQLList):
        return [_input_json(item, type_.of_type) for item in value]
    if isinstance(type_, GraphQLInputObjectType):
        fields = ((name, field, field.out_name or name) for name, field in type_.fields.items())
        return {name: _input_json(value[key], field.type) for name, field, key in fields if key in value}
    return _leaf_json(value, type_)


def _result_json(value: Any, type_: Any, key: Callable[[Any], Any] | None) -> Any:
    if value is None:
        return None
    if isinstance(type_, GraphQLNonNull):
        return _result_json(value, type_.of_type, key)
    if isinstance(type_, GraphQLList):
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise TypeError("not a list")
        return [_result_json(item, type_.of_type, key) for item in value]
    if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        return _leaf_json(value, type_)
    return value if key is None else key(value)


def _leaf_json(value: Any, type_: GraphQLLeafType) -> Any:
    found = type_.coerce_output_value(value)
    return found.value if isinstance(found, Written) else found


def _key_writer(entity: Entity, schema: GraphQLSchema) -> Callable[[Any], Any]:
    """Return what makes JSON of the key of a row: one value, or an object of the key's fields."""
    read = key_reader(entity, schema)

    def write(value: Any) -> Any:
        found = {name: _plain(part) for name, part in value.items()} if isinstance(value, Mapping) else _plain(value)
        # The same reads it when a client asks for the row.
        read(found)
        return found

    return write


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool) else str(value)
