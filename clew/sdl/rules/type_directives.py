"""Directives on types must fit their type."""

from __future__ import annotations

from clew.sdl.directives import Allow, Table, View
from clew.sdl.document import ROOTS, Document
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    for type_ in document.types.values():
        if type_.is_entity:
            table, view = type_.first(Table), type_.first(View)
            if table and view:
                report.error(view.node, f'"{type_.name}" is @table already: an entity is a table or a view')
            continue
        for directive in type_.directives:
            name = directive.node.name.value
            if type_.name in ROOTS:
                hint = "put @allow on its fields" if isinstance(directive, Allow) else None
                report.error(directive.node, f'@{name} has no meaning on the root type "{type_.name}"', hint)
            elif not isinstance(directive, Allow):
                message = f'@{name} needs an entity, and "{type_.name}" is none'
                report.error(directive.node, message, "add @table to the type")
            elif type_.is_defined:
                message = f'@allow on the plain type "{type_.name}" would have no effect'
                report.error(directive.node, message, "put it on the root field that returns the type")
