"""SDL with the expected fault marked: «token» is where the caret line must be."""

from __future__ import annotations

from graphql import Source

from clew.errors import Diagnostic, Location, SchemaError
from clew.model.build import parse_model


def faults(*texts: str) -> list[Diagnostic]:
    """The diagnostics of files a.graphql, b.graphql ...; none when they are valid."""
    sources = [Source(text, f"{name}.graphql") for name, text in zip("abcdef", texts, strict=False)]
    try:
        parse_model(*sources)
    except SchemaError as error:
        return list(error.diagnostics)
    return []


def marked(text: str, message: str, hint: str | None) -> tuple[str, Diagnostic]:
    """The SDL without its marks, and the diagnostic that the marks ask for."""
    start, end = text.index("«"), text.index("»")
    line_start = text.rfind("\n", 0, start) + 1
    place = Location("a.graphql", text.count("\n", 0, start) + 1, start - line_start + 1)
    clean = text.replace("«", "").replace("»", "")
    source = clean.split("\n")[place.line - 1]
    return clean, Diagnostic(message, place, source, end - start - 1, hint)
