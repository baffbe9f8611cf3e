"""A default is of its field's type."""

from __future__ import annotations

from typing import Any

from graphql import ListValueNode, ValueNode

from clew.sdl.constants import constant, misfit
from clew.sdl.directives import Default
from clew.sdl.document import COLUMN_SCALARS, Document, Field, FieldKind, field_kind
from clew.sdl.report import Report, did_you_mean, shown


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            default = field.first(Default)
            if default is None:
                continue
            if ("value" in default.given) == ("sql" in default.given):
                report.error(default.node, "@default takes either value or sql")
            elif "value" in default.given:
                check_value(document, field, default.given["value"], "default", report)


def check_value(document: Document, field: Field, node: ValueNode, what: str, report: Report) -> None:
    """Report a constant that is not of the field's type. A to-one's is judged with its key, by the model."""
    if field_kind(document, field) is not FieldKind.COLUMN:
        return
    if field.type.is_list and isinstance(node, ListValueNode):
        for item in node.values or ():
            _check_one(document, field, item, field.type.item_nullable, what, report)
    else:
        _check_one(document, field, node, field.type.nullable, what, report)


def _check_one(document: Document, field: Field, node: ValueNode, nullable: bool, what: str, report: Report) -> None:
    value: Any = constant(node)
    name = field.type.name
    if value is None:
        if not nullable and name != "JSON":
            report.error(node, f'the {what} of "{field.name}" cannot be null: its type is {name}!')
        return
    type_ = document.types.get(name) if name not in COLUMN_SCALARS else None
    values = list(type_.values) if type_ is not None and type_.values is not None else None
    expected = misfit(value, name, values)
    if expected is not None:
        hint = did_you_mean(value, values) if values and isinstance(value, str) else None
        report.error(node, f'the {what} of "{field.name}" must be {expected}, not {shown(node)}', hint)
