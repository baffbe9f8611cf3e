"""Only one field or type may claim an earlier name with @renamed, and that name must no longer exist."""

from __future__ import annotations

from collections.abc import Sequence

from clew.sdl.directives import Renamed
from clew.sdl.document import Document, Field, Type
from clew.sdl.report import Report


def check(document: Document, report: Report) -> None:
    _check(list(document.entities), "an entity", report)
    for type_ in document.entities:
        _check(list(type_.fields.values()), f"a field of {type_.name}", report)


def _check(members: Sequence[Type] | Sequence[Field], what: str, report: Report) -> None:
    names = {member.name for member in members}
    taken: dict[str, str] = {}
    for member in members:
        renamed = member.first(Renamed)
        if renamed is None:
            continue
        old, node = renamed.from_, renamed.given["from"]
        if old in names:
            message = f'"{old}" is {what}, so it was not renamed'
            report.error(node, message, "name the earlier name, or remove @renamed")
        elif old in taken:
            message = f'"{old}" was renamed to "{taken[old]}" already'
            report.error(node, message, "one name has one successor: remove one @renamed")
        else:
            taken[old] = member.name
