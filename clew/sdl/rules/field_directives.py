"""Directives on fields and arguments must fit their field."""

from __future__ import annotations

from clew.sdl.directives import (
    Allow,
    Check,
    Column,
    Computed,
    CreatedAt,
    Default,
    Directive,
    Hidden,
    Id,
    Index,
    Job,
    Preset,
    Relation,
    Renamed,
    Resolver,
    Search,
    SoftDelete,
    Unique,
    UpdatedAt,
    Version,
)
from clew.sdl.document import ROOTS, Document, Field, FieldKind, Type, field_kind, stored_computed
from clew.sdl.report import Report

_COLUMN: tuple[type[Directive], ...] = (
    *(Id, Unique, Index, Column, Default, Check, Computed, CreatedAt, UpdatedAt, Version, SoftDelete),
    *(Search, Hidden, Preset, Allow, Renamed),
)
_MANY: tuple[type[Directive], ...] = (Relation, Hidden, Allow)
_FITTING: dict[FieldKind, tuple[type[Directive], ...]] = {
    FieldKind.COLUMN: _COLUMN,
    FieldKind.TO_ONE: (Id, Unique, Index, Relation, Default, Hidden, Preset, Allow, Renamed),
    FieldKind.REVERSE_ONE: _MANY,
    FieldKind.TO_MANY: _MANY,
    FieldKind.MANY_TO_MANY: _MANY,
    FieldKind.RESOLVER: (Resolver, Allow),
}
_HINTS: dict[tuple[FieldKind, type[Directive]], str] = {
    (FieldKind.TO_ONE, Column): 'name its key\'s column with @relation(column: "...")',
    (FieldKind.COLUMN, Relation): "a relation's type is an entity",
}
# A computed column stores no value that could be filled, checked or renamed.
_NOT_COMPUTED = (*(Id, Default, Check, CreatedAt, UpdatedAt, Version, SoftDelete, Preset, Renamed),)


def check(document: Document, report: Report) -> None:
    for type_ in document.types.values():
        for field in type_.fields.values():
            if field.directives:
                if type_.is_entity:
                    _check_entity_field(document, type_, field, report)
                elif type_.name in ROOTS:
                    _check_root_field(type_, field, report)
                elif not type_.broken:
                    _check_plain_field(type_, field, report)
            for argument in field.arguments:
                for directive in argument.directives:
                    if type_.name not in ROOTS and not (type_.is_entity and field.first(Resolver)):
                        message = "@row admits arguments of your own root fields and of @resolver fields only"
                        report.error(directive.node, message, "move the argument to a field of Query or Mutation")


def _check_entity_field(document: Document, type_: Type, field: Field, report: Report) -> None:
    kind = field_kind(document, field)
    fitting = _FITTING.get(kind)
    if fitting is None:
        return
    computed = field.first(Computed)
    for directive in field.directives:
        name = directive.node.name.value
        if isinstance(directive, Job):
            report.error(directive.node, "@job belongs on fields of Mutation")
        elif not isinstance(directive, fitting):
            hint = _HINTS.get((kind, type(directive)))
            report.error(directive.node, f'@{name} cannot be used on "{field.name}": it is {kind.value}', hint)
        elif computed and isinstance(directive, _NOT_COMPUTED):
            report.error(directive.node, f'@{name} cannot be used on "{field.name}": it is @computed')
        elif computed and isinstance(directive, Column) and directive.name and field.name not in stored_computed(type_):
            message = f'@column(name:) cannot be used on "{field.name}": it is @computed, and not stored'
            report.error(directive.given["name"], message, "remove name; type is its exact SQL type")
        elif isinstance(directive, Unique | Index) and directive.fields is not None:
            message = f'@{name}(fields:) belongs on the type; on a field it is about "{field.name}"'
            report.error(directive.given["fields"], message, f"remove fields, or move @{name} to {type_.name}")
        elif isinstance(directive, Allow) and directive.fields is not None:
            message = f'@allow(fields:) belongs on the type; on a field it is about "{field.name}"'
            report.error(directive.given["fields"], message, f"remove fields, or move @allow to {type_.name}")


def _check_root_field(type_: Type, field: Field, report: Report) -> None:
    for directive in field.directives:
        name = directive.node.name.value
        if isinstance(directive, Job):
            if type_.name != "Mutation":
                report.error(directive.node, "@job belongs on fields of Mutation", "move the field to Mutation")
        elif not isinstance(directive, Allow):
            report.error(directive.node, f'@{name} has no meaning on a field of "{type_.name}"')


def _check_plain_field(type_: Type, field: Field, report: Report) -> None:
    for directive in field.directives:
        name = directive.node.name.value
        message = f'@{name} needs a field of an entity, and "{type_.name}" is none'
        report.error(directive.node, message, "add @table to the type")
