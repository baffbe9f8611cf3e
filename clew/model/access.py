"""Access directives as the model holds them. Their conditions stay constants; `rules.conditions` checks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clew.model.types import AllowRule, Constant, GuardRule, Operation
from clew.sdl import directives as d
from clew.sdl.document import Type
from clew.sdl.report import location_of

ALL = "ALL"


def operations(names: Iterable[str]) -> frozenset[Operation]:
    """Return the operations that a rule names; `ALL` stands for every one."""
    names = tuple(names)
    return frozenset(Operation) if ALL in names else frozenset(Operation(name) for name in names)


def allow_rules(directives: Iterable[d.Allow]) -> tuple[AllowRule, ...]:
    return tuple(
        AllowRule(
            roles=tuple(dict.fromkeys(allow.role)),
            to=operations(allow.to),
            where=allow.where,
            check=allow.check,
            fields=frozenset(allow.fields) if allow.fields is not None else None,
            limit=allow.limit,
            location=location_of(allow.node),
        )
        for allow in directives
    )


def guard_rules(type_: Type) -> tuple[GuardRule, ...]:
    return tuple(
        GuardRule(operations(guard.to), guard.where, guard.check, guard.binds_admin, location_of(guard.node))
        for guard in type_.all(d.Guard)
    )


def predicates(type_: Type) -> Mapping[str, Constant]:
    """Return the conditions of `@is` by name."""
    return {predicate.name: predicate.where for predicate in type_.all(d.Is)}
