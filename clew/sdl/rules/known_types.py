"""Every type that is named exists, and stands where its kind may."""

from __future__ import annotations

from clew.sdl.document import COLUMN_SCALARS, ROOTS, Document, Kind, TypeRef
from clew.sdl.report import Report, did_you_mean

_INPUT = (Kind.SCALAR, Kind.ENUM, Kind.INPUT)


def check(document: Document, report: Report) -> None:
    for type_ in document.types.values():
        if type_.kind is Kind.UNION:
            for member in type_.members:
                _check_member(document, type_.name, TypeRef(member.name.value, member, True), report)
        for field in type_.fields.values():
            _check(document, field.type, type_.kind is Kind.INPUT, report)
            for argument in field.arguments:
                _check(document, argument.type, True, report)


def _check(document: Document, ref: TypeRef, is_input: bool, report: Report) -> None:
    name = ref.name
    if name in COLUMN_SCALARS:
        return
    type_ = document.types.get(name)
    if type_ is None or not type_.is_defined:
        _unknown(document, ref, is_input, report)
    elif is_input and type_.kind not in _INPUT:
        what = "an entity" if type_.is_entity else f"declared as {type_.kind.value}"
        report.error(ref.node, f'"{name}" is {what}: it cannot be an input', f"declare an input: input {name}Input")
    elif not is_input and type_.kind is Kind.INPUT:
        report.error(ref.node, f'"{name}" is an input type: it cannot be the type of a field')
    elif name in ROOTS:
        report.error(ref.node, f'the root type "{name}" cannot be the type of a field')


def _check_member(document: Document, union: str, ref: TypeRef, report: Report) -> None:
    type_ = document.types.get(ref.name)
    if type_ is None and ref.name not in COLUMN_SCALARS:
        _unknown(document, ref, False, report)
    elif type_ is None or type_.kind is not Kind.OBJECT:
        report.error(ref.node, f'"{ref.name}" is not an object type: it cannot be a member of the union "{union}"')


def _unknown(document: Document, ref: TypeRef, is_input: bool, report: Report) -> None:
    usable = [
        name
        for name, type_ in document.types.items()
        if name not in ROOTS and (type_.kind in _INPUT if is_input else type_.kind is not Kind.INPUT)
    ]
    hint = did_you_mean(ref.name, [*usable, *COLUMN_SCALARS])
    if hint is None:
        wanted = f"input {ref.name}" if is_input else f"type {ref.name} @table"
        hint = f"declare it: {wanted} {{ ... }}"
    report.error(ref.node, f'unknown type "{ref.name}"', hint)
