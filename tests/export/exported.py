"""A naive second implementation of what may be exported, and random rules for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from graphql import GraphQLResolveInfo

from clew.model.types import AllowRule, Column, Entity, FieldKind, GuardRule, Model, Operation, Relation
from tests.access.masked import MaskedReference
from tests.reference import Reference, Row

_READ, _EXPORT = Operation.READ, Operation.EXPORT


class NotExportedError(Exception):
    """The viewer may not export what is asked for."""


class _Exported(tuple[Entity, Row]):
    """A row of the root list."""


class ExportedReference(MaskedReference):
    """Answers queries of one list or groups as an export does."""

    # The rows that are being grouped: copies, for another row may lead to one of them.
    grouped: tuple[Row, ...] = ()

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if isinstance(source, _Exported):
            entity, row = source
            many = entity.many(info.field_name)
            name = info.field_name if many is None else many[0].name
            if not self.is_field_exported(entity, row, name):
                if many is None:
                    return None
                rows = list[Row]()
                return self.many(self.model.entity(many[0].target), many[1], rows, arguments)
            return super().resolve((entity, row), info, **arguments)
        if source is not None:
            return super().resolve(source, info, **arguments)
        root = self.model.root_fields[info.field_name]
        if not self.may_export(root.entity):
            raise NotExportedError
        rows = [r for r in self.visible(root.entity, arguments.get("deleted")) if self.is_exported(root.entity, r)]
        if root.kind is FieldKind.GROUPS:
            self.grouped = tuple(dict(row) for row in rows)
            rows = list(self.grouped)
            self.owner |= {id(row): root.entity for row in rows}
            if arguments.get("where") is not None or arguments.get("search") is not None:
                # Conditions may use what can be read.
                kept, self.grouped = self.grouped, ()
                rows = [row for _, row in self.many(root.entity, FieldKind.LIST, rows, _conditions(arguments))]
                self.grouped = kept
            arguments = {name: value for name, value in arguments.items() if name not in ("where", "search")}
            try:
                return self.many(root.entity, root.kind, rows, arguments)
            finally:
                self.grouped = ()
        found = self.many(root.entity, root.kind, rows, arguments)
        return [_Exported(one) for one in found]

    def is_field_open(self, entity: Entity, row: Row, name: str) -> bool:
        is_grouped = any(row is one for one in self.grouped)
        return super().is_field_open(entity, row, name) and (
            not is_grouped or self.is_field_exported(entity, row, name)
        )

    def exporting(self, entity: Entity) -> list[AllowRule]:
        """The rules of the viewer for EXPORT."""
        return self.rules(entity, entity.allow, _EXPORT)

    def may_export(self, entity: Entity) -> bool:
        """Whether a rule lets the viewer export some row."""
        if is_free(entity) and not self.admin:
            return all(self.may_export(self.model.entity(end.target)) for end in entity.relations)
        return self.admin or bool(self.exporting(entity))

    def is_exported(self, entity: Entity, row: Row) -> bool:
        if is_free(entity) and not self.admin:
            return all(self.exports_link(entity, end, row) for end in entity.relations)
        return self.passes_guards(entity, row, _EXPORT) and (
            self.admin or any(self.opens(entity, row, rule) for rule in self.exporting(entity))
        )

    def exports_link(self, link: Entity, end: Relation, row: Row) -> bool:
        """Whether an end of a link may be exported, with each list there that the link is in."""
        target, own = self.model.entity(end.target), {own for own, _ in end.on}
        there = Reference.related(self, link, end, row)
        if not there or not self.is_exported(target, there[0]):
            return False
        return all(
            not one.hidden and self.is_field_exported(target, there[0], one.name)
            for one in target.relations
            if one.through and one.through.entity == link.name and {at for _, at in one.through.local} == own
        )

    def is_field_exported(self, entity: Entity, row: Row, name: str) -> bool:
        if is_free(entity) and not self.admin:
            column = entity.column(name)
            if column is None:
                return True
            end = entity.relation(column.relation or "")
            assert end is not None
            target = self.model.entity(end.target)
            part = target.column_by_sql(next(theirs for own, theirs in end.on if own == column.column))
            there = Reference.related(self, entity, end, row)
            return part is not None and bool(there) and self.is_field_exported(target, there[0], part.name)
        return self.admin or any(self.opens(entity, row, rule) for rule in self.of_field(entity, name))

    def of_field(self, entity: Entity, name: str) -> list[AllowRule]:
        """The rules that let the viewer export a field."""
        member: Any = entity.column(name) or entity.relation(name)
        if member.allow:
            return self.rules(entity, member.allow, _EXPORT)
        names = {name, member.relation} if isinstance(member, Column) else {name}
        return [rule for rule in self.exporting(entity) if rule.fields is None or rule.fields & names]


def is_free(entity: Entity) -> bool:
    """Whether an entity is a generated link without rules of its own."""
    return entity.generated_link and not entity.allow


def _conditions(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name in ("where", "search")}


def with_exports(model: Model, seed: int) -> Model:
    """Return the model with rules and guards for EXPORT, made of those that it has."""
    random = Random(seed)

    def rules(given: Sequence[AllowRule], names: Sequence[str]) -> tuple[AllowRule, ...]:
        found: list[AllowRule] = []
        for rule in given:
            if _READ in rule.to and random.random() < 0.7:
                rule = replace(rule, to=frozenset({*rule.to, _EXPORT}))
            found.append(rule)
            if random.random() < 0.4:
                fields = None
                if names and random.random() < 0.5:
                    fields = frozenset(random.sample(names, random.randint(1, len(names))))
                found.append(replace(rule, to=frozenset({_EXPORT}), fields=fields))
        return tuple(found)

    def guards(given: Sequence[GuardRule]) -> tuple[GuardRule, ...]:
        return tuple(
            replace(guard, to=frozenset({*guard.to, _EXPORT} if random.random() < 0.5 else {_EXPORT}))
            for guard in given
        )

    def ruled(entity: Entity) -> Entity:
        names = [*(column.name for column in entity.columns), *(relation.name for relation in entity.relations)]
        return replace(
            entity,
            allow=rules(entity.allow, names),
            guards=guards(entity.guards),
            columns=tuple(replace(column, allow=rules(column.allow, ())) for column in entity.columns),
            relations=tuple(replace(relation, allow=rules(relation.allow, ())) for relation in entity.relations),
        )

    return replace(model, entities={name: ruled(entity) for name, entity in model.entities.items()})
