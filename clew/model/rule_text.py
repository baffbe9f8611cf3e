"""Access rules as people read them: one line each, with named predicates filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clew.json_numbers import dumps
from clew.model.types import AllowRule, Column, Constant, Entity, GuardRule, Model, Operation, Relation, ResolverField


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule in words: `subject` names its object (`rows of Post`), `text` describes the rule."""

    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


def rules_of(model: Model, roles: frozenset[str]) -> Iterator[RuleText]:
    """Yield the rules that apply to these roles, in the schema's order, with the guards of every opened type."""
    for entity in model.entities.values():
        rules = [rule for rule in entity.allow if not roles.isdisjoint(rule.roles)]
        for rule in rules:
            yield RuleText(f"rows of {entity.name}", allow_text(model, entity, rule))
        for member in members(entity):
            for rule in member.allow:
                if not roles.isdisjoint(rule.roles):
                    yield RuleText(f"field {entity.name}.{member.name}", allow_text(model, entity, rule))
        for guard in entity.guards if rules else ():
            yield RuleText(f"guard on {entity.name}", guard_text(model, entity, guard))
    for custom in model.custom_fields:
        if any(not roles.isdisjoint(rule.roles) for rule in custom.allow):
            for row in custom.rows:
                yield RuleText(f"argument {custom.parent}.{custom.name}({row.argument})", f"{row.to} on {row.entity}")


def rules_of_admin(model: Model) -> Iterator[RuleText]:
    """Yield the rules that bind an admin: guards with `bindsAdmin`."""
    for entity in model.entities.values():
        for guard in entity.guards:
            if guard.binds_admin:
                yield RuleText(f"guard on {entity.name}", guard_text(model, entity, guard))


def members(entity: Entity) -> tuple[Column | Relation | ResolverField, ...]:
    """Return the members that can have their own rules: columns, relations and resolvers."""
    return (*entity.columns, *entity.relations, *entity.resolvers)


def allow_text(model: Model, entity: Entity, rule: AllowRule) -> str:
    """Describe an `@allow` rule: `READ, where {ownerId: "$auth.sub"}, fields [id, title], limit 20`."""
    parts = _conditions(model, entity, rule.to, rule.where, rule.check)
    if rule.fields is not None:
        parts.append(f"fields [{', '.join(sorted(rule.fields))}]")
    if rule.limit is not None:
        parts.append(f"limit {rule.limit}")
    return ", ".join(parts)


def guard_text(model: Model, entity: Entity, guard: GuardRule) -> str:
    """Describe a `@guard` rule: `READ, where {region: "eu"}`."""
    parts = _conditions(model, entity, guard.to, guard.where, guard.check)
    return ", ".join([*parts, "binds admin"] if guard.binds_admin else parts)


def conjuncts(model: Model, entity: Entity, where: Constant) -> Iterator[tuple[Constant, str]]:
    """Yield each part of a condition with its text: `{state: "draft", is: mine}` has two parts or more."""
    for name, value in (where or {}).items():
        if name == "and":
            for item in value if isinstance(value, list) else [value]:
                yield from conjuncts(model, entity, item)
        elif name == "is":
            yield from conjuncts(model, entity, entity.predicates[value])
        elif name == "exists":
            for asked in value if isinstance(value, list) else [value]:
                for other, inner in asked.items():
                    part = {name: {other: inner}}
                    yield part, _text(_expanded(model, entity, part))
        else:
            yield {name: value}, _text(_expanded(model, entity, {name: value}))


def _conditions(model: Model, entity: Entity, to: frozenset[Operation], where: Constant, check: Constant) -> list[str]:
    parts = ["ALL" if to == frozenset(Operation) else " ".join(operation for operation in Operation if operation in to)]
    parts.append("every row" if where is None else f"where {_text(_expanded(model, entity, where))}")
    if check is not None:
        parts.append(f"check {_text(_expanded(model, entity, check))}")
    return parts


def _expanded(model: Model, entity: Entity, where: Mapping[str, Any]) -> dict[str, Any]:
    """Replace each `{is: name}` by the condition that it stands for, so that a change of the predicate shows."""
    expanded: dict[str, Any] = {}
    for name, value in where.items():
        if name in ("and", "or"):
            items = value if isinstance(value, list) else [value]
            expanded[name] = [_expanded(model, entity, item) for item in items]
        elif name == "not":
            expanded[name] = _expanded(model, entity, value)
        elif name == "exists":
            found = [
                {other: _expanded(model, model.entity(other), inner) for other, inner in asked.items()}
                for asked in (value if isinstance(value, list) else [value])
            ]
            expanded[name] = found if isinstance(value, list) else found[0]
        elif name != "is":
            expanded[name] = _expanded_field(model, entity, name, value)
    if "is" not in where:
        return expanded
    predicate = _expanded(model, entity, entity.predicates[where["is"]])
    return {"and": [predicate, expanded]} if predicate.keys() & expanded.keys() else predicate | expanded


def _expanded_field(model: Model, entity: Entity, name: str, value: Any) -> Any:
    relation = entity.relation(name)
    if relation is not None and not relation.to_many:
        return _expanded(model, model.entity(relation.target), value)
    if relation is not None:
        target = model.entity(relation.target)
        return {quantifier: _expanded(model, target, item) for quantifier, item in value.items()}
    many = entity.relation(name.removesuffix("Aggregate"))
    if many is not None and entity.column(name) is None and "where" in value:
        return {**value, "where": _expanded(model, model.entity(many.target), value["where"])}
    return value


def _text(value: Constant) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return dumps(value)
