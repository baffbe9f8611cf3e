"""Where in the SDL a fault of the model is shown."""

from __future__ import annotations

from graphql import Node

from clew.model.scope import Scope
from clew.model.types import Entity
from clew.sdl import directives as d


def entity_node(scope: Scope, entity: Entity) -> Node | None:
    """Return the name node of the entity's type; for a generated link, the `through` that asked for it."""
    declared = scope.entities.get(entity.name)
    if declared is not None:
        return declared.type.node.name
    for other in scope.entities.values():
        for field in other.type.fields.values():
            relation = field.first(d.Relation)
            if relation is not None and relation.through == entity.name:
                return relation.given["through"]
    return None


def field_node(scope: Scope, entity: Entity, name: str) -> Node | None:
    """Return the name node of a field; for a to-one's key, that of its relation."""
    declared = scope.entities.get(entity.name)
    if declared is None:
        return entity_node(scope, entity)
    column = entity.column(name)
    field = declared.type.fields.get(name)
    if field is None and column is not None and column.relation is not None:
        field = declared.type.fields.get(column.relation)
    return field.node.name if field is not None else declared.type.node.name
