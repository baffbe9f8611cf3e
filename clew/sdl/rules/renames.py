"""Only one field, type or enum value may claim an earlier name with @renamed, and that name must no longer exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from clew.sdl.directives import Renamed
from clew.sdl.document import Document, Field, Type
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    types = {type_.name: type_ for type_ in document.entities}
    _check(types.keys(), _renamed(types), "an entity", report)
    for type_ in document.entities:
        _check(type_.fields.keys(), _renamed(type_.fields), f"a field of {type_.name}", report)
    for type_ in document.types.values():
        _check((type_.values or {}).keys(), type_.renamed_values, f"a value of {type_.name}", report)


def _renamed(members: Mapping[str, Type] | Mapping[str, Field]) -> dict[str, Renamed]:
    found = {name: member.first(Renamed) for name, member in members.items()}
    return {name: renamed for name, renamed in found.items() if renamed is not None}


def _check(names: Collection[str], renames: Mapping[str, Renamed], what: str, report: Report) -> None:
    taken: dict[str, str] = {}
    for name, renamed in renames.items():
        old, node = renamed.from_, renamed.given["from"]
        if old in names:
            message = f'"{old}" is {what}, so it was not renamed'
            report.error(node, message, "name the earlier name, or remove @renamed")
        elif old in taken:
            message = f'"{old}" was renamed to "{taken[old]}" already'
            report.error(node, message, "one name has one successor: remove one @renamed")
        else:
            taken[old] = name
