"""SQL in directives must not be empty."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import StringValueNode

from clew.sdl.directives import Check, Default, Directive, Index, Unique
from clew.sdl.document import Document, Type
from clew.sdl.report import Report

_ARGUMENTS = ("sql", "where")


def check(document: Document, report: Report) -> None:
    for type_ in document.entities:
        for directive in _directives(type_):
            for name in _ARGUMENTS:
                node = directive.given.get(name)
                if isinstance(node, StringValueNode) and not node.value.strip():
                    report.error(node, f"the {name} of @{directive.node.name.value} is empty", "leave it out")


def _directives(type_: Type) -> Iterator[Directive]:
    for kind in (Unique, Index, Check):
        yield from type_.all(kind)
        for field in type_.fields.values():
            yield from field.all(kind)
    for field in type_.fields.values():
        yield from field.all(Default)
