"""A table has a key, and every field of the key can be part of one."""

from __future__ import annotations

from clew.sdl.directives import Id, Preset, Resolver, View
from clew.sdl.document import Document, Field, FieldKind, Type, field_kind
from clew.sdl.report import Report

_NO_KEYS = ("JSON", "Bytes", "Boolean", "Float")


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        keys = [(field, key) for field in type_.fields.values() if (key := field.first(Id))]
        if not keys and type_.fields and not type_.first(View):
            _no_key(type_, report)
        for field, key in keys:
            _check_key(document, type_, field, key, report)


def _no_key(type_: Type, report: Report) -> None:
    if any(field.broken for field in type_.fields.values()):
        return
    # A type without columns is a fault of its own, reported elsewhere.
    if all(field.first(Resolver) for field in type_.fields.values()):
        return
    field = type_.fields.get("id")
    hint = "add: id: ID! @id" if field is None else "add @id to the field id"
    report.error(type_.node.name, f'the entity "{type_.name}" has no @id: a table needs a key', hint)


def _check_key(document: Document, type_: Type, field: Field, key: Id, report: Report) -> None:
    name = f'"{type_.name}.{field.name}"'
    kind = field_kind(document, field)
    if kind is FieldKind.COLUMN and field.type.is_list:
        report.error(key.node, f"the key {name} cannot be a list")
    elif kind in (FieldKind.COLUMN, FieldKind.TO_ONE):
        if field.type.nullable:
            hint = f"write {field.type.name}!"
            report.error(field.type.node, f"the key {name} must not be null", hint)
        if field.type.name in _NO_KEYS:
            report.error(field.type.node, f"{field.type.name} cannot be a key", "use ID!, Int!, BigInt! or String!")
        if kind is FieldKind.COLUMN and (preset := field.first(Preset)) and "UPDATE" in preset.on:
            report.error(preset.node, f"the key {name} cannot be preset on UPDATE: keys do not change")
