"""A preset has one source, of its field's type."""

from __future__ import annotations

from clew.sdl.directives import Preset
from clew.sdl.document import Document
from clew.sdl.report import Report
from clew.sdl.rules.defaults import check_value


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for field in type_.fields.values():
            preset = field.first(Preset)
            if preset is None:
                continue
            sources = [name for name in ("claim", "value", "sql") if name in preset.given]
            if len(sources) != 1:
                report.error(preset.node, "@preset takes exactly one of claim, value and sql")
            elif "value" in preset.given:
                check_value(document, field, preset.given["value"], "preset", report)
            elif preset.sql is not None and not preset.sql.strip():
                report.error(preset.given["sql"], "the sql of @preset is empty")
