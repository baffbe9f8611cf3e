"""Interfaces and unions may not include entities."""

from __future__ import annotations

from clew.sdl.document import Document
from clew.sdl.report import Report

HINT = "relate the types with to-one fields instead"


def check(document: Document, report: Report) -> None:
    for type_ in document.types.values():
        if type_.is_entity:
            for interface in type_.interfaces:
                message = f'the entity "{type_.name}" implements "{interface.name.value}": not supported yet'
                report.error(interface, message, HINT)
        for member in type_.members:
            if document.is_entity(member.name.value):
                message = f'the union "{type_.name}" holds the entity "{member.name.value}": not supported yet'
                report.error(member, message, HINT)
