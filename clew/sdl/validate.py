"""Run every rule over the merged document."""

from __future__ import annotations

from clew.sdl.document import Document
from clew.sdl.report import Report
from clew.sdl.rules import RULES


def validate(document: Document, report: Report) -> None:
    """Report every fault that needs no resolved names."""
    for rule in RULES:
        rule(document, report)
