"""Build a schema for each role set. Hidden fields and types do not exist in it."""

from __future__ import annotations

from dataclasses import dataclass

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
)

from clew.access.sight import Sight
from clew.access.types import Claim
from clew.access.visible import Access
from clew.document.limits import Limits, RoleLimits
from clew.model.types import Model
from clew.schema.build import build_schema
from clew.viewer import ANON, Viewer


@dataclass(frozen=True, slots=True, eq=False)
class RoleSchema:
    """The schema of a role set, the claims that its rules name, and its limits."""

    sight: Sight
    schema: GraphQLSchema
    claims: frozenset[Claim]
    limits: Limits


def roles_of(viewer: Viewer, known: frozenset[str]) -> Sight:
    """Return the role set of a viewer who is not an admin, without roles that no rule and no limit names."""
    return Sight(admin=False, roles=(viewer.roles | {ANON}) & known)


def role_schema(access: Access, model: Model, full: GraphQLSchema, roles: Sight, role_limits: RoleLimits) -> RoleSchema:
    """Build the schema of a role set. It takes hundreds of milliseconds for hundreds of entities.

    Args:
        full: the schema of everything, with resolvers bound.
        roles: the role set, without claims.
    """
    limits = role_limits.of(roles.roles, admin=roles.admin)
    if roles.admin:
        return RoleSchema(roles, full, access.rules.guard_claims(), limits)
    schema = build_schema(model, access.openings(roles), access.custom_fields(roles))
    _copy_bindings(full, schema)
    return RoleSchema(roles, schema, access.rules.claims(roles.roles), limits)


def schema_of(model: Model, full: GraphQLSchema, viewer: Viewer) -> GraphQLSchema:
    """Return the schema of a viewer's roles for printing, without Ariadne's bindings."""
    if viewer.is_admin:
        return full
    access = Access(model)
    sight = roles_of(viewer, access.rules.roles())
    return build_schema(model, access.openings(sight), access.custom_fields(sight))


def _copy_bindings(source: GraphQLSchema, target: GraphQLSchema) -> None:
    """Copy Ariadne's bindings from the types of `source` to the types of the same name in `target`."""
    for name, type_ in target.type_map.items():
        bound = source.type_map.get(name)
        if isinstance(type_, GraphQLObjectType) and isinstance(bound, GraphQLObjectType):
            type_.is_type_of = bound.is_type_of
            for field_name, field in type_.fields.items():
                field.resolve = bound.fields[field_name].resolve
                field.subscribe = bound.fields[field_name].subscribe
        elif isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            assert isinstance(bound, GraphQLInterfaceType | GraphQLUnionType)
            type_.resolve_type = bound.resolve_type
        elif isinstance(type_, GraphQLEnumType) and isinstance(bound, GraphQLEnumType):
            for value_name, value in type_.values.items():
                value.value = bound.values[value_name].value
        elif isinstance(type_, GraphQLScalarType) and isinstance(bound, GraphQLScalarType) and type_ is not bound:
            type_.coerce_input_value = bound.coerce_input_value
            type_.coerce_input_literal = bound.coerce_input_literal
            type_.coerce_output_value = bound.coerce_output_value
