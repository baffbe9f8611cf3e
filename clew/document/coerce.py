"""Input coercion, compiled. It gives graphql-core's results for fitting values, and is many times faster on lists.

https://spec.graphql.org/draft/#sec-Input-Objects.Input-Coercion. graphql-core coerces a value that does not fit
again, because its errors tell the place and the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    get_nullable_type,
    is_leaf_type,
    is_required_input_field,
)
from graphql.language.parser import MAX_NESTING_DEPTH
from graphql.utilities.coerce_input_value import coerce_default_value

# Takes a JSON value and its nesting depth, and returns the coerced value.
Coerce = Callable[[Any, int], Any]

# The extension of an input type that holds its compiled coercer. It is compiled on first use, since input types may
# be recursive. It refers to the type, so a cache beside the type would keep the type and the schema of its roles.
_COERCE = "clew.coerce"


class UnfitError(Exception):
    """The value does not fit its type, or only graphql-core can decide."""


def coercer(type_: GraphQLInputType) -> Coerce:
    """Return the function that coerces values of a type. It raises UnfitError, or the error of a scalar."""
    if isinstance(type_, GraphQLNonNull):
        inner = _nullable(type_.of_type)

        def required(value: Any, depth: int) -> Any:
            if value is None:
                raise UnfitError
            return inner(value, depth)

        return required
    return _or_null(_nullable(type_))


def _or_null(inner: Coerce) -> Coerce:
    return lambda value, depth: None if value is None else inner(value, depth)


def _nullable(type_: Any) -> Coerce:
    if isinstance(type_, GraphQLInputObjectType):
        return _later(type_)
    if isinstance(type_, GraphQLList):
        item = coercer(type_.of_type)

        def items(value: Any, depth: int) -> Any:
            if depth >= MAX_NESTING_DEPTH:
                raise UnfitError
            if isinstance(value, list):
                return [item(one, depth + 1) for one in value]
            if isinstance(value, str | int | float | dict):
                return [item(value, depth + 1)]
            raise UnfitError

        return items
    leaf = type_.coerce_input_value
    return lambda value, _depth: leaf(value)


def _later(type_: GraphQLInputObjectType) -> Coerce:
    compiled: Coerce | None = None

    def coerce(value: Any, depth: int) -> Any:
        nonlocal compiled
        if compiled is None:
            compiled = _of_object(type_)
        return compiled(value, depth)

    return coerce


def _of_object(type_: GraphQLInputObjectType) -> Coerce:
    compiled: Coerce | None = type_.extensions.get(_COERCE)
    if compiled is None:
        compiled = type_.extensions[_COERCE] = _object(type_)
    return compiled


def _object(type_: GraphQLInputObjectType) -> Coerce:
    fields = [_field(name, field) for name, field in type_.fields.items()]
    one_of = type_.is_one_of
    make = None if type_.out_type is GraphQLInputObjectType.out_type else type_.out_type

    def coerce(value: Any, depth: int) -> Any:
        if depth >= MAX_NESTING_DEPTH or not isinstance(value, dict):
            raise UnfitError
        coerced: dict[str, Any] = {}
        known = 0
        for name, out, leaf, inner, default, required in fields:
            if name in value:
                known += 1
                item = value[name]
                # Most values are scalars or enums: this saves one call for each.
                coerced[out] = inner(item, depth + 1) if leaf is None or item is None else leaf(item)
            elif required:
                raise UnfitError
            elif default is not Undefined:
                coerced[out] = default
        if known < len(value) or (one_of and (known != 1 or None in coerced.values())):
            raise UnfitError
        return coerced if make is None else make(coerced)

    return coerce


def _field(name: str, field: GraphQLInputField) -> tuple[str, str, Callable[[Any], Any] | None, Coerce, Any, bool]:
    """Compile one field.

    Return its GraphQL name, its Python name, a coercer for non-null scalars and enums (None for other types),
    a coercer for any value, its default, and whether it is required.
    """
    type_ = get_nullable_type(field.type)
    leaf = type_.coerce_input_value if is_leaf_type(type_) else None
    inner, default = coercer(field.type), coerce_default_value(field)
    return name, field.out_name or name, leaf, inner, default, is_required_input_field(field)
