"""Fields that the server fills have a fitting type, and each directive for them occurs once a type."""

from __future__ import annotations

from clew.sdl.directives import CreatedAt, Default, Directive, SoftDelete, UpdatedAt, Version, View
from clew.sdl.document import Document, Field, Type
from clew.sdl.report import Report

# The directive, its allowed types, and whether the field must be nullable (True), not null (False) or either (None).
_FILLED: tuple[tuple[type[Directive], tuple[str, ...], bool | None], ...] = (
    (CreatedAt, ("DateTime",), None),
    (UpdatedAt, ("DateTime",), None),
    (Version, ("Int", "BigInt"), False),
    (SoftDelete, ("DateTime",), True),
)


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        filled: dict[type[Directive], Field] = {}
        for field in type_.fields.values():
            for kind, names, null in _FILLED:
                directive = field.first(kind)
                if directive is None or not document.knows(field.type.name):
                    continue
                _check(type_, field, directive, names, null, report)
                first = filled.setdefault(kind, field)
                if first is not field:
                    name = directive.node.name.value
                    report.error(directive.node, f'"{type_.name}" has @{name} already, on "{first.name}"')


def _check(
    type_: Type, field: Field, directive: Directive, names: tuple[str, ...], null: bool | None, report: Report
) -> None:
    name = directive.node.name.value
    wanted = " or ".join(names)
    if type_.first(View):
        report.error(directive.node, f'@{name} needs a table, and "{type_.name}" is a view')
    elif field.type.name not in names or field.type.is_list:
        report.error(field.type.node, f"a @{name} field must be of type {wanted}")
    elif null is not None and field.type.nullable is not null:
        message = f"a @{name} field must be nullable" if null else f"a @{name} field must not be null"
        hint = f"write {field.type.name}" + ("" if null else "!")
        report.error(field.type.node, message, hint)
    elif (default := field.first(Default)) and not isinstance(directive, CreatedAt | Version):
        report.error(default.node, f"@default has no meaning on a @{name} field: the server fills it")
