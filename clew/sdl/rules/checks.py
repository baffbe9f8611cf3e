"""A check is a pattern or a condition."""

from __future__ import annotations

import re

from clew.sdl.directives import Check
from clew.sdl.document import Document
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for directive in type_.all(Check):
            if "pattern" in directive.given:
                message = "@check(pattern:) needs one field to match"
                report.error(directive.given["pattern"], message, "move it to the field, or use sql")
            elif not (directive.sql or "").strip():
                report.error(directive.node, "@check on a type needs sql")
        for field in type_.fields.values():
            if not document.knows(field.type.name):
                continue
            for directive in field.all(Check):
                if ("pattern" in directive.given) == ("sql" in directive.given):
                    report.error(directive.node, "@check takes either pattern or sql")
                elif directive.pattern is not None:
                    node = directive.given["pattern"]
                    if field.type.name != "String" or field.type.is_list:
                        report.error(node, f'"{field.name}" is not a String: a pattern cannot match it', "use sql")
                    elif not _is_pattern(directive.pattern):
                        report.error(node, "the pattern is not a regular expression")


def _is_pattern(pattern: str) -> bool:
    # Postgres' dialect knows classes and escapes that Python does not: only what is broken in both is refused.
    try:
        re.compile(re.sub(r"\[\[:\w+:\]\]|\\[mMyYAZ]", "x", pattern))
    except (re.error, OverflowError, RecursionError):
        return "[[" in pattern or "\\" in pattern or "(?" in pattern or "***" in pattern
    return True
