"""A custom field that returns an entity takes a key from its resolver: the entity must have one."""

from __future__ import annotations

from clew.model.scope import Scope
from clew.model.types import Model
from clew.sdl.document import Field, FieldKind, Kind, Type, field_kind


def check(scope: Scope, model: Model) -> None:
    keyless = {entity.name for entity in model.entities.values() if not entity.primary_key}
    for type_ in scope.document.types.values():
        if type_.kind not in (Kind.OBJECT, Kind.INTERFACE):
            continue
        for field in type_.fields.values():
            if field.type.name in keyless and _is_own(scope, type_, field):
                message = f'"{type_.name}.{field.name}" is of the type "{field.type.name}", which has no key'
                hint = f"mark a field of {field.type.name} with @id, for the resolver to return"
                scope.report.error(field.type.node, message, hint)


def _is_own(scope: Scope, type_: Type, field: Field) -> bool:
    return not type_.is_entity or field_kind(scope.document, field) is FieldKind.RESOLVER
