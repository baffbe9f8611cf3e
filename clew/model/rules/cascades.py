"""A soft delete reaches the rows that a cascade would remove: those rows need @softDelete too."""

from __future__ import annotations

from clew.model.rules.places import field_node
from clew.model.scope import Scope
from clew.model.types import Model, OnDelete
from clew.sdl import directives as d


def check(scope: Scope, model: Model) -> None:
    # What must be deleted softly passes it on, so that all is told at once.
    softly = {entity.name for entity in model.entities.values() if entity.soft_delete is not None}
    pending = sorted(softly)
    while pending:
        target = model.entities[pending.pop()]
        for entity, relation in model.references.get(target.name, ()):
            # A row of a generated link is visible only while both ends are, so it can stay.
            if entity.generated_link or entity.view_sql is not None or entity.soft_delete is not None:
                continue
            if relation.on_delete is not OnDelete.CASCADE:
                continue
            field = scope.entities[entity.name].type.fields[relation.name]
            directive = field.first(d.Relation)
            node = directive.given["onDelete"] if directive else field_node(scope, entity, relation.name)
            how = "is deleted softly" if target.soft_delete is not None else "must be deleted softly"
            message = (
                f'"{target.name}" {how}, and so are the rows of "{entity.name}" with it: '
                f'"{entity.name}" has no @softDelete'
            )
            hint = f"add to {entity.name}: deletedAt: DateTime @softDelete; or leave out onDelete: CASCADE"
            scope.report.error(node, message, hint)
            if entity.name not in softly:
                softly.add(entity.name)
                pending.append(entity.name)
