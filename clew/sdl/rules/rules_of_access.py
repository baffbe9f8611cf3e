"""The arguments of @allow and @guard that can be checked before names are resolved."""

from __future__ import annotations

from clew.sdl.directives import Allow, Guard, Is
from clew.sdl.document import ROOTS, Document, Type
from clew.sdl.report import Report, did_you_mean

_ROWS = ("where", "check", "fields", "limit")


def check(document: Document, report: Report) -> None:
    for type_ in document.types.values():
        for allow in type_.all(Allow):
            _check_allow(allow, report)
        _check_predicates(type_, report)
        for guard in type_.all(Guard):
            if guard.where is None and guard.check is None:
                report.error(guard.node, "@guard needs where or check")
        for field in type_.fields.values():
            for allow in field.all(Allow):
                _check_allow(allow, report)
                if type_.name in ROOTS:
                    for name in _ROWS:
                        if name in allow.given:
                            message = f'on a field of {type_.name}, @allow takes role alone, not "{name}"'
                            report.error(allow.given[name], message, "judge rows with @row on an argument")


def _check_allow(allow: Allow, report: Report) -> None:
    if not allow.role:
        report.error(allow.given["role"], "@allow needs at least one role")
    if "to" in allow.given and not allow.to:
        report.error(allow.given["to"], "@allow(to:) is empty: the rule would allow nothing")
    if allow.limit is not None and allow.limit < 1:
        report.error(allow.given["limit"], "@allow(limit:) must be at least 1")
    if allow.check is not None and not {"CREATE", "UPDATE", "ALL"} & set(allow.to):
        message = "@allow(check:) judges rows after a write, and this rule allows none"
        report.error(allow.given["check"], message, "add to: [CREATE, UPDATE]")


def _check_predicates(type_: Type, report: Report) -> None:
    names: set[str] = set()
    for predicate in type_.all(Is):
        if predicate.name in names:
            message = f'"{type_.name}" has a predicate "{predicate.name}" already'
            report.error(predicate.given["name"], message, did_you_mean(predicate.name + "2", ()))
        names.add(predicate.name)
