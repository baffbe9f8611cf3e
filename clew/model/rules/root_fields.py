"""Generated root fields must clash neither with declared ones nor with each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import Node

from clew.model import names
from clew.model.rules.places import entity_node
from clew.model.scope import Scope
from clew.model.types import Entity, FieldKind, Model, WriteKind
from clew.sdl import directives as d
from clew.sdl.document import ROOTS


@dataclass(frozen=True, slots=True)
class _Generated:
    name: str
    entity: Entity
    unique: str | None = None


def check(scope: Scope, model: Model) -> None:
    reported: set[tuple[str, str]] = set()
    has_jobs = any(field.job is not None for field in model.custom_fields)
    for root in ROOTS:
        owners: dict[str, str] = dict.fromkeys(_globals(root, has_jobs), "Clew itself")
        for entity in model.entities.values():
            if entity.single == entity.plural:
                if root == "Query":
                    message = f'"{entity.plural}" is the name of one {entity.name} and of the list as well'
                    scope.report.error(_plural_node(scope, entity), message, '@table(plural: "...") names the list')
                continue
            for field in _fields(root, entity):
                first = owners.setdefault(field.name, f'the entity "{entity.name}"')
                # Report two entities that clash once.
                if first != f'the entity "{entity.name}"' and (entity.name, first) not in reported:
                    reported.add((entity.name, first))
                    message = f'the entity "{entity.name}" brings the field "{root}.{field.name}", and so does {first}'
                    scope.report.error(entity_node(scope, entity), message, '@table(plural: "...") names the list')
        for own in scope.document.root_fields(root).values():
            owner = owners.get(own.name)
            if owner is not None:
                message = f'the field "{root}.{own.name}" is generated for {owner}'
                if owner == "Clew itself":
                    message = f'the field "{root}.{own.name}" is one of Clew\'s own'
                scope.report.error(own.node.name, message, "give your field another name")


def _globals(root: str, has_jobs: bool) -> tuple[str, ...]:
    if root == "Query":
        return names.GLOBAL_QUERIES
    jobs = names.JOB_MUTATIONS if root == "Mutation" else names.JOB_SUBSCRIPTIONS
    return jobs if has_jobs else ()


def _fields(root: str, entity: Entity) -> Iterator[_Generated]:
    if root == "Mutation":
        if entity.is_writable:
            root_names = names.mutation_fields(entity.single, entity.plural, entity.soft_delete is not None)
            for name, write in zip(root_names, WriteKind, strict=False):
                if entity.brings(write):
                    yield _Generated(name, entity)
        return
    if root == "Subscription" and not entity.is_live:
        return
    yield _Generated(entity.single, entity)
    for kind in filter(entity.brings, FieldKind):
        yield _Generated(entity.plural + kind, entity)
    for unique in entity.uniques:
        if unique.lookup is not None:
            yield _Generated(unique.lookup, entity, unique.lookup)
    if root == "Subscription" and entity.has_changes:
        yield _Generated(names.change_field(entity.single), entity)


def _plural_node(scope: Scope, entity: Entity) -> Node | None:
    declared = scope.entities.get(entity.name)
    table = declared.type.first(d.Table) if declared is not None else None
    if table is not None and "plural" in table.given:
        return table.given["plural"]
    return entity_node(scope, entity)
