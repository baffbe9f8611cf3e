"""The model as data for a diagram: entities, relations, and who may read what."""

from __future__ import annotations

from typing import Any

from clew.access.visible import Access
from clew.model.rule_text import allow_text, guard_text
from clew.model.types import Column, Entity, Model, Opening, Relation, RelationKind, ValueType
from clew.schema.roles import roles_of
from clew.viewer import ADMIN, ANON, USER, Viewer


def diagram(access: Access) -> dict[str, Any]:
    """Return `roles`, and `entities` with their fields, relations, rules, and what each role may read.

    Links that Clew has made are left out: they are the relations over them.
    """
    model, known = access.rules.model, access.rules.roles()
    roles = [ANON, USER, *sorted(known - {ANON, USER, ADMIN})]
    openings = {role: access.openings(roles_of(Viewer.seen_as([role]), known)) for role in roles}
    return {
        "roles": roles,
        "entities": [
            _entity(model, entity)
            | {"readers": {role: _seen(found[entity.name]) for role, found in openings.items() if entity.name in found}}
            for entity in model.entities.values()
            if not entity.generated_link
        ],
    }


def _entity(model: Model, entity: Entity) -> dict[str, Any]:
    return {
        "name": entity.name,
        "kind": "job" if entity.is_job else "table" if entity.view_sql is None else "view",
        "description": entity.description,
        "key": list(entity.primary_key),
        "fields": [
            {"name": column.name, "type": _type(column)}
            for column in entity.columns
            if not column.hidden and column.relation is None
        ],
        "relations": [
            {
                "name": relation.name,
                "target": relation.target,
                "kind": relation.kind.value,
                "type": _relation_type(model, relation),
            }
            for relation in entity.relations
            if not relation.hidden
        ],
        "rules": [
            *(f"{', '.join(rule.roles)}: {allow_text(model, entity, rule)}" for rule in entity.allow),
            *(f"guard: {guard_text(model, entity, guard)}" for guard in entity.guards),
        ],
    }


def _seen(opening: Opening) -> dict[str, Any]:
    """Return what a role may read of an entity: all rows or some, and of each field likewise."""
    return {
        "rows": "all" if opening.unconditional else "some",
        "fields": sorted(opening.fields - opening.conditional),
        "masked": sorted(opening.fields & opening.conditional),
    }


def _type(column: Column) -> str:
    value: ValueType = column.type
    name = f"[{value.name}{'' if value.item_nullable else '!'}]" if value.is_list else value.name
    return name if column.nullable else f"{name}!"


def _relation_type(model: Model, relation: Relation) -> str:
    """Return the type that a relation has for an admin, whom no rule hides a row."""
    if relation.to_many:
        return f"[{relation.target}!]!"
    required = relation.kind is RelationKind.TO_ONE and not relation.nullable
    return f"{relation.target}!" if required and model.entity(relation.target).soft_delete is None else relation.target
