"""The fields that Clew adds must not clash with declared ones."""

from __future__ import annotations

from clew.model import names
from clew.model.rules.places import field_node
from clew.model.scope import Scope
from clew.model.types import Model


def check(scope: Scope, model: Model) -> None:
    for entity in model.entities.values():
        taken: dict[str, str] = {}
        for column in entity.columns:
            first = taken.setdefault(column.name, column.relation or column.name)
            if first != (column.relation or column.name):
                message = f'"{entity.name}.{column.relation}" brings the field "{column.name}", as "{first}" does'
                scope.report.error(field_node(scope, entity, column.name), message, "rename one of the two")
        for relation in entity.relations:
            if not relation.to_many:
                continue
            for name in (f"{relation.name}Connection", f"{relation.name}Aggregate"):
                if entity.column(name) or entity.relation(name) or entity.resolver(name):
                    message = f'the field "{entity.name}.{name}" is generated for "{relation.name}"'
                    scope.report.error(field_node(scope, entity, name), message, "give your field another name")
        for name in entity.primary_key if entity.has_changes else ():
            if name in names.CHANGE_FIELDS:
                message = f'the key field "{entity.name}.{name}" has the name of a field of "{entity.name}Change"'
                hint = f'rename the field and keep its column: @column(name: "{name}")'
                scope.report.error(field_node(scope, entity, name), message, hint)
        for name in entity.primary_key if entity.is_writable else ():
            if name in names.UPDATE_ARGUMENTS:
                update = f"update{names.capitalised(entity.single)}"
                message = f'the key field "{entity.name}.{name}" has the name of an argument of "{update}"'
                hint = f'rename the field and keep its column: @column(name: "{names.column_name(name)}")'
                scope.report.error(field_node(scope, entity, name), message, hint)
        for name in (entity.name, *entity.fields):
            if not names.is_snakeable(name):
                node = field_node(scope, entity, name)
                scope.report.error(node, f'no SQL name can be made of "{name}"', "use letters in it")
