"""A custom type has the fields of the interfaces that it implements."""

from __future__ import annotations

from clew.sdl.document import Document, Kind
from clew.sdl.report import Report, did_you_mean


def check(document: Document, report: Report) -> None:
    names = [name for name, type_ in document.types.items() if type_.kind is Kind.INTERFACE]
    for type_ in document.types.values():
        if type_.is_entity:
            continue
        for node in type_.interfaces:
            interface = document.types.get(node.name.value)
            if interface is None:
                report.error(node, f'unknown interface "{node.name.value}"', did_you_mean(node.name.value, names))
                continue
            if interface.kind is not Kind.INTERFACE:
                report.error(node, f'"{interface.name}" is declared as {interface.kind.value}, not as interface')
                continue
            for name in interface.fields:
                if name not in type_.fields:
                    message = f'"{type_.name}" implements "{interface.name}" and lacks its field "{name}"'
                    report.error(type_.node.name, message)
