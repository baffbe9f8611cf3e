"""The arguments of @relation must fit together."""

from __future__ import annotations

from clew.sdl.directives import Relation
from clew.sdl.document import Document, Field, FieldKind, Type, field_kind
from clew.sdl.report import Report

_OWNING = {"on_delete": "onDelete", "column": "column", "columns": "columns", "message": "message"}


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            relation = field.first(Relation)
            if relation is not None:
                _check(document, type_, field, relation, report)


def _check(document: Document, type_: Type, field: Field, relation: Relation, report: Report) -> None:
    kind = field_kind(document, field)
    name = f'"{type_.name}.{field.name}"'
    arguments = relation.given
    if "column" in arguments and "columns" in arguments:
        report.error(arguments["columns"], f"{name} takes column or columns, not both")
    if kind in (FieldKind.TO_ONE, FieldKind.REVERSE_ONE) and "through" in arguments:
        report.error(
            arguments["through"], f"{name} is not a list: through is for many-to-many", f"write [{field.type.name}!]!"
        )
    if kind is FieldKind.TO_ONE:
        if relation.on_delete == "SET_NULL" and not field.type.nullable:
            message = f"{name} cannot be set to null: its type is {field.type.name}!"
            report.error(arguments["onDelete"], message, f"write {field.type.name}, or onDelete: CASCADE")
    elif kind in (FieldKind.REVERSE_ONE, FieldKind.TO_MANY, FieldKind.MANY_TO_MANY):
        for argument in _OWNING.values():
            if argument in arguments:
                message = f"{argument} is for to-one relations, and {name} is {kind.value}"
                report.error(arguments[argument], message, "put it on the other side, which holds the key")
