"""Fields of entities: scalars, enums, relations; everything else is a resolver's."""

from __future__ import annotations

from clew.sdl.document import Document, Field, FieldKind, Kind, Type, field_kind
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            kind = field_kind(document, field)
            if kind is FieldKind.RESOLVER:
                continue
            if field.arguments:
                message = f'"{type_.name}.{field.name}" takes arguments, which only a @resolver field can'
                report.error(field.arguments[0].node.name, message, "add @resolver, or remove the arguments")
            if kind is FieldKind.PLAIN:
                _plain(document, type_, field, report)
            elif field.type.depth > 1:
                message = f'"{type_.name}.{field.name}" is a list of lists, which no column can hold'
                report.error(field.type.node, message, "use JSON, or make the inner list an entity")


def _plain(document: Document, type_: Type, field: Field, report: Report) -> None:
    target = document.types.get(field.type.name)
    if target is None or not target.is_defined or target.kind is Kind.INPUT or target.broken or field.broken:
        return
    if target.kind is Kind.SCALAR:
        message = f'the scalar "{target.name}" is your own: no column holds it'
        report.error(field.type.node, message, "use one of Clew's scalars, such as JSON, or add @resolver")
        return
    message = f'"{type_.name}.{field.name}" is of the plain type "{target.name}", which no column can hold'
    report.error(field.type.node, message, f"add @resolver to the field, or @table to {target.name}")
