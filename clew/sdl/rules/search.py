"""Full text search is over text."""

from __future__ import annotations

from clew.sdl.directives import Search, View
from clew.sdl.document import Document
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            search = field.first(Search)
            if search is None or not document.knows(field.type.name):
                continue
            if field.type.name != "String" or field.type.is_list:
                report.error(search.node, f'"{field.name}" is not a String: @search is for text')
            elif type_.first(View):
                report.error(search.node, f'@search needs a table, and "{type_.name}" is a view')
