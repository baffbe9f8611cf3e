"""Full text search works on text fields only."""

from __future__ import annotations

from clew.sdl.directives import Computed, Search, View
from clew.sdl.document import Document, stored_computed
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            search = field.first(Search)
            if search is None or not document.knows(field.type.name):
                continue
            if field.type.name != "String" or field.type.is_list:
                report.error(search.node, f'"{field.name}" is not a String: @search is for text')
            elif field.first(Computed) and field.name not in stored_computed(type_):
                message = f'@search needs a stored field, and "{field.name}" is computed in each statement'
                report.error(search.node, message, "add @index, which stores it")
            elif type_.first(View):
                report.error(search.node, f'@search needs a table, and "{type_.name}" is a view')
