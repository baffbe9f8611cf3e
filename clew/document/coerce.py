"""Input coercion, compiled: what graphql-core's does of values that fit, many times faster where there are many.

https://spec.graphql.org/draft/#sec-Input-Objects.Input-Coercion. A value that does not fit is graphql-core's to
coerce again, for its errors say where and why.
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

# Gives the value of JSON, this many nested levels.
Coerce = Callable[[Any, int], Any]

# Where an input type keeps what coerces it: compiled when it is first met, since types of inputs go round in circles.
# It leads to the type again: kept beside it, it would keep the type, and with it the schema of its roles.
_COERCE = "clew.coerce"


class UnfitError(Exception):
    """The value does not fit its type, or graphql-core must say."""


def coercer(type_: GraphQLInputType) -> Coerce:
    """What coerces values of a type; raises UnfitError, or whatever a scalar raises."""
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
    found: Coerce | None = None

    def coerce(value: Any, depth: int) -> Any:
        nonlocal found
        if found is None:
            found = _of_object(type_)
        return found(value, depth)

    return coerce


def _of_object(type_: GraphQLInputObjectType) -> Coerce:
    found: Coerce | None = type_.extensions.get(_COERCE)
    if found is None:
        found = type_.extensions[_COERCE] = _object(type_)
    return found


def _object(type_: GraphQLInputObjectType) -> Coerce:
    fields = [_field(name, field) for name, field in type_.fields.items()]
    one_of = type_.is_one_of
    make = None if type_.out_type is GraphQLInputObjectType.out_type else type_.out_type

    def coerce(value: Any, depth: int) -> Any:
        if depth >= MAX_NESTING_DEPTH or not isinstance(value, dict):
            raise UnfitError
        found: dict[str, Any] = {}
        given = 0
        for name, out, leaf, inner, default, required in fields:
            if name in value:
                given += 1
                item = value[name]
                # Nearly all of them: a call less each.
                found[out] = inner(item, depth + 1) if leaf is None or item is None else leaf(item)
            elif required:
                raise UnfitError
            elif default is not Undefined:
                found[out] = default
        if given < len(value) or (one_of and (given != 1 or None in found.values())):
            raise UnfitError
        return found if make is None else make(found)

    return coerce


def _field(name: str, field: GraphQLInputField) -> tuple[str, str, Callable[[Any], Any] | None, Coerce, Any, bool]:
    """The field's name, that in Python, what coerces it if it is a leaf and not null, what does in any case,
    its default, and whether it must be given."""
    type_ = get_nullable_type(field.type)
    leaf = type_.coerce_input_value if is_leaf_type(type_) else None
    inner, default = coercer(field.type), coerce_default_value(field)
    return name, field.out_name or name, leaf, inner, default, is_required_input_field(field)
