"""Types, fields, arguments and enum values are declared once."""

from __future__ import annotations

from clew.sdl.document import Document
from clew.sdl.report import Report, location_of


def check(document: Document, report: Report) -> None:
    for duplicate in document.duplicates:
        first = location_of(duplicate.first)
        where = f" in {first.file}:{first.line}" if first else ""
        hint = "remove one of them, or write extend to add to a type"
        hint = hint if duplicate.what.startswith("the type") else "remove or rename one of them"
        report.error(duplicate.node, f"{duplicate.what} is declared already{where}", hint)
