"""An argument with @row is a key of the entity: its scalar, or an input of the key's fields; or a list of them."""

from __future__ import annotations

from clew.model.scope import Scope
from clew.model.types import Column, Entity, Model
from clew.sdl import directives as d
from clew.sdl.document import Argument, Kind, TypeRef


def check(scope: Scope, model: Model) -> None:
    for type_ in scope.document.types.values():
        for field in type_.fields.values():
            for argument in field.arguments:
                row = argument.first(d.Row)
                entity = model.entities.get(row.type) if row is not None else None
                if row is not None and entity is not None:
                    _check(scope, argument, row, entity)


def _check(scope: Scope, argument: Argument, row: d.Row, entity: Entity) -> None:
    given = argument.type
    columns = entity.key_columns
    if not columns:
        message = f'@row cannot name rows of "{entity.name}", which has no key'
        scope.report.error(row.given["type"], message, "mark a field with @id")
    elif given.depth > 1:
        scope.report.error(given.node, f'"{argument.name}" is a list of lists: a key or a list of keys is needed')
    elif len(columns) == 1:
        if given.name != columns[0].type.name:
            message = f'"{argument.name}" is not a key of "{entity.name}", which is of type {columns[0].type.name}'
            scope.report.error(given.node, message, f"write: {argument.name}: {columns[0].type.name}")
    elif not _is_input_of(scope, given, columns):
        message = f'"{argument.name}" is not a key of "{entity.name}", which has several fields'
        fields = " ".join(f"{column.name}: {column.type.name}!" for column in columns)
        scope.report.error(given.node, message, f"use an input of just these: input {entity.name}Id {{ {fields} }}")


def _is_input_of(scope: Scope, given: TypeRef, columns: tuple[Column, ...]) -> bool:
    type_ = scope.document.types.get(given.name)
    if type_ is None:
        # Reported as such.
        return True
    found = {name: field.type for name, field in type_.fields.items()}
    return type_.kind is Kind.INPUT and {
        name: (type_.name, type_.nullable, type_.depth) for name, type_ in found.items()
    } == {column.name: (column.type.name, False, 0) for column in columns}
