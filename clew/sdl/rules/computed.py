"""A computed field is an SQL expression over its own row only."""

from __future__ import annotations

import re

from clew.sdl.directives import Computed
from clew.sdl.document import Document
from clew.sdl.report import Report

# Quoted text may hold any word. Comments are refused, as they could hide the rest of a statement.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_SUBQUERY = re.compile(r"\b(select|with|values|table)\b", re.IGNORECASE)
_BREAK = re.compile(r";|--|/\*")


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            computed = field.first(Computed)
            if computed is None:
                continue
            node = computed.given["sql"]
            text = _QUOTED.sub("''", computed.sql)
            if not text.strip():
                report.error(node, f'the expression of "{field.name}" is empty')
            elif subquery := _SUBQUERY.search(text):
                message = f'"{field.name}" is computed over its own row: no subquery ({subquery.group().upper()})'
                report.error(node, message, "use a relation, an aggregate, a @view or a @resolver")
            elif _BREAK.search(text):
                report.error(node, f'the expression of "{field.name}" cannot hold ; or a comment')
