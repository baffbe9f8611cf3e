"""A soft delete reaches the rows that a cascade would remove: those rows need @softDelete too."""

from __future__ import annotations

from clew.model.rules.places import field_node
from clew.model.scope import Scope
from clew.model.types import Model, OnDelete
from clew.sdl import directives as d


def check(scope: Scope, model: Model) -> None:
    for entity in model.entities.values():
        # A row of a generated link is visible only while both ends are, so it can stay.
        if entity.soft_delete is not None or entity.generated_link or entity.view_sql is not None:
            continue
        for relation in entity.relations:
            target = model.entities[relation.target]
            if relation.on_delete is OnDelete.CASCADE and target.soft_delete is not None:
                field = scope.entities[entity.name].type.fields[relation.name]
                directive = field.first(d.Relation)
                node = directive.given["onDelete"] if directive else field_node(scope, entity, relation.name)
                message = (
                    f'"{target.name}" is deleted softly, and so are the rows of "{entity.name}" with it: '
                    f'"{entity.name}" has no @softDelete'
                )
                scope.report.error(node, message, f"add to {entity.name}: deletedAt: DateTime @softDelete")
