"""Fields that `@allow(fields:)` names must exist."""

from __future__ import annotations

from clew.model.scope import Scope
from clew.model.types import Entity, Model
from clew.sdl import directives as d
from clew.sdl.report import renamed_or_near


def check(scope: Scope, model: Model) -> None:
    for name, declared in scope.entities.items():
        entity = model.entities[name]
        for allow in declared.type.all(d.Allow):
            for field in allow.fields or ():
                if field not in declared.type.fields and entity.column(field) is None:
                    hint = renamed_or_near(field, declared.type.renamed_fields, _names(entity))
                    scope.report.error(allow.given["fields"], f'"{name}" has no field "{field}"', hint)


def _names(entity: Entity) -> list[str]:
    return [*entity.fields, *(column.name for column in entity.columns)]
