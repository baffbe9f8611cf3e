"""The types that the schema is built of: graphql-core's, without its check of every single name.

That takes a fifth of the time in which a schema is built. The names are those of a checked
document or made of them; the tests validate whole schemas.
"""

from __future__ import annotations

from functools import cached_property

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLFieldResolver,
    GraphQLInputField,
    GraphQLInputObjectType,
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
    """A field with its arguments."""
    found = GraphQLField(type_, resolve=resolve, description=description, deprecation_reason=deprecation_reason)
    if arguments:
        found.args = arguments
    return found
