"""The types that make up the schema: graphql-core's, without its check of every single name.

That check takes a fifth of the time of building a schema. All names come from a checked
document or are derived from it, and the tests validate whole schemas.
"""

from __future__ import annotations

from functools import cached_property

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLFieldResolver,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
)
from graphql.type import resolve_thunk


class ObjectType(GraphQLObjectType):
    """An object type of `GraphQLField`s."""

    @cached_property
    def fields(self) -> dict[str, GraphQLField]:
        """The fields by name."""
        return dict(resolve_thunk(self._fields))


class InterfaceType(GraphQLInterfaceType):
    """An interface of `GraphQLField`s."""

    @cached_property
    def fields(self) -> dict[str, GraphQLField]:
        """The fields by name."""
        return dict(resolve_thunk(self._fields))


class InputType(GraphQLInputObjectType):
    """An input type of `GraphQLInputField`s."""

    @cached_property
    def fields(self) -> dict[str, GraphQLInputField]:
        """The fields by name."""
        return dict(resolve_thunk(self._fields))


def field(
    type_: GraphQLOutputType,
    arguments: dict[str, GraphQLArgument] | None = None,
    *,
    resolve: GraphQLFieldResolver | None = None,
    description: str | None = None,
    deprecation_reason: str | None = None,
) -> GraphQLField:
    """Return a field with its arguments."""
    built = GraphQLField(type_, resolve=resolve, description=description, deprecation_reason=deprecation_reason)
    if arguments:
        built.args = arguments
    return built
