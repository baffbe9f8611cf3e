"""Link entities that `@relation(through:)` names and nobody declares."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphql import Node

from clew.model import names
from clew.model.keys import Keys
from clew.model.scope import EntityType, Scope
from clew.model.types import Column, Entity, OnDelete, Relation, RelationKind, Through
from clew.sdl.document import Field
from clew.sdl.report import location_of


@dataclass(frozen=True, slots=True)
class Link:
    """A link to be generated: its two ends, the field that asked for it first, and where."""

    name: str
    ends: tuple[EntityType, EntityType]
    field: tuple[str, str]
    node: Node


@dataclass
class Links:
    """Collects the links and makes their entities."""

    scope: Scope
    keys: Keys
    found: dict[str, Link] = field(default_factory=dict)

    def through(self, entity: EntityType, field_: Field, target: EntityType, name: str, node: Node) -> Through | None:
        """The link `name` as seen from `entity`; None after a fault."""
        report = self.scope.report
        if not name.isidentifier() or not name.isascii() or name.startswith("__"):
            report.error(node, f'"{name}" is not a name for a type', "such as PostTag")
            return None
        # In the order of the alphabet, so that the table does not change with the order of files.
        ends = (entity, target) if entity.name <= target.name else (target, entity)
        link = self.found.setdefault(name, Link(name, ends, (entity.name, field_.name), node))
        if {end.name for end in link.ends} != {entity.name, target.name}:
            others = " and ".join(end.name for end in link.ends)
            message = f'"{name}" links {others} already'
            report.error(node, message, f"use another name, such as {entity.name}{target.name}")
            return None
        is_self = entity.name == target.name
        if is_self and link.field != (entity.name, field_.name):
            message = f'"{name}" is used by two fields of "{entity.name}": which end is which cannot be told'
            lines = f"type {name} @table {{ {entity.single}: {entity.name}! @id, other{entity.name}: ... }}"
            report.error(node, message, f"declare the link: {lines}")
            return None
        if any(not self.keys.of(end.name) for end in link.ends):
            for end in link.ends:
                if end.is_view and not self.keys.of(end.name):
                    report.error(node, f'"{end.name}" is a view without @id: nothing can link it')
            return None
        near, far = (0, 1) if is_self or link.ends[0].name == entity.name else (1, 0)
        sides = _side_names(link)
        return Through(name, _pairs(self.keys, entity, sides[near], True), _pairs(self.keys, target, sides[far], False))

    def entities(self) -> list[Entity]:
        """The generated entities, by name."""
        return [self._entity(link) for _, link in sorted(self.found.items()) if self._has_keys(link)]

    def _has_keys(self, link: Link) -> bool:
        return all(self.keys.of(end.name) for end in link.ends)

    def _entity(self, link: Link) -> Entity:
        columns: list[Column] = []
        relations: list[Relation] = []
        location = location_of(link.node)
        for side, end in zip(_side_names(link), link.ends, strict=True):
            key = self.keys.of(end.name)
            made = [
                Column(
                    name=names.key_field(side, part.name),
                    column=names.key_column(side, part.column),
                    type=part.type,
                    nullable=False,
                    relation=side,
                    location=location,
                )
                for part in key
            ]
            columns += made
            relations.append(
                Relation(
                    name=side,
                    target=end.name,
                    kind=RelationKind.TO_ONE,
                    nullable=False,
                    on=tuple((column.column, part.column) for column, part in zip(made, key, strict=True)),
                    key=tuple(column.name for column in made),
                    on_delete=OnDelete.CASCADE,
                    location=location,
                )
            )
        fields: list[str] = []
        for relation in relations:
            fields += [*relation.key, relation.name]
        return Entity(
            name=link.name,
            table=names.table_name(link.name),
            schema=link.ends[0].schema,
            single=names.single_field(link.name),
            plural=names.plural_field(link.name),
            columns=tuple(columns),
            relations=tuple(relations),
            fields=tuple(fields),
            primary_key=tuple(column.name for column in columns),
            generated_link=True,
            location=location,
        )


def _side_names(link: Link) -> tuple[str, str]:
    """The link's two relations: `post` and `tag`; `user` and `otherUser` when both ends are one type."""
    first, second = (end.single for end in link.ends)
    return (first, f"other{names.capitalised(second)}") if first == second else (first, second)


def _pairs(keys: Keys, end: EntityType, side: str, is_local: bool) -> tuple[tuple[str, str], ...]:
    found = ((part.column, names.key_column(side, part.column)) for part in keys.of(end.name))
    return tuple(found if is_local else ((link, own) for own, link in found))
