"""Generated types must clash neither with declared ones nor with each other."""

from __future__ import annotations

from collections.abc import Iterator

from clew.model import names
from clew.model.operators import filter_type_name
from clew.model.rules.places import entity_node
from clew.model.scope import SQL_TYPES, Scope
from clew.model.types import Model, RelationKind, ValueType


def check(scope: Scope, model: Model) -> None:
    owners: dict[str, str] = {}
    for name, owner in _generated(model):
        first = owners.setdefault(name, owner)
        if first != owner and owner in model.entities and owner not in SQL_TYPES:
            message = f'the entity "{owner}" brings the type "{name}", and so does {_owner(model, first)}'
            scope.report.error(entity_node(scope, model.entities[owner]), message, "rename one of them")
    for type_ in scope.document.types.values():
        owner = owners.get(type_.name, "")
        if not owner:
            continue
        is_job = owner in _job_owners(model)
        if is_job and not type_.is_defined:
            continue
        message = f'the type "{type_.name}" is generated for {_owner(model, owner)}'
        scope.report.error(type_.node.name, message, "give your type another name")


def _generated(model: Model) -> Iterator[tuple[str, str]]:
    """Yield each generated type with the entity, scalar, enum or job that it is generated for."""
    yield "OrderDirection", "orderBy"
    yield "JSONTextFilter", "the scalar JSON"
    for scalar in SQL_TYPES:
        for is_list in (False, True):
            yield filter_type_name(ValueType(scalar, "", is_list=is_list)), f"the scalar {scalar}"
    for enum in model.enums:
        for is_list in (False, True):
            yield filter_type_name(ValueType(enum, "", is_list=is_list)), f"the enum {enum}"
    for field in model.custom_fields:
        if field.job is not None:
            yield names.job_type(field.name), f"the job {field.name}"
    for entity in model.entities.values():
        for name in names.generated_types(entity.name):
            yield name, entity.name
        for relation in entity.relations:
            if relation.kind is not RelationKind.TO_ONE:
                for setting in (False, True):
                    yield names.nested_type(entity.name, relation.name, setting=setting), entity.name
        if entity.generated_link:
            yield entity.name, entity.name


def _job_owners(model: Model) -> set[str]:
    return {f"the job {field.name}" for field in model.custom_fields if field.job is not None}


def _owner(model: Model, owner: str) -> str:
    return f'the entity "{owner}"' if owner in model.entities else owner
